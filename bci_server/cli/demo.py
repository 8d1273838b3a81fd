"""``bci demo``: the whole line on a simulated headset, with no hardware and no other service."""

from __future__ import annotations

from typing import Annotated

import typer

__all__ = ["demo"]


def demo(
    seconds: Annotated[
        float, typer.Option(min=0, help="End after so many seconds of output; 0: at Ctrl-C.")
    ] = 0.0,
    port: Annotated[
        int | None,
        typer.Option(
            min=0, max=65535, help="Port of the server; 0: any free. Default: 8765, if it is free."
        ),
    ] = None,
) -> None:
    """Run the whole line on a simulated headset: LSL, decoder, WebSocket; until Ctrl-C."""
    from bci_server.cli.demo_run import run

    run(seconds, port)
