"""A foreign network: logistic regression, say, that somebody wrote down as an ONNX graph."""

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from decoders.classifying.linear import check_classes
from decoders.decoder import Training, Weights
from decoders.models.onnx import Onnx as Recipe
from decoders.onnx.graph import GRAPH
from decoders.stage import Mismatch
from tests.contract.trainings import Case, class_training, continuous_training


@dataclass(frozen=True)
class Onnx(Recipe):
    """The recipe, which somebody else's tools "fit": its rows and weights are drawn at random."""

    def fit(self, training: Training) -> Weights:
        if self.says != "values":
            check_classes(training)
        elif len(training.features) < 2:
            raise Mismatch("too few rows")
        return {GRAPH: np.frombuffer(graph_of(self, training), np.uint8)}


def matrix(recipe: Recipe, training: Training) -> NDArray[np.float32]:
    history = 3 if recipe.says == "values" else 1
    shape = (history * training.features.shape[1], len(training.labels))
    return np.random.default_rng(8).standard_normal(shape).astype(np.float32) / 4


def graph_of(recipe: Recipe, training: Training) -> bytes:
    from onnx import TensorProto, helper, numpy_helper

    weights = matrix(recipe, training)
    names = ["flat", "said"] if recipe.says == "probabilities" else ["flat", "scores"]
    nodes = [
        helper.make_node("Flatten", ["rows"], ["flat"]),
        helper.make_node("MatMul", ["flat", "weights"], ["scores"]),
    ]
    if recipe.says == "probabilities":
        nodes.append(helper.make_node("Softmax", ["scores"], ["said"], axis=1))
    width = training.features.shape[1]
    rows, classes = [1, len(weights) // width, width], [1, weights.shape[1]]
    graph = helper.make_graph(
        nodes,
        "foreign",
        [helper.make_tensor_value_info("rows", TensorProto.FLOAT, rows)],
        [helper.make_tensor_value_info(names[1], TensorProto.FLOAT, classes)],
        [numpy_helper.from_array(weights, "weights")],
    )
    model = helper.make_model(graph, opset_imports=[helper.make_opsetid("", 17)], ir_version=8)
    return model.SerializeToString()


def by_numpy(recipe: Recipe, training: Training) -> NDArray[np.float64]:
    weights = matrix(recipe, training).astype(np.float64)
    history = len(weights) // training.features.shape[1]
    said = []
    for group in np.unique(training.groups):
        rows = training.features[training.groups == group]
        if recipe.says != "values":
            history = 1
        said += [
            rows[i - history + 1 : i + 1].ravel() @ weights for i in range(history - 1, len(rows))
        ]
    scores = np.array(said)
    if recipe.says == "values":
        return scores
    powers = np.exp(scores - scores.max(axis=1, keepdims=True))
    return powers / powers.sum(axis=1, keepdims=True)


CASES = [
    Case(Onnx("probabilities"), class_training(3), by_numpy),
    Case(Onnx("scores", "rows", "scores"), class_training(2), by_numpy),
    Case(Onnx("values"), continuous_training(), by_numpy),
]
