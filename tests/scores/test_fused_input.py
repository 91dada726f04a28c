"""What fused scores refuse, and what they say."""

from __future__ import annotations

import subprocess
import sys
from typing import Any

import pytest
import torch

import lossworks
from lossworks.core.errors import UsageError
from lossworks.scores import dense, fused
from scores.layer import CLASSES, LOSS, WIDTH

# --- bad input

HIDDEN, WEIGHT, TARGET = torch.randn(4, WIDTH), torch.randn(CLASSES, WIDTH), torch.tensor([0, 1, 2, 3])
BAD: dict[str, tuple[dict[str, Any], str]] = {
    "target's shape": ({"target": TARGET[:3]}, "one target a position"),
    "target's dtype": ({"target": TARGET.float()}, "class numbers"),
    "target out of range": ({"target": TARGET + 8}, r"target 11 at position \[3\] for 11 outcomes.*keep="),
    "ignored by a number": ({"target": TARGET.where(TARGET > 0, -100)}, r"keep = \(target != -100\)"),
    "weight's shape": ({"weight": WEIGHT.T}, r"Give \[V, D\]"),
    "dtypes mixed": ({"hidden": HIDDEN.bfloat16()}, "autocast"),
    "bias": ({"bias": torch.zeros(3)}, "for 11 outcomes"),
    "keep's dtype": ({"keep": TARGET}, "boolean"),
    "softcap": ({"softcap": 0.0}, "softcap"),
    "temperature": ({"temperature": -1.0}, "temperature"),
    "shift": ({"shift": 5}, "shift"),
    "a function as the head": ({"weight": lambda h: h @ WEIGHT.T}, "nn.Module"),
    "negatives": ({"negatives": TARGET}, "negatives"),
    "teacher": ({"teacher": dense(torch.zeros(3, CLASSES), TARGET[:3])}, "teacher"),
}


@pytest.mark.parametrize("name", BAD)
def test_bad_input(name: str) -> None:
    """What does not fit is said, with what was wanted."""
    given, said = BAD[name]
    with pytest.raises(UsageError, match=said):
        fused(**({"hidden": HIDDEN, "weight": WEIGHT, "target": TARGET} | given))


def test_what_fused_scores_refuse() -> None:
    """Logits, adjustment from outside, weights that want gradients, losses of another kind: each with its remedy."""
    view = fused(HIDDEN, WEIGHT, TARGET)
    for ask, said in (
        (lambda: view.logits, "scores.dense"),
        (lambda: view.adjusted(scale=2.0), "inside a loss"),
        (lambda: view.mean(LOSS, weights=torch.ones(4, requires_grad=True)), "no gradient"),
        (lambda: view.mean(LOSS, weights=torch.ones(3)), "weights"),
        (lambda: fused(HIDDEN, WEIGHT, TARGET, keep=TARGET > 1).rows(slice(2)), "without keep"),
        (lambda: lossworks.fused("huber", HIDDEN, WEIGHT, TARGET), "not over outcomes"),
        (lambda: view.sum(lambda logp, x: logp * x, torch.ones(CLASSES, requires_grad=True)), "no tensor besides"),
        (lambda: view.expected_logp(torch.ones(CLASSES, requires_grad=True)), "no tensor besides"),
        (lambda: view.mean(LOSS, denom=torch.ones((), requires_grad=True)), "divided by"),
        (lambda: view.mean(LOSS, also="argmax"), "a list of names"),
        (lambda: view.mean(LOSS, also=["logits"]), "a list of names"),
        (lambda: view.mean(lambda s: s.logp.sum()), "Want one each"),
    ):
        with pytest.raises(UsageError, match=said):
            ask()


def test_importing_loads_no_compiler() -> None:
    """PyTorch's compiler takes a second to load: only those who compile wait for it."""
    program = (
        "import sys, lossworks.losses as room, lossworks.training; list(room.losses); assert 'torch._dynamo' not in sys.modules"
    )
    subprocess.run([sys.executable, "-c", program], check=True)
