"""REST, on real sockets: who may, what is answered, and what is not."""

import asyncio
import socket

import pytest

from bci_server.control import RestartSession, SessionRecord, Sessions, StartSession, StopSession
from bci_server.link.web_end import LinkLost
from bci_server.web.discovery import Discovery, DiscoveryFailed
from bci_server.web.sockets import PromptHttp
from bci_server.wire import Percentiles
from tests.bci_server.web.web_place import VIEWER, command, prediction, serving, status, until

pytestmark = pytest.mark.anyio

_OPEN = ["/healthz", "/v1/schemas", "/v1/asyncapi.json", "/v1/openapi.json"]
_VIEW = ["/v1/sessions", "/v1/sessions/demo", "/v1/devices", "/v1/models", "/metrics"]


@pytest.mark.parametrize("path", _OPEN)
async def test_what_needs_no_token(place, path):
    async with place.rest(None) as http:
        assert (await http.get(path)).status_code == 200


@pytest.mark.parametrize("path", _VIEW)
@pytest.mark.parametrize(("bearer", "code"), [(None, 401), ("wrong", 401), (VIEWER, 200)])
async def test_what_needs_a_token(place, path, bearer, code):
    async with place.rest(bearer) as http:
        response = await http.get(path)
    assert response.status_code == code
    if code == 401:
        assert set(response.json()) == {"code", "cause", "fix"}
        assert response.headers["www-authenticate"] == "Bearer"


@pytest.mark.parametrize("action", ["start", "stop", "restart"])
async def test_a_viewer_starts_and_stops_nothing(place, action):
    async with place.rest(VIEWER) as http:
        response = await http.post(f"/v1/sessions/demo/{action}")
    assert response.status_code == 403
    assert "control" in response.json()["cause"]
    assert place.supervisor.asked == []


async def test_start_stop_and_restart_are_asked_of_the_supervisor(place):
    async with place.rest() as http:
        for action in ("start", "stop", "restart"):
            response = await http.post(f"/v1/sessions/demo/{action}")
            assert response.status_code == 200
            assert response.json()["name"] == "demo"
        place.supervisor.refuses = "the session file is gone"
        response = await http.post("/v1/sessions/demo/start")
    assert response.status_code == 409
    assert response.json()["cause"] == "the session file is gone"
    kinds = [type(request) for request in place.supervisor.asked]
    assert kinds == [StartSession, StopSession, RestartSession, StartSession]


async def test_a_supervisor_that_does_not_answer_is_said_so(place):
    async def silent(request, timeout_s=10.0):
        raise LinkLost("the supervisor did not answer within 15 s")

    place.supervisor.call = silent
    async with place.rest() as http:
        response = await http.post("/v1/sessions/demo/stop")
    assert response.status_code == 503
    assert "did not answer" in response.json()["cause"]


async def test_a_session_tells_how_it_is_doing(place):
    await place.engine.linked()
    place.engine.say(status(rate_hz=250.0))
    place.engine.mute = True  # once it is said to have stalled, nothing changes between two calls
    await until(lambda: place.live.state == "stalled")
    async with place.subscribed("status"), place.rest() as http:
        session = (await http.get("/v1/sessions/demo")).json()
        (listed,) = (await http.get("/v1/sessions")).json()
    assert listed == session
    assert (session["state"], session["process"]) == ("stalled", "running")
    assert session["reason"] == "the engine does not answer"
    assert session["clients"] == 1
    assert session["epoch"] == place.live.hub.epoch
    assert session["stream"] == "/v1/sessions/demo/stream"
    assert session["status"]["rate_hz"] == 250.0


@pytest.mark.parametrize(
    ("path", "code"),
    [("/v1/sessions/domo", "unknown_session"), ("/v1/sesions", "not_found")],
)
async def test_what_is_not_there(place, path, code):
    async with place.rest() as http:
        response = await http.get(path)
    assert response.status_code == 404
    assert response.json()["code"] == code


async def test_wrong_parameters_and_methods_have_the_same_error_shape(place):
    async with place.rest() as http:
        wrong = await http.get("/v1/sessions/demo/events?rate_hz=-1")
        assert wrong.status_code == 422
        assert "rate_hz" in wrong.json()["cause"]
        method = await http.delete("/v1/sessions/demo")
        assert method.status_code == 405
        assert set(method.json()) == {"code", "cause", "fix"}


@pytest.mark.parametrize(
    ("headers", "code"),
    [
        ({"Host": "evil.example"}, 421),
        ({"Host": "127.0.0.1.evil.example:80"}, 421),
        ({"Host": "localhost:9"}, 200),
        ({"Host": "[::1]"}, 200),
        ({"Host": "192.168.3.4:8765"}, 200),
        ({"Origin": "https://evil.example"}, 403),
        ({"Origin": "null"}, 403),
        ({"Origin": "http://friend.example"}, 200),
        ({"Host": "localhost:9", "Origin": "http://localhost:9"}, 200),
        ({"Host": "localhost:9", "Origin": "http://localhost:10"}, 403),
        ({"Transfer-Encoding": "chunked"}, 413),
    ],
)
async def test_host_origin_and_size_are_checked_on_loopback_too(place, headers, code):
    async with place.rest() as http:
        response = await http.get("/healthz", headers=headers)
    assert response.status_code == code
    if code != 200:
        assert set(response.json()) == {"code", "cause", "fix"}


async def test_a_large_body_is_refused_unread(place):
    async with place.rest() as http:
        response = await http.post("/v1/tickets", content=bytes(70_000))
    assert response.status_code == 413


@pytest.mark.parametrize("headers", [{"Origin": "https://evil.example"}, {"Host": "evil.example"}])
async def test_a_page_of_elsewhere_gets_no_websocket(place, headers):
    upgrade = {
        "Connection": "Upgrade",
        "Upgrade": "websocket",
        "Sec-WebSocket-Version": "13",
        "Sec-WebSocket-Key": "dGhlIHNhbXBsZSBub25jZQ==",
    }
    async with place.rest() as http:
        response = await http.get("/v1/sessions/demo/stream", headers={**upgrade, **headers})
    assert response.status_code in (403, 421)
    assert "BCI_ALLOWED" in response.json()["fix"]


async def test_a_friendly_page_may_ask_with_its_token(place):
    preflight = {
        "Origin": "http://friend.example",
        "Access-Control-Request-Method": "POST",
        "Access-Control-Request-Headers": "authorization",
    }
    async with place.rest(None) as http:
        response = await http.options("/v1/tickets", headers=preflight)
    assert response.headers["access-control-allow-origin"] == "http://friend.example"


async def test_headers_that_never_end_are_cut_off(place, monkeypatch):
    monkeypatch.setattr(PromptHttp, "headers_s", 0.05)
    loop = asyncio.get_running_loop()
    with socket.create_connection(("127.0.0.1", place.port)) as peer:
        peer.setblocking(False)
        await loop.sock_sendall(peer, b"GET /healthz HTTP/1.1\r\nHost: 127.0.0.1\r\n")
        await until(lambda: len(place.server.server_state.connections) == 1)
        await until(lambda: not place.server.server_state.connections)


async def test_health_says_when_an_engine_is_gone(place):
    await place.engine.linked()
    async with place.rest(None) as http:
        assert (await http.get("/healthz")).json()["status"] == "ok"
        place.engine.say(status())
        await place.engine.die()
        await until(lambda: place.live.phase.lost)
        health = (await http.get("/healthz")).json()
    assert health == {"status": "degraded", "sessions": {"failed": 1}}


async def test_metrics_have_the_latency_of_every_span(place):
    place.live.message(
        status(
            latency_ms={"received_decoded": Percentiles(1.0, 2.0, 3.0)},
            deadline_misses=4,
            sample_age_ms=12.5,
        )
    )
    place.publish(command(), prediction())
    async with place.rest() as http:
        response = await http.get("/metrics")
    lines = response.text.splitlines()
    assert response.headers["content-type"].startswith("text/plain")
    assert (
        'bci_latency_seconds{quantile="0.99",session="demo",span="received_decoded"} 0.002' in lines
    )
    assert 'bci_deadline_misses_total{session="demo"} 4.0' in lines
    assert 'bci_sample_age_seconds{session="demo"} 0.0125' in lines
    assert 'bci_published_total{session="demo",topic="commands"} 1.0' in lines
    assert any('span="decoded_published"' in line for line in lines)


async def test_models_are_listed_the_unusable_ones_with_the_reason(tmp_path):
    broken = tmp_path / "models" / "broken"
    broken.mkdir(parents=True)
    (broken / "manifest.json").write_text("{")
    async with serving(models=(tmp_path,)) as place, place.rest() as http:
        (model,) = (await http.get("/v1/models")).json()
    assert model["path"] == str(broken)
    assert model["kind"] is None
    assert "weights" in model["error"]


async def test_discovery_runs_outside_and_says_why_it_failed():
    failing = Discovery(("/bin/sh", "-c", "echo trace; echo 'Error: no liblsl' >&2; exit 1"))
    async with serving(discover=failing) as place, place.rest() as http:
        response = await http.get("/v1/devices")
    assert response.status_code == 503
    assert "no liblsl" in response.json()["cause"]


async def test_discovery_is_shared_by_all_who_ask_meanwhile(tmp_path):
    found = '{"streams": [], "kinds": [{"kind": "x", "summary": "y"}]}'
    script = f"echo ran >> {tmp_path}/runs; echo '{found}'"
    discovery = Discovery(("/bin/sh", "-c", script))
    one, other = await asyncio.gather(discovery(), discovery())
    assert one is other
    assert one.kinds[0].kind == "x"
    assert (tmp_path / "runs").read_text() == "ran\n"
    await discovery()
    assert (tmp_path / "runs").read_text() == "ran\nran\n"


@pytest.mark.parametrize("output", ["", "nonsense", "[]"])
async def test_discovery_that_prints_nonsense_fails_clearly(output):
    with pytest.raises(DiscoveryFailed, match="cannot be read"):
        await Discovery(("/bin/echo", output))()


async def test_sessions_come_and_go_with_what_the_supervisor_says(place, tmp_path):
    def record(name, **fields):
        defaults = {"file": f"{name}.toml", "socket": str(tmp_path / name), "process": "stopped"}
        return SessionRecord(name=name, **{**defaults, **fields})

    directory = place.services.directory
    async with place.rest() as http:
        directory.apply(Sessions(sessions=(record("demo"), record("other"))))
        names = [s["name"] for s in (await http.get("/v1/sessions")).json()]
        assert names == ["demo", "other"]
        exited = record("other", process="exited", run=1, reason="exit code 3")
        directory.apply(Sessions(sessions=(record("other", process="running", run=1),)))
        directory.apply(Sessions(sessions=(exited,)))
        (other,) = (await http.get("/v1/sessions")).json()
    assert (other["state"], other["reason"]) == ("failed", "exit code 3")
