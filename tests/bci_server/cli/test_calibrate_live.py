import pytest

from bci_server.cli.calibrate_live import _show


@pytest.mark.parametrize(("cued", "is_told"), [(12, False), (6, True)])
def test_trials_that_count_twice_are_told(capsys, cued, is_told):
    metrics = {
        "accuracy": 0.75,
        "ci95": (0.5, 0.9),
        "chance": 0.5,
        "n": 12,
        "labels": ["left", "right"],
        "confusion": [[5, 1, 0], [2, 4, 0]],
    }
    quality = {"n_gaps": 0, "n_lost": 0, "bad": 0.0}
    _show(
        {"trial": cued, "recording": "r.xdf", "quality": quality, "summary": {"metrics": metrics}}
    )
    said = capsys.readouterr()
    assert f"{cued} trials in r.xdf" in said.out
    assert ("markers" in said.err) is is_told
