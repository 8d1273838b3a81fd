import math
from pathlib import Path

from bci_server.config import load_session
from decoders.gathering import gather
from decoders.speech.learning import spoken_training
from devices.adapters.recording import Recording
from devices.adapters.simulator_speech import SimulatorSpeech
from examples.speech.simulated import write

ROOT = Path(__file__).resolve().parents[2]


def test_a_recording_of_the_simulated_speaker_can_be_learned_from(tmp_path: Path) -> None:
    text = tmp_path / "text.txt"
    text.write_text("yes please\nno thank you\n")
    device = SimulatorSpeech(
        n_electrodes=8, text=str(text), order="listed", speed=math.inf, duration_s=20, chunk_s=1.0
    )
    said = write(tmp_path / "day.xdf", device)
    session = load_session(ROOT / "examples/sessions/speech.toml")
    recording = Recording(str(tmp_path / "day.xdf"), speed=math.inf, chunk_s=1.0)
    training = spoken_training([gather(recording, session.pipeline)], session.pipeline.sentences)
    assert training.spoken is not None
    assert 2 <= len(set(training.groups)) <= said
    assert training.signal.n_channels == 8
