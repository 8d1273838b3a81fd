"""``bci health``: asks the server that it is configured for."""

import http.server
import json
import threading
from collections.abc import Iterator

import pytest
from typer.testing import CliRunner

from bci_server.__main__ import app
from bci_server.cli.outcome import CommandError, Exit


class Answering(http.server.BaseHTTPRequestHandler):
    body = b""

    def do_GET(self) -> None:
        self.send_response(200 if self.path == "/healthz" else 404)
        self.end_headers()
        self.wfile.write(self.body)

    def log_message(self, *_: object) -> None:
        """Say nothing."""


@pytest.fixture
def server(monkeypatch: pytest.MonkeyPatch) -> Iterator[http.server.HTTPServer]:
    with http.server.HTTPServer(("127.0.0.1", 0), Answering) as server:
        monkeypatch.setenv("BCI_HOST", "127.0.0.1")
        monkeypatch.setenv("BCI_PORT", str(server.server_port))
        monkeypatch.setenv("http_proxy", "http://192.0.2.1:9")
        thread = threading.Thread(target=server.serve_forever, args=(0.02,))
        thread.start()
        yield server
        server.shutdown()
        thread.join()


@pytest.mark.usefixtures("server")
def test_a_server_that_answers_is_well(monkeypatch: pytest.MonkeyPatch) -> None:
    answer = {"status": "degraded", "sessions": {"running": 1, "failed": 2}}
    monkeypatch.setattr(Answering, "body", json.dumps(answer).encode())
    result = CliRunner().invoke(app, ["health"])
    assert result.exit_code == Exit.OK
    assert result.stdout == "degraded: 1 running, 2 failed\n"
    result = CliRunner().invoke(app, ["health", "--json"])
    assert json.loads(result.stdout) == answer


@pytest.mark.usefixtures("server")
def test_an_answer_that_is_none_fails(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(Answering, "body", b"<html>")
    result = CliRunner().invoke(app, ["health"])
    assert isinstance(result.exception, CommandError)
    assert result.exception.code is Exit.FAILED


def test_no_server_fails_and_names_the_address(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("BCI_HOST", "0.0.0.0")
    monkeypatch.setenv("BCI_PORT", "1")
    result = CliRunner().invoke(app, ["health"])
    assert isinstance(result.exception, CommandError)
    assert "http://127.0.0.1:1/healthz" in str(result.exception)
