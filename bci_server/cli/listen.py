"""``bci listen``: what a session says, as it comes."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated, Any, get_args

import typer

from bci_server.cli.outcome import CommandError

__all__ = ["listen"]


def listen(
    where: Annotated[
        str,
        typer.Argument(
            metavar="[URL|SESSION]",
            help="A session's name on this machine's server, or the address of a server or of a "
            "session's stream.",
        ),
    ] = "",
    session: Annotated[
        str, typer.Option(help="Name of the session; needed where the server has several.")
    ] = "",
    topics: Annotated[
        str,
        typer.Option(
            help="What to listen to, with commas: commands, predictions, tokens, voice, markers, "
            "versions, status, features, signal."
        ),
    ] = "predictions,commands,tokens,markers,versions,status",
    rate_hz: Annotated[
        float | None,
        typer.Option(min=0.01, help="At most so many a second, where some may be skipped."),
    ] = None,
    token_file: Annotated[
        Path | None,
        typer.Option(help="File that holds the token; default: BCI_TOKEN, else this user's own."),
    ] = None,
    trust: Annotated[
        Path | None,
        typer.Option(help="PEM file of a certificate to trust, for a server with its own."),
    ] = None,
    count: Annotated[int, typer.Option(min=0, help="End after so many messages; 0: never.")] = 0,
    as_json: Annotated[
        bool, typer.Option("--json", help="Write each message as one line of JSON.")
    ] = False,
) -> None:
    """Print what a session says, until Ctrl-C. Connects again by itself, and says what was lost."""
    from bci_server.cli.listening import print_messages
    from bci_server.cli.server_address import find_session, tls_context
    from bci_server.client import connect

    wanted = _topics(topics)
    tls = tls_context(trust)
    target = find_session(where, session, token_file, tls)
    try:
        client = connect(target.url, target.token, session=target.session, tls=tls)
    except ValueError as error:
        raise CommandError(str(error)) from error
    print_messages(client, wanted, rate_hz, count, as_json)


def _topics(given: str) -> tuple[Any, ...]:
    from bci_server.wire import Topic

    wanted = tuple(t.strip() for t in given.split(",") if t.strip())
    known = get_args(Topic)
    if unknown := [t for t in wanted if t not in known]:
        raise CommandError(f"unknown topic {', '.join(unknown)}; there is: {', '.join(known)}")
    if not wanted:
        raise CommandError(f"--topics is empty; there is: {', '.join(known)}")
    return wanted
