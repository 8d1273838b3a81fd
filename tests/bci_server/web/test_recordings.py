"""Recordings over REST."""

import pytest

from bci_server.control import Answer, StartRecording, StopRecording
from bci_server.wire import RecordingStatus
from tests.bci_server.web.web_place import VIEWER, status, until

pytestmark = pytest.mark.anyio


async def test_start_and_stop_are_asked_of_the_engine(place):
    await place.engine.linked()
    async with place.rest() as http:
        for action in ("start", "stop"):
            response = await http.post(f"/v1/sessions/demo/recording/{action}")
            assert response.status_code == 200
            assert set(response.json()) == {"file"}
    kinds = [type(c) for c in place.engine.asked]
    assert kinds[-2:] == [StartRecording, StopRecording]


async def test_how_it_is_doing(place):
    await place.engine.linked()
    async with place.rest(VIEWER) as http:
        response = await http.get("/v1/sessions/demo/recording")
        assert response.json() == {"file": None, "n_samples": 0, "n_lost": 0, "alarms": []}
        alarms = ("stopped", "recording_disk_nearly_full")
        place.engine.say(status(recording=RecordingStatus("a.xdf", 500, 3), alarms=alarms))
        await until(lambda: place.live.status is not None and place.live.status.recording)
        response = await http.get("/v1/sessions/demo/recording")
    assert response.json() == {
        "file": "a.xdf",
        "n_samples": 500,
        "n_lost": 3,
        "alarms": ["recording_disk_nearly_full"],
    }


async def test_what_cannot_be_recorded_says_why(place, monkeypatch):
    await place.engine.linked()

    async def refuse(control, timeout_s=1.0):
        return Answer(call=1, ok=False, error="no disk", fix="plug one in")

    monkeypatch.setattr(place.live.engine, "call", refuse)
    async with place.rest() as http:
        response = await http.post("/v1/sessions/demo/recording/start")
    assert response.status_code == 409
    assert response.json() == {"code": "not_recorded", "cause": "no disk", "fix": "plug one in"}


async def test_a_session_that_does_not_run_cannot_be_recorded(place):
    await place.engine.linked()
    await place.engine.aclose()
    async with place.rest() as http:
        response = await http.post("/v1/sessions/demo/recording/start")
    assert response.status_code == 503
    assert "/v1/sessions/demo/start" in response.json()["fix"]


async def test_a_viewer_records_nothing(place):
    async with place.rest(VIEWER) as http:
        response = await http.post("/v1/sessions/demo/recording/start")
    assert response.status_code == 403
