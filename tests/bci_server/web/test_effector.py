"""The reference effector: alone with a clock of its own, and at the end of a real line."""

import asyncio
import math
from contextlib import suppress

import msgspec
import pytest

from bci_server.client import Effector, connect, drive
from bci_server.safety.seal import seal
from tests.bci_server.safety.test_second import command, neutral
from tests.bci_server.web.web_place import TOKEN, status, until

KEY = b"thirty-two characters, at least!"


def numbered(seq, message):
    return msgspec.structs.replace(message, seq=seq)


@pytest.fixture
def effector():
    made = Effector()
    made.begin("arm", "e1")
    return made


def test_it_does_nothing_before_it_is_told(effector):
    moves = effector.at(0.0)
    assert (moves.is_neutral, moves.names, moves.values, moves.why) == (True, (), (), "nothing yet")
    assert effector.expires_s() == math.inf


def test_it_moves_as_told_and_brakes_by_itself_when_a_command_has_had_its_time(effector):
    assert effector.take(numbered(1, command(0.0)), 0.0)
    assert (effector.at(0.05).values, effector.at(0.05).why) == ((0.5,), "")
    assert effector.expires_s() == 0.1
    silent = effector.at(0.15)
    assert (silent.is_neutral, silent.why, silent.names) == (True, "silence", ("x",))
    assert silent.values == pytest.approx((0.4,))  # 0.5 until 0.1, then 2 a second
    assert effector.at(9.0).values == (0.0,)


def test_a_command_that_was_under_way_for_long_stands_no_longer_for_it(effector):
    assert effector.take(numbered(1, command(5.0)), 0.06, offset_s=5.0)
    assert effector.expires_s() == pytest.approx(0.1)
    assert effector.take(numbered(2, command(5.5)), 0.07, offset_s=5.0)  # clocks are never so good
    assert effector.expires_s() == pytest.approx(0.17)


def test_its_own_time_and_limits_count_where_they_are_stricter():
    effector = Effector(ttl_ms=20.0, largest={"x": 0.3}, slopes={"x": 1.0})
    effector.begin("arm", "e1")
    effector.take(numbered(1, command(0.0)), 0.0)
    effector.take(numbered(2, command(0.01)), 0.01)
    effector.take(numbered(3, command(0.02)), 0.02)
    assert effector.at(0.02).values == pytest.approx((0.02,))
    for i in range(3, 60):
        effector.take(numbered(i + 1, command(0.01 * i)), 0.01 * i)
    assert effector.at(0.59).values == pytest.approx((0.3,))
    assert effector.at(0.62).values == pytest.approx((0.29,))


def test_told_neutral_it_brakes_whatever_the_values_say(effector):
    effector.take(numbered(1, command(0.0)), 0.0)
    effector.take(numbered(2, neutral(0.01, 0.5)), 0.01)
    moves = effector.at(0.06)
    assert (moves.why, moves.values) == ("told", pytest.approx((0.4,)))


@pytest.mark.parametrize(
    ("message", "now_s", "why"),
    [
        (numbered(1, command(0.02)), 0.02, "out of order"),
        (numbered(3, command(0.02)), 0.1201, "stale"),
        (numbered(3, command(0.02, values=(math.nan,))), 0.02, "no sense"),
        (numbered(3, command(0.02, values=())), 0.02, "no sense"),
    ],
)
def test_what_should_not_have_come_is_refused(effector, message, now_s, why):
    effector.take(numbered(2, command(0.01)), 0.01)
    assert not effector.take(message, now_s)
    assert effector.refused == {why: 1}
    assert effector.at(now_s).is_neutral == (why != "out of order")


def test_a_command_that_is_not_armed_is_neutral(effector):
    assert effector.take(numbered(1, command(0.0, lease=0)), 0.0)
    assert effector.at(0.0).is_neutral


def test_after_a_break_it_moves_on_a_new_lease_alone(effector):
    effector.take(numbered(1, command(0.0)), 0.0)
    effector.cut()
    assert (effector.at(0.01).is_neutral, effector.at(0.01).why) == (True, "cut off")
    assert not effector.take(numbered(2, command(0.02)), 0.02)
    effector.begin("arm", "e1")
    assert not effector.take(numbered(3, command(0.03)), 0.03)
    assert effector.take(numbered(4, command(0.04, lease=8)), 0.04)
    effector.begin("arm", "e2")
    assert not effector.take(numbered(1, command(0.05, lease=8)), 0.05)
    assert effector.take(numbered(2, command(0.06, lease=9)), 0.06)


def test_a_position_stays_and_a_grasp_opens_within_its_velocity(effector):
    effector.take(numbered(1, command(0.0, mode="position", rest=())), 0.0)
    held = effector.at(1.0)
    assert (held.is_neutral, held.names, held.values) == (True, (), ())
    effector.take(numbered(2, command(1.0, mode="grasp", rest=(0.1,))), 1.0)
    assert effector.at(1.2).values == pytest.approx((0.3,))
    assert effector.at(2.0).values == pytest.approx((0.1,))


def test_with_a_key_only_what_is_sealed_and_not_played_back_counts():
    effector = Effector(key=KEY)
    effector.begin("arm", "e1")
    plain = numbered(1, command(0.0))
    sealed = msgspec.structs.replace(plain, mac=seal(KEY, "arm", "e1", plain))
    assert not effector.take(plain, 0.0)
    assert effector.take(sealed, 0.0)
    assert not effector.take(sealed, 0.01)
    assert effector.refused == {"not genuine": 1, "out of order": 1}
    assert not effector.take(msgspec.structs.replace(sealed, seq=2), 0.01)


@pytest.mark.anyio
async def test_driven_by_a_client_it_moves_goes_neutral_and_knows_when_it_is_cut_off(place):
    await place.engine.linked()
    seen, lease = [], 7

    async def speak():
        while True:
            place.engine.say(command(place.live.hub.clock.now(), ttl_ms=2000.0, lease=lease))
            await asyncio.sleep(0.01)

    def is_moving():
        return any(moves.values == (0.5,) for moves in seen[-1000:])

    async with connect(place.url, TOKEN) as client:
        driving = asyncio.create_task(drive(client, Effector(), seen.append, 0.005))
        place.engine.say(status())
        speaking = asyncio.create_task(speak())
        while not is_moving():  # on a busy machine a watch may let go: then on a new lease alone
            lease += 1
            with suppress(TimeoutError):
                await until(is_moving, 2.0)
        client._line._socket.transport.abort()
        await until(lambda: seen[-1].why == "cut off")
        assert seen[-1].is_neutral
        for task in (driving, speaking):
            task.cancel()
        await asyncio.gather(driving, speaking, return_exceptions=True)
