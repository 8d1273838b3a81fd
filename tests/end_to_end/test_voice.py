"""A voice out of simulated electrodes, by the example session: on sentences it has not heard."""

from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest

from bci_server.config import load_session
from bci_server.evaluation.evaluate import evaluate
from decoders.calibrating.calibration import calibrate
from devices.adapters.simulator_speech import SimulatorSpeech
from devices.simulation.voice import VOICE
from devices.speech.everyday import sentences_of

SESSIONS = Path(__file__).resolve().parents[2] / "examples" / "sessions"


@pytest.fixture
def scored(tmp_path):
    """Fit on some sentences, decode others, and return R² by name."""
    session = load_session(SESSIONS / "voice.toml")
    # One penalty of several: the choice takes seconds.
    decoder = replace(session.decoder, alpha=0.1, history=3)
    texts = []
    for name, some in (("fit", sentences_of()[:250]), ("rest", sentences_of()[250:])):
        texts.append(tmp_path / f"{name}.txt")
        texts[-1].write_text("\n".join(some))

    def run(mode):
        fields = {"n_electrodes": 96, "seed": 1, "mode": mode, "speed": float("inf")}
        fit, rest = (
            SimulatorSpeech(text=str(text), duration_s=seconds, chunk_s=1.0, **fields)
            for text, seconds in zip(texts, (150.0, 60.0), strict=True)
        )
        model = calibrate(session.pipeline, decoder, [fit], VOICE, scored=False)
        metrics = evaluate(model, session.pipeline, decoder, [rest], VOICE).metrics
        return dict(zip(metrics["names"], metrics["r2"], strict=True))

    return run


def test_a_voice_is_decoded_from_tuned_electrodes_and_not_from_others(scored):
    r2 = scored("sentences")
    assert tuple(r2) == VOICE
    assert min(r2["mel-02"], r2["mel-07"], r2["f0"], r2["voicing"]) > 0.5
    assert max(scored("noise").values()) < 0.1
    assert np.isfinite(list(r2.values())).all()
