"""How a session is recorded while it runs: the loop never waits, and what is lost is counted.

`recorder` takes what the loop hands over, through a `ring` of memory, to a thread that writes it.
`file` is one recording: which streams it has, and what is written to each. `names` says what the
session file asks for and what files are called. Reading recordings is `devices.recording`.
"""
