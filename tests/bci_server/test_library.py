"""The library: what it finds, what it knows, what it survives."""

import os
import sqlite3
import threading

import numpy as np
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis.strategies import binary, data, integers

from bci_server.library import INDEX_NAME, BadTag, Library, LibraryError, Query, UnknownRecording
from devices.recording.checked_file import CheckedFile
from devices.recording.xdf_writer import XdfStream, XdfWriter
from tests.devices.recording.recordings import record

NAME = "sub-P01_ses-02_task-imagery_run-003_eeg.xdf"


def record_session(path, participant="P01", source="serial-7"):
    """A recording that says of itself what one of this server's does."""
    path.parent.mkdir(parents=True, exist_ok=True)
    file = CheckedFile(path)
    xdf = XdfWriter(file.put)
    desc = {
        "bci": {"participant": participant, "decoder": "lda", "model": "abc123", "consent": "C9"},
        "acquisition": {"manufacturer": "Acme", "model": "Cap32"},
        "reference": {"label": "Cz"},
    }
    eeg = xdf.add_stream(
        XdfStream("cap", "EEG", "float32", ("C3", "C4"), "uV", 100.0, source, desc)
    )
    xdf.write(eeg, np.zeros((50, 2), np.float32), 7 + np.arange(50) / 100)
    words = xdf.add_stream(XdfStream("cues", "Markers", "string", ("label",)))
    xdf.write_texts(words, ["left", "right"], [7.1, 7.2])
    xdf.close()
    file.close()
    return path


@pytest.fixture
def folder(tmp_path):
    folder = tmp_path / "recordings"
    record_session(folder / "sub-P01" / NAME)
    record(folder / "b.xdf")
    return folder


def find(library, **wanted):
    return [entry.place for entry in library.find(Query(**wanted))]


def test_what_is_known_is_read_from_header_and_name(folder):
    library = Library(folder)
    assert library.scan().n_read == 2
    (entry,) = library.find(Query(participant="p01"))
    assert (entry.participant, entry.session, entry.task, entry.run) == (
        "P01",
        "02",
        "imagery",
        "003",
    )
    assert (entry.manufacturer, entry.device, entry.reference) == ("Acme", "Cap32", "Cz")
    assert (entry.decoder, entry.model, entry.consent) == ("lda", "abc123", "C9")
    assert entry.started_at.endswith("+00:00")
    (stream,) = entry.streams
    assert (stream.channels, stream.rate_hz, stream.n_samples) == (("C3", "C4"), 100.0, 50)
    assert stream.duration_s == pytest.approx(0.5)
    assert entry.n_markers == 2
    assert entry.problem == ""


def test_a_scan_reads_only_what_has_changed(folder):
    library = Library(folder)
    library.scan()
    again = library.scan()
    assert (again.n_recordings, again.n_read, again.n_new, again.n_gone) == (2, 0, 0, 0)
    os.utime(folder / "b.xdf")  # touched: the hash says that it is the same
    assert library.scan().n_read == 0
    (folder / "b.xdf").unlink()
    record(folder / "b.xdf.new").rename(folder / "b.xdf")
    (folder / "b.xdf.new.crc").unlink()
    record_session(folder / "c.xdf")
    changed = library.scan()
    assert (changed.n_recordings, changed.n_read, changed.n_new) == (3, 2, 1)
    (folder / "b.xdf").unlink()
    assert library.scan().n_gone == 1
    assert "b.xdf" not in find(library)


def test_the_index_is_rebuilt_from_the_files_tags_and_all(folder):
    library = Library(folder)
    library.scan()
    (entry,) = library.find(Query(task="imagery"))
    library.tag(entry.id, ["pilot", "good"])
    before = library.find()
    for leftover in folder.glob(f"{INDEX_NAME}*"):
        leftover.unlink()
    assert library.scan().n_new == 2
    assert library.find() == before
    assert library.rebuild().n_read == 2
    assert library.find() == before


def test_tags_are_added_taken_away_and_searched(folder):
    library = Library(folder)
    library.scan()
    (entry,) = library.find(Query(task="imagery"))
    assert library.tag(entry.id, ["good", "pilot"]).tags == ("good", "pilot")
    assert find(library, tag="good") == find(library, search="PILOT imagery") == [entry.place]
    assert library.scan().n_read == 0
    assert library.untag(entry.id, ["good", "never-had"]).tags == ("pilot",)
    assert find(library, tag="good") == []
    beside = library.path(entry.id).with_name(NAME + ".tags")
    assert beside.read_text() == "pilot\n"
    beside.write_text("by hand\nother\n")  # the file is the truth
    library.scan()
    assert library.get(entry.id).tags == ("by hand", "other")
    library.untag(entry.id, ["other"])
    beside.unlink()
    library.scan()
    assert library.get(entry.id).tags == ()


@pytest.mark.parametrize("tag", ["", "two words", "../up", "a/b", "x" * 65, "a\nb"])
def test_other_tags_are_refused(folder, tag):
    library = Library(folder)
    library.scan()
    (entry,) = library.find(Query(task="imagery"))
    with pytest.raises(BadTag, match="one word"):
        library.tag(entry.id, [tag])
    assert library.get(entry.id).tags == ()


@pytest.mark.parametrize(
    "id_", ["../../etc/passwd", "", "0123456789abcdef", "b.xdf", "' OR 1=1 --"]
)
def test_what_is_no_id_is_unknown(folder, id_):
    library = Library(folder)
    library.scan()
    for ask in (library.get, library.path, library.verify):
        with pytest.raises(UnknownRecording):
            ask(id_)
    with pytest.raises(UnknownRecording):
        library.tag(id_, ["x"])


def test_corrupt_and_foreign_files_are_listed_with_what_is_wrong(folder, tmp_path):
    (folder / "torn.xdf").write_bytes((folder / "b.xdf").read_bytes()[:1000])
    (folder / "text.xdf").write_text("hello")
    (folder / "empty.edf").touch()
    (folder / "notes.docx").write_bytes(b"PK")
    (folder / "bomb.xdf").write_bytes(
        b"XDF:\x01\x2f\x01\x00" + b'<!DOCTYPE a [<!ENTITY b "c">]><info>&b;</info>'[:45]
    )
    (folder / "README.md").write_text("beside")
    secret = tmp_path / "secret.xdf"
    record(secret)
    (folder / "link.xdf").symlink_to(secret)
    (folder / "loop.xdf").symlink_to(folder / "loop.xdf")
    os.mkfifo(folder / "pipe.xdf")
    library = Library(folder)
    library.scan()
    entries = {entry.place: entry for entry in library.find()}
    assert entries["torn.xdf"].notes or entries["torn.xdf"].problem
    for place, why in {
        "text.xdf": "does not begin with",
        "empty.edf": "is empty",
        "notes.docx": "ending .docx",
        "link.xdf": "leads out of the folder",
        "loop.xdf": "",
        "pipe.xdf": "neither a file nor a folder",
        "bomb.xdf": "",
    }.items():
        assert entries[place].problem, place
        assert why in entries[place].problem
        assert str(tmp_path) not in entries[place].problem
    assert "README.md" not in entries
    assert set(find(library, readable=False)) == {p for p, e in entries.items() if e.problem}
    assert library.scan().n_read == 0


def test_a_verdict_is_kept_until_the_file_changes(folder):
    library = Library(folder)
    library.scan()
    (entry,) = library.find(Query(task="imagery"))
    assert entry.verified == ""
    assert library.verify(entry.id).verified == "clean"
    library.scan()
    assert library.get(entry.id).verified == "clean"
    path = library.path(entry.id)
    content = bytearray(path.read_bytes())
    content[-400] ^= 1
    path.write_bytes(content)
    os.utime(path, ns=(1, 1))
    library.scan()
    assert library.get(entry.id).verified == ""


def test_an_index_that_is_none_says_so_and_one_of_another_version_is_made_anew(folder):
    library = Library(folder)
    (folder / INDEX_NAME).write_bytes(b"no database" * 100)
    with pytest.raises(LibraryError, match="can be deleted without loss"):
        library.scan()
    assert library.rebuild().n_recordings == 2
    with sqlite3.connect(folder / INDEX_NAME) as db:
        assert db.execute("PRAGMA journal_mode").fetchone() == ("wal",)
        db.execute("PRAGMA user_version = 99")
        db.execute("DROP TABLE tags")
    db.close()
    assert library.scan().n_new == 2


def test_several_may_scan_at_once(folder):
    failures = []

    def scan():
        try:
            Library(folder).scan()
        except LibraryError as e:
            failures.append(e)

    threads = [threading.Thread(target=scan) for _ in range(4)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join(60)
    assert failures == []
    assert len(Library(folder).find()) == 2


def test_a_folder_that_is_not_there_is_said(tmp_path):
    with pytest.raises(LibraryError, match="BCI_RECORDINGS"):
        Library(tmp_path / "nowhere")


def test_real_recordings(shared_data, tmp_path):
    library = Library(shared_data / "xdf_lsl", tmp_path / "index.sqlite")
    library.scan()
    (entry,) = library.find(Query(search="switch_example"))
    assert (entry.manufacturer, entry.problem) == ("g.Tec", "")
    assert entry.streams[0].n_samples > 0
    assert entry.n_markers == 71


@settings(max_examples=60, deadline=None, suppress_health_check=list(HealthCheck))
@given(data())
def test_no_damage_stops_a_scan(tmp_path_factory, draw):
    folder = tmp_path_factory.mktemp("damaged")
    content = bytearray(record_session(folder / "a.xdf").read_bytes())
    for _ in range(draw.draw(integers(1, 4))):
        at = draw.draw(integers(0, len(content) - 1))
        content[at : at + draw.draw(integers(0, 40))] = draw.draw(binary(max_size=40))
    (folder / "a.xdf").write_bytes(content)
    library = Library(folder)
    assert library.scan().n_recordings == 1
    (entry,) = library.find()
    assert entry.problem or entry.streams
    assert library.scan().n_read == 0
