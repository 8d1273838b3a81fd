"""Replays over REST: pause, speed, seek."""

import pytest

from bci_server.control import Answer, SteerReplay
from tests.bci_server.web.web_place import VIEWER

pytestmark = pytest.mark.anyio
URL = "/v1/sessions/demo/replay"


async def test_what_is_asked_goes_to_the_engine(place):
    await place.engine.linked()
    async with place.rest() as http:
        response = await http.post(URL, json={"paused": True, "speed": 4})
    assert response.status_code == 200, response.text
    assert response.json() == {"epoch": place.live.hub.epoch}
    asked = place.engine.asked[-1]
    assert isinstance(asked, SteerReplay)
    assert (asked.paused, asked.speed) == (True, 4.0)


async def test_what_is_live_is_refused_in_the_engines_words(place, monkeypatch):
    await place.engine.linked()

    async def refuse(control, timeout_s=1.0):
        return Answer(call=1, ok=False, error="amp is no replay", fix="serve one")

    monkeypatch.setattr(place.live.engine, "call", refuse)
    async with place.rest() as http:
        response = await http.post(URL, json={"paused": True})
    assert response.status_code == 409
    said = {"code": "not_steered", "cause": "amp is no replay", "fix": "serve one"}
    assert response.json() == said


async def test_a_place_that_is_not_there_is_refused_before_anything_restarts(place):
    await place.engine.linked()
    async with place.rest() as http:
        response = await http.post(URL, json={"seek_s": 5.0})
    assert response.status_code == 409
    assert place.supervisor.asked == []


@pytest.mark.parametrize("wrong", [{"speed": 0}, {"speed": 1e9}, {"seek_s": -1}, {"sped": 1}])
async def test_wrong_wishes_are_refused(place, wrong):
    async with place.rest() as http:
        response = await http.post(URL, json=wrong)
    assert response.status_code == 422


async def test_who_may_only_look_may_not_steer(place):
    async with place.rest(VIEWER) as http:
        assert (await http.post(URL, json={"paused": True})).status_code == 403


async def test_a_session_that_does_not_run_cannot_be_steered(place):
    await place.engine.linked()
    await place.engine.aclose()
    async with place.rest() as http:
        response = await http.post(URL, json={"paused": True})
    assert response.status_code == 503
    assert "/v1/sessions/demo/start" in response.json()["fix"]
