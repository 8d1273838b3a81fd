"""From chunks, however they were cut, to outputs: blocks → steps → decoder → decision.

The same code runs live, on replay and in calibration, so their results are equal to the bit. Pure:
no clock, no socket, no file.
"""
