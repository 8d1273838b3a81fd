"""How a run is conducted and shown: the loop, the engine, the sessions, the web.

`config` and what begins with ``section`` or ``session_`` read the session file. `engine` is the
process that runs one session: it makes a `loop`, the path of the samples, with its sinks (`outlet`,
`recording`, `link`), what it may be asked (`control`, `control_desk`), and `safety` between decoder
and effector. `supervisor` starts engines and the `web` process, which serves clients with messages
of `wire` and `calls`; `client` is the Python client. Without a server: `cli` is the command,
`evaluation` scores decoders on recordings, `replay` decodes one again, `export` hands it to others.
"""
