"""A recurrent network of speech as ONNX graphs: whole, or in the two halves of a live step."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor, nn

from decoders.decoder import Training, Weights
from decoders.networks.speech_gru import GruShape
from decoders.speech.gru_arrays import floats, places
from decoders.speech.gru_graph_step import AHEAD, NOW
from decoders.speech.held_out_scores import score_sentences
from decoders.speech.spoken_sentences import held_out, spoken_sentences
from decoders.stage import Mismatch
from decoders.training.export import quantized, to_onnx
from decoders.training.gru_arrays import shape_of

if TYPE_CHECKING:
    from decoders.models.speech import Speech

__all__ = ["checked_int8", "halves", "whole"]

_MOST_LOST = 0.01


class _Gru(nn.Module):
    """The weights, each as the second factor of a product."""

    def __init__(self, weights: Weights) -> None:
        super().__init__()
        self.shape = shape_of(weights)
        order = np.argsort(places(self.shape.patch, self.shape.stride))
        # (patch * R, 3 U): a patch is one row, oldest first.
        first = floats(weights, "input")[order].transpose(0, 2, 1).reshape(-1, 3 * self.shape.units)
        early = (self.shape.patch - 1) * self.shape.width
        self._keep("first", first)
        self._keep("early", first[:early])
        self._keep("last", first[early:])
        for layer, matrix in enumerate(floats(weights, "deeper")):
            self._keep(f"deeper_{layer + 1}", matrix.T)
        for layer, matrix in enumerate(floats(weights, "hidden")):
            self._keep(f"hidden_{layer}", matrix.T)
        self._keep("input_bias", floats(weights, "input bias"))
        self._keep("hidden_bias", floats(weights, "hidden bias"))
        self._keep("output", floats(weights, "output").T)
        self._keep("output_bias", floats(weights, "output bias"))

    def _keep(self, name: str, array: NDArray[np.float32]) -> None:
        self.register_buffer(name, torch.from_numpy(np.array(array, order="C")))

    def recurrent(self, state: Tensor) -> Tensor:
        """Return (layers, 3 U) of the state (layers, U)."""
        parts = [state[n : n + 1] @ getattr(self, f"hidden_{n}") for n in range(self.shape.layers)]
        return torch.cat(parts) + self.hidden_bias

    def deeper(self, share: Tensor, ahead: Tensor, state: Tensor) -> tuple[Tensor, Tensor]:
        """Return (1, K) scores and the next state; `share`, (1, 3 U), is of the first layer."""
        states: list[Tensor] = []
        for layer in range(self.shape.layers):
            if layer:
                share = states[-1] @ getattr(self, f"deeper_{layer}")
            share = share + self.input_bias[layer : layer + 1]
            reset, update, new = share.chunk(3, dim=1)
            old_reset, old_update, old_new = ahead[layer : layer + 1].chunk(3, dim=1)
            reset, update = torch.sigmoid(reset + old_reset), torch.sigmoid(update + old_update)
            new = torch.tanh(new + reset * old_new)
            states.append(new + update * (state[layer : layer + 1] - new))
        return states[-1] @ self.output + self.output_bias, torch.cat(states)


class _Ahead(nn.Module):
    def __init__(self, gru: _Gru) -> None:
        super().__init__()
        self.gru = gru

    def forward(self, rows: Tensor, state: Tensor) -> tuple[Tensor, Tensor]:
        return rows @ self.gru.early, self.gru.recurrent(state)


class _Now(nn.Module):
    def __init__(self, gru: _Gru) -> None:
        super().__init__()
        self.gru = gru

    def forward(
        self, row: Tensor, share: Tensor, ahead: Tensor, state: Tensor
    ) -> tuple[Tensor, Tensor]:
        scores, following = self.gru.deeper(share + row @ self.gru.last, ahead, state)
        return scores, following


class _Whole(nn.Module):
    def __init__(self, gru: _Gru) -> None:
        super().__init__()
        self.gru = gru

    def forward(self, rows: Tensor, state: Tensor) -> tuple[Tensor, Tensor]:
        scores, following = self.gru.deeper(rows @ self.gru.first, self.gru.recurrent(state), state)
        return scores, following


def halves(weights: Weights) -> dict[str, NDArray[np.uint8]]:
    """Return the graphs of what can be done before a step's last row, and of what cannot."""
    gru = _Gru(weights)
    shape = gru.shape
    rows, state = _rows(shape, shape.patch - 1), torch.zeros(shape.layers, shape.units)
    share, ahead = torch.zeros(1, 3 * shape.units), torch.zeros(shape.layers, 3 * shape.units)
    now = {"row": _rows(shape, 1), "share": share, "ahead": ahead, "state": state}
    return {
        AHEAD: to_onnx(_Ahead(gru), {"rows": rows, "state": state}, ["share", "ahead"]),
        NOW: to_onnx(_Now(gru), now, ["scores", "next_state"]),
    }


def whole(weights: Weights) -> NDArray[np.uint8]:
    """Return the graph of a step in one piece."""
    gru = _Gru(weights)
    rows, state = _rows(gru.shape, gru.shape.patch), torch.zeros(gru.shape.layers, gru.shape.units)
    return to_onnx(_Whole(gru), {"rows": rows, "state": state}, ["scores", "next_state"])


def checked_int8(recipe: Speech, weights: Weights, training: Training) -> Weights:
    """Return `weights` with the two graphs in 8 bits, and ``int8_per``: the error rates of both.

    Raises
    ------
    Mismatch
        On the validation part, the phoneme error rate grows by more than 0.01.
    """
    found = spoken_sentences(training)
    held = zip(found, held_out(found, recipe.validation), strict=True)
    checking = training.part(np.isin(training.groups, [u.group for u, out in held if out]))
    small = {**weights, **{name: quantized(graph) for name, graph in halves(weights).items()}}
    before, after = (
        float(score_sentences(recipe, w, checking)["phoneme_error_rate"]) for w in (weights, small)
    )
    if after - before > _MOST_LOST:
        raise Mismatch(
            f"on the validation part the phoneme error rate is {before:.3f} with float32 weights "
            f'and {after:.3f} with 8-bit ones; set precision = "float32"'
        )
    return {**small, "int8_per": np.array([before, after])}


def _rows(shape: GruShape, n: int) -> Tensor:
    return torch.zeros(1, n * shape.width)
