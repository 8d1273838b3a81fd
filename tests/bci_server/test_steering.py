"""A session on a replay, in a real engine: paused, sped up, begun elsewhere."""

import pytest

from bci_server.config import BadSession, parse_session
from bci_server.control import Answer, SteerReplay
from bci_server.steering import from_start, steer
from bci_server.wire import PredictionMessage, StatusMessage
from tests.bci_server.scripted import ScriptedStream
from tests.bci_server.test_engine import WAIT_S, start
from tests.bci_server.test_supervisor import runtime, serve

__all__ = ["runtime", "serve", "start"]


@pytest.fixture(scope="module")
def session(simulated, simulated_recording, tmp_path_factory):
    """A session file whose device is the replay of a session, at a hundredth of its speed."""
    device = f'kind = "replay"\npath = "{simulated_recording}"\nspeed = 0.01'
    text = simulated.session.text.replace('kind = "simulator_eeg"', device)
    file = tmp_path_factory.mktemp("replayed") / "replayed.toml"
    file.write_text(text.replace("stall_ms = 2000", "stall_ms = 300"))
    return file


def test_it_is_paused_goes_on_and_changes_its_speed(start, session):
    engine = start(session)
    assert engine.status("running").device.startswith("replay:")
    engine.hear(lambda m: True, PredictionMessage)
    engine.say(SteerReplay(call=1, paused=True))
    assert engine.hear(lambda m: m.call == 1, Answer).ok
    assert engine.status("stalled").reason == "the replay is paused"
    engine.say(SteerReplay(call=2, paused=False, speed=1.0))
    assert engine.hear(lambda m: m.call == 2, Answer).ok
    engine.status("running")
    ledger = engine.hear(lambda m: True, PredictionMessage).ledger
    assert 0 <= ledger.received_s - ledger.sampled_s < 5.0
    engine.say(SteerReplay(call=3, speed=0.0))
    refused = engine.hear(lambda m: m.call == 3, Answer)
    assert not refused.ok
    assert "0 times" in refused.error
    assert engine.hear(lambda m: m.state == "ended", StatusMessage).reason.endswith("is over")
    assert engine.process.wait(WAIT_S) == 0


def test_a_seek_starts_the_engine_anew_and_a_restart_begins_at_the_beginning(serve, session):
    server = serve(session)
    run = server.running("replayed")["records"]["replayed"]["run"]
    assert server.ask("SeekReplay", {"session": "replayed", "start_s": 0.5})["ok"]
    look = server.until(lambda look: look["records"]["replayed"]["run"] == run + 1)
    assert look["records"]["replayed"]["process"] == "running"
    assert server.ask("SeekReplay", {"session": "replayed", "start_s": 1e6})["ok"]
    look = server.until(lambda look: look["records"]["replayed"]["process"] == "exited")
    assert "start_s = 1e+06 lies behind the end" in look["records"]["replayed"]["reason"]
    assert server.ask("RestartSession", {"session": "replayed"})["ok"]
    server.running("replayed")


def test_what_is_live_cannot_be_steered():
    answer = steer(ScriptedStream(None, []), SteerReplay(call=5, paused=True))
    assert (answer.call, answer.ok) == (5, False)
    assert "scripted is no replay" in answer.error
    assert "kind = 'replay'" in answer.fix


def test_only_a_replay_has_another_beginning(session, session_file):
    described = parse_session(session.read_text(), session.parent)
    assert from_start(described, 3.0).device.start_s == 3.0
    with pytest.raises(BadSession, match="0 or more"):
        from_start(described, -1.0)
    live = parse_session(session_file().read_text(), session.parent)
    with pytest.raises(BadSession, match="no replay"):
        from_start(live, 3.0)
