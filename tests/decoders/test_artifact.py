from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from decoders.artifact import Artifact, ArtifactError
from decoders.deciding.stopping import Stopping
from decoders.deciding.trials import Trials
from decoders.describe import describe, describe_pipeline
from decoders.features.bandpass import Bandpass
from decoders.features.log_power import LogPower
from decoders.models.lda import Lda
from decoders.pipeline import Pipeline
from decoders.stage import Chain, Mismatch
from devices.signal import Chunk, Signal

STREAM = Signal(250.0, ("C3", "Cz", "C4"), "uV")
TRIALS = Trials({"left": "left", "right": "right"})
PIPELINE = Pipeline(0.1, (), Chain((Bandpass(8.0, 30.0), LogPower())), TRIALS)


def artifact(scale: float = 1.0) -> Artifact:
    coef = np.arange(6, dtype=np.float64).reshape(2, 3) * scale
    return Artifact(
        decoder=describe(Lda()),
        pipeline=describe_pipeline(PIPELINE),
        signal=STREAM,
        labels=("left", "right"),
        unit="",
        weights={"coef": coef, "intercept": np.array([0.5, -0.5])},
        training_sha256="0" * 64,
        metrics={"accuracy": 0.9, "ci95": [0.8, 1.0]},
        versions={"numpy": "2"},
    )


def test_what_is_saved_is_loaded(tmp_path: Path) -> None:
    saved = artifact()
    saved.save(tmp_path / "models" / "m")
    loaded = Artifact.load(tmp_path / "models" / "m")
    assert loaded.hash == saved.hash
    assert replace(loaded, weights={}) == replace(saved, weights={})
    assert loaded.weights["coef"].tobytes() == saved.weights["coef"].tobytes()
    assert not loaded.weights["coef"].flags.writeable
    assert sorted(p.name for p in (tmp_path / "models").rglob("*")) == [
        "m",
        "manifest.json",
        "weights.safetensors",
    ]


def test_the_hash_names_the_content() -> None:
    assert artifact().hash == artifact().hash
    assert len(artifact().hash) == 12
    assert artifact(2.0).hash != artifact().hash
    assert replace(artifact(), labels=("a", "b")).hash != artifact().hash


def test_saving_twice_gives_the_same_bytes(tmp_path: Path) -> None:
    for name in ("a", "b"):
        artifact().save(tmp_path / name)
    for file in ("manifest.json", "weights.safetensors"):
        assert (tmp_path / "a" / file).read_bytes() == (tmp_path / "b" / file).read_bytes()


def test_an_existing_model_is_replaced_only_when_asked(tmp_path: Path) -> None:
    artifact().save(tmp_path / "m")
    with pytest.raises(ArtifactError, match="already"):
        artifact(2.0).save(tmp_path / "m")
    assert Artifact.load(tmp_path / "m").hash == artifact().hash
    artifact(2.0).save(tmp_path / "m", replace=True)
    assert Artifact.load(tmp_path / "m").hash == artifact(2.0).hash
    assert [p.name for p in tmp_path.iterdir()] == ["m"]


def test_a_folder_that_is_no_model_is_never_replaced(tmp_path: Path) -> None:
    (tmp_path / "m").mkdir()
    (tmp_path / "m" / "thesis.txt").write_text("three years of work")
    with pytest.raises(ArtifactError, match="no model, so it is not replaced"):
        artifact().save(tmp_path / "m", replace=True)
    assert (tmp_path / "m" / "thesis.txt").exists()


def test_a_missing_model_is_said(tmp_path: Path) -> None:
    with pytest.raises(ArtifactError, match=r"no model at .*bci calibrate"):
        Artifact.load(tmp_path / "m")


@pytest.mark.parametrize("file", ["manifest.json", "weights.safetensors"])
def test_a_missing_file_is_said(tmp_path: Path, file: str) -> None:
    artifact().save(tmp_path / "m")
    (tmp_path / "m" / file).unlink()
    with pytest.raises(ArtifactError, match=f"lacks {file}"):
        Artifact.load(tmp_path / "m")


def test_an_extra_file_is_refused(tmp_path: Path) -> None:
    artifact().save(tmp_path / "m")
    (tmp_path / "m" / "weights.pkl").write_bytes(b"x")
    with pytest.raises(ArtifactError, match=r"no part of a model: weights.pkl"):
        Artifact.load(tmp_path / "m")


def test_another_format_is_refused(tmp_path: Path) -> None:
    artifact().save(tmp_path / "m")
    manifest = tmp_path / "m" / "manifest.json"
    manifest.write_text(manifest.read_text().replace('"format": 1', '"format": 9'))
    with pytest.raises(ArtifactError, match="format 9; this version reads 1"):
        Artifact.load(tmp_path / "m")


@given(st.data())
def test_any_flipped_bit_is_found(tmp_path_factory: pytest.TempPathFactory, data: st.DataObject):
    folder = tmp_path_factory.mktemp("flip") / "m"
    artifact().save(folder)
    path = folder / data.draw(st.sampled_from(["manifest.json", "weights.safetensors"]))
    content = bytearray(path.read_bytes())
    content[data.draw(st.integers(0, len(content) - 1))] ^= 1 << data.draw(st.integers(0, 7))
    path.write_bytes(content)
    try:
        loaded = Artifact.load(folder)
    except ArtifactError:
        return
    # A flip in the white space between JSON tokens, or in an escape, may leave the content as is.
    assert loaded.hash == artifact().hash


def test_other_order_and_more_channels_fit_and_the_models_are_picked() -> None:
    stream = Signal(250.0, ("C4", "Fz", "C3", "Cz"), "uV")
    run = artifact().run(stream, PIPELINE, Lda())
    assert run.signal.channels == STREAM.channels
    values = np.random.default_rng(0).standard_normal((25, 4)).astype(np.float32)
    (decoded,) = run.feed(Chunk(np.arange(25) / 250, values))
    (same,) = (
        artifact()
        .run(STREAM, PIPELINE, Lda())
        .feed(Chunk(np.arange(25) / 250, np.ascontiguousarray(values[:, [2, 3, 0]])))
    )
    assert decoded.outputs == same.outputs


@pytest.mark.parametrize(
    ("signal", "message"),
    [
        (Signal(500.0, ("a", "b"), "uV"), "at 250 Hz on 3 channels; the stream has 500 Hz on 2"),
        (Signal(250.0, ("C3", "Cz"), "uV"), r"lacks C4 \(it has C3, Cz\)"),
        (Signal(250.0, ("C3", "Cz", "C4"), "V"), "'uV'; the stream has 'V'"),
    ],
)
def test_a_stream_that_does_not_fit_is_refused_with_both_values(
    signal: Signal, message: str
) -> None:
    with pytest.raises(Mismatch, match=message):
        artifact().check(signal, PIPELINE, Lda())


@pytest.mark.parametrize(
    ("pipeline", "decoder", "message"),
    [
        (replace(PIPELINE, hop_s=0.2), Lda(), "hop_s = 0.1; the session has hop_s = 0.2"),
        (replace(PIPELINE, channels=("C3",)), Lda(), "C3, Cz, C4; the session picks C3"),
        (replace(PIPELINE, stages=Chain((LogPower(),))), Lda(), "bandpass → log_power; .* log_p"),
        (
            replace(PIPELINE, stages=Chain((Bandpass(8, 30, 2), LogPower()))),
            Lda(),
            "settings of bandpass: order = 4, now 2",
        ),
        (PIPELINE, Lda(0.5), "settings of lda: shrinkage = 'auto', now 0.5"),
        (
            replace(PIPELINE, trials=Trials({"left": "left", "up": "up"})),
            Lda(),
            "classes left, right; the session's trials have left, up",
        ),
    ],
)
def test_a_session_that_does_not_fit_is_refused_with_both_values(
    pipeline: Pipeline, decoder: Lda, message: str
) -> None:
    with pytest.raises(Mismatch, match=message):
        artifact().check(STREAM, pipeline, decoder)


def test_when_to_stop_is_kept_and_must_be_what_the_session_asks_for(tmp_path: Path) -> None:
    stopping = Stopping(0.05, "sum", 2.5, 3.0)
    saved = replace(artifact(), stopping=stopping)
    saved.save(tmp_path / "m")
    loaded = Artifact.load(tmp_path / "m")
    assert loaded.stopping == stopping
    assert loaded.hash == saved.hash != artifact().hash
    loaded.check(STREAM, PIPELINE, Lda())
    asks = replace(PIPELINE, trials=replace(TRIALS, stop_error=0.05))
    loaded.check(STREAM, asks, Lda())
    with pytest.raises(Mismatch, match=r"fitted with no stop_error; .* stop_error = 0\.05"):
        artifact().check(STREAM, asks, Lda())
    other = replace(PIPELINE, trials=replace(TRIALS, stop_error=0.01))
    with pytest.raises(Mismatch, match=r"stop_error = 0\.05 .* stop_error = 0\.01"):
        loaded.check(STREAM, other, Lda())
