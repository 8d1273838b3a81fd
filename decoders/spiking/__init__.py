"""Networks of spiking neurons: what they are, how they run, what they cost, how they are passed on.

``network`` has the neurons and their live step, in numpy alone. ``training`` fits one (torch and
snntorch), ``nir_file`` passes one on to, and takes one from, the tool chains of neuromorphic
hardware, and ``energy`` says what one would use there.
"""
