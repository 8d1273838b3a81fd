"""Every decoder on every recorded set that suits it: the leaderboard.

Each cell is fitted on a part of a set, and decodes the rest through the code that runs live.
Beside it stand chance, the interval, the same with permuted labels (or the truth turned by 30 s),
what a fit and a step take, and the size of the model; and the peers' own pipelines, offline, on the
same split.

    python benchmarks/all_decoders.py            # what is not measured yet; docs/leaderboard.*
    python benchmarks/all_decoders.py --fast     # without what takes minutes
    python benchmarks/all_decoders.py --only p300 lda   # sets or decoders that have one of the
                                                        # words, in the order of the words
    python benchmarks/all_decoders.py --again    # measure anew
    python benchmarks/all_decoders.py --times    # of what is there, time fits and steps anew
    python benchmarks/all_decoders.py --page     # write the page from what is there

Each cell is kept in --cache (default: leaderboard-cache) as soon as it is there, by what it was
made of; so a run that was stopped goes on, and what docs/leaderboard.json holds already counts as
there. Recordings are read from ../shared/data, or BCI_TEST_DATA. To add a set:
benchmarks/leaderboard/sets.py; a decoder: variants.py there; a peer: peers.py.
"""

from __future__ import annotations

import argparse
import hashlib
import json
import logging
import sys
import time
import warnings
from collections.abc import Callable, Iterator, Sequence
from pathlib import Path
from typing import Any

ROOT = Path(__file__).resolve().parent.parent
sys.path.insert(0, str(ROOT))

from bci_server.catalog import BrokenPlugin  # noqa: E402 - found by the line above
from bci_server.config import BadSession  # noqa: E402
from benchmarks.leaderboard.cells import cell_of, described, times_of  # noqa: E402
from benchmarks.leaderboard.page import write_page  # noqa: E402
from benchmarks.leaderboard.peers import PEERS, OnRows, Peer, offline  # noqa: E402
from benchmarks.leaderboard.sets import SETS, RecordedSet  # noqa: E402
from benchmarks.leaderboard.variants import VARIANTS  # noqa: E402
from decoders.stage import Mismatch  # noqa: E402
from devices.device import DeviceError  # noqa: E402

DOCS = ROOT / "docs"


def main() -> int:
    """Measure what is missing, and write the table."""
    ask = argparse.ArgumentParser(description=(__doc__ or "").splitlines()[0])
    ask.add_argument("--only", nargs="+", default=[], metavar="WORD")
    ask.add_argument("--fast", action="store_true", help="leave out what takes minutes")
    ask.add_argument("--again", action="store_true", help="measure what is there already, too")
    ask.add_argument("--times", action="store_true", help="time anew what is there, score nothing")
    ask.add_argument("--page", action="store_true", help="measure nothing, write the page")
    ask.add_argument("--cache", type=Path, default=ROOT / "leaderboard-cache")
    ask.add_argument("--docs", type=Path, default=DOCS, help="where the table goes")
    asked = ask.parse_args()
    asked.cache.mkdir(exist_ok=True)
    logging.disable(logging.WARNING)
    warnings.simplefilter("ignore")  # of the libraries' own, in the middle of a table
    words = [word.lower() for word in asked.only]
    cells = [cell for cell in planned(asked.fast) if not words or _place(cell, words) < len(words)]
    cells.sort(key=lambda cell: _place(cell, words))
    _keep_published(asked.docs, asked.cache)
    failed = 0
    for cell in [] if asked.page else cells:
        if asked.times:
            _timed(cell, asked.cache)
        else:
            failed += not _measured(cell, asked.cache, asked.again)
    write_page(collected(asked.cache), asked.docs)
    return 1 if failed else 0


class Planned:
    """One cell that can be measured: its set, its name, and how."""

    def __init__(
        self,
        recorded: RecordedSet,
        name: str,
        kind: str,
        recipe: Any,
        run: Callable[[Path], dict[str, Any]],
        time: Callable[[Path], dict[str, Any]] | None = None,
    ) -> None:
        self.recorded, self.name, self.kind = recorded, name, kind
        self.run, self.time = run, time
        content = json.dumps([recorded.name, recorded.split, recorded.score, kind, name, recipe])
        self.key = hashlib.sha256(content.encode()).hexdigest()[:16]


def planned(fast: bool) -> Iterator[Planned]:
    """Yield every cell, set by set."""
    for recorded in SETS:
        for variant in VARIANTS[recorded.task]:
            if not (fast and variant.slow):
                yield Planned(
                    recorded,
                    variant.name,
                    "ours",
                    described(recorded, variant),
                    lambda folder, r=recorded, v=variant: cell_of(r, v, folder).plain(),
                    lambda folder, r=recorded, v=variant: times_of(r, v, folder),
                )
        for peer in PEERS.get(recorded.task, ()):
            yield Planned(recorded, peer.name, "peer", peer.name, _of_peer(recorded, peer))


def _of_peer(recorded: RecordedSet, peer: Peer | OnRows) -> Callable[[Path], dict[str, Any]]:
    return lambda folder: offline(recorded, peer, folder)


def _place(cell: Planned, words: Sequence[str]) -> int:
    """Return which word is the first that the cell has; their number, if it has none."""
    text = f"{cell.recorded.name} {cell.recorded.task} {cell.name} {cell.kind}".lower()
    return next((i for i, word in enumerate(words) if word in text), len(words))


def _measured(cell: Planned, cache: Path, again: bool) -> bool:
    """Measure one cell, if it is not there; say whether it could be."""
    kept = cache / f"{cell.key}.json"
    if kept.exists() and not again:
        return True
    folder = cache / "recordings"
    begun = time.perf_counter()
    try:
        result = cell.run(folder)
    except (Mismatch, BadSession, BrokenPlugin, DeviceError, FileNotFoundError) as why:
        print(f"{cell.recorded.name} | {cell.name}: {why}", file=sys.stderr, flush=True)
        return False
    result |= {
        "set": cell.recorded.name,
        "split": cell.recorded.split,
        "decoder": cell.name,
        "of": cell.kind,
        "is_control": cell.recorded.control,
        "key": cell.key,
    }
    _keep(kept, result)
    low, high = result["ci95"]
    print(
        f"{cell.recorded.name} | {cell.name}: {result['score']} {result['value']:.3f} "
        f"[{low:.3f}, {high:.3f}], control {result['control']:.3f} "
        f"({time.perf_counter() - begun:.0f} s)",
        flush=True,
    )
    return True


def _keep(file: Path, result: dict[str, Any]) -> None:
    new = file.with_suffix(".new")
    new.write_text(json.dumps(result))
    new.rename(file)


def _timed(cell: Planned, cache: Path) -> None:
    """Time one cell anew, if it is there and has times."""
    kept = cache / f"{cell.key}.json"
    if cell.time is None or not kept.exists():
        return
    times = cell.time(cache / "recordings")
    _keep(kept, json.loads(kept.read_text()) | times)
    print(
        f"{cell.recorded.name} | {cell.name}: {times['p50_ms']:.2f} / {times['p99_ms']:.2f} ms",
        flush=True,
    )


def _keep_published(docs: Path, cache: Path) -> None:
    """Keep what was published and is not in the cache."""
    (cache / "recordings").mkdir(exist_ok=True)
    published = docs / "leaderboard.json"
    if not published.exists():
        return
    for cell in json.loads(published.read_text(encoding="utf-8"))["cells"]:
        file = cache / f"{cell['key']}.json"
        if not file.exists():
            _keep(file, cell)


def collected(cache: Path) -> list[dict[str, Any]]:
    """Return all cells that are kept and still planned, in the order of the plan."""
    found = [cache / f"{cell.key}.json" for cell in planned(fast=False)]
    return [json.loads(file.read_text()) for file in found if file.exists()]


if __name__ == "__main__":
    sys.exit(main())
