"""Every board that BrainFlow knows."""

from __future__ import annotations

import contextlib
import math
import time
import warnings
import weakref
from collections import deque
from dataclasses import dataclass
from itertools import pairwise
from types import ModuleType
from typing import Any, Literal

import numpy as np
from numpy.typing import NDArray

from devices.brainflow_errors import explain
from devices.clock import MONOTONIC, Clock
from devices.device import DeviceError, DeviceNotFound, DeviceRefused, EndOfStream, Health, Stream
from devices.gaps import GapDetector
from devices.package_numbers import PackageNumbers
from devices.rate import RateMeter
from devices.signal import Chunk, Marker, Signal

__all__ = ["Brainflow"]

_BIOSIGNALS = ("eeg", "ecog", "emg", "ecg", "eog")
_CLOCK_STEP_S = 0.05


@dataclass(frozen=True, slots=True, kw_only=True)
class Brainflow:
    """A board, its synthetic stand-in, or a file that it wrote, through BrainFlow.

    Markers are the board's marker channel, as numbers. The signal is the EEG channels where the
    board has any, else all biosignals it has, in uV, named as the board's description says.

    Parameters
    ----------
    board
        Name or number of the board: ``"CYTON_BOARD"``, ``"cyton"``, ``"0"``.
    serial_port, mac_address, ip_address, ip_port, serial_number, other_info
        How to reach it; which of them a board needs, BrainFlow's list of boards says.
    file, master_board
        For ``playback_file``: what to play and which board wrote it. For ``streaming``: the
        board that is streamed.
    preset
        Which of the board's streams to take.
    timeout_s
        How long BrainFlow looks for the board, in whole seconds; 0: as long as it likes.
    chunk_s
        How often to ask for samples. BrainFlow has no call that waits for them, so the stream
        sleeps to the next multiple of this on the clock, and never asks more often.
    buffer_s
        How many seconds BrainFlow keeps for a reader that is late.

    Raises
    ------
    ValueError
        A field is out of its range.
    """

    board: str = "SYNTHETIC_BOARD"
    serial_port: str = ""
    mac_address: str = ""
    ip_address: str = ""
    ip_port: int = 0
    serial_number: str = ""
    other_info: str = ""
    file: str = ""
    master_board: str = ""
    preset: Literal["default", "auxiliary", "ancillary"] = "default"
    timeout_s: int = 0
    chunk_s: float = 0.02
    buffer_s: float = 120.0

    def __post_init__(self) -> None:
        if not 0 < self.chunk_s < math.inf:
            raise ValueError(f"chunk_s must be positive and finite, not {self.chunk_s!r}")
        if not 1 <= self.buffer_s <= 3600:
            raise ValueError(f"buffer_s must be 1 to 3600, not {self.buffer_s!r}")
        if self.timeout_s < 0:
            raise ValueError(f"timeout_s cannot be negative: {self.timeout_s!r}")

    def open(self, clock: Clock = MONOTONIC) -> Stream:
        """Connect and start the board.

        Raises
        ------
        DeviceNotFound
            BrainFlow is not installed, or the board does not answer.
        DeviceRefused
            There is no such board, or it cannot be used like this; says what to check.
        """
        return _BoardStream(self, _load(), clock)


class _BoardStream(Stream):
    def __init__(self, recipe: Brainflow, brainflow: ModuleType, clock: Clock) -> None:
        board_id = _board_id(brainflow, recipe.board)
        described_id = board_id
        if recipe.master_board:
            described_id = _board_id(brainflow, recipe.master_board)
        elif board_id in (
            brainflow.BoardIds.PLAYBACK_FILE_BOARD,
            brainflow.BoardIds.STREAMING_BOARD,
        ):
            raise DeviceRefused(
                f"{brainflow.BoardIds(board_id).name} needs master_board: the board that wrote "
                "the file or sends the stream"
            )
        self._name = brainflow.BoardIds(board_id).name
        self._error = brainflow.BrainFlowError
        self._codes = brainflow.BrainFlowExitCodes
        self._clock = clock
        self._period_s = recipe.chunk_s
        self._preset = brainflow.BrainFlowPresets[f"{recipe.preset.upper()}_PRESET"].value
        try:
            layout = brainflow.BoardShim.get_board_descr(described_id, self._preset)
            self._rows = _Rows(layout, self._name)
            self.signal = self._rows.signal
            self._board = _session(brainflow, board_id, recipe)
            self._board.prepare_session()
        except self._error as error:
            raise self._explained(error, "opening") from None
        self.identity = f"brainflow:{self._name}:{recipe.serial_number or recipe.mac_address}"
        self._finalizer = weakref.finalize(self, _release, self._board, self._error)
        try:
            self._board.start_stream(math.ceil(recipe.buffer_s * self.signal.rate_hz))
        except self._error as error:
            self.close()
            raise self._explained(error, "starting") from None
        self._offset_s = _wall_offset(clock)
        self._start_s = clock.now()
        self._numbers = PackageNumbers()
        self._gaps = GapDetector(self.signal.rate_hz)
        self._rate = RateMeter(self._start_s)
        self._pieces: deque[Chunk] = deque()
        self._markers: deque[Marker] = deque(maxlen=1 << 12)
        self._last_s = -math.inf
        self._n_samples = self._n_gaps = self._n_lost = self._n_bad = 0

    def read(self, timeout_s: float) -> Chunk | None:
        """Return what has come, waiting for it at most `timeout_s`; see `Stream.read`."""
        if not self._finalizer.alive:
            raise EndOfStream("the stream is closed")
        limit_s = self._clock.now() + timeout_s
        while not self._pieces:
            try:
                data = self._board.get_board_data(preset=self._preset)
            except self._error as error:
                raise self._explained(error, "reading") from None
            now_s = self._clock.now()
            if data.shape[1]:
                self._take(data, now_s)
            elif now_s >= limit_s:
                return None
            else:
                # On the multiples of the period since the start, so that lateness does not add up.
                periods = math.floor((now_s - self._start_s) / self._period_s) + 1
                self._clock.sleep_until(min(self._start_s + periods * self._period_s, limit_s))
        return self._pieces.popleft()

    def take_markers(self) -> tuple[Marker, ...]:
        """Return the markers that have arrived since the last call, oldest first."""
        taken = tuple(self._markers)
        self._markers.clear()
        return taken

    def health(self) -> Health:
        """Return how the board is doing."""
        return Health(
            effective_rate_hz=self._rate.rate_hz(self._clock.now()),
            clock_offset_s=self._offset_s,
            n_samples=self._n_samples,
            n_gaps=self._n_gaps,
            n_lost=self._n_lost,
            n_bad=self._n_bad,
        )

    def close(self) -> None:
        """Stop the board and let go of it."""
        self._finalizer()

    def _take(self, data: NDArray[np.float64], now_s: float) -> None:
        values = np.ascontiguousarray(data[self._rows.values].T, dtype=np.float32)
        times = self._to_clock(data[self._rows.times])
        lost = np.zeros(len(times), np.int64)
        if self._rows.numbers is not None:
            lost = self._numbers.feed(data[self._rows.numbers])
        starts = set(np.flatnonzero(lost).tolist())
        n_lost = int(lost.sum())
        if gap := self._gaps.feed(times):
            starts |= set(gap.indices)
            n_lost = max(n_lost, gap.n_lost)
        self._n_gaps += len(starts)
        self._n_lost += n_lost
        self._n_samples += len(times)
        self._n_bad += int(values.size - np.isfinite(values).sum())
        self._rate.feed(len(times), now_s)
        edges = sorted({0, *starts, len(times)})
        for first, end in pairwise(edges):
            self._pieces.append(Chunk(times[first:end], values[first:end], gap=first in starts))
        if self._rows.markers is not None:
            said = data[self._rows.markers]
            self._markers.extend(
                Marker(float(times[k]), f"{said[k]:g}") for k in np.flatnonzero(said)
            )

    def _to_clock(self, wall_s: NDArray[np.float64]) -> NDArray[np.float64]:
        """Bring BrainFlow's wall-clock stamps onto the clock; they never go back."""
        offset_s = _wall_offset(self._clock)
        if abs(offset_s - self._offset_s) > _CLOCK_STEP_S:
            self._offset_s = offset_s  # the wall clock was set; its stamps jump with it
        times = np.maximum.accumulate(wall_s + self._offset_s)
        np.maximum(times, self._last_s, out=times)
        self._last_s = float(times[-1])
        return times

    def _explained(self, error: Any, while_doing: str) -> DeviceError:
        return explain(self._name, self._codes(error.exit_code).name, while_doing)


class _Rows:
    """Which rows of BrainFlow's array are what."""

    def __init__(self, layout: dict[str, Any], board: str) -> None:
        rows = layout.get("eeg_channels", [])
        names = [name.strip() for name in layout.get("eeg_names", "").split(",")]
        if not rows:
            rows = sorted(
                {row for kind in _BIOSIGNALS for row in layout.get(f"{kind}_channels", [])}
            )
        if not rows:
            raise DeviceRefused(
                f"{board} has no biosignal in this preset; its description lists "
                f"{', '.join(sorted(layout))}. Choose another preset or board."
            )
        if len(names) != len(rows) or len(set(names)) < len(names):
            names = [f"EXG{k}" for k in range(1, len(rows) + 1)]
        self.signal = Signal(float(layout["sampling_rate"]), tuple(names), "uV")
        self.values = list(rows)
        self.times = int(layout["timestamp_channel"])
        self.numbers: int | None = layout.get("package_num_channel")
        self.markers: int | None = layout.get("marker_channel")


def _load() -> ModuleType:
    try:
        with warnings.catch_warnings():
            # Where importlib cannot find its library, BrainFlow asks pkg_resources, which says
            # that it is deprecated.
            warnings.filterwarnings("ignore", message="pkg_resources")
            warnings.filterwarnings("ignore", category=DeprecationWarning)
            from brainflow import board_shim

            board_shim.BoardShim.disable_board_logger()
    except ModuleNotFoundError as error:
        package = "brainflow" if error.name == "brainflow" else "'setuptools<81' brainflow"
        raise DeviceNotFound(
            f"the package {error.name} is not installed; BrainFlow boards need it: "
            f"pip install {package}"
        ) from None
    except OSError as error:
        raise DeviceNotFound(
            f"BrainFlow's library does not load here: {error}. Install a brainflow wheel for this "
            "system: pip install --force-reinstall brainflow"
        ) from None
    module: ModuleType = board_shim
    return module


def _board_id(brainflow: ModuleType, board: str) -> int:
    known = {b.name: int(b.value) for b in brainflow.BoardIds if b.name != "NO_BOARD"}
    number = board.strip().upper()
    wanted = int(number) if number.lstrip("-").isdecimal() else known.get(number)
    if wanted is None:
        wanted = known.get(f"{number}_BOARD")
    if wanted is None or wanted not in known.values():
        raise DeviceRefused(
            f"BrainFlow knows no board {board!r}; it knows: {', '.join(sorted(known))}"
        )
    return wanted


def _session(brainflow: ModuleType, board_id: int, recipe: Brainflow) -> Any:
    # A forgotten BoardShim ends every session on the same board, even one that was refused
    # because of that session. Ours is ended by its stream alone.
    without_end = type("BoardShim", (brainflow.BoardShim,), {"__del__": lambda self: None})
    return without_end(board_id, _parameters(brainflow, recipe))


def _parameters(brainflow: ModuleType, recipe: Brainflow) -> Any:
    parameters = brainflow.BrainFlowInputParams()
    for name in ("serial_port", "mac_address", "ip_address", "ip_port", "serial_number"):
        setattr(parameters, name, getattr(recipe, name))
    parameters.other_info = recipe.other_info
    parameters.file = recipe.file
    parameters.timeout = recipe.timeout_s
    if recipe.master_board:
        parameters.master_board = _board_id(brainflow, recipe.master_board)
    return parameters


def _wall_offset(clock: Clock) -> float:
    """Return what to add to a wall-clock time to have it on the clock; the tightest of five."""
    best_s, offset_s = math.inf, 0.0
    for _ in range(5):
        before_s = clock.now()
        wall_s = time.time()  # noqa: TID251 - BrainFlow stamps with the wall clock
        after_s = clock.now()
        if after_s - before_s < best_s:
            best_s, offset_s = after_s - before_s, (before_s + after_s) / 2 - wall_s
    return offset_s


def _release(board: Any, error: type[Exception]) -> None:
    # A board that is gone cannot be released; whoever read from it was told.
    with contextlib.suppress(error):
        board.release_session()
