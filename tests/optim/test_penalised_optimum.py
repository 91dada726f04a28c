"""With an L1 or L2 penalty the optimisers end where scikit-learn's logistic regression does."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest
import torch
from sklearn.linear_model import LogisticRegression
from torch import Tensor, nn

from lossworks.data import Batch, SparseEmbedding
from lossworks.optim import Stepper, build
from lossworks.penalties import build as penalty_of

EXAMPLES, FEATURES = 120, 12
STRENGTH = {"l1": 0.03, "l2": 0.03}


def data() -> tuple[np.ndarray, np.ndarray]:
    """Sparse inputs of which five features matter, and classes with some noise."""
    rng = np.random.default_rng(2)
    inputs = rng.normal(size=(EXAMPLES, FEATURES)) * (rng.random((EXAMPLES, FEATURES)) < 0.6)
    logit = inputs[:, :5] @ np.array([2.0, -1.5, 1.0, -1.0, 0.7]) + 0.3
    return inputs.astype(np.float32), (rng.random(EXAMPLES) < 1 / (1 + np.exp(-logit))).astype(np.int64)


def optimum(kind: str) -> np.ndarray:
    """scikit-learn's coefficients; its C multiplies the sum of the losses, our strength goes with their mean."""
    inputs, target = data()
    model = LogisticRegression(
        C=1 / (STRENGTH[kind] * EXAMPLES),
        l1_ratio=1.0 if kind == "l1" else 0.0,
        solver="saga",
        tol=1e-7,
        max_iter=20_000,
        random_state=0,
    )
    return np.append(model.fit(inputs.astype(np.float64), target).coef_[0], model.intercept_)


class Regression(nn.Module):
    """One table row a feature, and a bias."""

    def __init__(self) -> None:
        super().__init__()
        self.table = SparseEmbedding(torch.zeros(FEATURES, 1))
        self.bias = nn.Parameter(torch.zeros(1))

    def forward(self, batch: Batch) -> Tensor:
        return (self.table(batch) + self.bias)[:, 0]


def batches(size: int) -> list[Batch]:
    """The data in batches of ``size``, in order."""
    inputs, target = data()
    found = []
    for start in range(0, EXAMPLES, size):
        part = inputs[start : start + size]
        rows, ids = np.nonzero(part)
        offsets = np.searchsorted(rows, np.arange(len(part) + 1))
        label = torch.from_numpy(target[start : start + size]).float()
        found.append(Batch(ids.astype(np.int32), offsets, part[rows, ids], label, torch.ones(len(part))))
    return found


def trained(name: str, penalty: str, rates: dict[float, int], size: int = EXAMPLES) -> np.ndarray:
    """Coefficients and bias after the given numbers of epochs at the given rates, one after another."""
    model, data = Regression(), batches(size)
    for lr, epochs in rates.items():
        stepper = Stepper(replace(build(name), lr=lr), model, penalty_of(penalty))
        for batch in data * epochs:
            stepper.train_weights(batch)
            nn.functional.binary_cross_entropy_with_logits(model(batch), batch.target).backward()
            stepper.step()
        stepper.eval_weights()
    return np.append(model.table.weight.detach().numpy()[:, 0], model.bias.detach().numpy())


@pytest.mark.parametrize("kind", STRENGTH)
@pytest.mark.parametrize(
    ("name", "rates", "size"),
    [
        ("gradient_descent", {1.0: 150, 0.1: 450}, EXAMPLES),
        ("adagrad", {0.5: 200, 0.05: 400}, EXAMPLES),
        ("sgd", {0.5: 80, 0.05: 100, 0.01: 200}, 60),
    ],
)
def test_optimum(name: str, rates: dict[float, int], size: int, kind: str) -> None:
    """Coefficients to about 1e-3, and for L1 zeros in the same places.

    Step and flow take turns, which makes L2 stronger by the share strength · rate / 2; hence the small last rates. SGD
    goes round the optimum at a distance in proportion to its rate: to 1e-2 here, its zeros to 1e-3.
    """
    found, wanted = trained(name, f"{kind}:strength={STRENGTH[kind]}", rates, size), optimum(kind)
    np.testing.assert_allclose(found, wanted, atol=1e-2 if name == "sgd" else 1e-3)
    if kind == "l1":
        assert 3 <= (wanted == 0).sum() < FEATURES
        assert np.array_equal(np.abs(found) < 1e-3 if name == "sgd" else found == 0, wanted == 0)


@pytest.mark.parametrize("spec", ["adam:lr=0.05", "rmsprop:lr=0.01", "adamw:lr=0.05,weight_decay=0"])
def test_the_penalty_reaches_every_optimiser(spec: str) -> None:
    """Those with a step of their own for each weight make exact zeros of the useless weights too."""
    found, wanted = trained(spec, "l1:strength=0.03", {build(spec).lr: 200}), optimum("l1")
    assert (found[:-1][np.abs(wanted[:-1]) < 1e-9] == 0).mean() > 0.5
    np.testing.assert_allclose(found, wanted, atol=0.05)


def test_strength_without_effect_is_caught() -> None:
    """The optimum without a penalty is far from the one with it: the comparison above can fail."""
    assert np.abs(trained("adagrad", "l2:strength=0", {0.3: 200}) - optimum("l2")).max() > 0.3
