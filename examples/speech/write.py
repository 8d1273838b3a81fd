"""Writes what a session decodes into the terminal: python examples/speech/write.py URL TOKEN.

Words that are not sure yet stand in brackets. Lines that are typed correct and steer::

    =THE RIGHT WORDS     the last sentence was not that (an empty = deletes it)
    +NAME [PHONEMES]     a new word: +Kalina K AH L IY N AH
    .                    what is being spoken is complete
    !                    forget what is being spoken
    q                    end

Letters of a session in spelling mode are written together. With ``--out FILE`` the text is written
there at the end.
"""

from __future__ import annotations

import argparse
import asyncio
import sys
from collections.abc import Sequence
from dataclasses import dataclass, field
from pathlib import Path

from bci_server.client import CallRefused, Client, ClientError, Lost, connect
from bci_server.wire import TokenMessage


@dataclass
class Text:
    """What has been written: sentences, and the tokens of the one that is being spoken."""

    sentences: list[str] = field(default_factory=list)
    _tokens: dict[int, TokenMessage] = field(default_factory=dict)

    def take(self, token: TokenMessage) -> bool:
        """Take a token in; say whether a sentence has ended."""
        if token.text:
            self._tokens[token.item] = token
        else:
            self._tokens.pop(token.item, None)
        if not (token.is_final and token.segment_final):
            return False
        sure = [t for t in self._in_order() if t.is_final]
        self._tokens = {i: t for i, t in self._tokens.items() if not t.is_final}
        self.sentences.append(_joined([t.text for t in sure], token.unit == "character"))
        return True

    def correct(self, text: str) -> None:
        """Replace the last sentence; with nothing, delete it."""
        if self.sentences:
            self.sentences[-1:] = [text] if text else []

    def line(self) -> str:
        """Return what is being spoken; what is not sure in brackets."""
        tokens = self._in_order()
        words = [t.text if t.is_final else f"[{t.text}]" for t in tokens]
        return _joined(words, bool(tokens) and tokens[0].unit == "character")

    def _in_order(self) -> list[TokenMessage]:
        return [self._tokens[item] for item in sorted(self._tokens)]


def _joined(words: Sequence[str], is_spelled: bool) -> str:
    if not is_spelled:
        return " ".join(words)
    text = ""
    for character in words:
        text = text[:-1] if character == "\b" else text + character
    return text


async def steer(client: Client, text: Text, line: str) -> bool:
    """Do what a typed line asks; say whether to go on."""
    verb, rest = line[:1], line[1:].strip()
    match verb:
        case "=":
            await client.wrong(rest)
            text.correct(rest)
            print(f"corrected: {text.sentences[-1] if text.sentences else ''}", flush=True)
        case "+" if rest:
            name, *phonemes = rest.split()
            await client.word(name, phonemes)
        case ".":
            await client.finalize()
        case "!":
            await client.reset()
        case "q":
            return False
        case _:
            print("type = + . ! or q", file=sys.stderr)
    return True


async def show(client: Client, text: Text) -> None:
    """Show what is spoken as it comes, until cancelled."""
    shown = ""
    async for message in client.subscribe("tokens"):
        if isinstance(message, Lost):
            print("\nsome of it was lost: the connection was away", file=sys.stderr)
        elif isinstance(message, TokenMessage):
            if text.take(message):
                print(f"\r{text.sentences[-1]:<{len(shown)}}", flush=True)
            line = text.line()
            print(f"\r{line:<{len(shown)}}", end="", flush=True)
            shown = line


async def write(client: Client, text: Text) -> None:
    """Write until somebody types q, or closes the input."""
    showing = asyncio.create_task(show(client, text))
    try:
        reader = asyncio.StreamReader()
        await asyncio.get_running_loop().connect_read_pipe(
            lambda: asyncio.StreamReaderProtocol(reader), sys.stdin
        )
        while line := await reader.readline():
            try:
                if not await steer(client, text, line.decode().strip()):
                    return
            except (CallRefused, ValueError) as refused:
                print(refused, file=sys.stderr)
    finally:
        showing.cancel()


async def main(arguments: Sequence[str] | None = None) -> None:
    """Connect, and write."""
    ask = argparse.ArgumentParser(description=(__doc__ or "").splitlines()[0])
    ask.add_argument("url")
    ask.add_argument("token")
    ask.add_argument("session", nargs="?", default="speech")
    ask.add_argument("--out", type=Path)
    asked = ask.parse_args(arguments)
    text = Text()
    async with connect(asked.url, asked.token, session=asked.session) as client:
        await write(client, text)
    written = "\n".join(text.sentences)
    print(f"\n{written}")
    if asked.out:
        asked.out.write_text(written + "\n", encoding="utf-8")


if __name__ == "__main__":
    try:
        asyncio.run(main())
    except KeyboardInterrupt:
        print()
    except ClientError as error:
        sys.exit(str(error))
