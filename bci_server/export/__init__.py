"""Recordings in the formats of others: one file a format, loaded when it is asked for.

`bci_server.export.source` reads a recording of any format whole; a format's module has one
function ``write(source, target, report)`` that writes it and tells the report what could not be
held. `bci_server.export.run` does the rest: all or nothing, nothing overwritten.
"""
