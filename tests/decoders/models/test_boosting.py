import numpy as np
import pytest

from decoders.models.boosting import Boosting
from tests.contract.trainings import class_training


def test_it_is_fitted_on_one_thread_however_late_the_library_is_loaded(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    from sklearn.ensemble import HistGradientBoostingClassifier as Model
    from sklearn.utils._openmp_helpers import _openmp_effective_n_threads as n_threads
    from threadpoolctl import threadpool_limits

    seen = []
    fit = Model.fit

    def watched(self: Model, x: np.ndarray, y: np.ndarray) -> Model:
        seen.append(n_threads())
        return fit(self, x, y)

    monkeypatch.setattr(Model, "fit", watched)
    with threadpool_limits(2):
        Boosting().fit(class_training(2))
    assert seen == [1]
