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
  one each 20 ms and the core idle between; `--times` takes both anew, for all cells that are there.
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
        yield "| decoder | score | control | fit s | step p50 / p99 ms | model kB |"
        yield "|---|---|---|---|---|---|"
        yield from (_row(row) for row in sorted(rows, key=lambda r: -r["value"]))
        yield ""


def _row(cell: dict[str, Any]) -> str:
    low, high = cell["ci95"]
    ours = cell["of"] == "ours"
    took = [
        f"{cell['fit_s']:.2f}" if ours else "",
        f"{cell['p50_ms']:.2f} / {cell['p99_ms']:.2f}" if ours else "",
        f"{cell['model_kb']:.1f}" if ours else "",
    ]
    name = cell["decoder"] if ours else f"*{cell['decoder']}*"
    score = f"{cell['value']:.3f} [{low:.3f}, {high:.3f}]"
    return f"| {name} | {score} | {cell['control']:.3f} | {' | '.join(took)} |"


def _name(score: str) -> str:
    return {"auc": "AUC", "r2": "R², mean over the axes"}.get(score, score)


def _split(cell: dict[str, Any]) -> str:
    return {
        "within": "blocks of consecutive trials left out",
        "first": "the first part fitted on, the last decoded",
    }.get(cell["split"], f"one {cell['split']} left out, in turn: {', '.join(cell['folds'])}")


def _picture(cells: Sequence[dict[str, Any]], file: Path) -> None:
    import matplotlib

    matplotlib.use("Agg")
    matplotlib.rcParams["svg.hashsalt"] = "leaderboard"  # the same cells, the same file
    import matplotlib.pyplot as plt

    names = list(dict.fromkeys(cell["set"] for cell in cells))
    figure, axes = plt.subplots(figsize=(9, 0.45 * len(names) + 1.2), layout="constrained")
    for at, name in enumerate(names):
        for cell in (c for c in cells if c["set"] == name):
            ours = cell["of"] == "ours"
            axes.plot(
                max(cell["value"], -0.1),
                at + (-0.12 if ours else 0.12),
                "o" if ours else "D",
                color="tab:blue" if ours else "tab:orange",
                alpha=0.6,
                markersize=5,
            )
            axes.plot(cell["chance"], at, "|", color="black", markersize=14)
            axes.plot(max(cell["control"], -0.1), at, "x", color="gray", markersize=4, alpha=0.5)
    axes.set_yticks(range(len(names)), names)
    axes.invert_yaxis()
    axes.set_xlim(-0.12, 1.02)
    axes.set_xlabel("accuracy, AUC or R²")
    axes.grid(axis="x", alpha=0.3)
    axes.set_title("● ours, live path   ◆ peers, offline   | chance   × control", fontsize=9)
    figure.savefig(file, metadata={"Date": None})
    plt.close(figure)
