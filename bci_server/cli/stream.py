"""``bci stream KIND``: any device on LSL, in this process, paced by its own clock."""

from __future__ import annotations

import inspect
import os
import sys
import threading
from typing import Annotated, Any

import typer
from typer.core import TyperGroup

from bci_server.cli.outcome import CommandError
from bci_server.cli.recipe_options import recipe_parameters, recipe_with, summary_of
from bci_server.cli.screen import note, write_json

__all__ = ["stream"]


class Kinds(TyperGroup):
    """One command for each kind of device; a kind is imported when it is asked for."""

    def list_commands(self, ctx: Any) -> list[str]:
        """Return the kinds that are installed."""
        from bci_server import catalog

        return list(catalog.kinds("devices"))

    def get_command(self, ctx: Any, cmd_name: str) -> Any:
        """Return the command of a kind, its options made from the recipe's fields."""
        from bci_server import catalog

        try:
            recipe = catalog.load("devices", cmd_name)
        except catalog.UnknownKind as error:
            raise CommandError(str(error)) from error
        except catalog.BrokenPlugin as error:
            return _refusing(cmd_name, str(error))
        return _command(cmd_name, recipe)


stream = typer.Typer(
    cls=Kinds,
    no_args_is_help=True,
    subcommand_metavar="KIND [OPTIONS]",
    help="Put a device, a simulator or a recording on LSL, until it ends or Ctrl-C.\n\n"
    "What each kind can be told: bci stream KIND --help.",
    epilog="bci stream recording run.edf --speed 2 · bci stream simulator_eeg --seed 1",
)


def _own(
    stream_name: Annotated[
        str, typer.Option("--as", help="Name of the LSL stream; default: the kind.")
    ] = "",
    stream_type: Annotated[
        str, typer.Option("--as-type", help="LSL's word for the content: EEG, Spikes, …")
    ] = "EEG",
    stream_source_id: Annotated[
        str,
        typer.Option(
            "--as-source-id",
            help="What receivers find it by after a restart; default: the name and this host.",
        ),
    ] = "",
    wait: Annotated[
        float,
        typer.Option(
            min=0, help="Seconds to wait for a receiver before the first sample; then go on."
        ),
    ] = 0.0,
    until_eof: Annotated[
        bool,
        typer.Option(
            "--until-eof", help="End when stdin closes, for a program that starts this one."
        ),
    ] = False,
    as_json: Annotated[
        bool, typer.Option("--json", help="When it ends, write one JSON document.")
    ] = False,
) -> None:
    """Take what concerns the stream and not the device; only the signature is used."""


def _command(kind: str, recipe: type) -> Any:
    def run(**given: Any) -> None:
        own = {name: given.pop(name) for name in inspect.signature(_own).parameters}
        _stream(kind, recipe_with(recipe, given), **own)

    own = inspect.signature(_own, eval_str=True).parameters.values()
    parameters = [
        *recipe_parameters(recipe),
        *(p.replace(kind=inspect.Parameter.KEYWORD_ONLY) for p in own),
    ]
    return _made(kind, run, parameters, summary_of(recipe))


def _refusing(kind: str, problem: str) -> Any:
    def refuse() -> None:
        raise CommandError(problem)

    return _made(kind, refuse, [], problem)


def _made(kind: str, run: Any, parameters: list[inspect.Parameter], help_text: str) -> Any:
    run.__signature__ = inspect.Signature(parameters)
    run.__annotations__ = {p.name: p.annotation for p in parameters}
    app = typer.Typer(add_completion=False, pretty_exceptions_enable=False)
    app.command(name=kind, help=help_text)(run)
    return typer.main.get_command(app)


def _stream(
    kind: str,
    device: Any,
    *,
    stream_name: str,
    stream_type: str,
    stream_source_id: str,
    wait: float,
    until_eof: bool,
    as_json: bool,
) -> None:
    from devices.outlet import run, stop_on_signals

    name = stream_name or kind
    with stop_on_signals() as stop:
        if until_eof:
            threading.Thread(target=_await_eof, args=(stop,), daemon=True).start()
        note(f"Putting {kind} on LSL as {name!r}, its markers as '{name}-markers'. Ctrl-C ends it.")
        n_samples = run(
            device, name, stop, type=stream_type, source_id=stream_source_id, wait_s=wait
        )
    if as_json:
        write_json({"kind": kind, "name": name, "n_samples": n_samples})
    else:
        note(f"{n_samples} samples sent.")


def _await_eof(stop: threading.Event) -> None:
    # The descriptor itself: a buffered reader would hold its lock while the interpreter ends.
    while os.read(sys.stdin.fileno(), 4096):
        pass
    stop.set()
