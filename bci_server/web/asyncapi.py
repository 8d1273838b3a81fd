"""The WebSocket described in AsyncAPI 3 and in JSON Schemas, made from the message types."""

from __future__ import annotations

from functools import cache
from typing import Any, get_args

import msgspec

from bci_server.calls import ClientMessage
from bci_server.web.delivery import ENCODINGS
from bci_server.web.live import server_name
from bci_server.wire import ServerMessage

__all__ = ["asyncapi", "schemas"]


@cache
def asyncapi() -> dict[str, Any]:
    """Return the document."""
    components = schemas()
    sent, received = _names(ServerMessage), _names(ClientMessage)
    return {
        "asyncapi": "3.0.0",
        "info": {
            "title": "bci-server",
            "version": server_name().partition("/")[2],
            "description": "Subprotocols: " + ", ".join(ENCODINGS) + ".",
        },
        "defaultContentType": "application/json",
        "channels": {
            "stream": {
                "address": "/v1/sessions/{session}/stream",
                "parameters": {"session": {"description": "name of the session"}},
                "messages": {n: {"$ref": f"#/components/messages/{n}"} for n in sent + received},
                "bindings": {"ws": {"method": "GET", "bindingVersion": "0.1.0"}},
            }
        },
        "operations": {
            "publish": _operation("send", sent),
            "ask": _operation("receive", received),
        },
        "components": {
            "schemas": components,
            "messages": {name: _message(name, components[name]) for name in sent + received},
        },
    }


def schemas() -> dict[str, Any]:
    """Return the JSON Schemas of every message, both ways, by name."""
    _, components = msgspec.json.schema_components(
        (ServerMessage, ClientMessage), ref_template="#/components/schemas/{name}"
    )
    return components


def _names(union: Any) -> list[str]:
    return [message.__name__ for message in get_args(union)]


def _operation(action: str, names: list[str]) -> dict[str, Any]:
    return {
        "action": action,
        "channel": {"$ref": "#/channels/stream"},
        "messages": [{"$ref": f"#/channels/stream/messages/{name}"} for name in names],
    }


def _message(name: str, schema: dict[str, Any]) -> dict[str, Any]:
    kind = schema["properties"]["type"]["enum"][0]
    return {
        "name": kind,
        "summary": schema.get("description", name).partition("\n")[0],
        "payload": {"$ref": f"#/components/schemas/{name}"},
    }
