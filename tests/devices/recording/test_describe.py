from __future__ import annotations

import hashlib
import shutil
from pathlib import Path

import pytest

from devices.device import DeviceNotFound
from devices.recording.describe import content_sha256, describe


def test_describe_says_what_is_in_a_file(shared_data: Path) -> None:
    path = shared_data / "eegmmi_s001" / "S001R06.edf"
    info = describe(path)
    (track,) = info.tracks
    assert (track.name, track.rate_hz, track.n_samples, track.duration_s, track.unit) == (
        "eeg", 160.0, 20000, 125.0, "uV",
    )  # fmt: skip
    assert len(track.channels) == 64
    assert info.default == "eeg"
    assert info.markers == {"annotations": 30}
    assert info.sha256 == hashlib.sha256(path.read_bytes()).hexdigest()


def test_the_hash_covers_the_files_beside_a_header(tmp_path: Path, shared_data: Path) -> None:
    folder = tmp_path / "copy"
    shutil.copytree(shared_data / "formats" / "brainvision", folder)
    folder.chmod(0o700)
    before = content_sha256(folder / "test.vhdr")
    assert before == content_sha256(shared_data / "formats" / "brainvision" / "test.vhdr")
    samples = folder / "test.eeg"
    samples.chmod(0o600)
    data = bytearray(samples.read_bytes())
    data[1000] ^= 1
    samples.write_bytes(data)
    assert content_sha256(folder / "test.vhdr") != before


def test_a_missing_file_has_no_hash(tmp_path: Path) -> None:
    with pytest.raises(DeviceNotFound, match="there is no file"):
        content_sha256(tmp_path / "nothing.edf")
