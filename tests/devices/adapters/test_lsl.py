import math
import time

import numpy as np
import pytest

from devices.adapters import lsl as adapter
from devices.adapters.lsl import Lsl
from devices.clock_offset import OffsetEstimate
from devices.device import DeviceLost, DeviceNotFound, DeviceRefused
from devices.discovery import StreamMatch
from tests.devices.lsl_sender import Sender, read_samples, read_until_it_raises, unique


@pytest.mark.parametrize("format", ["int8", "int16", "int32", "int64", "float32", "double64"])
def test_every_numeric_format_arrives_as_float32(lsl, format):
    sender = Sender(lsl, unique("format"), format=format)
    with Lsl(source_id=sender.source_id).open() as stream:
        sender.wait().push_ramp(0, 20)
        times, values, gaps = read_samples(stream, 20)
    assert values.dtype == np.float32
    expected = np.arange(20)[:, None] + np.array([0.0, 0.0 if "int" in format else 0.1])
    np.testing.assert_allclose(values, expected, rtol=1e-6)
    assert times.dtype == np.float64
    np.testing.assert_array_equal(times, sender.t0 + np.arange(20) / 100)
    assert gaps == []


@pytest.mark.parametrize("n", [1, 4, 10, 100, 1000])
def test_samples_come_in_order_each_once_whatever_the_chunks(lsl, n):
    sender = Sender(lsl, unique("chunks"), rate_hz=1000.0)
    with Lsl(source_id=sender.source_id).open() as stream:
        sender.wait()
        for start in range(0, 2000, n):
            sender.push_ramp(start, n)
        _, values, gaps = read_samples(stream, 2000)
        assert stream.read(0.0) is None
    np.testing.assert_array_equal(values[:2000, 0], np.arange(2000))
    assert gaps == []


def test_a_sender_that_sends_less_at_once_than_before_is_not_waited_for_in_vain(lsl):
    sender = Sender(lsl, unique("shrinks"), rate_hz=1000.0)
    with Lsl(source_id=sender.source_id).open() as stream:
        sender.wait()
        for start in range(0, 400, 20):
            sender.push_ramp(start, 20)
            assert len(read_samples(stream, 20)[0]) == 20
        sender.push_ramp(400, 3)
        _, values, _ = read_samples(stream, 3)
    np.testing.assert_array_equal(values[:, 0], [400, 401, 402])


def test_names_and_units_come_from_the_description(lsl):
    sender = Sender(lsl, unique("names"), labels=["C3", "C4"], units="microvolts", rate_hz=250.0)
    with Lsl(source_id=sender.source_id).open() as stream:
        assert stream.signal.channels == ("C3", "C4")
        assert stream.signal.unit == "uV"
        assert stream.signal.rate_hz == 250.0
        assert stream.identity == f"lsl:{sender.source_id}"


def test_volts_are_brought_to_microvolts(lsl):
    sender = Sender(lsl, unique("volts"), units=["V", "mV"], format="double64")
    with Lsl(source_id=sender.source_id).open() as stream:
        sender.wait().push([[1e-5, 0.02]], [sender.t0])
        _, values, _ = read_samples(stream, 1)
    assert stream.signal.unit == "uV"
    np.testing.assert_allclose(values, [[10.0, 20.0]], rtol=1e-6)


def test_a_stream_without_names_and_unit_is_taken_as_plain_numbers(lsl, caplog):
    sender = Sender(lsl, unique("bare"), units=None)
    with Lsl(source_id=sender.source_id).open() as stream:
        assert stream.signal.channels == ("ch1", "ch2")
        assert stream.signal.unit == "1"
    assert 'unit = "uV"' in caplog.text


def test_the_user_may_say_the_unit(lsl):
    sender = Sender(lsl, unique("said"), units=None)
    with Lsl(source_id=sender.source_id, unit="mV").open() as stream:
        sender.wait().push_ramp(3, 1)
        assert stream.signal.unit == "uV"
        np.testing.assert_allclose(read_samples(stream, 1)[1], [[3000.0, 3100.0]])


def test_mixed_units_are_refused_with_the_channels_of_each(lsl):
    sender = Sender(lsl, unique("mixed"), labels=["Cz", "acc"], units=["uV", "g"])
    with pytest.raises(DeviceRefused, match=r"uV: Cz; g: acc.*unit ="):
        Lsl(source_id=sender.source_id).open()


def test_two_streams_of_one_name_are_refused_and_listed(lsl):
    name = unique("twice")
    senders = [Sender(lsl, name, source_id=f"{name}-{side}") for side in ("left", "right")]
    with pytest.raises(DeviceRefused, match=rf"(?s)2 LSL streams.*{name}-left.*{name}-right"):
        Lsl(name=name).open()
    with Lsl(name=name, source_id=senders[1].source_id).open() as stream:
        assert stream.identity == f"lsl:{name}-right"


def test_an_absent_stream_is_not_found_and_says_what_is_there(lsl):
    present = Sender(lsl, unique("present"), n_channels=3, rate_hz=128.0)
    with pytest.raises(DeviceNotFound) as caught:
        Lsl(name="absent", timeout_s=0.2).open()
    message = str(caught.value)
    assert "'absent'" in message
    assert present.source_id in message
    assert "3 ch, 128 Hz, float32" in message


def test_a_name_with_quotes_is_found(lsl):
    sender = Sender(lsl, unique('it\'s "quoted"'))
    name = sender.outlet.get_info().name()
    with Lsl(name=name).open() as stream:
        assert stream.identity.startswith("lsl:id-it's")


def test_words_are_refused(lsl):
    sender = Sender(lsl, unique("words"), format="string")
    with pytest.raises(DeviceRefused, match="string data, not numbers"):
        Lsl(source_id=sender.source_id).open()


def test_an_irregular_stream_is_refused(lsl):
    sender = Sender(lsl, unique("irregular"), rate_hz=0.0)
    with pytest.raises(DeviceRefused, match="no regular rate"):
        Lsl(source_id=sender.source_id).open()


def test_nothing_to_go_by_is_refused():
    with pytest.raises(ValueError, match="name, type or source_id"):
        Lsl()


def test_markers_bear_the_time_of_their_sample_exactly(lsl):
    sender = Sender(lsl, unique("marked"))
    markers = lsl.StreamOutlet(
        lsl.StreamInfo(unique("words"), "Markers", 1, 0, "string", f"m-{sender.source_id}")
    )
    recipe = Lsl(source_id=sender.source_id, markers=StreamMatch(source_id=f"m-{sender.source_id}"))
    with recipe.open() as stream:
        sender.wait()
        assert markers.wait_for_consumers(10.0)
        for k in (3, 17):
            markers.push_sample([f"cue/{k}"], sender.t0 + k / 100)
        markers.push_sample([""], sender.t0)
        sender.push_ramp(0, 20)
        times, _, _ = read_samples(stream, 20)
        found, end_s = [], time.monotonic() + 10
        while len(found) < 2:
            assert time.monotonic() < end_s
            found += stream.take_markers()
    assert [(m.label, m.time_s) for m in found] == [("cue/3", times[3]), ("cue/17", times[17])]


def test_numbers_may_be_markers(lsl):
    sender = Sender(lsl, unique("numbered"))
    codes = Sender(lsl, unique("codes"), n_channels=1, rate_hz=0.0, format="int32")
    recipe = Lsl(source_id=sender.source_id, markers=StreamMatch(source_id=codes.source_id))
    with recipe.open() as stream:
        codes.wait().push([[7]], [codes.t0])
        found, end_s = (), time.monotonic() + 10
        while not found:
            assert time.monotonic() < end_s
            found = stream.take_markers()
    assert [m.label for m in found] == ["7"]


def test_words_in_another_alphabet_are_markers_too(lsl):
    sender = Sender(lsl, unique("worded"))
    name = unique("latin")
    words = lsl.StreamOutlet(lsl.StreamInfo(name, "Markers", 2, 0, "string", f"m-{name}"))
    with Lsl(source_id=sender.source_id, markers=StreamMatch(name=name)).open() as stream:
        assert words.wait_for_consumers(10.0)
        words.push_sample(["f\u00fc\u00dfe".encode("latin-1"), b"x"], 1.0)
        words.push_sample(["füße", " "], 2.0)
        found, end_s = [], time.monotonic() + 10
        while len(found) < 2:
            assert time.monotonic() < end_s
            found += stream.take_markers()
    assert [m.label for m in found] == ["füße x", "füße"]


def test_the_truth_comes_with_the_samples_of_its_time(lsl):
    sender = Sender(lsl, unique("told"))
    truth = Sender(lsl, unique("truth"), n_channels=1, rate_hz=50.0, units="m/s", type="Truth")
    truth.t0 = sender.t0
    recipe = Lsl(source_id=sender.source_id, truth=StreamMatch(source_id=truth.source_id))
    with recipe.open() as stream:
        assert stream.truth_signal is not None
        assert (stream.truth_signal.rate_hz, stream.truth_signal.unit) == (50.0, "m/s")
        sender.wait()
        truth.wait().push_ramp(0, 10)
        sender.push_ramp(0, 10)
        times, _, _ = read_samples(stream, 10)
        chunks, end_s = [], time.monotonic() + 10
        while sum(map(len, chunks)) < 5:
            assert time.monotonic() < end_s
            if (chunk := stream.take_truth()) is not None:
                chunks.append(chunk.times.copy())
        np.testing.assert_array_equal(np.concatenate(chunks), times[::2])
        assert stream.take_truth() is None
        sender.push_ramp(10, 2)
        read_samples(stream, 2)
        chunk = stream.take_truth()
        assert chunk is not None
        np.testing.assert_allclose(chunk.values, [[5.0]])


def test_missing_samples_are_a_gap_and_counted(lsl):
    sender = Sender(lsl, unique("gap"))
    with Lsl(source_id=sender.source_id).open() as stream:
        sender.wait().t0 -= 5.0
        sender.push_ramp(0, 10)
        sender.push_ramp(110, 10)
        _, values, gaps = read_samples(stream, 20)
        assert gaps == [10]
        assert values[10, 0] == 110
        health = stream.health()
    assert (health.n_gaps, health.n_lost, health.n_samples) == (1, 100, 20)


def test_a_stall_without_loss_is_no_gap(lsl):
    sender = Sender(lsl, unique("stall"))
    with Lsl(source_id=sender.source_id, stall_s=0.05).open() as stream:
        sender.wait().push_ramp(0, 10)
        read_samples(stream, 10)
        for _ in range(4):
            assert stream.read(0.05) is None
        sender.push_ramp(10, 10)
        _, values, gaps = read_samples(stream, 10)
    assert gaps == []
    assert values[0, 0] == 10


def test_a_clock_that_jumps_is_a_gap_without_loss_and_time_goes_on(lsl):
    sender = Sender(lsl, unique("jump"))
    with Lsl(source_id=sender.source_id).open() as stream:
        sender.wait().push_ramp(0, 10)
        before, _, _ = read_samples(stream, 10)
        sender.t0 += 3600.0
        sender.push_ramp(10, 10)
        after, _, gaps = read_samples(stream, 10)
        health = stream.health()
    assert gaps == [0]
    assert health.n_lost == 0
    assert health.clock_offset_s == pytest.approx(-3600.0, abs=30.0)
    assert 0 < after[0] - before[-1] < 30.0
    np.testing.assert_allclose(np.diff(after), 0.01, atol=1e-6)


def test_stamps_of_another_clock_are_brought_to_ours(lsl):
    sender = Sender(lsl, unique("epoch"))
    with Lsl(source_id=sender.source_id).open() as stream:
        sender.wait().t0 = 1.7e9
        sender.push_ramp(0, 10)
        times, _, gaps = read_samples(stream, 10)
        assert abs(time.monotonic() - times[-1]) < 30.0
    assert gaps == []


def test_a_first_estimate_of_a_busy_moment_moves_no_stamp(lsl, monkeypatch):
    monkeypatch.setattr(adapter, "estimate_offset", lambda *_: OffsetEstimate(0.12, 0.3))
    sender = Sender(lsl, unique("busy"))
    with Lsl(source_id=sender.source_id).open() as stream:
        sender.wait().push_ramp(0, 20)
        times, _, gaps = read_samples(stream, 20)
        assert stream.health().n_jumps == 0
    np.testing.assert_array_equal(times, sender.t0 + np.arange(20) / 100)
    assert gaps == []


def test_values_that_are_no_numbers_are_counted_and_passed_on(lsl):
    sender = Sender(lsl, unique("nan"))
    with Lsl(source_id=sender.source_id).open() as stream:
        sender.wait().push([[1.0, math.nan], [math.inf, 2.0], [3.0, 4.0]], sender.t0 + np.arange(3))
        _, values, _ = read_samples(stream, 3)
        assert stream.health().n_bad == 2
    np.testing.assert_array_equal(values, [[1.0, math.nan], [math.inf, 2.0], [3.0, 4.0]])


def test_a_replay_at_twenty_times_the_speed_keeps_its_rate_and_has_no_gaps(lsl):
    sender = Sender(lsl, unique("fast"), speed=20)
    with Lsl(source_id=sender.source_id, gap_s=0.2).open() as stream:
        sender.wait().t0 -= 1.0
        assert stream.signal.rate_hz == 100.0
        sender.push_ramp(0, 500, step_s=1 / 2000)
        sender.push_ramp(530, 10, step_s=1 / 2000)  # 0.3 s of the recording, 15 ms of ours
        _, values, gaps = read_samples(stream, 510)
        assert gaps == [500]
        assert stream.health().n_lost == 30
    assert values[-1, 0] == 539


def test_a_sender_without_source_id_that_vanishes_is_lost(lsl):
    name = unique("anonymous")
    sender = Sender(lsl, name, source_id="")
    with Lsl(name=name).open() as stream:
        sender.wait().push_ramp(0, 5)
        read_samples(stream, 5)
        sender.close()
        with pytest.raises(DeviceLost, match="source_id"):
            read_until_it_raises(stream, 20.0)


def test_closing_twice_is_harmless_and_reading_after_it_says_so(lsl):
    sender = Sender(lsl, unique("closed"))
    stream = Lsl(source_id=sender.source_id).open()
    stream.close()
    stream.close()
    with pytest.raises(DeviceLost, match="closed"):
        stream.read(0.0)


def test_the_senders_own_stamps_are_kept_for_recordings(lsl):
    sender = Sender(lsl, unique("own"))
    with Lsl(source_id=sender.source_id).open() as stream:
        sender.wait()
        sender.t0 = 1.7e9  # a clock that counts from 1970
        sender.push_ramp(0, 30)
        sender.push_ramp(200, 30)  # after a gap, so that what is pulled comes in pieces
        stamps, n_read = [], 0
        end_s = time.monotonic() + 15
        while n_read < 60 and time.monotonic() < end_s:
            chunk = stream.read(0.2)
            if chunk is not None:
                own = stream.sender_times()
                assert len(own) == len(chunk)
                assert (chunk.times < 1e9).all()
                stamps.append(own.copy())
                n_read += len(chunk)
    expected = 1.7e9 + np.concatenate([np.arange(30), np.arange(200, 230)]) / 100
    np.testing.assert_array_equal(np.concatenate(stamps), expected)
