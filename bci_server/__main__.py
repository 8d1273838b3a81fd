"""The `bci` command."""

from __future__ import annotations

import sys
from typing import Annotated

import typer

from bci_server.cli.audit import audit
from bci_server.cli.calibrate import calibrate
from bci_server.cli.demo import demo
from bci_server.cli.devices import devices
from bci_server.cli.doctor import doctor
from bci_server.cli.evaluate import evaluate
from bci_server.cli.export import export
from bci_server.cli.health import health
from bci_server.cli.import_model import import_model
from bci_server.cli.info import info
from bci_server.cli.language import language
from bci_server.cli.leaderboard import leaderboard
from bci_server.cli.listen import listen
from bci_server.cli.outcome import Exit, exit_of, explain
from bci_server.cli.record import record
from bci_server.cli.recover import recover
from bci_server.cli.replay import replay
from bci_server.cli.serve import serve
from bci_server.cli.sessions import sessions
from bci_server.cli.stream import stream
from bci_server.cli.verify import verify

__all__ = ["app", "main"]

_EXIT_CODES = """
Exit codes: 0 done · 1 it failed · 2 wrong usage or bad input · 3 not found (a stream, a file, a
server) · 70 a defect of bci itself · 130 interrupted. Commands that run until they are stopped
(demo, stream, serve, listen) end with 0 on Ctrl-C or SIGTERM.
"""

app = typer.Typer(
    name="bci",
    help="Decode brain signals as they arrive: samples in over LSL, commands out on a WebSocket.",
    epilog=_EXIT_CODES,
    no_args_is_help=True,
    pretty_exceptions_enable=False,
    rich_markup_mode="rich",
    context_settings={"help_option_names": ["-h", "--help"]},
)


def _version(asked: bool) -> None:
    if asked:
        from importlib.metadata import version

        typer.echo(f"bci-server {version('bci-server')}")
        raise typer.Exit


@app.callback()
def _options(
    _version_asked: Annotated[
        bool, typer.Option("--version", callback=_version, is_eager=True, help="Say which this is.")
    ] = False,
    _debug: Annotated[
        bool, typer.Option("--debug", help="Show the trace of every error, a user's mistake too.")
    ] = False,
) -> None:
    pass


app.command()(devices)
app.add_typer(stream, name="stream")
app.command()(demo)
app.command()(serve)
app.command()(listen)
app.command()(calibrate)
app.command()(evaluate)
app.command()(leaderboard)
app.command("import")(import_model)
app.command()(language)
app.command()(doctor)
app.command()(health)
app.command()(record)
app.command()(replay)
app.command()(verify)
app.command()(recover)
app.command()(audit)
app.command()(info)
app.add_typer(sessions, name="sessions")
app.command()(export)


def main() -> None:
    """Run the command line, and end the process with its exit code."""
    try:
        app(prog_name="bci")
    except Exception as error:  # the top: what is not for the user shows its trace
        code = exit_of(error)
        if code is None or "--debug" in sys.argv[1:]:
            import traceback

            traceback.print_exception(error)
        if code is None:
            code = Exit.DEFECT
            typer.echo(
                "This is a defect of bci-server; please report it with the lines above.", err=True
            )
        else:
            from rich.console import Console

            console = Console(stderr=True, soft_wrap=True, highlight=False)
            console.print("[bold red]Error:[/]", end=" ")
            console.print(explain(error), markup=False)
        sys.exit(code)


if __name__ == "__main__":
    main()
