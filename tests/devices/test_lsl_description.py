import pytest

from devices.device import DeviceRefused
from devices.discovery import StreamFound
from devices.lsl_description import Description, differences, to_signal


def described(labels=("C3", "C4"), units=("uV", "uV"), speed=1.0, **changes):
    announced = {
        "name": "amp", "type": "EEG", "source_id": "sn1", "n_channels": len(labels),
        "rate_hz": 250.0, "format": "float32", "host": "pc1", "uid": "u1", "session": "default",
        **changes,
    }  # fmt: skip
    return Description(StreamFound(**announced), tuple(labels), tuple(units), speed)


def test_a_signal_is_read_from_it():
    signal, factors = to_signal(described(units=("microvolts", "V")))
    assert (signal.rate_hz, signal.channels, signal.unit) == (250.0, ("C3", "C4"), "uV")
    assert factors.tolist() == [1.0, 1e6]


def test_missing_names_are_numbered_and_double_ones_told_apart():
    signal, _ = to_signal(described(labels=("", "EEG", "EEG", "EEG-2", ""), units=("uV",) * 5))
    assert signal.channels == ("ch1", "EEG", "EEG-3", "EEG-2", "ch5")


def test_the_users_unit_is_believed():
    assert to_signal(described(units=("uV", "g")), unit="volts")[1].tolist() == [1e6, 1e6]


def test_mixed_units_are_refused():
    with pytest.raises(DeviceRefused, match=r"uV: C3; \(none\): C4"):
        to_signal(described(units=("uV", "")))


def test_nothing_has_changed_after_a_plain_restart():
    assert differences(described(uid="u1"), described(uid="u2")) == ""


def test_a_unit_spelt_otherwise_is_the_same():
    assert differences(described(), described(units=("µV", "microvolts"))) == ""


@pytest.mark.parametrize(
    ("after", "said"),
    [
        (described(rate_hz=500.0), "rate was '250 Hz', now is '500 Hz'"),
        (described(host="pc2"), "host was 'pc1', now is 'pc2'"),
        (described(source_id="sn2"), "source_id was 'sn1', now is 'sn2'"),
        (described(labels=("C4", "C3")), "channel 1 was 'C3', now is 'C4'"),
        (described(units=("V", "V")), "unit 1 was 'uV', now is 'V'"),
        (described(labels=("C3",), units=("uV",)), "channels was 2, now is 1"),
        (described(speed=20.0), "speed was 1.0, now is 20.0"),
    ],
)
def test_each_change_is_said_with_both_values(after, said):
    assert differences(described(), after) == said


def test_an_impossible_speed_is_refused(lsl):
    info = lsl.StreamInfo("fast", "EEG", 1, 100.0, "float32", "fast-1")
    info.desc().append_child("bci").append_child_value("speed", "inf")
    with pytest.raises(DeviceRefused, match="'inf'"):
        Description.of(info)
