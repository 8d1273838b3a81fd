"""``bci health``: does the server on this machine answer? Made for a container's health check."""

from __future__ import annotations

from typing import Annotated

import typer

from bci_server.cli.outcome import CommandError, Exit
from bci_server.cli.screen import JsonOption, write_json

__all__ = ["health"]


def health(
    timeout: Annotated[
        float, typer.Option(min=0.1, max=60, help="How long to wait for an answer, in seconds.")
    ] = 3.0,
    as_json: JsonOption = False,
) -> None:
    """Ask the server on this machine whether it is well: exit code 0 if it answers, else 1.

    Looks where `bci serve` listens: BCI_HOST, BCI_PORT, and TLS if BCI_TLS_CERTIFICATE is set.
    """
    import ssl

    from bci_server.cli.server_address import get_json, local_url, read_settings

    # The certificate is for the name that others use; this is the same machine.
    trusting = ssl.create_default_context()
    trusting.check_hostname = False
    trusting.verify_mode = ssl.CERT_NONE
    try:
        answer = get_json(f"{local_url(read_settings())}/healthz", tls=trusting, timeout_s=timeout)
    except CommandError as error:
        raise CommandError(str(error), Exit.FAILED) from error
    if as_json:
        write_json(answer)
    else:
        sessions = ", ".join(f"{n} {state}" for state, n in answer["sessions"].items())
        typer.echo(f"{answer['status']}: {sessions or 'no session'}")
