"""The web process: ``python -m bci_server.web``, started by the supervisor.

It inherits two descriptors: a socket that listens already (so no connection is refused while it
restarts), and its line to the supervisor. It ends when that line does.
"""

from __future__ import annotations

import argparse
import asyncio
import gc
import logging
import socket
import sys
from typing import Any

import structlog
import uvicorn

from bci_server.link.web_end import SupervisorLink
from bci_server.scheduling import favour
from bci_server.web.app import create_app
from bci_server.web.auth import BadTokenFile, Tickets
from bci_server.web.directory import Directory
from bci_server.web.discovery import Discovery
from bci_server.web.services import Crowd, Services
from bci_server.web.settings import BadSetting, Settings, UnsafeBind
from bci_server.web.sockets import PromptHttp, PromptProtocol

__all__ = ["main", "run", "server_config"]

_KEEP_ALIVE_S = 20
_SHUTDOWN_S = 2
_MAX_MESSAGE_BYTES = 64 * 1024


def main() -> None:
    """Run the web process until the supervisor goes."""
    arguments = _arguments()
    try:
        settings = Settings.from_environment()
        log_to_stderr(settings.log_level)
        settings.check_bind()
        asyncio.run(run(settings, arguments.listen_fd, arguments.supervisor_fd))
    except (BadSetting, UnsafeBind, BadTokenFile) as error:
        sys.exit(str(error))
    except KeyboardInterrupt:
        sys.exit(130)


async def run(settings: Settings, listen_fd: int, supervisor_fd: int) -> None:
    """Serve until the supervisor's line closes.

    Parameters
    ----------
    settings
        How to listen, and to whom.
    listen_fd
        A listening socket.
    supervisor_fd
        The line to the supervisor.

    Raises
    ------
    BadSetting
        The certificate cannot be used.
    BadTokenFile
        The stored token cannot be used.
    """
    directory = Directory(key=settings.seal_key)
    supervisor = SupervisorLink(supervisor_fd, directory.apply)
    server = _server(_services(settings, directory, supervisor), settings)
    watching = asyncio.create_task(supervisor.run(), name="supervisor")
    breaking = asyncio.create_task(directory.broke.wait(), name="broken lines")
    favour()  # its watch over the engines is a layer of safety
    gc.freeze()
    try:
        with socket.socket(fileno=listen_fd) as listening:
            # Whoever connects before the sessions are known waits in the backlog.
            await _first(asyncio.create_task(directory.told.wait()), watching)
            serving = asyncio.create_task(server.serve([listening]), name="serving")
            await _first(serving, watching, breaking)
            server.should_exit = True
            await serving
    finally:
        await directory.aclose()
        watching.cancel()
        breaking.cancel()
        await asyncio.gather(watching, breaking, return_exceptions=True)
    if directory.broken is not None:
        raise directory.broken
    if not watching.cancelled():
        watching.result()


def _services(settings: Settings, directory: Directory, supervisor: SupervisorLink) -> Services:
    return Services(
        directory=directory,
        tokens=settings.load_tokens()[0],
        supervisor=supervisor,
        discover=Discovery(),
        models=settings.models,
        recordings=settings.recordings,
        doors=settings.doors(),
        tickets=Tickets(),
        crowd=Crowd(settings.max_clients),
    )


def _server(services: Services, settings: Settings) -> uvicorn.Server:
    config = server_config(services, settings)
    try:
        config.load()
    except OSError as e:  # of ssl, too
        raise BadSetting(
            f"BCI_TLS_CERTIFICATE={settings.tls_certificate} and BCI_TLS_KEY={settings.tls_key} "
            f"cannot be used: {e}"
        ) from e
    return uvicorn.Server(config)


async def _first(*tasks: asyncio.Task[Any]) -> None:
    await asyncio.wait(tasks, return_when=asyncio.FIRST_COMPLETED)


def server_config(services: Services, settings: Settings) -> uvicorn.Config:
    """Return how uvicorn serves: compression off, small messages, short waits."""
    return uvicorn.Config(
        create_app(services),
        http=PromptHttp,
        ws=PromptProtocol,
        ws_per_message_deflate=False,
        ws_max_size=_MAX_MESSAGE_BYTES,
        ws_ping_interval=20,
        ws_ping_timeout=20,
        h11_max_incomplete_event_size=16 * 1024,
        timeout_keep_alive=_KEEP_ALIVE_S,
        timeout_graceful_shutdown=_SHUTDOWN_S,
        ssl_certfile=settings.tls_certificate,
        ssl_keyfile=None if settings.tls_key is None else str(settings.tls_key),
        access_log=False,
        log_config=None,
        server_header=False,
        proxy_headers=False,
        lifespan="off",
    )


def log_to_stderr(level: str) -> None:
    """Write every log line, ours and the libraries', as one JSON object to stderr."""
    shared: list[structlog.typing.Processor] = [
        structlog.stdlib.add_log_level,
        structlog.stdlib.add_logger_name,
        structlog.processors.TimeStamper(fmt="iso", utc=True),
    ]
    structlog.configure(
        processors=[
            structlog.stdlib.filter_by_level,
            *shared,
            structlog.stdlib.ProcessorFormatter.wrap_for_formatter,
        ],
        logger_factory=structlog.stdlib.LoggerFactory(),
        wrapper_class=structlog.stdlib.BoundLogger,
        cache_logger_on_first_use=True,
    )
    handler = logging.StreamHandler(sys.stderr)
    handler.setFormatter(
        structlog.stdlib.ProcessorFormatter(
            foreign_pre_chain=shared,
            processors=[
                structlog.stdlib.ProcessorFormatter.remove_processors_meta,
                structlog.processors.format_exc_info,
                structlog.processors.JSONRenderer(),
            ],
        )
    )
    logging.basicConfig(level=level.upper(), handlers=[handler], force=True)
    # uvicorn writes the address of every connection, with the ticket in it, at INFO.
    logging.getLogger("uvicorn.error").setLevel(max(logging.WARNING, logging.root.level))


def _arguments() -> argparse.Namespace:
    parser = argparse.ArgumentParser(prog="bci_server.web", description=__doc__)
    parser.add_argument("--listen-fd", type=int, required=True)
    parser.add_argument("--supervisor-fd", type=int, required=True)
    return parser.parse_args()
