"""A board that one writes with by waiting for flashes: python examples/tasks/speller.py URL TOKEN.

It shows which item flashes and what the session takes the wish for, types what its tokens spell,
deletes with DEL, and ends with OK: nothing counts as said before. The flashes are those of the
headset (a simulated one makes its own), or with ``--flash`` of this terminal: an LSL stream of
markers, ``speller-flashes``, says which item lit when. With ``--simulate WORD`` a simulated person
writes: what it looks at goes out on LSL, where ``bci stream simulator_eeg --intent-stream intents``
follows it.
"""

from __future__ import annotations

import argparse
import asyncio
import random
import sys
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from typing import Any

from bci_server.client import Client, ClientError, Lost, connect
from bci_server.wire import MarkerMessage, TokenMessage
from devices.liblsl import load_pylsl

ITEMS = (*"ABCDEF", "DEL", "OK")
FLASH = "flash-"
PAUSE_S = 2.5
"""Between two characters; longer than the session's ``[speller] pause_s``."""


@dataclass(slots=True)
class Text:
    """What has been written."""

    letters: str = ""
    is_confirmed: bool = False

    def take(self, item: str) -> None:
        """Type an item, or do what it stands for."""
        if item == "OK":
            self.is_confirmed = bool(self.letters)
        elif item == "DEL":
            self.letters = self.letters[:-1]
        else:
            self.letters += item


def wish(letters: str, word: str) -> str:
    """Return what somebody waits for who wants to write `word` and sees `letters`."""
    if not word.startswith(letters):
        return "DEL"
    return word[len(letters)] if letters != word else "OK"


def order(items: Sequence[str], rng: random.Random) -> Iterator[str]:
    """Yield for ever which item flashes next: all of them in each round, none twice in a row."""
    last = ""
    while True:
        batch = rng.sample(items, len(items))
        if batch[0] == last:
            batch.append(batch.pop(0))
        yield from batch
        last = batch[-1]


def board(items: Sequence[str], lit: str, text: Text, guess: str) -> str:
    """Return the line that is shown; what is lit stands out."""
    shown = " ".join(f"\x1b[7m {i} \x1b[0m" if i == lit else f" {i} " for i in items)
    return f"\r{shown}   {text.letters}_ {guess:<12}"


class Person:
    """A simulated one: says on LSL what it looks at, a moment after a character has come."""

    def __init__(self, word: str) -> None:
        self._word = word
        self._intents = _outlet("intents")

    def wait(self) -> None:
        """Wait until a headset follows."""
        while not self._intents.wait_for_consumers(1.0):
            pass

    async def look(self, text: Text) -> None:
        """Look away, and then at what is wanted next."""
        self._intents.push_sample(["rest"])
        await asyncio.sleep(PAUSE_S)
        self._intents.push_sample([wish(text.letters, self._word)])


class Lamps:
    """Lights one item after the other in the terminal, and marks each flash on LSL."""

    def __init__(self, items: Sequence[str], period_s: float) -> None:
        self._order = order(items, random.Random())
        self._period_s = period_s
        self._markers = _outlet("speller-flashes")
        self.lit = ""

    async def look(self, text: Text) -> None:
        """Be dark for a moment, and then flash until the next character."""
        self.lit = ""
        await asyncio.sleep(PAUSE_S)
        now_s = load_pylsl().local_clock
        while True:
            self.lit = next(self._order)
            print(board(ITEMS, self.lit, text, ""), end="", flush=True)
            stamp_s = now_s()
            for label in (FLASH + self.lit, "nontarget"):  # who could say which is the target
                self._markers.push_sample([label], stamp_s)
            await asyncio.sleep(self._period_s)


def _outlet(name: str) -> Any:
    lsl = load_pylsl()
    info = lsl.StreamInfo(name, "Markers", 1, lsl.IRREGULAR_RATE, lsl.cf_string, f"speller-{name}")
    return lsl.StreamOutlet(info)


async def write(client: Client, looks: Person | Lamps | None) -> Text:
    """Type what is spelled until OK; return the text."""
    text, guess = Text(), ""
    looking = None if looks is None else asyncio.create_task(looks.look(text))
    async for message in client.subscribe("tokens", "markers"):
        if isinstance(message, Lost):
            print("\nsome of it was lost: the connection was away")
        elif isinstance(message, MarkerMessage) and message.label.startswith(FLASH):
            print(board(ITEMS, message.label.removeprefix(FLASH), text, guess), end="", flush=True)
        elif isinstance(message, TokenMessage):
            guess = f"{message.text}? {message.confidence:.2f}"
            if not message.is_final:
                continue
            guess = ""
            text.take(message.text)
            print(f"\n{message.text}: {text.letters}", flush=True)
            if looking is not None and looks is not None:
                looking.cancel()
                looking = asyncio.create_task(looks.look(text))
            if text.is_confirmed:
                break
    if looking is not None:
        looking.cancel()
    return text


async def main(asked: argparse.Namespace) -> None:
    """Connect, and write until OK."""
    looks: Person | Lamps | None = None
    if asked.simulate:
        looks = Person(asked.simulate)
        print("waiting for a headset to listen", flush=True)
        await asyncio.to_thread(looks.wait)
    elif asked.flash:
        looks = Lamps(ITEMS, asked.period_s)
    async with connect(asked.url, asked.token, session=asked.session) as client:
        text = await write(client, looks)
    print(f"said: {text.letters}")


if __name__ == "__main__":
    ask = argparse.ArgumentParser(description=(__doc__ or "").splitlines()[0])
    ask.add_argument("url")
    ask.add_argument("token")
    ask.add_argument("session", nargs="?", default="speller")
    ask.add_argument("--simulate", default="", metavar="WORD", help="somebody writes this")
    ask.add_argument("--flash", action="store_true", help="the flashes are this terminal's")
    ask.add_argument("--period-s", type=float, default=0.25, help="between two of them")
    try:
        asyncio.run(main(ask.parse_args()))
    except KeyboardInterrupt:
        print()
    except ClientError as error:
        sys.exit(str(error))
