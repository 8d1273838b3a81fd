"""Says aloud what a session decodes, once it is confirmed.

::

    python examples/speech/speak.py URL TOKEN

Nothing is spoken by itself: a sentence whose words are final is shown, and spoken when the person
confirms it: by a key (``--by keyboard``), by "yes" or "no" in a session with a lexicon of these
(``--by words --from yesno``), or by a click of a session that gives some (``--by click --from
clicks``; no click within ``--wait-s`` means no). ``--policy auto`` speaks without asking what is
surer than ``--sure``; ``never`` shows only. A correction (``wrong``) replaces what waits.

Speech is given to espeak-ng, or what else of `PROGRAMS` is installed, by its standard input.
"""

from __future__ import annotations

import argparse
import asyncio
import shutil
import sys
from collections.abc import AsyncIterator, Callable, Sequence
from contextlib import AsyncExitStack, aclosing
from dataclasses import dataclass, field
from typing import Literal

from bci_server.client import Client, ClientError, connect
from bci_server.wire import CommandMessage, DataMessage, MarkerMessage, TokenMessage

Answer = Literal["yes", "no"]
Deed = Literal["speak", "ask", "show"]

PROGRAMS: tuple[tuple[str, ...], ...] = (
    ("espeak-ng", "--stdin"),
    ("espeak", "--stdin"),
    ("festival", "--tts"),
    ("say", "-f", "-"),
)
"""Programs that speak what comes on their standard input."""

_CORRECTION = "wrong "


@dataclass(frozen=True)
class Policy:
    """When a sentence is spoken.

    Parameters
    ----------
    when
        ``"never"``; ``"confirm"``: when the person says so; ``"auto"``: without asking where every
        word is surer than `sure`, else when the person says so.
    sure
        Confidence, 0 to 1.
    """

    when: Literal["never", "confirm", "auto"] = "confirm"
    sure: float = 0.9

    def deed(self, confidence: float) -> Deed:
        """Return what to do with a sentence whose least sure word has this confidence."""
        if self.when == "never":
            return "show"
        return "speak" if self.when == "auto" and confidence > self.sure else "ask"


@dataclass
class Sentence:
    """Gathers the final tokens of an utterance."""

    texts: list[str] = field(default_factory=list)
    confidence: float = 1.0

    def take(self, token: TokenMessage) -> tuple[str, float] | None:
        """Take a token in; return the text and its least confidence when it is complete."""
        if not token.is_final:
            return None
        if token.text:
            self.texts.append(token.text)
            self.confidence = min(self.confidence, token.confidence)
        if not token.segment_final:
            return None
        text = spelled(self.texts) if token.unit == "character" else " ".join(self.texts)
        done = text, self.confidence
        self.texts, self.confidence = [], 1.0
        return done if text else None


def spelled(characters: Sequence[str]) -> str:
    """Return the text that characters make; backspace takes the one before it away."""
    text = ""
    for character in characters:
        text = text[:-1] if character == "\b" else text + character
    return text


async def speak(text: str) -> str:
    """Speak, and return what did; where nothing can, say so and return nothing."""
    for program, *options in PROGRAMS:
        if path := shutil.which(program):
            voice = await asyncio.create_subprocess_exec(
                path, *options, stdin=asyncio.subprocess.PIPE
            )
            await voice.communicate(text.encode() + b"\n")
            if voice.returncode:
                print(f"{program} failed with code {voice.returncode}", file=sys.stderr)
            return program
    print(
        f"not spoken, for none of {', '.join(p for p, *_ in PROGRAMS)} is installed: {text}",
        file=sys.stderr,
    )
    return ""


async def keys() -> AsyncIterator[Answer]:
    """Yield what is typed: y or n, and Enter."""
    reader = asyncio.StreamReader()
    await asyncio.get_running_loop().connect_read_pipe(
        lambda: asyncio.StreamReaderProtocol(reader), sys.stdin
    )
    while line := await reader.readline():
        if (typed := line.decode().strip().lower()[:1]) in ("y", "n"):
            yield "yes" if typed == "y" else "no"


async def words(client: Client) -> AsyncIterator[Answer]:
    """Yield each "yes" and "no" that a session decodes."""
    async for message in client.subscribe("tokens"):
        if isinstance(message, TokenMessage) and message.is_final and message.text in ("yes", "no"):
            yield "yes" if message.text == "yes" else "no"


async def clicks(client: Client) -> AsyncIterator[Answer]:
    """Yield a yes for each click that a session gives; a click that lasts is one."""
    was_down = False
    async for message in client.subscribe("commands"):
        if isinstance(message, CommandMessage):
            is_down = message.mode == "click" and message.armed and any(message.values)
            if is_down and not was_down:
                yield "yes"
            was_down = is_down


@dataclass
class Speaker:
    """Shows sentences, asks about them, and has them spoken.

    Parameters
    ----------
    policy
        When.
    wait_s
        What nobody has answered for so long is not spoken.
    say
        What speaks.
    """

    policy: Policy
    wait_s: float = 30.0
    say: Callable[[str], object] = speak
    _sentence: Sentence = field(default_factory=Sentence)
    _waiting: str = ""
    _due_s: float = 0.0

    def hear(self, message: DataMessage, now_s: float) -> str:
        """Take in what the session says; return what is to be spoken now, or nothing."""
        if isinstance(message, MarkerMessage):
            if message.kind == "speech" and message.label.startswith(_CORRECTION):
                self._ask(message.label.removeprefix(_CORRECTION), now_s)
            elif message.kind == "speech" and message.label == "wrong":
                self._drop("it was wrong")
        elif isinstance(message, TokenMessage) and (done := self._sentence.take(message)):
            text, confidence = done
            match self.policy.deed(confidence):
                case "speak":
                    return text
                case "ask":
                    self._ask(text, now_s)
                case "show":
                    print(text, flush=True)
        return ""

    def answer(self, answer: Answer, now_s: float) -> str:
        """Take in what the person says; return what is to be spoken now, or nothing."""
        self.wait(now_s)
        text, self._waiting = self._waiting, ""
        if text and answer == "no":
            print(f"not spoken: {text}", flush=True)
        return text if answer == "yes" else ""

    def wait(self, now_s: float) -> None:
        """Give up what has waited for too long."""
        if self._waiting and now_s >= self._due_s:
            self._drop("nobody confirmed it")

    def _ask(self, text: str, now_s: float) -> None:
        """Ask about a text; one that waits already was not confirmed, and is not spoken."""
        self._drop("something else came")
        if self.policy.when == "never":
            print(text, flush=True)
            return
        self._waiting, self._due_s = text, now_s + self.wait_s
        print(f"say this? {text}", flush=True)

    def _drop(self, why: str) -> None:
        if self._waiting:
            print(f"not spoken, for {why}: {self._waiting}", flush=True)
        self._waiting = ""


async def run(client: Client, speaker: Speaker, answers: AsyncIterator[Answer] | None) -> None:
    """Show, ask and speak until cancelled."""
    now = asyncio.get_running_loop().time

    async def say(text: str) -> None:
        if text:
            print(f"speaking: {text}", flush=True)
            spoken = speaker.say(text)
            if asyncio.iscoroutine(spoken):
                await spoken

    async def listen() -> None:
        async for message in client.subscribe("tokens", "markers"):
            await say(speaker.hear(message, now()))  # type: ignore[arg-type]  # Lost says nothing

    async def heed() -> None:
        if answers is not None:
            async for answer in answers:
                await say(speaker.answer(answer, now()))

    async def watch() -> None:
        while True:
            await asyncio.sleep(0.1)
            speaker.wait(now())

    async with asyncio.TaskGroup() as tasks:
        for part in (listen, heed, watch):
            tasks.create_task(part())


async def main(arguments: Sequence[str] | None = None) -> None:
    """Connect, and speak until Ctrl-C."""
    ask = argparse.ArgumentParser(description=(__doc__ or "").splitlines()[0])
    ask.add_argument("url")
    ask.add_argument("token")
    ask.add_argument("session", nargs="?", default="speech")
    ask.add_argument("--policy", choices=("never", "confirm", "auto"), default="confirm")
    ask.add_argument("--sure", type=float, default=0.9)
    ask.add_argument("--by", choices=("keyboard", "words", "click"), default="keyboard")
    ask.add_argument("--from", dest="other", default="", help="session of the words or clicks")
    ask.add_argument("--wait-s", type=float, default=30.0)
    asked = ask.parse_args(arguments)
    if asked.by != "keyboard" and not asked.other:
        ask.error(f"--by {asked.by} needs --from SESSION")
    async with AsyncExitStack() as stack:
        client = await stack.enter_async_context(
            connect(asked.url, asked.token, session=asked.session)
        )
        answers: AsyncIterator[Answer] = keys()
        if asked.by != "keyboard":
            other = await stack.enter_async_context(
                connect(asked.url, asked.token, session=asked.other)
            )
            answers = words(other) if asked.by == "words" else clicks(other)
        await stack.enter_async_context(aclosing(answers))  # type: ignore[type-var]
        await run(client, Speaker(Policy(asked.policy, asked.sure), asked.wait_s), answers)


if __name__ == "__main__":
    try:
        asyncio.run(main())
    except KeyboardInterrupt:
        print()
    except ClientError as error:
        sys.exit(str(error))
