"""The leaderboard as a page, a picture and JSON, from the cells that were measured."""

from __future__ import annotations

import json
import platform
from collections.abc import Iterator, Sequence
from importlib.metadata import version
from pathlib import Path
from typing import Any

__all__ = ["write_page"]

_HEAD = """\
# Leaderboard

Every decoder on every recorded set that suits it, and the peers' own pipelines on the same split.
Made by `python benchmarks/all_decoders.py`, which goes on where it was stopped; the numbers are in
[leaderboard.json](leaderboard.json). On recordings of your own: [`bci
leaderboard`](cli.md#bci-leaderboard).

- **Ours** are causal: they run through the code that runs live. *Peers'* pipelines are offline:
  whole trials, filters that look ahead. Both are fitted and tested on the same parts.
- In brackets: 95 % interval of the mean over the folds. Control: fitted on permuted labels, or, for
  velocities, the truth turned by 30 s: it must be at chance.
- Fit: processor seconds of one fit on all recordings. Step: of the decoder alone, on its own rows,
  one each 20 ms and the core idle between, with the priority of a live run; other work on the
  machine shows in p99. `--times` takes the steps anew, and the fits but those of networks, for all
  cells that are there. What more channels take: [classical](classical.md#time-and-size),
  [networks](deep.md).
- AUC: beside the accuracy of two classes, since MOABB scores two classes, and P300, by it. Whoever
  compares with its published tables: those of CCA and TRCA from before its pull request 1009 (March
  2026) are at chance, by a fault in the labels.
- *scikit-learn*'s and *PyntBCI*'s methods are given the rows that ours are given.
- Many decoders were compared on the same test parts: the best of a table is the best of many, and
  no session file was changed for it.

![Scores by set](leaderboard.svg)
"""


def write_page(cells: Sequence[dict[str, Any]], docs: Path) -> None:
    """Write ``leaderboard.md``, ``.json`` and ``.svg`` into `docs`."""
    if not cells:
        print("nothing is measured yet; the page is left as it is")
        return
    made_with = {name: version(name) for name in ("numpy", "scikit-learn", "pyriemann")}
    document = {"python": platform.python_version(), "versions": made_with, "cells": list(cells)}
    text = json.dumps(document, indent=1, ensure_ascii=False)
    (docs / "leaderboard.json").write_text(text + "\n", encoding="utf-8")
    (docs / "leaderboard.md").write_text("\n".join(_page(cells)) + "\n", encoding="utf-8")
    _picture(cells, docs / "leaderboard.svg")


def _page(cells: Sequence[dict[str, Any]]) -> Iterator[str]:
    yield _HEAD
    for name in dict.fromkeys(cell["set"] for cell in cells):
        rows = [cell for cell in cells if cell["set"] == name]
        first = rows[0]
        yield f"## {name}\n"
        yield (
            f"Score: {_name(first['score'])}; chance {first['chance']:.2f}; n = {first['n']}; "
            f"split: {_split(first)}.\n"
        )
        ranked = any("auc" in row for row in rows)
        heads = ["decoder", "score", *(["AUC"] if ranked else []), "control", "fit s"]
        heads += ["step p50 / p99 ms", "model kB"]
        yield f"| {' | '.join(heads)} |"
        yield "|---" * len(heads) + "|"
        yield from (_row(row, ranked) for row in sorted(rows, key=lambda r: -r["value"]))
        yield ""


def _row(cell: dict[str, Any], ranked: bool) -> str:
    low, high = cell["ci95"]
    timed = "p50_ms" in cell
    took = [
        f"{cell['fit_s']:.2f}" if timed else "",
        f"{cell['p50_ms']:.2f} / {cell['p99_ms']:.2f}" if timed else "",
        f"{cell['model_kb']:.1f}" if timed else "",
    ]
    name = cell["decoder"] if cell["of"] == "ours" else f"*{cell['decoder']}*"
    scores = [f"{cell['value']:.3f} [{low:.3f}, {high:.3f}]"]
    if ranked:
        scores.append(f"{cell['auc']:.3f}" if "auc" in cell else "")
    scores.append(f"{cell['control']:.3f}")
    return f"| {' | '.join([name, *scores, *took])} |"


def _name(score: str) -> str:
    return {"auc": "AUC", "r2": "R², mean over the axes"}.get(score, score)


def _split(cell: dict[str, Any]) -> str:
    return {
        "within": "blocks of consecutive trials left out",
        "first": "the first part fitted on, the last decoded",
    }.get(cell["split"], f"one {cell['split']} left out, in turn: {', '.join(cell['folds'])}")


_LEAST = -0.1
"""What is lower is drawn at the edge: a score of R² has no floor."""

_OURS, _PEERS = "tab:blue", "tab:orange"


def _picture(cells: Sequence[dict[str, Any]], file: Path) -> None:
    import matplotlib

    matplotlib.use("Agg")
    matplotlib.rcParams["svg.hashsalt"] = "leaderboard"  # the same cells, the same file
    import matplotlib.pyplot as plt

    names = list(dict.fromkeys(cell["set"] for cell in cells))
    figure, axes = plt.subplots(figsize=(11, 0.5 * len(names) + 1.2), layout="constrained")
    for at, name in enumerate(names):
        rows = [cell for cell in cells if cell["set"] == name]
        if at % 2:
            axes.axhspan(at - 0.5, at + 0.5, color="black", alpha=0.04, linewidth=0)
        _line(axes, at, [c for c in rows if c["of"] == "ours"], -0.2, "o", _OURS)
        _line(axes, at, [c for c in rows if c["of"] != "ours"], 0.2, "D", _PEERS)
        axes.plot([rows[0]["chance"]] * 2, [at - 0.4, at + 0.4], color="black", linewidth=1.2)
    axes.set_yticks(range(len(names)), [_counted(name, cells) for name in names])
    axes.tick_params(axis="y", length=0)
    axes.set_ylim(len(names) - 0.5, -0.5)
    axes.set_xlim(_LEAST - 0.02, 1.02)
    axes.set_xlabel(f"accuracy, AUC or R² (what is below {_LEAST} is drawn there)")
    axes.grid(axis="x", alpha=0.3)
    _legend(axes)
    figure.savefig(file, metadata={"Date": None} if file.suffix == ".svg" else None)
    plt.close(figure)


def _line(
    axes: Any, at: int, cells: Sequence[dict[str, Any]], shift: float, marker: str, color: str
) -> None:
    """Draw one set's decoders, theirs or ours, their controls, and the name of the best."""
    if not cells:
        return
    heights = [at + shift] * len(cells)
    controls = [max(cell["control"], _LEAST) for cell in cells]
    axes.plot(controls, heights, "x", color="gray", markersize=4, alpha=0.5)
    values = [max(cell["value"], _LEAST) for cell in cells]
    axes.plot(values, heights, marker, color=color, alpha=0.5, markersize=6, markeredgewidth=0)
    best = max(cells, key=lambda cell: cell["value"])
    low, high = best["ci95"]
    axes.plot([max(low, _LEAST), high], [at + shift] * 2, color=color, linewidth=1.2, alpha=0.8)
    axes.annotate(
        f"{best['value']:.2f}  {best['decoder']}",
        (1.01, at + shift),
        xycoords=("axes fraction", "data"),
        va="center",
        fontsize=8,
        color=color,
        annotation_clip=False,
    )


def _counted(name: str, cells: Sequence[dict[str, Any]]) -> str:
    of = [cell["of"] for cell in cells if cell["set"] == name]
    return f"{name}\n{of.count('ours')} of ours, {len(of) - of.count('ours')} of peers"


def _legend(axes: Any) -> None:
    from matplotlib.lines import Line2D

    def key(label: str, color: str, marker: str, line: str = "none") -> Line2D:
        return Line2D([], [], color=color, marker=marker, linestyle=line, label=label)

    axes.legend(
        handles=[
            key("ours, by the live path", _OURS, "o"),
            key("peers, offline", _PEERS, "D"),
            key("95 % interval of the best", "dimgray", "", "-"),
            key("labels permuted, or truth turned", "gray", "x"),
            key("chance", "black", "|"),
        ],
        loc="lower center",
        bbox_to_anchor=(0.5, 1.0),
        ncols=5,
        fontsize=8,
        frameon=False,
    )
