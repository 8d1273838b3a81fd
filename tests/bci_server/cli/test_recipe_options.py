"""Options made from a recipe: their names, types, help and what becomes of the values."""

import inspect
from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, Literal

import pytest
import typer
from typer.testing import CliRunner

from bci_server.cli.outcome import CommandError
from bci_server.cli.recipe_options import documented_fields, recipe_parameters, recipe_with


@dataclass(frozen=True)
class Headset:
    """A headset that is only here.

    More about it.

    Parameters
    ----------
    path
        Where it is.
    n_channels
        How many
        there are.
    low_hz, high_hz
        Edges of the band.

    Notes
    -----
    path
        Not about the path.
    """

    path: Path
    n_channels: int = 8
    low_hz: float = 1.0
    high_hz: float = float("inf")
    mode: Literal["wet", "dry"] = "wet"
    names: tuple[str, ...] = ()
    bands_hz: tuple[float, ...] = (8.0, 12.0)
    serial: str | None = None
    loops: bool = False
    start_s: float = 0.0
    board: str | int = ""
    table: Mapping[str, str] = field(default_factory=dict)

    def __post_init__(self) -> None:
        if self.high_hz <= self.low_hz:
            raise ValueError(f"high_hz ({self.high_hz:g}) must exceed low_hz ({self.low_hz:g})")


def run(*arguments: str) -> Any:
    opened = []

    def command(**given: Any) -> None:
        opened.append(recipe_with(Headset, given))

    parameters = recipe_parameters(Headset)
    command.__signature__ = inspect.Signature(parameters)  # type: ignore[attr-defined]
    command.__annotations__ = {p.name: p.annotation for p in parameters}
    app = typer.Typer()
    app.command()(command)
    result = CliRunner().invoke(app, arguments)
    if result.exception and not isinstance(result.exception, SystemExit):
        raise result.exception
    return opened[0] if opened else result


def test_defaults_are_those_of_the_recipe() -> None:
    assert run("a.edf") == Headset(Path("a.edf"))


def test_every_kind_of_field_can_be_given() -> None:
    given = run(
        *("a.edf", "--n-channels", "16", "--low-hz", "2", "--high-hz", "30", "--mode", "dry"),
        *("--names", "C3, C4", "--bands-hz", "4,8,12", "--serial", "X1", "--loops"),
        *("--start", "1.5"),
    )
    expected = Headset(
        Path("a.edf"), 16, 2.0, 30.0, "dry", ("C3", "C4"), (4.0, 8.0, 12.0), "X1", True, 1.5
    )
    assert given == expected


def test_a_name_or_a_number_is_a_number_if_it_is_one() -> None:
    assert run("a.edf", "--board", "12").board == 12
    assert run("a.edf", "--board", "cyton").board == "cyton"


@pytest.mark.parametrize(
    ("arguments", "said"),
    [
        (("--n-channels", "many"), "n-channels"),
        (("--mode", "damp"), "damp"),
        (("--electrodes", "3"), "electrodes"),
        ((), "path"),
    ],
)
def test_what_cannot_be_is_bad_usage(arguments: tuple[str, ...], said: str) -> None:
    path = ("a.edf",) if arguments else ()
    result = run(*path, *arguments)
    assert result.exit_code == 2
    assert said in result.output.lower()


def test_a_value_that_the_recipe_refuses_is_the_users_mistake() -> None:
    with pytest.raises(CommandError, match=r"high_hz \(1\) must exceed low_hz \(5\)"):
        run("a.edf", "--low-hz", "5", "--high-hz", "1")


def test_a_list_with_a_wrong_value_names_its_option() -> None:
    with pytest.raises(CommandError, match="--bands-hz takes float values"):
        run("a.edf", "--bands-hz", "4,mu")


def test_help_comes_from_the_docstring() -> None:
    assert documented_fields(Headset) == {
        "path": "Where it is.",
        "n_channels": "How many there are.",
        "low_hz": "Edges of the band.",
        "high_hz": "Edges of the band.",
    }


def test_a_field_that_is_no_single_value_is_left_to_the_session_file() -> None:
    assert "table" not in {p.name for p in recipe_parameters(Headset)}
