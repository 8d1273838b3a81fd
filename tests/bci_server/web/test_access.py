"""Tokens, tickets, hosts, and where the server may listen."""

import stat

import pytest
from pydantic import ValidationError

from bci_server.web.auth import (
    ALL_SCOPES,
    BadTokenFile,
    Doors,
    Grant,
    Tickets,
    Tokens,
    stored_token,
)
from bci_server.web.settings import BadSetting, Settings, UnsafeBind
from devices.clock import ManualClock

GRANT = Grant("viewer", frozenset({"view"}))


def settings(tmp_path, **fields):
    return Settings(**{"token_file": tmp_path / "token", **fields})


def test_tokens_are_told_apart():
    tokens = Tokens({"one": GRANT, "two": Grant("all", ALL_SCOPES)})
    assert tokens.grant("one") is GRANT
    assert tokens.grant("two").scopes == ALL_SCOPES
    for wrong in ("", "on", "one ", "ONE", "ünë", "\ud800"):
        assert tokens.grant(wrong) is None


def test_a_ticket_is_good_once_and_not_for_long():
    clock = ManualClock()
    tickets = Tickets(clock, life_s=30.0)
    first, second = tickets.issue(GRANT), tickets.issue(GRANT)
    assert tickets.redeem(first) is GRANT
    assert tickets.redeem(first) is None
    clock.advance(30.0)
    assert tickets.redeem(second) is None
    assert tickets.redeem("nonsense") is None


def test_tickets_that_nobody_uses_do_not_gather():
    tickets = Tickets(ManualClock())
    issued = [tickets.issue(GRANT) for _ in range(2000)]
    assert tickets.redeem(issued[0]) is None
    assert tickets.redeem(issued[-1]) is GRANT


@pytest.mark.parametrize(
    ("host", "is_known"),
    [
        ("localhost", True),
        ("LOCALHOST:80", True),
        ("localhost.:80", True),
        ("127.0.0.1:80", True),
        ("[::1]:80", True),
        ("10.1.2.3", True),
        ("lab.example:80", True),
        ("evil.example", False),
        ("localhost.evil.example", False),
        ("127.0.0.1.evil.example", False),
        ("", False),
        (None, False),
        ("[::1", False),
        ("[nonsense]", False),
    ],
)
def test_hosts(host, is_known):
    assert Doors(hosts=frozenset({"lab.example"})).knows_host(host) is is_known


@pytest.mark.parametrize("origin", ["http://[", "null", "", "file://", "http://a", "ws://h:1"])
def test_origins_that_are_not_let_in(origin):
    assert not Doors(origins=frozenset({"http://friend"})).lets_in(origin, "h:1")


def test_a_token_is_made_once_and_is_its_owners_alone(tmp_path):
    path = tmp_path / "state" / "token"
    token, is_new = stored_token(path)
    assert is_new
    assert len(token) >= 40
    assert stat.S_IMODE(path.stat().st_mode) == 0o600
    assert stored_token(path) == (token, False)


def test_a_token_file_that_others_can_read_is_refused_with_the_fix(tmp_path):
    path = tmp_path / "token"
    stored_token(path)
    path.chmod(0o640)
    with pytest.raises(BadTokenFile, match=r"640.*chmod 600"):
        stored_token(path)


def test_a_token_file_with_next_to_nothing_in_it_is_refused(tmp_path):
    path = tmp_path / "token"
    path.touch(mode=0o600)
    with pytest.raises(BadTokenFile, match=r"0 characters.*at least 16"):
        stored_token(path)


def test_further_tokens_come_from_the_environment(tmp_path, monkeypatch):
    more = '[{"name": "screen", "token": "a-token-for-the-screen", "scopes": ["view", "raw"]}]'
    monkeypatch.setenv("BCI_TOKENS", more)
    tokens, token, is_new = settings(tmp_path).load_tokens()
    assert is_new
    assert tokens.grant(token) == Grant("default", ALL_SCOPES)
    assert tokens.grant("a-token-for-the-screen") == Grant("screen", frozenset({"view", "raw"}))


@pytest.mark.parametrize(
    "more",
    [
        '[{"name": "x", "token": "short"}]',
        '[{"name": "x", "token": "' + "x" * 20 + '", "scopes": ["fly"]}]',
    ],
)
def test_further_tokens_are_checked(tmp_path, monkeypatch, more):
    monkeypatch.setenv("BCI_TOKENS", more)
    with pytest.raises(ValidationError):
        settings(tmp_path)


def test_a_token_is_not_shown(tmp_path):
    shown = repr(settings(tmp_path, tokens=[{"name": "x", "token": "a-secret-token-indeed"}]))
    assert "a-secret" not in shown


@pytest.mark.parametrize("host", ["127.0.0.1", "::1", "localhost", "127.3.2.1"])
def test_loopback_needs_nothing(tmp_path, host):
    settings(tmp_path, host=host).check_bind()


@pytest.mark.parametrize("host", ["0.0.0.0", "::", "192.168.1.2", "lab.example"])
def test_the_network_needs_tls_and_a_stored_token(tmp_path, host):
    with pytest.raises(UnsafeBind, match="BCI_TLS_CERTIFICATE"):
        settings(tmp_path, host=host).check_bind()
    tls = {"tls_certificate": tmp_path / "c.pem", "tls_key": tmp_path / "k.pem"}
    with pytest.raises(UnsafeBind, match="stored token"):
        settings(tmp_path, host=host, **tls).check_bind()
    stored_token(tmp_path / "token")
    settings(tmp_path, host=host, **tls).check_bind()


def test_half_of_tls_is_none(tmp_path):
    with pytest.raises(UnsafeBind, match="both"):
        settings(tmp_path, tls_key=tmp_path / "k.pem").check_bind()


def test_the_bound_name_is_one_of_ours(tmp_path):
    assert settings(tmp_path, host="Lab.example").doors().knows_host("lab.example:8765")
    assert not settings(tmp_path, host="0.0.0.0").doors().knows_host("lab.example")


@pytest.mark.parametrize(
    ("name", "value", "told"),
    [
        ("BCI_PORT", "70000", "BCI_PORT: .*65535.*70000"),
        ("BCI_LOG_LEVEL", "loud", "BCI_LOG_LEVEL.*loud"),
        ("BCI_ALLOWED_HOSTS", "lab.example", "allowed_hosts.*JSON"),
    ],
)
def test_a_wrong_setting_is_named_with_what_it_may_be(monkeypatch, name, value, told):
    monkeypatch.setenv(name, value)
    with pytest.raises(BadSetting, match=told):
        Settings.from_environment()


def test_a_wrong_token_in_the_environment_is_not_repeated(monkeypatch):
    monkeypatch.setenv("BCI_TOKENS", '[{"name": "x", "token": "secret"}]')
    with pytest.raises(BadSetting) as refusal:
        Settings.from_environment()
    assert "BCI_TOKENS.0.token" in str(refusal.value)
    assert "secret" not in str(refusal.value)
