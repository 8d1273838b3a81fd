"""The Python client.

::

    async with connect("ws://127.0.0.1:8765", token, session="demo") as client:
        async for message in client.subscribe("commands", "predictions"):
            match message:
                case CommandMessage():
                    drive(message.values, age_s=client.age_s(message))
                case Lost():
                    print(message)

It connects again by itself and goes on where it was; what could not be had any more is said by a
`Lost` among the messages. An effector must go neutral by itself when a command's ``ttl_ms`` has
passed without another one: while the connection is down, nothing comes. `Effector` does all that an
effector must.
"""

from __future__ import annotations

from bci_server.client.connection import Client, connect
from bci_server.client.effector import Effector, Moves, drive
from bci_server.client.errors import (
    CallRefused,
    ClientError,
    LeaseLost,
    Lost,
    Rejected,
    UnknownSession,
    Unreachable,
    WrongToken,
)
from bci_server.client.lease import Lease
from bci_server.client.subscription import Subscription

__all__ = [
    "CallRefused",
    "Client",
    "ClientError",
    "Effector",
    "Lease",
    "LeaseLost",
    "Lost",
    "Moves",
    "Rejected",
    "Subscription",
    "UnknownSession",
    "Unreachable",
    "WrongToken",
    "connect",
    "drive",
]
