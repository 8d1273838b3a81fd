"""Checkpoints in exactly the layout of the public baseline, made here."""

from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from torch import Tensor, nn

from decoders.decoder import Moment
from decoders.models.speech import Speech
from decoders.output import Prediction
from decoders.pipeline import Pipeline
from decoders.stage import Mismatch
from decoders.training.brain_to_text import bring_in_baseline, read_baseline
from devices.signal import Chunk
from devices.speech.phonemes import CLASSES

F, U, L, PATCH, STRIDE, DAYS = 6, 5, 3, 14, 4, 2
RECIPE = Speech(units=U, layers=L, patch=PATCH, stride=STRIDE)
STEPS = Pipeline(0.02)

ARGS = f"""
model:
  n_input_features: {F} # number of input features in the neural data
  n_units: {U}
  rnn_dropout: 0.4
  rnn_trainable: true
  n_layers: {L}
  patch_size: {PATCH}
  patch_stride: {STRIDE}
  input_network:
    n_input_layers: 1
    input_layer_sizes:
    - {F}
    input_trainable: true
    input_layer_dropout: 0.2
gpu_number: '1'
mode: train
lr_max: 0.005
dataset:
  data_transforms:
    white_noise_std: 1.0
    smooth_kernel_std: 2
  neural_dim: {F}
  n_classes: 41
  sessions:
  - t15.2023.08.11
  - t15.2023.08.13
  dataset_probability_val:
  - 0
  - 1
"""


def modules() -> tuple[nn.GRU, nn.Linear, dict[str, Tensor]]:
    torch.manual_seed(4)
    gru, out = nn.GRU(F * PATCH, U, L, batch_first=True), nn.Linear(U, 41)
    state = {f"day_weights.{day}": torch.eye(F) + 0.3 * torch.randn(F, F) for day in range(DAYS)}
    state |= {f"day_biases.{day}": 0.3 * torch.randn(1, F) for day in range(DAYS)}
    state |= {f"gru.{k}": v.detach().clone() for k, v in gru.state_dict().items()}
    state |= {f"out.{k}": v.detach().clone() for k, v in out.state_dict().items()}
    return gru, out, state | {"h0": torch.randn(1, 1, U)}


def checkpoint(folder: Path, state: dict[str, Tensor], **more: Any) -> tuple[Path, Path]:
    """Write what the baseline's trainer writes; it was compiled, so names begin so."""
    optimizer = torch.optim.AdamW([nn.Parameter(torch.zeros(2))])
    scheduler = torch.optim.lr_scheduler.LambdaLR(optimizer, lambda step: 1.0)
    torch.save(
        {
            "model_state_dict": {f"_orig_mod.{k}": v for k, v in state.items()},
            "optimizer_state_dict": optimizer.state_dict(),
            "scheduler_state_dict": scheduler.state_dict(),
            "val_PER": 0.1,
            "val_loss": np.float64(0.3),
            **more,
        },
        folder / "best_checkpoint",
    )
    (folder / "args.yaml").write_text(ARGS)
    return folder / "best_checkpoint", folder / "args.yaml"


def by_the_baseline(rows: Tensor) -> Tensor:
    """Return the probabilities of the newest day, as the baseline's forward pass computes them."""
    gru, out, state = modules()
    day = DAYS - 1
    x = rows @ state[f"day_weights.{day}"] + state[f"day_biases.{day}"]
    x = nn.functional.softsign(x)
    patches = torch.stack(
        [x[i : i + PATCH].reshape(-1) for i in range(0, len(x) - PATCH + 1, STRIDE)]
    )
    with torch.no_grad():
        hidden, _ = gru(patches[None], state["h0"].expand(L, 1, U).contiguous())
        return torch.softmax(out(hidden)[0], dim=1)


def test_a_checkpoint_says_live_what_the_baseline_says(tmp_path: Path) -> None:
    model = bring_in_baseline(*checkpoint(tmp_path, modules()[2]), STEPS, RECIPE)
    rows = torch.randn(70, F, generator=torch.Generator().manual_seed(1)) * 3
    run = model.run(model.signal, STEPS, RECIPE)
    said = [
        output.probabilities
        for decoded in run.feed(Chunk(np.arange(70) / 50.0, rows.numpy()))
        for output in decoded.outputs
        if isinstance(output, Prediction)
    ]
    assert np.abs(np.array(said) - by_the_baseline(rows).numpy()).max() < 1e-5
    assert model.signal.channels == ("tx-000", "tx-001", "tx-002", "sbp-000", "sbp-001", "sbp-002")
    assert model.labels == CLASSES


def test_a_row_keeps_its_size(tmp_path: Path) -> None:
    """The baseline cuts nothing, so a row of 100 deviations is read as it is."""
    model = bring_in_baseline(*checkpoint(tmp_path, modules()[2]), STEPS, RECIPE)
    rows = torch.full((PATCH, F), 100.0)
    rows[:, 0] = -30
    decoding = model.starter(RECIPE)(model.signal)
    (said,) = decoding(Chunk(np.arange(PATCH) / 50.0, rows.numpy()), Moment(PATCH - 1, 0.0))
    assert isinstance(said, Prediction)
    assert np.abs(np.array(said.probabilities) - by_the_baseline(rows).numpy()).max() < 1e-5


def test_names_and_shapes_that_are_not_the_arguments_are_listed(tmp_path: Path) -> None:
    state = modules()[2]
    state["gru.weight_hh_l1"] = torch.zeros(3 * U, U + 1)
    state["more"] = state.pop("day_weights.1")
    with pytest.raises(
        Mismatch,
        match=r"day_weights.1 is missing; more is unknown; gru.weight_hh_l1 is \[15, 6\], not "
        r"\[15, 5\]",
    ):
        read_baseline(*checkpoint(tmp_path, state))


def test_what_is_not_a_number_is_refused(tmp_path: Path) -> None:
    state = modules()[2]
    state["h0"][0, 0, 0] = float("nan")
    with pytest.raises(Mismatch, match="h0 is not finite"):
        read_baseline(*checkpoint(tmp_path, state))


class Harmful:
    def __reduce__(self) -> tuple[Any, ...]:
        return (Path.touch, (Path("harm"),))


def test_a_checkpoint_that_would_run_code_is_refused(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)
    with pytest.raises(Mismatch, match="tensors and numbers alone, and nothing else is read"):
        read_baseline(*checkpoint(tmp_path, modules()[2], harm=Harmful()))
    assert not (tmp_path / "harm").exists()


def test_a_file_of_something_else_is_refused(tmp_path: Path) -> None:
    _, args = checkpoint(tmp_path, {})
    torch.save({"weights": 1}, tmp_path / "other")
    with pytest.raises(Mismatch, match="no model_state_dict"):
        read_baseline(tmp_path / "other", args)
    (tmp_path / "text").write_text("no checkpoint")
    with pytest.raises(Mismatch, match="no checkpoint of tensors"):
        read_baseline(tmp_path / "text", args)
    (tmp_path / "args.yaml").write_text("model: 3")
    with pytest.raises(Mismatch, match="are no arguments of the baseline"):
        read_baseline(tmp_path / "other", args)


def test_a_session_of_another_shape_is_refused_with_both_values(tmp_path: Path) -> None:
    with pytest.raises(Mismatch, match="the checkpoint has units = 5; the session has 7"):
        bring_in_baseline(*checkpoint(tmp_path, modules()[2]), STEPS, replace(RECIPE, units=7))
    fewer = Pipeline(0.02, channels=("a", "b"))
    with pytest.raises(Mismatch, match="reads 6 features; the session's steps put out 2"):
        bring_in_baseline(*checkpoint(tmp_path, modules()[2]), fewer, RECIPE)
