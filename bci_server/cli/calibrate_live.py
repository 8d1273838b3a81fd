"""``bci calibrate --live``: cues in the terminal, a fit beside the running loop, yes or no.

All of it is the public interface of the server: the cues are markers, which any other client may
show as well, and the rest is REST.
"""

from __future__ import annotations

import asyncio
from pathlib import Path
from typing import TYPE_CHECKING, Any

import typer

from bci_server.cli.outcome import CommandError, Exit
from bci_server.cli.screen import note, results, write_json
from bci_server.cli.server_address import find_session, get_json

if TYPE_CHECKING:
    from bci_server.cli.server_address import Target

__all__ = ["calibrate_live"]

_LOOK_S = 0.5


def calibrate_live(
    session: Path, url: str, trials: int, pause_s: float, accept: bool, as_json: bool
) -> None:
    """Guide a participant through a calibration of the running session that `session` describes.

    Raises
    ------
    CommandError
        The server refuses, or it failed; says why.
    """
    from bci_server.config import load_session

    described = load_session(session)
    target = find_session(url or described.name, described.name, None, None)
    rest = f"{target.url.rstrip('/')}/v1/sessions/{target.session}/calibration"
    classes = () if described.pipeline.trials is None else described.pipeline.trials.classes
    plan = {"trials_per_class": trials, "pause_s": pause_s}
    try:
        done = asyncio.run(_conduct(target, rest, plan))
    except KeyboardInterrupt:
        get_json(f"{rest}/cancel", target.token, body={})
        raise CommandError("cancelled; what was recorded is kept", Exit.FAILED) from None
    if done["state"] != "fitted":
        raise CommandError(f"{done['state']}: {done['problem']}; {done['fix']}", Exit.FAILED)
    metrics = done["summary"]["metrics"]
    if not as_json:
        _show(done)
    is_better = _is_better_than_chance(metrics)
    takes = is_better if accept else not as_json and typer.confirm("Take it?", default=is_better)
    done = get_json(f"{rest}/{'accept' if takes else 'reject'}", target.token, body={})
    if as_json:
        write_json(done)
        return
    which = ", ".join(classes)
    results().print(
        f"The session runs with it, disarmed, and tells {which}."
        if takes
        else "It is thrown away; the recording is kept."
    )


async def _conduct(target: Target, rest: str, plan: dict[str, Any]) -> dict[str, Any]:
    """Show cues until it is over; return how it ended."""
    from bci_server.client import connect

    async with connect(target.url, target.token, session=target.session) as client:
        showing = asyncio.create_task(_show_cues(client.subscribe("markers")))
        try:
            done = await asyncio.to_thread(
                lambda: get_json(f"{rest}/start", target.token, body=plan)
            )
            told = ""
            while done["state"] in ("collecting", "fitting"):
                await asyncio.sleep(_LOOK_S)
                done = await asyncio.to_thread(lambda: get_json(rest, target.token))
                if done["state"] == "fitting" and not told:
                    told = "fitting"
                    note("That was all. The decoder is being fitted.")
        finally:
            showing.cancel()
            await asyncio.wait([showing])
    ended: dict[str, Any] = done
    return ended


async def _show_cues(messages: Any) -> None:
    from bci_server.wire import MarkerMessage

    async for message in messages:
        if isinstance(message, MarkerMessage) and message.source == "calibration":
            note("" if message.label == "rest" else f"\n    {message.label.upper()}\n")


def _is_better_than_chance(metrics: dict[str, Any]) -> bool:
    return bool(metrics["ci95"][0] > metrics["chance"])


def _show(done: dict[str, Any]) -> None:
    from rich.text import Text

    from bci_server.cli.score_table import score_lines

    quality = done["quality"]
    console = results()
    console.print(
        Text(
            f"{done['trial']} trials in {done['recording']}: {quality['n_gaps']:g} gaps, "
            f"{quality['n_lost']:g} samples lost, {quality['bad']:.0%} of the trials with a bad "
            "signal. Cross-validated:"
        )
    )
    metrics = done["summary"]["metrics"]
    for line in score_lines(metrics):
        console.print(Text(f"  {line}"))
    if metrics["n"] > done["trial"]:
        note(
            f"Mind: it was fitted on {metrics['n']} trials, but {done['trial']} were cued. The "
            "device's own markers are labels of cues, too, so that trials count twice and the "
            "score flatters. Take `markers` out of [device], and calibrate again."
        )
