"""The web process: it owns every client, and knows the sessions from the supervisor's messages.

A message comes in at `live`, from a session's engine; its `hub` numbers it and hands it to whoever
asked, each with an `outbox` that knows what may be missed (`delivery`). What a client says is heard
by its `conversation`. `routes` has one file for each part of the interface, `services` what they
work with; `process` starts it all.
"""
