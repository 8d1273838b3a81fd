"""What is being spoken, as one line that is corrected in place: sure words bold, others dim."""

from __future__ import annotations

from typing import TYPE_CHECKING

from bci_server.wire import TokenMessage

if TYPE_CHECKING:
    from rich.text import Text

__all__ = ["RunningSentence"]


class RunningSentence:
    """The tokens of one utterance, in the order of their items."""

    def __init__(self) -> None:
        self._tokens: dict[int, TokenMessage] = {}

    def take(self, token: TokenMessage) -> bool:
        """Take a token in; say whether the utterance is over with it."""
        if token.text:
            self._tokens[token.item] = token
        else:
            self._tokens.pop(token.item, None)
        return token.is_final and token.segment_final

    def end(self, width: int) -> Text:
        """Return the line of what is over, and begin with the next.

        Words that are not final are no part of what is over; they stay.
        """
        rest = {item: t for item, t in self._tokens.items() if not t.is_final}
        self._tokens = {item: t for item, t in self._tokens.items() if t.is_final}
        line = self.line(width)
        self._tokens = rest
        return line

    def line(self, width: int) -> Text:
        """Return the newest words that fit into `width` characters, each with its confidence."""
        from rich.text import Text

        tokens = [self._tokens[item] for item in sorted(self._tokens)]
        is_spelled = all(t.unit == "character" for t in tokens)
        parts: list[Text] = []
        room = width - 2
        for token in reversed(tokens):
            style = "bold" if token.is_final else "dim"
            part = Text(token.text.replace("\b", "⌫"), style=style)
            if not is_spelled:
                part.append(f" {round(100 * token.confidence)} ", style="dim")
            room -= part.cell_len
            if room < 0:
                parts.append(Text("… ", style="dim"))
                break
            parts.append(part)
        return Text("", no_wrap=True).join(reversed(parts))
