"""A feedback bar for imagined movement: python examples/tasks/bar.py URL TOKEN SESSION.

Shows where the decoder leans while somebody imagines one of two movements, what was asked for, and
how many decisions were right. What it sees is told to the session as feedback (``reward`` 1 or -1),
so that a decoder with a rule for it can learn.
"""

from __future__ import annotations

import argparse
import asyncio
import sys
from dataclasses import dataclass, field

from bci_server.client import Client, ClientError, connect
from bci_server.wire import MarkerMessage, PredictionMessage

_WIDTH = 20


@dataclass(slots=True)
class Bar:
    """What is shown, and the score.

    Parameters
    ----------
    classes
        What each cue asks for, where its marker is called otherwise: ``{"T1": "fists"}``.

    Attributes
    ----------
    n_right, n_decided
        Decisions that were right, and all that answered a cue.
    """

    classes: dict[str, str] = field(default_factory=dict)
    n_right: int = 0
    n_decided: int = 0
    _cues: dict[int, str] = field(default_factory=dict)

    def cue(self, marker: MarkerMessage) -> None:
        """Take in what was asked for."""
        self._cues[marker.sample] = self.classes.get(marker.label, marker.label)

    def line(self, prediction: PredictionMessage) -> str:
        """Return the bar: to the left for the first class, to the right for the second."""
        left, right = prediction.labels[:2]
        lean = round(_WIDTH * (2 * prediction.probabilities[1] - 1))
        bar = f"{'█' * max(0, -lean):>{_WIDTH}}|{'█' * max(0, lean):<{_WIDTH}}"
        return f"{left:>8} {bar} {right:<8}"

    def judge(self, prediction: PredictionMessage) -> bool | None:
        """Say whether a decision was right; None if it is none, or answers no cue."""
        cue = self._cues.pop(-1 if prediction.cue_sample is None else prediction.cue_sample, None)
        if prediction.decision is None or cue is None:
            return None
        self.n_decided += 1
        self.n_right += prediction.decision == cue
        return prediction.decision == cue


async def show(client: Client, bar: Bar, trials: int) -> None:
    """Show the bar until so many decisions were made; 0: until Ctrl-C."""
    async for message in client.subscribe("predictions", "markers"):
        if isinstance(message, MarkerMessage):
            bar.cue(message)
        elif isinstance(message, PredictionMessage):
            print(f"\r{bar.line(message)}", end="", flush=True)
            right = bar.judge(message)
            if right is None:
                continue
            print(f"  {'right' if right else 'wrong'} ({bar.n_right} of {bar.n_decided})")
            await client.feedback("reward", values=(1.0 if right else -1.0,), sample=message.sample)
            if bar.n_decided == trials:
                return


async def main(url: str, token: str, session: str, classes: dict[str, str], trials: int) -> None:
    """Connect and show."""
    async with connect(url, token, session=session) as client:
        await show(client, Bar(classes), trials)


if __name__ == "__main__":
    ask = argparse.ArgumentParser(description=(__doc__ or "").splitlines()[0])
    ask.add_argument("url")
    ask.add_argument("token")
    ask.add_argument("session")
    ask.add_argument("--trials", type=int, default=0, help="end after so many decisions")
    ask.add_argument("--cues", nargs="*", default=[], help="MARKER=CLASS, where they differ")
    asked = ask.parse_args()
    classes = dict(pair.split("=", 1) for pair in asked.cues)
    try:
        asyncio.run(main(asked.url, asked.token, asked.session, classes, asked.trials))
    except KeyboardInterrupt:
        print()
    except ClientError as error:
        sys.exit(str(error))
