"""``bci serve``: sessions, each with an engine of its own, behind one web server."""

from __future__ import annotations

import json
import logging
import os
import signal
import sys
import threading
from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from bci_server.cli.outcome import CommandError, Exit
from bci_server.cli.screen import note, write_json

if TYPE_CHECKING:
    from bci_server.config import Session
    from bci_server.web.settings import Settings

__all__ = ["serve"]


def serve(
    sessions: Annotated[
        list[Path], typer.Argument(metavar="SESSION.toml…", help="The session files.")
    ],
    host: Annotated[
        str | None, typer.Option(help="Address to listen on; default: BCI_HOST, else 127.0.0.1.")
    ] = None,
    port: Annotated[
        int | None,
        typer.Option(min=0, max=65535, help="Port; 0: any free. Default: BCI_PORT, else 8765."),
    ] = None,
    model: Annotated[
        Path | None, typer.Option(help="A model instead of the one that the session names.")
    ] = None,
    token_file: Annotated[
        Path | None,
        typer.Option(help="Where the token with all rights is kept; made if it is not there."),
    ] = None,
    tls_certificate: Annotated[
        Path | None, typer.Option(help="PEM file; needed to be reached from the network.")
    ] = None,
    tls_key: Annotated[Path | None, typer.Option(help="PEM file of the certificate's key.")] = None,
    start: Annotated[
        bool, typer.Option("--start/--no-start", help="Start every session at once.")
    ] = True,
    until_eof: Annotated[
        bool, typer.Option("--until-eof", help="End when stdin closes, for a program in charge.")
    ] = False,
    as_json: Annotated[
        bool, typer.Option("--json", help="Once it listens, write one JSON document.")
    ] = False,
) -> None:
    """Serve sessions until Ctrl-C. What is wrong with a session file is said before it starts."""
    from bci_server.children import Served
    from bci_server.cli.server_address import read_settings
    from bci_server.supervisor import Supervisor, listen_on

    settings = read_settings(
        host=host,
        port=port,
        token_file=token_file,
        tls_certificate=tls_certificate,
        tls_key=tls_key,
    )
    settings.check_bind()
    described = _load(sessions, model)
    token, is_new = settings.load_tokens()[1:]
    _hand_on(
        settings,
        {(model or s.model).absolute().parent for s in described},
        {Path(s.record.folder).absolute() for s in described if s.record is not None},
    )
    logging.basicConfig(level=settings.log_level.upper(), format="%(levelname)s %(message)s")
    served = [
        Served(name=s.name, file=file, model=model)
        for s, file in zip(described, sessions, strict=True)
    ]
    with listen_on(settings.host, settings.port) as listener:
        supervisor = Supervisor(served, listener, autostart=start)
        if until_eof:
            threading.Thread(target=_end_at_eof, daemon=True).start()
        port = listener.getsockname()[1]
        _announce(settings, port, [s.name for s in described], token if is_new else "", as_json)
        code = supervisor.run()
    if code:
        raise CommandError("the server ended; its log above says why", Exit.FAILED)


def _load(files: Sequence[Path], model: Path | None) -> list[Session]:
    from bci_server.config import load_session
    from decoders.artifact import Artifact

    if model is not None and len(files) > 1:
        raise CommandError(f"--model is for one session; there are {len(files)}")
    sessions = [load_session(file) for file in files]
    for session in sessions:
        folder = model or session.model
        if session.record is None or folder.exists():
            Artifact.load(folder)
        else:
            note(f"There is no model at {folder}: nothing is decoded until it is calibrated.")
    names = [s.name for s in sessions]
    if twice := sorted({n for n in names if names.count(n) > 1}):
        raise CommandError(f"two session files have the name {', '.join(twice)}; rename one")
    return sessions


def _hand_on(settings: Settings, model_folders: set[Path], record_folders: set[Path]) -> None:
    """Let the web process, which reads its environment, have the settings of the command line."""
    if "models" not in settings.model_fields_set:
        os.environ["BCI_MODELS"] = json.dumps(sorted(map(str, model_folders)))
    if "recordings" not in settings.model_fields_set and len(record_folders) == 1:
        os.environ["BCI_RECORDINGS"] = str(*record_folders)
    for name in ("host", "port", "token_file", "tls_certificate", "tls_key"):
        if (value := getattr(settings, name)) is not None:
            os.environ[f"BCI_{name.upper()}"] = str(value)


def _announce(
    settings: Settings, port: int, names: Sequence[str], new_token: str, as_json: bool
) -> None:
    from bci_server.cli.server_address import local_url

    url = local_url(settings.model_copy(update={"port": port}))
    if as_json:
        write_json({"url": url, "token_file": str(settings.token_file), "sessions": names})
        return
    note(f"Serving {', '.join(names)} at {url}. Ctrl-C ends it.")
    if new_token and sys.stderr.isatty():
        note(f"The token, new: {new_token}")
    note(f"The token is kept in {settings.token_file}. To listen: bci listen {url}")


def _end_at_eof() -> None:
    while os.read(sys.stdin.fileno(), 4096):
        pass
    os.kill(os.getpid(), signal.SIGTERM)
