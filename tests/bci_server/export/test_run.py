"""All or nothing, nothing overwritten, everything said."""

import errno

import pytest

from bci_server.export import csv_tables
from bci_server.export.report import ExportError, MissingExtra
from bci_server.export.run import FORMATS, export
from devices.device import DeviceNotFound, DeviceRefused
from tests.bci_server.export.sessions import write_session


def test_nothing_is_overwritten(session, tmp_path):
    out = tmp_path / "out"
    out.write_text("mine")
    with pytest.raises(ExportError, match="nothing is overwritten"):
        export([session], "csv", out)
    assert out.read_text() == "mine"
    link = tmp_path / "link"
    link.symlink_to(tmp_path / "nowhere")
    with pytest.raises(ExportError, match="nothing is overwritten"):
        export([session], "csv", link)


@pytest.mark.parametrize("error", [OSError(28, "No space left on device"), KeyboardInterrupt()])
def test_what_fails_leaves_nothing_behind(session, tmp_path, monkeypatch, error):
    before = sorted(tmp_path.iterdir())
    made = []

    def fail(source, target, report):
        target.mkdir()
        (target / "half").touch()
        made.append(target)
        raise error

    monkeypatch.setattr(csv_tables, "write", fail)
    with pytest.raises(type(error)):
        export([session], "csv", tmp_path / "out")
    assert made
    assert sorted(tmp_path.iterdir()) == before


def test_of_several_recordings_all_or_none(session, tmp_path):
    bad = tmp_path / "bad.xdf"
    bad.write_text("hello")
    with pytest.raises(DeviceRefused, match="does not begin with"):
        export([session, bad], "csv", tmp_path / "out")
    assert not (tmp_path / "out").exists()
    other = write_session(tmp_path / "other.xdf")
    export([session, other], "csv", tmp_path / "out")
    assert sorted(p.name for p in (tmp_path / "out").iterdir()) == ["other", session.stem]
    (tmp_path / "more").mkdir()
    twin = write_session(tmp_path / "more" / "other.xdf")
    with pytest.raises(ExportError, match="several recordings would become other"):
        export([other, twin], "csv", tmp_path / "out2")


def test_a_name_that_is_taken_meanwhile_is_not_taken_over(session, tmp_path, monkeypatch):
    write = csv_tables.write

    def slow(source, target, report):
        write(source, target, report)
        (tmp_path / "out").mkdir()  # somebody else

    monkeypatch.setattr(csv_tables, "write", slow)
    with pytest.raises(FileExistsError):
        export([session], "csv", tmp_path / "out")
    assert list((tmp_path / "out").iterdir()) == []


def test_disks_without_hard_links_get_their_file_too(session, tmp_path, monkeypatch):
    def refuse(*_):
        raise PermissionError(errno.EPERM, "Operation not permitted")

    monkeypatch.setattr("bci_server.export.run.os.link", refuse)
    export([session], "fif", tmp_path / "out_raw.fif")
    assert (tmp_path / "out_raw.fif").stat().st_size > 1000
    assert not list(tmp_path.glob(".*"))


@pytest.mark.parametrize("format_", sorted(FORMATS))
def test_what_is_missing_says_the_extra(session, tmp_path, monkeypatch, format_):
    monkeypatch.setattr("bci_server.export.run.find_spec", lambda name: None)
    chosen = FORMATS[format_]
    if not chosen.needs:
        return
    with pytest.raises(MissingExtra, match=rf"pip install 'bci-server\[{chosen.extra}\]'"):
        export([session], format_, tmp_path / "out")


def test_mistakes_are_said(session, tmp_path):
    with pytest.raises(DeviceNotFound, match="no stream 'nope'; it has 'cap'"):
        export([session], "csv", tmp_path / "out", stream="nope")
    with pytest.raises(ExportError, match=r"must end with \.fif"):
        export([session], "fif", tmp_path / "out.edf")
    with pytest.raises(ExportError, match="there is no folder"):
        export([session], "csv", tmp_path / "no" / "out")
    with pytest.raises(ExportError, match="at least one"):
        export([], "csv", tmp_path / "out")
    with pytest.raises(DeviceNotFound):
        export([tmp_path / "no.xdf"], "csv", tmp_path / "out")


def test_what_does_not_fit_into_memory_is_refused_before_it_is_read(session, tmp_path, monkeypatch):
    class Little:
        available = 1000

    monkeypatch.setattr("bci_server.export.source.psutil.virtual_memory", Little)
    with pytest.raises(ExportError, match="MiB of memory"):
        export([session], "csv", tmp_path / "out")
