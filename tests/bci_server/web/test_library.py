"""The library over REST."""

import pytest

from tests.bci_server.web.web_place import VIEWER, serving
from tests.devices.recording.recordings import record

pytestmark = pytest.mark.anyio


@pytest.fixture
def folder(tmp_path):
    folder = tmp_path / "recordings"
    folder.mkdir()
    record(folder / "sub-P07_task-rest_eeg.xdf")
    (folder / "bad.xdf").write_text("hello")
    record(tmp_path / "outside.xdf")
    return folder


async def test_recordings_are_listed_filtered_and_got(folder):
    async with serving(recordings=folder) as place, place.rest(VIEWER) as http:
        everything = (await http.get("/v1/recordings")).json()
        assert len(everything) == 2
        assert str(folder) not in str(everything)
        (good,) = (await http.get("/v1/recordings", params={"readable": "true"})).json()
        assert (good["participant"], good["task"]) == ("P07", "rest")
        assert good["streams"][0]["channels"] == ["a", "b", "c"]
        (bad,) = (await http.get("/v1/recordings", params={"readable": "false"})).json()
        assert "does not begin with" in bad["problem"]
        assert (await http.get(f"/v1/recordings/{good['id']}")).json() == good
        for query, n in [
            ("search=p07", 1),
            ("participant=P08", 0),
            ("task=rest", 1),
            ("limit=1", 1),
        ]:
            assert len((await http.get(f"/v1/recordings?{query}")).json()) == n


async def test_tags_need_control(folder):
    async with serving(recordings=folder) as place:
        async with place.rest() as http:
            (good,) = (await http.get("/v1/recordings?readable=true")).json()
            where = f"/v1/recordings/{good['id']}/tags/pilot"
            assert (await http.put(where)).json()["tags"] == ["pilot"]
            assert len((await http.get("/v1/recordings?tag=pilot")).json()) == 1
        async with place.rest(VIEWER) as http:
            assert (await http.delete(where)).status_code == 403
        async with place.rest() as http:
            assert (await http.delete(where)).json()["tags"] == []


@pytest.mark.parametrize(
    ("recording", "code"),
    [
        ("0123456789abcdef", 404),
        ("..%2F..%2Foutside.xdf", 404),
        ("%2e%2e", 404),
        ("sub-P07_task-rest_eeg.xdf", 422),
    ],
)
async def test_paths_are_no_ids(folder, recording, code):
    async with serving(recordings=folder) as place, place.rest() as http:
        assert (await http.get(f"/v1/recordings/{recording}")).status_code in (code, 422)
        put = await http.put(f"/v1/recordings/{recording}/tags/x")
        assert put.status_code in (code, 404, 405, 422)
    assert not list(folder.parent.glob("*.tags"))


async def test_a_folder_that_is_not_there_is_said(tmp_path):
    async with serving(recordings=tmp_path / "no") as place, place.rest() as http:
        response = await http.get("/v1/recordings")
    assert response.status_code == 404
    assert "BCI_RECORDINGS" in response.json()["fix"]
