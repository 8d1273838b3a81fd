import asyncio
import random
from itertools import islice, pairwise

import pytest

from examples.tasks.speller import ITEMS, Lamps, Text, board, order, wish


def typed(*items):
    text = Text()
    for item in items:
        text.take(item)
    return text


def test_letters_are_typed_and_deleted():
    assert typed("B", "A", "E", "DEL", "D").letters == "BAD"
    assert typed("DEL", "A").letters == "A"


def test_nothing_is_said_before_it_is_confirmed_nor_is_nothing():
    assert not typed("B").is_confirmed
    assert typed("B", "OK").is_confirmed
    assert not typed("OK").is_confirmed


@pytest.mark.parametrize(
    ("letters", "wanted"), [("", "B"), ("B", "A"), ("BE", "DEL"), ("BAD", "OK"), ("BADE", "DEL")]
)
def test_who_wants_to_write_a_word_takes_back_what_does_not_belong(letters, wanted):
    assert wish(letters, "BAD") == wanted


def test_every_item_flashes_once_a_round_and_never_twice_in_a_row():
    flashes = list(islice(order(ITEMS, random.Random(0)), 800))
    for k in range(0, 800, len(ITEMS)):
        assert sorted(flashes[k : k + len(ITEMS)]) == sorted(ITEMS)
    assert all(a != b for a, b in pairwise(flashes))


def test_what_is_lit_stands_out():
    line = board(ITEMS, "DEL", Text("BA"), "D? 0.80")
    assert "\x1b[7m DEL \x1b[0m" in line
    assert "BA_ D? 0.80" in line


def test_lamps_mark_each_flash_at_one_time_for_who_decodes(lsl, capsys):
    lamps = Lamps(ITEMS, period_s=0.02)
    (found,) = lsl.resolve_byprop("name", "speller-flashes", timeout=20.0)
    inlet = lsl.StreamInlet(found)
    inlet.open_stream(20.0)
    words, stamps = [], []

    async def flash():
        looking = asyncio.create_task(lamps.look(Text()))
        async with asyncio.timeout(60):
            while len(words) < 16 or len(words) % 2:
                await asyncio.sleep(0.02)
                labels, times = inlet.pull_chunk()
                words.extend(label for (label,) in labels)
                stamps.extend(times)
        looking.cancel()

    asyncio.run(flash())
    assert set(words[1::2]) == {"nontarget"}
    assert {w.removeprefix("flash-") for w in words[::2]} == set(ITEMS)
    assert stamps[::2] == stamps[1::2]
