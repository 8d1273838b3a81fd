"""What to paste elsewhere while the demo runs."""

from __future__ import annotations

__all__ = ["snippets"]

_CURL = "curl --noproxy '*' -H 'Authorization: Bearer {token}' {url}/v1/sessions"

_PYTHON = """\
import asyncio
from bci_server.client import connect

async def main():
    async with connect("{url}", "{token}", session="demo") as client:
        async for message in client.subscribe("predictions"):
            print(message.labels, message.probabilities, message.decision)

asyncio.run(main())"""

_JAVASCRIPT = """\
const socket = new WebSocket("{stream}");
socket.onopen = () => {{
  socket.send(JSON.stringify({{type: "auth", token: "{token}"}}));
  socket.send(JSON.stringify({{type: "subscribe", id: 1, topics: ["predictions"]}}));
}};
socket.onmessage = (event) => console.log(event.data);"""


def snippets(url: str, token: str) -> list[tuple[str, str]]:
    """Return titles and texts: the address, and how to listen from elsewhere."""
    stream = f"{url.replace('http', 'ws', 1)}/v1/sessions/demo/stream"
    values = {"url": url, "token": token, "stream": stream}
    return [
        ("Address", url),
        ("Token", token),
        ("curl", _CURL.format(**values)),
        ("Python", _PYTHON.format(**values)),
        (
            f"JavaScript (in Node 22, or in a browser's console at {url}/healthz)",
            _JAVASCRIPT.format(**values),
        ),
    ]
