"""Scores in words: what `decoders.scoring.scores` says, for a person."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

__all__ = ["score_lines"]

_MOST_CLASSES = 12
"""Of more classes than fit beside each other, only the mistakes are listed."""

_DECIDED = {
    "before_last": "by one before its last",
    "last": "by its last",
    "boundary": "by the boundary after it",
    "later": "by one after that",
    "never": "by none: from its last",
}


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
        p = metrics["p_value"]
        lines[0] += f", p = {p:.2g}" if p >= 1e-12 else ", p < 1e-12"
    if "auc" in metrics:
        lines.append(f"AUC {metrics['auc']:.3f}")
        if "auc_ci95" in metrics:  # models of before have none
            low, high = metrics["auc_ci95"]
            lines[-1] += f" (95 % interval {low:.3f} to {high:.3f}), chance 0.5"
    lines += _decision_lines(metrics) + _uncertainty_lines(metrics)
    if len(metrics["labels"]) > _MOST_CLASSES:
        return lines + _mistake_lines(metrics["labels"], metrics["confusion"])
    return lines + _confusion_lines(metrics["labels"], metrics["confusion"])


def _decision_lines(metrics: Mapping[str, Any]) -> list[str]:
    lines = []
    if metrics.get("mean_decision_s") is not None:
        lines.append(f"decided {metrics['mean_decision_s']:.2f} s after the cue in the mean")
    if (stopping := metrics.get("stopping")) and stopping["mean_s"] is not None:
        lines.append(
            f"stopping at an error of {stopping['error']:g}, on trials that it was learned on: "
            f"{stopping['accuracy']:.1%} right, {stopping['mean_s']:.2f} s after the cue in the "
            "mean"
        )
    if spelled := metrics.get("spelled"):
        text, truth = (_written(spelled[key]) for key in ("text", "wanted"))
        lines.append(f"spelled {text}, wanted {truth}")
        if spelled["mean_s"] is not None:
            lines[-1] += (
                f"; {spelled['mean_s']:.1f} s and {spelled['mean_flashes']:.0f} flashes a "
                "character in the mean"
            )
    activations = metrics.get("false_activations")
    if activations and activations["per_minute"] is not None:
        lines.append(
            f"{activations['per_minute']:.1f} false activations a minute in "
            f"{activations['minutes']:.1f} minutes without a trial (a class at "
            f"{activations['threshold']:g} or more for {activations['dwell_s']:g} s)"
        )
    return lines


def _written(characters: Sequence[str]) -> str:
    """Return characters as one word; a dash stands for what is not known."""
    return ("" if max(map(len, characters), default=0) < 2 else " ").join(
        character or "–" for character in characters
    )


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


def _mistake_lines(labels: Sequence[str], confusion: Sequence[Sequence[int]]) -> list[str]:
    columns = [*labels, "nothing"]
    wrong = [
        f"{label} → {decided}" + (f" ({n} times)" if n > 1 else "")
        for label, row in zip(labels, confusion, strict=True)
        for decided, n in zip(columns, row, strict=True)
        if n and decided != label
    ]
    return [f"cued → decided, where that was wrong: {', '.join(wrong)}"] if wrong else []


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
    if after := words["after_phoneme"]:
        heading = f"after the last phoneme of {after['n']} words that were right"
        lines.append(_prompt_line(heading, after))
    if after := words.get("after_deciding_phoneme"):  # evaluations of before have none
        by = ", ".join(f"{n} {_DECIDED[name]}" for name, n in after["decided"].items() if n)
        heading = f"after the phoneme that decides each of {after['n']} ({by})"
        lines.append(_prompt_line(heading, after))
        heading = "the same, from the last phoneme of those that are decided before it"
        lines.append(_prompt_line(heading, after["once_said"]))
    outside = words["outside"]
    lines.append(f"{outside['n']} words in {outside['minutes']:.1f} minutes outside of sentences")
    return lines


def _prompt_line(heading: str, after: Mapping[str, Any]) -> str:
    first, stayed = after["first"], after["stayed"]
    return (
        f"{heading}: shown after {first['p50']:.2f} s (p95 {first['p95']:.2f}; "
        f"{first['within_300_ms']:.1%} within 0.3 s), to stay after {stayed['p50']:.2f} s (p95 "
        f"{stayed['p95']:.2f}; {stayed['within_300_ms']:.1%})"
    )


def _continuous_lines(metrics: Mapping[str, Any]) -> list[str]:
    each = zip(
        metrics["names"], metrics["r2"], metrics["ci95"], metrics["correlation"], strict=True
    )
    return [
        f"{name}: R² {r2:.3f} (95 % interval {low:.3f} to {high:.3f}), correlation {r:.3f}"
        for name, r2, (low, high), r in each
    ]
