"""SOAP."""

from __future__ import annotations

import math

import pytest
import torch
from torch import nn

from lossworks.optim import Stepper, build
from optim.battery import Weights

# The first gradient moves nothing. Its own direction u and the one across, o, are then the basis; in it the second gradient
# (0.5, 1) is (-3.75, 2.5)/√16.25, and Adam's first step goes by the signs: along o - u = (4 - 0.5, 0.5 + 4)/√16.25.
ROOT = math.sqrt(16.25)
HAND = {
    "soap:lr=0.1": [(1, -2), (1 - 0.1 * 3.5 / ROOT, -2 - 0.1 * 4.5 / ROOT)],
    "soap:lr=0.1,weight_decay=0.5": [(0.95, -1.9), (0.95**2 - 0.1 * 3.5 / ROOT, -1.9 * 0.95 - 0.1 * 4.5 / ROOT)],
}
BAD = {"every": ("0", "1.5"), "max_dim": ("0",)}
RATES = (0.02, 0.1, 0.3)


class Plain(torch.optim.Optimizer):
    """SOAP of matrices over and over from its definition: everything in the weights' own basis, one thing after another."""

    def __init__(self, parameters: list[torch.Tensor], *numbers: float, every: int, sides: int) -> None:
        lr, beta1, beta2, eps = numbers
        super().__init__(parameters, {"lr": lr})
        self.numbers, self.every = numbers, every
        self.sides = range(2 - sides, 2)
        self.matrices = [p for p in parameters if p.ndim == 2]
        rest = [p for p in parameters if p.ndim < 2]
        self.rest = torch.optim.Adam(rest, lr=lr, betas=(beta1, beta2), eps=eps) if rest else None

    def step(self, closure: object = None) -> None:  # type: ignore[override]
        if self.rest is not None:
            self.rest.step()
        for p in self.matrices:
            self._step(p, *self.numbers, every=self.every)

    @torch.no_grad()
    def _step(self, p: torch.Tensor, lr: float, beta1: float, beta2: float, eps: float, every: int) -> None:
        s, g = self.state[p], p.grad
        assert g is not None
        if not s:
            s |= {"t": 0, "m": torch.zeros_like(p), "v": torch.zeros_like(p)}
            s |= {"moments": [(1 - beta2) * g @ g.T, (1 - beta2) * g.T @ g]}
            s["bases"] = [torch.eye(n, dtype=p.dtype) for n in p.shape]
            for side in self.sides:
                s["bases"][side] = torch.linalg.eigh(s["moments"][side])[1].flip(1)
            return
        left, right = s["bases"]
        s["t"] += 1
        s["m"] = beta1 * s["m"] + (1 - beta1) * g
        s["v"] = beta2 * s["v"] + (1 - beta2) * (left.T @ g @ right) ** 2
        scaled = (left.T @ s["m"] @ right) / ((s["v"] / (1 - beta2 ** s["t"])).sqrt() + eps) / (1 - beta1 ** s["t"])
        p -= lr * left @ scaled @ right.T
        s["moments"] = [beta2 * m + (1 - beta2) * x for m, x in zip(s["moments"], (g @ g.T, g.T @ g), strict=True)]
        if s["t"] % every == 0:
            for side in self.sides:
                moment, basis = s["moments"][side], s["bases"][side]
                order = torch.diag(basis.T @ moment @ basis).argsort(descending=True)
                s["v"] = s["v"][order] if side == 0 else s["v"][:, order]
                s["bases"][side] = torch.linalg.qr((moment @ basis)[:, order])[0]


LAYOUT = (
    "the first gradient has fewer directions than the matrix, and how a basis goes on among equal moments is rounding's choice"
)
REFERENCE = {
    # Of five rows a gradient of three columns says too little: which basis they have is then left to rounding. So one side.
    "soap:lr=0.02,beta1=0.8,beta2=0.9,eps=0.1,every=3,max_dim=4": lambda p: Plain(p, 0.02, 0.8, 0.9, 0.1, every=3, sides=1),
    "soap:lr=0.02,eps=0.001,max_dim=1": lambda p: torch.optim.Adam(p, lr=0.02, betas=(0.95, 0.95), eps=0.001),
}


def test_one_sided() -> None:
    """A side beyond max_dim has no basis; it goes by the other alone, and the memory of the long one is not taken."""
    model = Weights(torch.zeros(6, 3))
    optimizer = build("soap:max_dim=4").over(model)
    for number in range(12):
        model.matrix.grad = torch.outer(torch.arange(6.0) + number % 3, torch.tensor([1.0, -2.0, 0.5])) + 0.1 * number
        optimizer.step()
    state = optimizer.state[model.matrix]
    assert "left" not in state
    assert state["right_basis"].shape == (3, 3)
    torch.testing.assert_close(state["right_basis"].T @ state["right_basis"], torch.eye(3))


def test_long_sides_are_gathered_in_strips() -> None:
    """The half of L that is kept is that of Σ GGᵀ, whether one strip holds it or several."""
    rng = torch.Generator().manual_seed(3)
    p = nn.Parameter(torch.zeros(300, 2, dtype=torch.float64))
    optimizer, wanted = build("soap:beta2=0.9,every=100").over([p]), torch.zeros(300, 300, dtype=torch.float64)
    for _ in range(3):
        p.grad = torch.randn(300, 2, generator=rng, dtype=torch.float64)
        wanted = 0.9 * wanted + 0.1 * p.grad @ p.grad.T
        optimizer.step()
    torch.testing.assert_close(optimizer.state[p]["left"].tril(), wanted.tril())


def test_the_basis_becomes_that_of_the_eigenvectors() -> None:
    """Under gradients of one kind the refreshed bases end at the eigenvectors of L and R, the largest first."""
    rng = torch.Generator().manual_seed(3)
    shape = torch.randn(4, 4, generator=rng, dtype=torch.float64) @ torch.diag(torch.tensor([4.0, 2.0, 1.0, 0.5]).double())
    p = nn.Parameter(torch.zeros(4, 5, dtype=torch.float64))
    optimizer = build("soap:every=2,beta2=0.99").over([p])
    for _ in range(400):
        p.grad = shape @ torch.randn(4, 5, generator=rng, dtype=torch.float64)
        optimizer.step()
    state = optimizer.state[p]
    left = state["left"].tril() + state["left"].tril(-1).T  # one half is kept
    turned = state["left_basis"].T @ left @ state["left_basis"]
    assert (turned - turned.diag().diag()).norm() < 0.1 * turned.norm()
    assert turned.diag().tolist() == sorted(turned.diag().tolist(), reverse=True)


def regression(p: torch.Tensor, turn: torch.Tensor | None = None) -> torch.Tensor:
    """A least squares problem whose gradient has full rank, from the first; seen in turned coordinates."""
    rng = torch.Generator().manual_seed(5)
    inputs, target = (torch.randn(30, 4, generator=rng, dtype=torch.float64) for _ in range(2))
    inputs = inputs @ torch.diag(torch.tensor([2.0, 1.0, 0.7, 0.4], dtype=torch.float64))
    return ((inputs @ (p if turn is None else turn @ p) - target) ** 2).mean()


def descend(p: nn.Parameter, optimizer: torch.optim.Optimizer, turn: torch.Tensor | None = None) -> torch.Tensor:
    """Where the weights stand after thirty steps."""
    for _ in range(30):
        optimizer.zero_grad()
        regression(p, turn).backward()
        optimizer.step()
    return p.detach()


def test_both_sides() -> None:
    """Another way to write it down goes the same way, where both sides have a basis."""
    ours, theirs = (nn.Parameter(torch.eye(4, dtype=torch.float64)) for _ in range(2))
    found = descend(ours, build("soap:lr=0.02,beta1=0.8,beta2=0.9,eps=0.001,every=3").over([ours]))
    wanted = descend(theirs, Plain([theirs], 0.02, 0.8, 0.9, 0.001, every=3, sides=2))
    torch.testing.assert_close(found, wanted, rtol=1e-9, atol=1e-10)


def test_turned_weights_train_alike() -> None:
    """A problem seen in turned coordinates is solved by turned steps: what Adam cannot do."""
    rng = torch.Generator().manual_seed(1)
    turn = torch.linalg.qr(torch.randn(4, 4, generator=rng, dtype=torch.float64))[0]
    ends = {}
    for spec in ("soap:lr=0.01,every=2", "adam:lr=0.01"):
        p, turned = (nn.Parameter(start) for start in (torch.eye(4, dtype=torch.float64), turn.T.clone()))
        straight = descend(p, build(spec).over([p]))
        ends[spec] = (turn @ descend(turned, build(spec).over([turned]), turn) - straight).abs().max()
    assert ends["soap:lr=0.01,every=2"] < 1e-9
    assert ends["adam:lr=0.01"] > 1e-3


def test_divisor() -> None:
    """The first gradient moves nothing, so a penalty has no time; then the mean square of all directions is divided by."""
    optimizer = build("soap:lr=0.1")
    model = Weights(torch.ones(2, 3))
    stepper = Stepper(optimizer, model)
    for wanted in (math.inf, 2.0):
        model.matrix.grad = torch.full((2, 3), 2.0)
        stepper.step()
        assert float(stepper.divisor(model.matrix)) == pytest.approx(wanted)
