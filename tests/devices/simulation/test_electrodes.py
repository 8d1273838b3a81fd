import numpy as np

from devices.simulation.electrodes import ELECTRODES, positions, spread


def test_there_are_64_each_once_on_the_sphere():
    assert len(set(ELECTRODES)) == 64
    np.testing.assert_allclose(np.linalg.norm(positions(ELECTRODES), axis=1), 1.0)


def test_left_is_left_and_the_nose_is_in_front():
    where = dict(zip(ELECTRODES, positions(ELECTRODES), strict=True))
    assert where["C3"][0] < -0.5 < 0.5 < where["C4"][0]
    assert where["Fpz"][1] > 0.9
    assert where["Oz"][1] < -0.9
    assert where["Cz"][2] > 0.95
    for left, right in [("C3", "C4"), ("O1", "O2"), ("T7", "T8"), ("F7", "F8")]:
        np.testing.assert_allclose(where[left] * (-1, 1, 1), where[right], atol=0.05)


def test_a_source_is_seen_best_above_itself_and_less_farther_off():
    (c3,) = spread(ELECTRODES, ("C3",)).T
    seen = dict(zip(ELECTRODES, c3, strict=True))
    assert seen["C3"] == 1.0
    assert 1 > seen["C1"] > seen["Cz"] > seen["C2"] > seen["C4"] > seen["T8"]
