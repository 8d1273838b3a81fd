import json
import re
from dataclasses import replace

import pytest

from bci_server.config import BadSession, device_of, load_session, parse_session, with_recipes
from decoders.artifact import Artifact
from decoders.calibrating.calibration import calibrate
from decoders.describe import describe, describe_pipeline
from decoders.models.aligned import Aligned
from decoders.models.ridge import Ridge
from decoders.speech.sentences import Sentences
from decoders.stage import Chain
from devices.signal import Signal
from tests.decoders.made import followed

GOOD = """
name = "imagery"
[device]
kind = "stranger"
board = "cyton"
rate_hz = 500
[blocks]
hop_s = 0.1
channels = ["C3", "C4"]
[[stages]]
kind = "gain"
gain = 2
[[stages]]
kind = "gain"
[decoder]
kind = "sides"
model = "models/imagery"
shrinkage = 0.2
[trials]
labels = { T1 = "fists", T2 = "feet" }
end_s = 4
[target]
stream = "velocity"
channels = ["vx"]
[commands]
names = ["x"]
values = { fists = [-1], feet = [1.0] }
[safety]
min_confidence = 0.6
[outlet]
lsl = true
"""


CONTINUOUS = """
name = "reach"
[device]
kind = "simulator_reach"
[blocks]
hop_s = 0.05
[decoder]
kind = "ridge"
model = "m"
[safety]
neutral = "open"
"""


def problems(text, tmp_path):
    with pytest.raises(BadSession) as caught:
        parse_session(text, tmp_path)
    return caught.value.problems


def test_each_section_becomes_its_recipe(plugins, tmp_path):
    session = parse_session(GOOD, tmp_path)
    assert session.name == "imagery"
    assert (session.device.board, session.device.rate_hz, session.device.gain) == ("cyton", 500, 24)
    assert session.pipeline.hop_s == 0.1
    assert session.pipeline.channels == ("C3", "C4")
    assert [s.gain for s in session.pipeline.stages.stages] == [2, 1]
    assert session.pipeline.trials.classes == ("fists", "feet")
    assert session.decoder.shrinkage == 0.2
    assert session.model == tmp_path / "models/imagery"
    assert session.target.channels == ("vx",)
    assert session.commands.values["fists"] == (-1.0,)
    assert (session.safety.min_confidence, session.safety.stall_ms) == (0.6, 90.0)
    assert (session.safety.ttl_ms, session.safety.audit) == (250.0, str(tmp_path / "audit"))
    assert session.outlet.lsl


def test_paths_are_relative_to_the_file(plugins, tmp_path):
    file = tmp_path / "here.toml"
    file.write_text(GOOD)
    assert load_session(file).model == tmp_path / "models/imagery"


def test_another_device_or_model_can_take_the_place(plugins, tmp_path):
    session = parse_session(GOOD, tmp_path)
    other = object()
    assert session.with_device(other).device is other
    assert session.with_model(tmp_path).model == tmp_path
    assert session.with_device(other).pipeline == session.pipeline


@pytest.mark.parametrize(
    ("old", "new", "said"),
    [
        ('board = "cyton"', 'bord = "cyton"', "unknown key 'bord'; did you mean 'board'?"),
        ('board = "cyton"', 'bord = "cyton"', "[device], line 3: board is missing"),
        ("rate_hz = 500", 'rate_hz = "fast"', "rate_hz = 'fast': Expected a number, got a text"),
        ("rate_hz = 500", "rate_hz = true", "[device], line 6: rate_hz = True"),
        ("rate_hz = 500", "rate_hz = -1", "rate_hz must be positive, not -1"),
        ('kind = "stranger"', 'kind = "strangr"', "line 4: there is no device of kind 'strangr'"),
        ('kind = "stranger"', "", "[device], line 3: needs a kind, one of: "),
        ("gain = 2", "gian = 2", "[[stages]] no. 1, line 12: unknown key 'gian'"),
        ("hop_s = 0.1", "hop_s = 0", "hop_s must be positive"),
        ("hop_s = 0.1", "", "[blocks], line 7: hop_s is missing"),
        ("min_confidence = 0.6", "ttl_ms = 100", "not longer than a hop of 100 ms"),
        ('model = "models/imagery"', "", 'needs model = "…"'),
        ("end_s = 4", "end_s = 0.1", "0 <= start_s < end_s"),
        ("[outlet]", "[outlets]", "[outlets], line 30: there is no section of that name"),
        ('name = "imagery"', "", "a session needs a name"),
        ('name = "imagery"', 'name = "../x"', "use letters, digits, - and _"),
        ("[trials]", "[[trials]]", "must be a section: [trials]"),
        ("[[stages]]\nkind = \"gain\"\ngain = 2\n[[stages]]", "[stages]", "begin each with [[stag"),
        ("min_confidence = 0.6", "stall_ms = 0", "stall_ms must be positive"),
        ("min_confidence = 0.6", "min_confidence = 6", "min_confidence lies within 0 and 1"),
        ("fists = [-1]", "fist = [-1]", "no trial has the class fist; there is: fists, feet"),
        ('kind = "sides"', 'kind = "follow"', "the decoder gives commands itself"),
        ("[device]", "[device", "it is not TOML"),
    ],
)  # fmt: skip
def test_what_is_wrong_is_said_with_its_place(plugins, tmp_path, old, new, said):
    assert old in GOOD
    found = problems(GOOD.replace(old, new, 1), tmp_path)
    assert any(said in problem for problem in found), found


@pytest.mark.parametrize("mode", ["velocity", "position", "click"])
def test_only_a_grasp_may_be_told_to_open(plugins, tmp_path, mode):
    opens = GOOD.replace("[safety]", '[safety]\nneutral = "open"')
    grasp = opens.replace("[commands]", '[commands]\nmode = "grasp"')
    assert parse_session(grasp, tmp_path).safety.neutral == "open"
    (said,) = problems(grasp.replace('"grasp"', f'"{mode}"'), tmp_path)
    assert "[safety]" in said
    assert 'neutral = "open"' in said
    assert f'mode = "{mode}"' in said


def test_a_session_without_commands_opens_nothing(plugins, tmp_path):
    without = re.sub(r"(?s)\[commands\].*?\[safety\]", '[safety]\nneutral = "open"', GOOD)
    (said,) = problems(without, tmp_path)
    assert "it gives no commands" in said


@pytest.mark.parametrize("said", ["", 'mode = "position"\n'])
def test_a_decoder_that_gives_commands_itself_opens_only_a_grasp(tmp_path, said):
    file = re.sub(r'kind = "ridge"', f'kind = "kalman"\n{said}', CONTINUOUS)
    mode = "position" if said else "velocity"
    (problem,) = problems(file, tmp_path)
    assert f'mode = "{mode}"' in problem


@pytest.mark.parametrize("section", ["device", "blocks", "decoder"])
def test_a_missing_section_is_named(plugins, tmp_path, section):
    text = re.sub(rf"\[{section}\]\n([^\[].*\n)*", "", GOOD)
    assert problems(text, tmp_path) == (f"[{section}]: the section is missing",)


def test_everything_wrong_is_said_at_once(plugins, tmp_path):
    text = GOOD.replace("rate_hz = 500", "rate_hz = []").replace("gain = 2", "gain = 'x'")
    text = text.replace("hop_s = 0.1", "").replace("shrinkage", "shrinkage_")
    assert len(problems(text, tmp_path)) == 4


def test_a_device_can_be_described_by_itself(plugins):
    assert device_of({"kind": "stranger", "board": "cyton"}).board == "cyton"
    with pytest.raises(BadSession, match=r"\[device\]: board is missing"):
        device_of({"kind": "stranger"})


def test_a_file_that_cannot_be_read_is_named(tmp_path):
    with pytest.raises(BadSession, match=r"nowhere\.toml.*\n.*No such file"):
        load_session(tmp_path / "nowhere.toml")
    (tmp_path / "binary.toml").write_bytes(b"\xff\xfe\x00")
    with pytest.raises(BadSession, match="not UTF-8"):
        load_session(tmp_path / "binary.toml")


NESTED = """
name = "reach"
[device]
kind = "lsl"
name = "spikes"
[blocks]
hop_s = 0.05
[[stages]]
kind = "zscore"
time_constant_s = inf
[decoder]
kind = "aligned"
by = "zscore"
model = "model"
[decoder.decoder]
kind = "ridge"
alpha = 0.01
"""


def test_a_decoder_may_stand_within_another(tmp_path):
    session = parse_session(NESTED, tmp_path)
    assert session.decoder == Aligned(Ridge(1, 0.01), "zscore")


def test_what_is_wrong_within_it_is_said_with_its_place(tmp_path):
    (problem,) = problems(NESTED.replace("alpha", "alfa"), tmp_path)
    assert "decoder.decoder" in problem
    assert "alpha" in problem
    assert "line 17" in problem
    (problem,) = problems(NESTED.replace('"ridge"', '"rigde"'), tmp_path)
    assert "'ridge'" in problem


def test_a_session_takes_on_the_steps_that_a_model_remembers(tmp_path):
    session = parse_session(NESTED, tmp_path)
    model = calibrate(session.pipeline, session.decoder, [followed()])
    model.save(session.model)
    other = parse_session(NESTED.replace("= inf", "= 9.0").replace("0.01", "1"), tmp_path)
    again = with_recipes(other, Artifact.load(session.model))
    assert again.decoder == session.decoder
    assert again.pipeline == session.pipeline


def test_stages_within_a_stage_are_made_and_come_back_from_a_model(tmp_path):
    nested = """
name = "nested"
[device]
kind = "lsl"
name = "eeg"
[blocks]
hop_s = 0.1
[[stages]]
kind = "side_by_side"
chains = [
  [{ kind = "epoch", window_s = 0.5 }],
  [{ kind = "bandpass", low_hz = 8, high_hz = 30 }, { kind = "log_power" }],
]
[decoder]
kind = "lda"
model = "m"
"""
    session = parse_session(nested, tmp_path)
    (stage,) = session.pipeline.stages.stages
    assert [[type(s).__name__ for s in c.stages] for c in stage.chains] == [
        ["Epoch"],
        ["Bandpass", "LogPower"],
    ]
    model = Artifact(
        describe(session.decoder),
        json.loads(json.dumps(describe_pipeline(session.pipeline))),
        Signal(250.0, ("C3",), "uV"),
        ("a", "b"),
        "",
        {},
        "",
    )
    other = replace(session, pipeline=replace(session.pipeline, stages=Chain(())))
    assert with_recipes(other, model).pipeline.stages == session.pipeline.stages
    found = problems(nested.replace("low_hz", "lo_hz"), tmp_path)
    assert any("unknown key 'lo_hz'" in line for line in found)


SPEECH = """
name = "speech"
[device]
kind = "stranger"
board = "array"
[blocks]
hop_s = 0.02
[decoder]
kind = "mouth"
model = "models/speech"
[sentences]
after_s = 0.5
[language]
folder = "languages/english"
"""


def test_a_session_of_speech_has_sentences_and_a_language(plugins, tmp_path):
    session = parse_session(SPEECH, tmp_path)
    assert session.pipeline.sentences == Sentences(after_s=0.5)
    assert session.pipeline.language.folder == str(tmp_path / "languages/english")
    without = SPEECH.partition("[sentences]")[0]
    assert parse_session(without, tmp_path).pipeline.sentences == Sentences()
    assert parse_session(without, tmp_path).pipeline.language is None


def test_a_language_is_no_part_of_a_model(plugins, tmp_path):
    pipeline = parse_session(SPEECH, tmp_path).pipeline
    without = replace(pipeline, language=None)
    assert describe_pipeline(pipeline) == describe_pipeline(without)
    assert describe_pipeline(pipeline)["sentences"]["after_s"] == 0.5


def test_words_may_command(plugins, tmp_path):
    commands = '[commands]\nnames = ["click"]\nvalues = { yes = [1.0] }\nmode = "click"\n'
    session = parse_session(SPEECH + commands + 'on = "words"\n', tmp_path)
    assert session.commands.values == {"yes": (1.0,)}
    found = problems(GOOD.replace("[safety]", 'on = "words"\n[safety]'), tmp_path)
    assert any("only a decoder of speech says words" in problem for problem in found)


@pytest.mark.parametrize(
    ("old", "new", "said"),
    [
        ('"mouth"', '"sides"', "[language], line 13: only a decoder of speech gives phonemes"),
        ('"mouth"', '"sides"', "[sentences], line 11: only a decoder of speech learns from"),
        ("[sentences]\nafter_s = 0.5", "[trials]", "[trials], line 11: a decoder of speech learns"),
        ("[sentences]\nafter_s = 0.5", '[target]\nstream = "truth"', "not from values"),
        ("[sentences]\nafter_s = 0.5", "[uncued]\nerror_rate = 0.1", "needs no cue"),
        ("[sentences]\nafter_s = 0.5", "[probabilities]", "[probabilities], line 11: phonemes"),
        ("[language]", '[commands]\nnames = ["x"]\nvalues = {}\n[language]', 'on = "words"'),
        ("[language]\n", '[commands]\nnames = ["x"]\nvalues = {}\non = "words"\n#', "add [lang"),
        ("after_s", "after", "unknown key 'after'; did you mean 'after_s'?"),
        ("0.5", "-0.5", "sentences need after_s >= 0"),
        ("folder =", "fodler =", "unknown key 'fodler'; did you mean 'folder'?"),
        ("folder =", "# folder =", "[language], line 13: mode = 'sentences' needs a folder"),
        ("[language]", "[[language]]", "must be a section: [language]"),
    ],
)  # fmt: skip
def test_what_does_not_go_with_speech_is_refused(plugins, tmp_path, old, new, said):
    assert old in SPEECH
    found = problems(SPEECH.replace(old, new, 1), tmp_path)
    assert any(said in problem for problem in found), found
