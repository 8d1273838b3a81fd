"""Scores in words: what `decoders.scores` says, for a person."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

__all__ = ["score_lines"]


def score_lines(metrics: Mapping[str, Any]) -> list[str]:
    """Return the lines that say how good decoded is, how good chance would be, how sure that is."""
    if "accuracy" in metrics:
        return _class_lines(metrics)
    if "pseudo_labels" in metrics:
        said = metrics["pseudo_labels"]
        return [
            f"learned from {said['learned']} of {said['heard']} utterances that it heard; on "
            "others what it hears differs from what the language makes of it by "
            f"{said['unlike_after']:.1%}, before {said['unlike_before']:.1%}"
        ]
    if "phoneme_error_rate" in metrics:
        return _speech_lines(metrics) + _word_lines(metrics.get("words"))
    return _continuous_lines(metrics)


def _class_lines(metrics: Mapping[str, Any]) -> list[str]:
    low, high = metrics["ci95"]
    lines = [
        f"accuracy {metrics['accuracy']:.1%} of {metrics['n']} trials "
        f"(95 % interval {low:.1%} to {high:.1%}), chance {metrics['chance']:.1%}"
    ]
    if "p_value" in metrics:
        lines[0] += f", p = {metrics['p_value']:.2g}"
    if "auc" in metrics:
        lines.append(f"AUC {metrics['auc']:.3f}")
        if "auc_ci95" in metrics:  # models of before have none
            low, high = metrics["auc_ci95"]
            lines[-1] += f" (95 % interval {low:.3f} to {high:.3f}), chance 0.5"
    lines += _uncertainty_lines(metrics)
    return lines + _confusion_lines(metrics["labels"], metrics["confusion"])


def _uncertainty_lines(metrics: Mapping[str, Any]) -> list[str]:
    lines = []
    if found := metrics.get("reliability"):
        found = found.get("after", found)  # a calibration has it before and after
        said = ", ".join(
            f"{row['said']:.2f} → {row['true']:.2f} ({row['n']})" for row in found["table"]
        )
        lines.append(f"probabilities are off by {found['ece']:.3f}; said → true: {said}")
    if uncued := metrics.get("uncued"):
        low, high = uncued["ci95"]
        lines.append(
            f"without a cue: {uncued['wrong']} of {uncued['decisions']} decisions wrong, "
            f"{uncued['error_rate']:.1%} (95 % interval {low:.1%} to {high:.1%}; stated "
            f"{uncued['stated']:.1%})"
        )
        if uncued["answered"] is not None and uncued["median_s"] is not None:
            lines.append(
                f"{uncued['answered']:.1%} of {uncued['wishes']} wishes answered, in the median "
                f"after {uncued['median_s']:.2f} s"
            )
    return lines


def _confusion_lines(labels: Sequence[str], confusion: Sequence[Sequence[int]]) -> list[str]:
    columns = [*labels, "nothing"]
    width = max(map(len, columns))
    head = " ".join(f"{c:>{width}}" for c in columns)
    rows = [
        f"{label:>{width}} │ " + " ".join(f"{n:>{width}}" for n in row)
        for label, row in zip(labels, confusion, strict=True)
    ]
    return [f"{'cued':>{width}} │ {head}   (decided)", *rows]


def _speech_lines(metrics: Mapping[str, Any]) -> list[str]:
    low, high = metrics["ci95"]
    return [
        f"phoneme error rate {metrics['phoneme_error_rate']:.1%} of {metrics['n_phonemes']} "
        f"phonemes in {metrics['n']} sentences (95 % interval {low:.1%} to {high:.1%}); held "
        f"against other sentences {metrics['chance']:.1%}, saying nothing 100.0%"
    ]


def _word_lines(words: Mapping[str, Any] | None) -> list[str]:
    if words is None:
        return []
    low, high = words["ci95"]
    lines = [
        f"word error rate {words['word_error_rate']:.1%} of {words['n_words']} words (95 % "
        f"interval {low:.1%} to {high:.1%}); held against other sentences {words['chance']:.1%}",
        f"{words['per_minute']:.0f} words a minute; {words['retracted']:.2f} interim words "
        "retracted for each final one",
    ]
    shown, told = words["interim_delay_s"], words["final_delay_s"]
    if shown is not None and told is not None:
        lines.append(
            f"after a word's end: shown after {shown['p50']:.2f} s (p95 {shown['p95']:.2f}), final "
            f"after {told['p50']:.2f} s (p95 {told['p95']:.2f})"
        )
    outside = words["outside"]
    lines.append(f"{outside['n']} words in {outside['minutes']:.1f} minutes outside of sentences")
    return lines


def _continuous_lines(metrics: Mapping[str, Any]) -> list[str]:
    each = zip(
        metrics["names"], metrics["r2"], metrics["ci95"], metrics["correlation"], strict=True
    )
    return [
        f"{name}: R² {r2:.3f} (95 % interval {low:.3f} to {high:.3f}), correlation {r:.3f}"
        for name, r2, (low, high), r in each
    ]
