"""What `bci listen` writes of what it receives."""

import json

from bci_server.cli.listening import print_messages
from bci_server.wire import Ledger, StatusMessage


class Client:
    url = "ws://here"

    def __init__(self, *messages):
        self._messages = messages

    async def __aenter__(self):
        return self

    async def __aexit__(self, *_):
        pass

    async def subscribe(self, *_, rate_hz=None):
        for message in self._messages:
            yield message

    def age_s(self, _message):
        return 0.0


def status(seq, state, reason=""):
    return StatusMessage(
        topic="status",
        seq=seq,
        sample=0,
        ledger=Ledger(0.0, 0.0, 0.0),
        session="s",
        state=state,
        reason=reason,
    )


WAITING = [status(k, "starting", "waiting: no stream") for k in range(3)]


def test_a_session_that_waits_says_so_once(capsys):
    client = Client(*WAITING, status(3, "running"), status(4, "starting", "waiting: no stream"))
    print_messages(client, ("status",), None, 0, as_json=False)
    lines = capsys.readouterr().out.splitlines()
    assert [line.split()[1] for line in lines] == ["#0", "#3", "#4"]


def test_only_what_is_shown_is_counted(capsys):
    client = Client(*WAITING, status(3, "running"), status(4, "ended"))
    print_messages(client, ("status",), None, 2, as_json=False)
    assert len(capsys.readouterr().out.splitlines()) == 2


def test_as_json_every_message_is_there(capsys):
    print_messages(Client(*WAITING), ("status",), None, 0, as_json=True)
    said = [json.loads(line) for line in capsys.readouterr().out.splitlines()]
    assert [message["seq"] for message in said] == [0, 1, 2]
