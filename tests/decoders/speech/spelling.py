"""A language that writes phonemes down as they come: small, exact, and heeds what is asked."""

from dataclasses import dataclass, field
from typing import ClassVar

from decoders.output import Alternative, Prediction, Token
from devices.speech.phonemes import BLANK, BOUNDARY, CLASSES


@dataclass(frozen=True)
class Language:
    """Writes a word for each stretch between boundaries; one that was taught by its name."""

    folder: str = "language"
    lower: bool = False
    loads: ClassVar[list[str]] = []

    def __post_init__(self):
        if not self.folder:
            raise ValueError("folder must not be empty")

    def load(self):
        self.loads.append(self.folder)
        return Loaded(self.lower)


@dataclass(frozen=True)
class Loaded:
    lower: bool = False
    hash: str = "abcdef012345"

    def problem_with_word(self, said):
        return "" if len(said.split()) > 1 else f"{said}: how it is said is not known"

    def listener(self):
        return None

    def start(self, rate_hz, hop):
        return Speaking(hop, self.lower)


@dataclass
class Speaking:
    hop: int
    lower: bool
    words: dict = field(default_factory=dict)
    heard: list = field(default_factory=list)
    newest: str = BLANK
    item: int = -1
    said: str = ""
    utterances: tuple = ()

    def __call__(self, outputs, moment):
        tokens = [t for e in moment.events if e.kind == "speech" for t in self.asked(e, moment)]
        for output in outputs:
            if isinstance(output, Prediction):
                best = max(range(len(CLASSES)), key=output.probabilities.__getitem__)
                tokens += self.hear(CLASSES[best], output.probabilities[best], moment.sample)
        return [*outputs, *tokens]

    def hear(self, phoneme, p, sample):
        before, self.newest = self.newest, phoneme
        if phoneme in (BLANK, before):
            return []
        if phoneme == BOUNDARY:
            return self.end(sample, p, False)
        if not self.heard:
            self.item = sample
        self.heard.append(phoneme)
        return [Token(self.item, self.text, "word", False, confidence=p, first=self.item)]

    def end(self, sample, p, is_last):
        if not self.heard:
            return []
        other = (Alternative("".join(self.heard).swapcase(), 1 - p),)
        ended = Token(self.item, self.text, "word", True, is_last, p, other, self.item, sample)
        self.heard, self.said = [], self.text
        return [ended]

    def again(self):
        return Speaking(self.hop, self.lower, self.words)

    @property
    def text(self):
        known = self.words.get(tuple(self.heard))
        text = "".join(self.heard)
        return known or (text.lower() if self.lower else text)

    def asked(self, event, moment):
        verb, _, rest = event.label.partition(" ")
        if verb == "finalize":
            return self.end(moment.sample, 0.5, True)
        if verb == "reset":
            item, had, self.heard = self.item, self.heard, []
            return [Token(item, "", "word", False)] if had else []
        if verb == "word":
            name, *phonemes = rest.split()
            self.words[tuple(phonemes)] = name
        if verb == "wrong" and rest:
            corrected = (Alternative(rest, 1.0),)
            return [Token(moment.sample, rest, "word", True, True, 1.0, corrected)]
        return []
