"""The lines between the processes: length-framed msgpack on stream sockets.

`frames` is the framing, without I/O. `engine_end` is the engine's side of the line to the web
process, and never blocks. `web_end` is the web process's side of both its lines, on asyncio.
"""
