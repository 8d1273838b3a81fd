import pytest

from bci_server.session import IllegalTransition, Mirror, Phase


def _mirror(*states):
    mirror = Mirror()
    for state in states:
        mirror.says(state)
    return mirror


def test_a_session_runs_stalls_recovers_and_ends():
    mirror = _mirror("starting", "running", "stalled", "running")
    assert mirror.says("ended") == Phase("ended")


@pytest.mark.parametrize(
    ("past", "state"),
    [
        ([], "running"),
        ([], "stalled"),
        (["starting", "running"], "starting"),
        (["starting", "running", "ended"], "running"),
        (["starting", "failed"], "running"),
        (["starting", "failed"], "ended"),
    ],
)
def test_what_no_path_leads_to_is_refused(past, state):
    with pytest.raises(IllegalTransition, match=state):
        _mirror(*past).says(state)


def test_the_same_state_may_be_said_again_with_another_reason():
    mirror = _mirror("starting")
    assert mirror.says("starting", "waiting for stream").reason == "waiting for stream"


def test_a_silent_engine_is_lost_until_it_speaks():
    mirror = _mirror("starting", "running")
    assert mirror.silent() == Phase("running", "the engine does not answer", lost=True)
    assert mirror.phase.neutral_reason == "engine_lost"
    mirror.says("running")
    assert mirror.phase.neutral_reason == ""


@pytest.mark.parametrize("past", [[], ["starting"], ["starting", "ended"], ["starting", "failed"]])
def test_silence_means_nothing_before_and_after_the_run(past):
    mirror = _mirror(*past)
    assert not mirror.silent().lost


@pytest.mark.parametrize("past", [["starting"], ["starting", "running"]])
def test_a_death_without_goodbye_is_a_failure(past):
    phase = _mirror(*past).gone(said_goodbye=False, reason="killed by SIGKILL")
    assert phase == Phase("failed", "killed by SIGKILL", lost=True)
    assert phase.neutral_reason == "engine_lost"


@pytest.mark.parametrize("state", ["ended", "failed"])
def test_a_goodbye_leaves_the_last_state_standing(state):
    mirror = _mirror("starting", state)
    assert mirror.gone(said_goodbye=True).state == state


def test_a_new_engine_starts_from_anywhere():
    for past in ([], ["starting", "running"], ["starting", "failed"]):
        mirror = _mirror(*past)
        assert mirror.restarted() == Phase("starting")
        assert mirror.says("running").neutral_reason == ""


def test_only_a_running_session_lets_commands_stand():
    assert _mirror("starting").phase.neutral_reason == "starting"
    assert _mirror("starting", "running", "stalled").phase.neutral_reason == "stalled"
    assert _mirror("starting", "ended").phase.neutral_reason == "ended"
    assert Mirror().stopped().neutral_reason == "ended"
