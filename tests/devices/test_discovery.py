import dataclasses
import itertools
import json

import pytest

from devices import discovery
from devices.device import DeviceNotFound, DeviceRefused
from devices.discovery import StreamMatch, list_streams, resolve, resolve_one
from tests.devices.lsl_sender import Sender, unique


def test_what_is_on_the_network_is_listed_and_goes_into_json(lsl):
    name = unique("listed")
    senders = [
        Sender(lsl, f"{name}-b", n_channels=4, rate_hz=512.0, format="int16"),
        Sender(lsl, f"{name}-a", n_channels=1, rate_hz=0.0, format="string", type="Markers"),
    ]
    found = [s for s in list_streams() if s.name.startswith(name)]
    assert [s.name for s in found] == [f"{name}-a", f"{name}-b"]
    assert (found[1].n_channels, found[1].rate_hz, found[1].format) == (4, 512.0, "int16")
    assert found[1].source_id == senders[0].source_id
    assert "irregular" in str(found[0])
    assert json.loads(json.dumps(dataclasses.asdict(found[1])))["host"] == found[1].host


def test_all_that_is_given_must_match(lsl):
    name = unique("both")
    sender = Sender(lsl, name, type="EEG")
    info = resolve_one(StreamMatch(name=name, type="EEG", source_id=sender.source_id), 10.0)
    assert info.name() == name
    with pytest.raises(DeviceNotFound, match=f"name '{name}', type 'ECoG'"):
        resolve_one(StreamMatch(name=name, type="ECoG"), 0.1)


@pytest.fixture
def half_a_second_away(monkeypatch):
    """A network that answers nobody sooner, as one of known peers without multicast."""

    def later(match, timeout_s, at_least=1):
        return resolve(match, timeout_s, at_least) if timeout_s >= 0.5 else []

    clock = itertools.count(0.0, 0.5)
    monkeypatch.setattr(discovery, "resolve", later)
    monkeypatch.setattr(discovery.time, "monotonic", lambda: next(clock))


@pytest.mark.usefixtures("half_a_second_away")
def test_who_answers_late_is_found_and_told_from_a_second_one(lsl):
    name = unique("late")
    senders = [Sender(lsl, name, source_id="one")]
    assert resolve_one(StreamMatch(name=name), 10.0).source_id() == "one"
    senders.append(Sender(lsl, name, source_id="other"))
    with pytest.raises(DeviceRefused, match="2 LSL streams match"):
        resolve_one(StreamMatch(name=name), 10.0)
    assert len(senders) == 2


def test_who_answered_once_is_found_though_nobody_answers_again(lsl, monkeypatch):
    name = unique("once")
    sender = Sender(lsl, name)
    answers = iter([resolve(StreamMatch(name=name), 10.0), []])
    monkeypatch.setattr(discovery, "resolve", lambda *_, **__: next(answers))
    assert resolve_one(StreamMatch(name=name), 10.0).source_id() == sender.source_id


@pytest.mark.parametrize(
    ("value", "literal"),
    [
        ("plain", "'plain'"),
        ("it's", '"it\'s"'),
        ('it\'s "so"', "concat('it', \"'\", 's \"so\"')"),
    ],
)
def test_quotes_do_not_break_out_of_the_question(value, literal):
    assert StreamMatch(name=value).predicate() == f"name={literal}"


def test_a_match_of_nothing_is_false():
    assert not StreamMatch()
    assert StreamMatch(type="EEG")
