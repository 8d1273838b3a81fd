"""Numbers as they are said."""

from __future__ import annotations

__all__ = ["said_number"]

# fmt: off
_SMALL = (
    "zero", "one", "two", "three", "four", "five", "six", "seven", "eight", "nine", "ten",
    "eleven", "twelve", "thirteen", "fourteen", "fifteen", "sixteen", "seventeen", "eighteen",
    "nineteen",
)
_TENS = ("twenty", "thirty", "forty", "fifty", "sixty", "seventy", "eighty", "ninety")
# fmt: on
_SCALES = ((10**9, "billion"), (10**6, "million"), (1000, "thousand"), (100, "hundred"))
_ORDINALS = {
    "one": "first",
    "two": "second",
    "three": "third",
    "five": "fifth",
    "eight": "eighth",
    "nine": "ninth",
    "twelve": "twelfth",
}
_ENDINGS = ("st", "nd", "rd", "th")


def said_number(number: str) -> tuple[str, ...]:
    """Return the words of a number: ``21``, ``1,200``, ``3.5`` (three point five), ``21st``.

    Raises
    ------
    ValueError
        It has a trillion or more, or is a fraction with an ordinal's ending.
    """
    digits = number.replace(",", "")
    if digits.endswith(_ENDINGS):
        *before, last = said_number(digits[:-2])
        return (*before, _ordinal(last))
    whole, _, fraction = digits.partition(".")
    if len(whole) > 12:
        raise ValueError(f"{number}: numbers are said up to 999,999,999,999")
    words = _whole(int(whole))
    return (*words, "point", *(_SMALL[int(digit)] for digit in fraction)) if fraction else words


def _whole(number: int) -> tuple[str, ...]:
    if number < 20:
        return (_SMALL[number],)
    if number < 100:
        tens, rest = divmod(number, 10)
        return (_TENS[tens - 2], *((_SMALL[rest],) if rest else ()))
    scale, name = next((scale, name) for scale, name in _SCALES if number >= scale)
    many, rest = divmod(number, scale)
    return (*_whole(many), name, *(_whole(rest) if rest else ()))


def _ordinal(word: str) -> str:
    return _ORDINALS.get(word) or (word[:-1] + "ieth" if word.endswith("y") else word + "th")
