"""The table and the plots of ``sernn.py``."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from pathlib import Path
from typing import Any

import numpy as np

from benchmarks.sernn_sweep import PENALTIES, Job, Result, read
from decoders.networks.spatial import distances, grid

__all__ = ["plots", "table"]

_SHOWN = {
    "modularity": "modularity Q",
    "modularity_null": "Q at random",
    "small_worldness": "small-worldness",
    "distance_correlation": "size ~ distance",
    "wire_length": "wire length",
    "sparsity": "near 0",
}
_LEARNED = {"maze": 0.9, "kinematics": 0.8}
"""Least score of a network that has learned its task; mean R² relative to the best penalty-free."""

_DRAWN = ("modularity", "small_worldness", "distance_correlation")
_TESTED = (*_DRAWN, "wire_length", "sparsity")
_FEWEST = 3
"""Networks of each of two kinds that a test needs."""

_COLOURS = {"none": "0.5", "l1": "tab:blue", "sernn": "tab:red"}
_SHAPE = (5, 5, 4)


def table(jobs: Sequence[Job], folder: Path) -> str:
    """Return what was measured, as Markdown: mean ± deviation over seeds."""
    parts = []
    for task in dict.fromkeys(job.task for job in jobs):
        found = _done(jobs, folder, task)
        if not found:
            continue
        head = ["penalty", "strength", "n", "score", *_SHOWN.values()]
        lines = [f"## {task}", "", _row(head), _row(["---"] * len(head))]
        for penalty, strength in dict.fromkeys((r.job.penalty, r.job.strength) for r in found):
            these = [r for r in found if (r.job.penalty, r.job.strength) == (penalty, strength)]
            lines.append(_row([penalty, f"{strength:g}", str(len(these)), *_cells(these)]))
        parts.append("\n".join([*lines, "", *_comparison(found, task)]))
    return "\n\n".join(parts) + "\n"


def _comparison(found: Sequence[Result], task: str) -> list[str]:
    """Say, of the networks that learned the task, how those of each penalty differ."""
    from scipy.stats import mannwhitneyu

    free = [r.score for r in found if r.job.penalty == "none"]
    least = _LEARNED[task] * (1.0 if task == "maze" else float(np.mean(free)) if free else 1.0)
    learned = {p: [r for r in found if r.job.penalty == p and r.score >= least] for p in PENALTIES}
    lines = [f"Networks that learned it (score ≥ {least:.2f}):", ""]
    head = ["penalty", "", "n", "score", *_SHOWN.values()]
    lines += [_row(head), _row(["---"] * len(head))]
    lines += [_row([p, "", str(len(r)), *_cells(r)]) for p, r in learned.items() if r]
    for other in ("l1", "none"):
        if min(len(learned["sernn"]), len(learned[other])) < _FEWEST:
            continue
        tests = []
        for name in _TESTED:
            a, b = ([r.measures[name] for r in learned[p]] for p in ("sernn", other))
            tests.append(f"{_SHOWN[name]} p = {mannwhitneyu(a, b).pvalue:.2g}")
        lines += ["", f"sernn against {other} (Mann-Whitney): {'; '.join(tests)}."]
    return lines


def _cells(results: Sequence[Result]) -> list[str]:
    columns = [[r.score for r in results]]
    columns += [[r.measures[name] for r in results] for name in _SHOWN]
    return [f"{np.mean(c):.2f} ± {np.std(c):.2f}" for c in columns]


def _row(cells: Iterable[str]) -> str:
    return f"| {' | '.join(cells)} |"


def _done(jobs: Sequence[Job], folder: Path, task: str) -> list[Result]:
    found = (read(job, folder) for job in jobs if job.task == task)
    return [result for result in found if result is not None]


def plots(jobs: Sequence[Job], folder: Path) -> list[Path]:
    """Draw, for each task, the measures against the score, and weights against distance."""
    import matplotlib as mpl

    mpl.use("agg")
    written = []
    for task in dict.fromkeys(job.task for job in jobs):
        found = _done(jobs, folder, task)
        if found:
            written += [_measures(found, folder, task), _wires(found, folder, task)]
    return written


def _measures(found: Sequence[Result], folder: Path, task: str) -> Path:
    from matplotlib import pyplot as plt

    figure, all_axes = plt.subplots(1, 3, figsize=(12, 3.6), layout="constrained")
    for axes, name in zip(all_axes, _DRAWN, strict=True):
        for penalty in PENALTIES:
            these = [r for r in found if r.job.penalty == penalty]
            scores, values = [r.score for r in these], [r.measures[name] for r in these]
            axes.scatter(scores, values, s=16, color=_COLOURS[penalty], label=penalty, alpha=0.8)
        axes.set(xlabel="score", ylabel=_SHOWN[name])
    all_axes[0].axhline(
        float(np.mean([r.measures["modularity_null"] for r in found])), color="k", lw=0.8, ls=":"
    )
    all_axes[1].axhline(1.0, color="k", lw=0.8, ls=":")
    all_axes[2].axhline(0.0, color="k", lw=0.8, ls=":")
    all_axes[0].legend()
    figure.suptitle(f"{task}: each point a network; dotted: random graphs")
    return _save(figure, folder / f"{task}-measures.png")


def _wires(found: Sequence[Result], folder: Path, task: str) -> Path:
    """Draw one network of each penalty: the most regularised one that learned the task."""
    from matplotlib import pyplot as plt

    best = max(r.score for r in found)
    figure, all_axes = plt.subplots(2, 3, figsize=(12, 7), layout="constrained")
    distance = distances(grid(_SHAPE))
    others = ~np.eye(len(distance), dtype=bool)
    for (top, below), penalty in zip(all_axes.T, PENALTIES, strict=True):
        these = [r for r in found if r.job.penalty == penalty and r.score >= 0.9 * best]
        if not these:
            continue
        chosen = max(these, key=lambda r: (r.job.strength, -r.job.seed))
        size = np.abs(chosen.weights)
        top.imshow(size, cmap="magma", vmax=np.quantile(size, 0.995))
        top.set(title=f"{penalty} {chosen.job.strength:g}, score {chosen.score:.2f}")
        below.scatter(distance[others], size[others], s=2, color=_COLOURS[penalty], alpha=0.3)
        below.set(xlabel="distance", ylabel="size of the weight")
    return _save(figure, folder / f"{task}-weights.png")


def _save(figure: Any, path: Path) -> Path:
    from matplotlib import pyplot as plt

    figure.savefig(path, dpi=110)
    plt.close(figure)
    return path
