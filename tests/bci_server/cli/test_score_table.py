from bci_server.cli.score_table import score_lines


def scores(labels, confusion, **more):
    return {
        "accuracy": 0.5,
        "ci95": (0.4, 0.6),
        "chance": 0.25,
        "n": 20,
        "labels": labels,
        "confusion": confusion,
        **more,
    }


def square(n, wrong):
    """n classes, one trial each that was right, and the mistakes {(cued, decided): how many}."""
    rows = [[int(i == j) for j in range(n + 1)] for i in range(n)]
    for (cued, decided), times in wrong.items():
        rows[cued][decided] = times
    return [str(i) for i in range(n)], rows


def test_few_classes_are_a_table():
    lines = score_lines(scores(*square(3, {(0, 2): 4})))
    assert [line.split("│")[0].strip() for line in lines[1:]] == ["cued", "0", "1", "2"]
    assert lines[2].split("│")[1].split() == ["1", "0", "4", "0"]


def test_of_many_classes_only_the_mistakes_are_told():
    lines = score_lines(scores(*square(32, {(3, 7): 2, (8, 32): 1})))
    assert lines[1:] == ["cued → decided, where that was wrong: 3 → 7 (2 times), 8 → nothing"]
    assert len(score_lines(scores(*square(32, {})))) == 1


def test_a_probability_of_next_to_nothing_is_not_called_nothing():
    few = square(2, {})
    assert "p = 0.02" in score_lines(scores(*few, p_value=0.02))[0]
    assert score_lines(scores(*few, p_value=0.0))[0].endswith("p < 1e-12")


def test_when_it_was_decided_and_what_was_spelled_is_told():
    spelled = {"text": ["T", "3", ""], "wanted": ["T", "3", "O"], "mean_s": 11.96}
    lines = score_lines(
        scores(
            *square(2, {}),
            mean_decision_s=2.066,
            stopping={"error": 0.005, "accuracy": 1.0, "mean_s": 1.94, "early": 1.0},
            spelled={**spelled, "accuracy": 2 / 3, "n": 3, "mean_flashes": 48.0},
        )
    )
    assert lines[1] == "decided 2.07 s after the cue in the mean"
    assert "100.0% right, 1.94 s after the cue" in lines[2]
    assert lines[3] == "spelled T3–, wanted T3O; 12.0 s and 48 flashes a character in the mean"


def test_what_was_active_without_a_trial_is_told():
    found = {"per_minute": 7.61, "minutes": 1.05, "threshold": 0.9, "dwell_s": 1.0}
    lines = score_lines(scores(*square(2, {}), false_activations=found))
    assert lines[1].startswith("7.6 false activations a minute in 1.1 minutes without a trial")
    never = {"per_minute": None, "minutes": 0.0, "threshold": 0.9, "dwell_s": 1.0}
    nothing = score_lines(scores(*square(2, {}), false_activations=never))
    assert nothing == score_lines(scores(*square(2, {})))
