"""How a session is recorded while it runs: the loop never waits, and what is lost is counted.

`recorder` takes what the loop hands over (`items`), through a `ring` of memory, to a thread of its
own; on it the `writer` begins, writes and ends recordings, whatever the disk does. `file` is one of
them: which streams it has, and what goes to each. `names` says what the session file asks for, and
what files are called. To read recordings is the part of `devices.recording`.
"""
