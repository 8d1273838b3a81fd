"""A decoder written exactly as FALCON's ``BCIDecoder`` asks for, without their package."""

import numpy as np


class LinearDecoder:
    """Says what a fixed matrix makes of the last few bins; counts what it is told."""

    def __init__(self, task_config=None, batch_size=1, seed=0, history=3, n_outputs=2):
        self._task_config = task_config
        self.batch_size = batch_size
        self._history, self._n_outputs = int(history), int(n_outputs)
        self._seed = int(seed)
        self.told = []

    def reset(self, dataset_tags=("",)):
        assert len(dataset_tags) == self.batch_size
        self.told.append(("reset", list(dataset_tags)))
        self._bins = None

    def predict(self, neural_observations):
        self.observe(neural_observations)
        flat = self._bins.reshape(self.batch_size, -1)
        matrix = np.random.default_rng(self._seed).standard_normal((flat.shape[1], self._n_outputs))
        return flat @ matrix / flat.shape[1]

    def observe(self, neural_observations):
        batch, n = neural_observations.shape
        assert batch == self.batch_size
        if self._bins is None:
            self._bins = np.zeros((batch, self._history, n))
        self._bins = np.roll(self._bins, -1, axis=1)
        self._bins[:, -1] = neural_observations

    def on_done(self, dones):
        assert dones.shape == (self.batch_size,)
        self.told.append(("done", dones.tolist()))

    def set_batch_size(self, batch_size):
        self.batch_size = batch_size
