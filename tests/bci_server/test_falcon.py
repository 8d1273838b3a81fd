"""Our decoders in FALCON's shape, and theirs in ours."""

import sys
from pathlib import Path

import numpy as np
import pytest

from bci_server.config import BadSession, load_session
from bci_server.evaluation.evaluate import evaluate
from bci_server.falcon import FalconDecoder
from decoders.artifact import Artifact
from decoders.calibrating.calibration import calibrate
from decoders.decoder import Moment, Training
from decoders.models.falcon import Falcon
from decoders.stage import Mismatch
from devices.signal import Chunk, Signal
from tests.decoders.made import cued, followed

PLUGINS = Path(__file__).resolve().parents[1] / "plugins"

VALUES = """\
name = "reach"
[device]
kind = "lsl"
name = "spikes"
[blocks]
hop_s = 0.05
[decoder]
kind = "ridge"
history = 3
alpha = 0.01
model = "model"
[target]
stream = "velocity"
"""


@pytest.fixture
def theirs(monkeypatch: pytest.MonkeyPatch):
    monkeypatch.syspath_prepend(str(PLUGINS))
    import falcon_like

    yield falcon_like.LinearDecoder
    sys.modules.pop("falcon_like")


@pytest.fixture
def session(tmp_path: Path) -> Path:
    file = tmp_path / "reach.toml"
    file.write_text(VALUES)
    described = load_session(file)
    calibrate(described.pipeline, described.decoder, [followed()]).save(described.model)
    return file


def test_theirs_says_here_what_it_says_there(theirs):
    recipe = Falcon("falcon_like", {"seed": 4.0})
    rows = followed().values
    training = Training(
        followed().signal, rows, np.zeros((len(rows), 2)), np.zeros(len(rows), int), ("vx", "vy")
    )
    decoding = recipe.start(training.signal, ("vx", "vy"), "m/s", recipe.fit(training))
    decoder = theirs(seed=4)
    decoder.reset([""])
    for i in range(0, 90, 3):
        (command,) = decoding(Chunk(np.arange(3.0), rows[i : i + 3]), Moment(i, 0.0))
        for row in rows[i : i + 2]:
            decoder.observe(row[np.newaxis])
        assert command.values == pytest.approx(decoder.predict(rows[i + 2 : i + 3])[0])
        assert (command.names, command.unit) == (("vx", "vy"), "m/s")


def test_theirs_is_told_of_a_reset_with_its_tag_and_of_every_step(theirs, monkeypatch):
    made = []

    def remembered(self):
        made.append(self)

    monkeypatch.setattr(theirs, "__post_init__", remembered, raising=False)
    begin = theirs.__init__
    monkeypatch.setattr(
        theirs, "__init__", lambda self, **o: (begin(self, **o), made.append(self))[0]
    )
    recipe = Falcon("falcon_like", dataset_tag="day2")
    decoding = recipe.start(
        Signal(20.0, ("a", "b"), "count"), ("x", "y"), "", {"shape": np.array([2, 2])}
    )
    decoding(Chunk(np.arange(2.0), np.ones((2, 2), np.float32)), Moment(1, 0.0))
    assert made[-1].told == [("reset", ["day2"]), ("done", [False]), ("done", [False])]


def test_theirs_is_a_decoder_of_a_session(theirs, session: Path):
    text = session.read_text().replace('kind = "ridge"\nhistory = 3\nalpha = 0.01', THEIRS)
    session.write_text(text)
    described = load_session(session)
    model = calibrate(described.pipeline, described.decoder, [followed()])
    assert model.metrics["n"] == 3000
    result = evaluate(model, described.pipeline, described.decoder, [followed(seed=1)])
    assert max(result.metrics["r2"]) < 0.5


THEIRS = 'kind = "falcon"\nname = "falcon_like"\noptions = { seed = 1, history = 2 }'


@pytest.mark.parametrize(
    ("recipe", "why"),
    [
        (Falcon("nowhere"), "no installed package has an entry point 'nowhere'.*falcon_like"),
        (Falcon("falcon_missing"), "cannot be made"),
        (Falcon("falcon_like", {"colour": "red"}), "cannot be made.*colour"),
        (Falcon("falcon_like", {"n_outputs": 5}), "gives 5 values; the target has 2"),
    ],
)
def test_what_is_not_there_or_does_not_fit_is_said(theirs, recipe: Falcon, why: str):
    rows = followed().values[:50]
    training = Training(followed().signal, rows, np.zeros((50, 2)), np.zeros(50, int), ("vx", "vy"))
    with pytest.raises(Mismatch, match=f"(?s){why}"):
        recipe.fit(training)


def test_ours_says_there_what_evaluate_says_here(session: Path):
    described = load_session(session)
    model = Artifact.load(described.model)
    made = followed(400, 1)
    decoder = FalconDecoder(session)
    decoder.reset(["any"])
    said = np.array([decoder.predict(row[np.newaxis])[0] for row in made.values])
    run = model.run(model.signal, described.pipeline, described.decoder)
    chunk = Chunk(np.arange(400) / 20.0, made.values.astype(np.float32))
    expected = [o.values for d in run.feed(chunk) for o in d.outputs]
    assert (said[2:] == expected).all()
    assert (said[:2] == 0).all()


def test_streams_of_a_batch_do_not_touch_each_other(session: Path):
    rows = [followed(60, seed).values for seed in (1, 2)]
    alone = []
    for x in rows:
        decoder = FalconDecoder(session)
        alone.append([decoder.predict(row[np.newaxis])[0] for row in x])
    both = FalconDecoder(session, batch_size=2)
    said = np.array([both.predict(np.stack(pair)) for pair in zip(*rows, strict=True)])
    assert (said.transpose(1, 0, 2) == np.array(alone)).all()


def test_a_reset_forgets_and_what_was_observed_counts(session: Path):
    rows = followed(40, 1).values
    decoder = FalconDecoder(session)
    first = [decoder.predict(row[np.newaxis]) for row in rows]
    decoder.reset(["next"])
    for row in rows[:-1]:
        decoder.observe(row[np.newaxis])
        decoder.on_done(np.array([True]))
    assert (decoder.predict(rows[-1:]) == first[-1]).all()


def test_ours_refuses_what_it_cannot_do(session: Path, tmp_path: Path):
    with pytest.raises(Mismatch, match=r"\(1, 8\), not of \(1, 3\)"):
        FalconDecoder(session).predict(np.zeros((1, 3)))
    with pytest.raises(BadSession):
        FalconDecoder(tmp_path / "none.toml")
    with pytest.raises(ValueError, match="batch_size"):
        FalconDecoder(session, batch_size=0)


def test_ours_refuses_a_decoder_of_classes(tmp_path: Path):
    file = tmp_path / "sides.toml"
    ridge = 'kind = "ridge"\nhistory = 3\nalpha = 0.01'
    text = VALUES.replace("0.05", "0.1").replace(ridge, 'kind = "lda"')
    file.write_text(text + '[trials]\nlabels = { L = "left", R = "right" }\nend_s = 2.5\n')
    described = load_session(file)
    calibrate(described.pipeline, described.decoder, [cued()]).save(described.model)
    with pytest.raises(Mismatch, match="FALCON asks for values"):
        FalconDecoder(file)
