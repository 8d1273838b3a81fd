import math
from pathlib import Path

from bci_server.config import load_session
from decoders.calibrating.calibration import calibrate
from decoders.gathering import gather, read_all
from decoders.models.ridge import Ridge
from decoders.output import Voice
from decoders.speech.learning import spoken_training
from devices.adapters.recording import Recording
from devices.adapters.simulator_speech import SimulatorSpeech
from devices.simulation.voice import VOICE
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


def test_what_it_sounds_like_can_be_learned_too(tmp_path: Path) -> None:
    device = SimulatorSpeech(n_electrodes=16, speed=math.inf, duration_s=40, chunk_s=1.0)
    write(tmp_path / "day.xdf", device, has_truth=True)
    session = load_session(ROOT / "examples/sessions/voice.toml")
    decoder = Ridge(2, 0.1, mode="voice")
    recording = Recording(str(tmp_path / "day.xdf"), truth="truth", speed=math.inf, chunk_s=1.0)
    model = calibrate(session.pipeline, decoder, [recording])
    assert (model.labels, model.unit) == (VOICE, "1")
    with recording.open() as stream:
        run = model.run(stream.signal, session.pipeline, decoder)
        said = [o for chunk, _, _ in read_all(stream) for d in run.feed(chunk) for o in d.outputs]
    assert {type(output) for output in said} == {Voice}
    assert len(said) > 1500
