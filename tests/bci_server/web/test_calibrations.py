"""Guided calibration over REST."""

import pytest

from tests.bci_server.test_guided import SESSION
from tests.bci_server.web.web_place import VIEWER

pytestmark = pytest.mark.anyio


async def test_where_there_was_none_it_says_how_to_start(place):
    async with place.rest() as http:
        response = await http.get("/v1/sessions/demo/calibration")
    assert response.status_code == 404
    assert "calibration/start" in response.json()["fix"]


async def test_it_starts_says_how_it_goes_and_is_cancelled(place, tmp_path, monkeypatch):
    await place.engine.linked()
    file = tmp_path / "demo.toml"
    file.write_text(SESSION)
    monkeypatch.setattr(
        place.live,
        "record",
        place.live.record.__class__(
            name="demo", file=str(file), socket=place.live.record.socket, process="running"
        ),
    )
    plan = {"trials_per_class": 2, "pause_s": 60}
    async with place.rest() as http:
        response = await http.post("/v1/sessions/demo/calibration/start", json=plan)
        assert response.status_code == 200, response.text
        assert response.json()["state"] == "collecting"
        assert response.json()["n_trials"] == 4
        busy = await http.post("/v1/sessions/demo/calibration/start", json=plan)
        assert busy.status_code == 409
        early = await http.post("/v1/sessions/demo/calibration/accept")
        assert early.status_code == 409
        assert "collecting" in early.json()["cause"]
        response = await http.post("/v1/sessions/demo/calibration/cancel")
        assert response.json()["state"] == "cancelled"
    async with place.rest(VIEWER) as http:
        assert (await http.get("/v1/sessions/demo/calibration")).json()["state"] == "cancelled"
        assert (await http.post("/v1/sessions/demo/calibration/start")).status_code == 403
