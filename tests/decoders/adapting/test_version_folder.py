from pathlib import Path

import numpy as np
import pytest

from decoders.adapting.version_folder import VersionFolder
from decoders.adapting.versions import weights_hash
from decoders.storage import ArtifactError

WEIGHTS = {"a": np.arange(3.0), "b": np.ones((2, 2), np.float32)}
CHANGED = {"a": np.arange(3.0)[::-1]}


def test_what_is_kept_is_found_by_the_hash_of_the_whole(tmp_path: Path) -> None:
    folder = VersionFolder(tmp_path / "model", WEIGHTS)
    assert list(folder) == []
    name = folder.keep(CHANGED)
    assert name == weights_hash({**WEIGHTS, **CHANGED})
    found = VersionFolder(tmp_path / "model", WEIGHTS)
    assert list(found) == [name]
    assert len(found) == 1
    assert found[name]["a"].tolist() == [2.0, 1.0, 0.0]
    assert not found[name]["a"].flags.writeable
    assert (tmp_path / "model.versions" / f"{name}.safetensors").exists()


def test_what_is_not_there_is_noted(tmp_path: Path) -> None:
    folder = VersionFolder(tmp_path / "model", WEIGHTS)
    assert folder.get("0123") is None
    assert folder.missing == ["0123"]


def test_a_harmed_file_or_another_model_is_refused(tmp_path: Path) -> None:
    folder = VersionFolder(tmp_path / "model", WEIGHTS)
    name = folder.keep(CHANGED)
    other = VersionFolder(tmp_path / "model", {**WEIGHTS, "b": np.zeros((2, 2), np.float32)})
    with pytest.raises(ArtifactError, match=f"{name}.safetensors and the model beside it"):
        other[name]
    file = tmp_path / "model.versions" / f"{name}.safetensors"
    file.write_bytes(file.read_bytes()[:20])
    with pytest.raises(ArtifactError, match="cannot be read"):
        folder[name]
