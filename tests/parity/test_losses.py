"""Our losses give what other packages' give; ``make_loss_reference.py`` says how their numbers were made."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest
import torch
from torch import Tensor

from lossworks import losses
from lossworks.losses import KTO, ORPO, Pairs, PreferenceLoss
from lossworks.losses.kto import kl_baseline

FOUND: dict[str, Any] = json.loads(Path(__file__).with_name("loss_reference.json").read_text())


def given(run: dict[str, Any]) -> dict[str, Tensor]:
    """What the other package was given: classes, and numbers that ask for gradients."""
    return {
        name: torch.tensor(value) if name == "target" else torch.tensor(value, dtype=torch.float64, requires_grad=True)
        for name, value in run["given"].items()
    }


def agree(values: Tensor, inputs: dict[str, Tensor], run: dict[str, Any]) -> None:
    """Values and gradients are those recorded; the reference model's gradient, which we do not have, is not asked for."""
    wanted = torch.tensor(run["values"], dtype=torch.float64)
    torch.testing.assert_close(values, wanted, rtol=1e-12, atol=1e-12)
    for name in inputs:
        if name in run["gradients"] and not name.startswith("reference"):
            slope = torch.autograd.grad(values.sum(), inputs[name], retain_graph=True)[0]
            torch.testing.assert_close(slope, torch.tensor(run["gradients"][name], dtype=torch.float64), rtol=1e-12, atol=1e-12)


def preferences(spec: str, tensors: dict[str, Tensor]) -> Tensor:
    """Our loss in the form of TRL's."""
    loss = losses.build(spec)
    assert isinstance(loss, PreferenceLoss)
    if isinstance(loss, KTO):  # TRL's answers need not be in pairs: the good ones, then the bad ones
        baseline = kl_baseline(tensors["mismatched"], tensors["reference_mismatched"])
        logp = torch.cat([tensors["chosen"], tensors["rejected"]])
        reference = torch.cat([tensors["reference_chosen"], tensors["reference_rejected"]])
        return loss.answers(logp, reference, torch.arange(len(logp)) < len(logp) // 2, baseline)
    once = torch.ones(len(tensors["chosen"]), dtype=torch.int64)  # what TRL is given are averages already
    ours = loss.preferences(Pairs(chosen_length=once, rejected_length=once, **tensors))
    return -(ours + tensors["chosen"]) if isinstance(loss, ORPO) else ours


@pytest.mark.parametrize("name", FOUND["entmax"])
def test_the_entmax_package(name: str) -> None:
    """Sparsemax and 1.5-entmax, whether the outcomes lie near the largest or far from it."""
    run = FOUND["entmax"][name]
    inputs = given(run)
    agree(losses.build(name.split()[0])(inputs["X"], inputs["target"]), inputs, run)


@pytest.mark.parametrize("spec", FOUND["trl"])
def test_trl(spec: str) -> None:
    """DPO, IPO, KTO, ORPO and SimPO."""
    run = FOUND["trl"][spec]
    inputs = given(run)
    agree(preferences(spec, inputs), inputs, run)


def test_another_beta_would_be_seen() -> None:
    """The numbers tell a loss from one with a hyperparameter a hundredth off."""
    run = FOUND["trl"]["dpo:beta=0.2"]
    inputs = given(run)
    with pytest.raises(AssertionError):
        agree(preferences("dpo:beta=0.202", inputs), inputs, run)
