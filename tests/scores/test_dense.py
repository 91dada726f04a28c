"""Each statistic against its definition, its gradient against the one that its docstring states."""

from __future__ import annotations

import math
from collections.abc import Callable

import numpy as np
import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st
from scipy import special, stats
from torch import Tensor
from torch.autograd import gradcheck, gradgradcheck
from torch.nn.functional import binary_cross_entropy_with_logits, one_hot

from lossworks.core.errors import UsageError
from lossworks.scores import Dense, Scores, binary, dense

CLASSES = 5
WEIGHT = torch.tensor([1.0, 0.0, 2.5, 0.3, 7.0], dtype=torch.float64)
Q = torch.tensor([0.2, 0.0, 0.5, 0.0, 0.4], dtype=torch.float64)


def some(*shape: int) -> tuple[Tensor, Tensor]:
    """Random logits that ask for gradients, and random targets."""
    logits = 2 * torch.randn(*shape, CLASSES, dtype=torch.float64)
    return logits.requires_grad_(), torch.randint(CLASSES, shape)


def probabilities(z: Tensor) -> np.ndarray:
    """The softmax, by SciPy."""
    return np.asarray(special.softmax(z.detach().numpy(), axis=-1))


Statistic = Callable[[Scores], Tensor]
Definition = Callable[[np.ndarray, np.ndarray, np.ndarray], np.ndarray]
# each: the statistic, its definition from p, y (one-hot) and z, its gradient from the same
STATISTICS: dict[str, tuple[Statistic, Definition, Definition]] = {
    "logp": (lambda s: s.logp, lambda p, y, z: np.log((p * y).sum(-1)), lambda p, y, z: y - p),
    "mean_logp": (lambda s: s.mean_logp, lambda p, y, z: np.log(p).mean(-1), lambda p, y, z: 1 / CLASSES - p),
    "entropy": (
        lambda s: s.entropy,
        lambda p, y, z: stats.entropy(p, axis=-1),
        lambda p, y, z: -p * (np.log(p) + stats.entropy(p, axis=-1)[..., None]),
    ),
    "logsumexp": (lambda s: s.logsumexp, lambda p, y, z: special.logsumexp(z, axis=-1), lambda p, y, z: p),
    "square_sum": (
        lambda s: s.square_sum(),
        lambda p, y, z: (p**2).sum(-1),
        lambda p, y, z: 2 * p * (p - (p**2).sum(-1, keepdims=True)),
    ),
    "square_sum, weighted": (
        lambda s: s.square_sum(WEIGHT.to(s.logp.dtype)),
        lambda p, y, z: (WEIGHT.numpy() * p**2).sum(-1),
        lambda p, y, z: 2 * p * (WEIGHT.numpy() * p - (WEIGHT.numpy() * p**2).sum(-1, keepdims=True)),
    ),
    "logp_of": (
        lambda s: s.logp_of(s.target.unsqueeze(-1) * 0 + torch.tensor([3, 0])).sum(-1),
        lambda p, y, z: np.log(p[..., 3] * p[..., 0]),
        lambda p, y, z: np.eye(CLASSES)[3] + np.eye(CLASSES)[0] - 2 * p,
    ),
    "expected_logp": (
        lambda s: s.expected_logp(Q.to(s.logp.dtype)),
        lambda p, y, z: (Q.numpy() * np.log(p)).sum(-1),
        lambda p, y, z: Q.numpy() - p * Q.numpy().sum(),
    ),
}
every_statistic = pytest.mark.parametrize("name", STATISTICS)


@every_statistic
def test_definition_and_gradient(name: str) -> None:
    """In float64 to 1e-12, for positions in two axes."""
    statistic, definition, slope = STATISTICS[name]
    logits, target = some(4, 25)
    values = statistic(dense(logits, target))
    given_by = probabilities(logits), one_hot(target, CLASSES).numpy(), logits.detach().numpy()
    np.testing.assert_allclose(values.detach().numpy(), definition(*given_by), rtol=1e-12, atol=1e-12)
    got = torch.autograd.grad(values.sum(), logits)[0]
    np.testing.assert_allclose(got.numpy(), np.broadcast_to(slope(*given_by), got.shape), rtol=1e-12, atol=1e-12)


@every_statistic
def test_derivatives(name: str) -> None:
    """First and second derivatives, and torch.func's, are right."""
    statistic = STATISTICS[name][0]
    logits, target = some(3)
    gradcheck(lambda z: statistic(dense(z, target)), (logits,), fast_mode=True)
    gradgradcheck(lambda z: statistic(dense(z, target)), (logits,), fast_mode=True)
    slopes = torch.func.vmap(torch.func.grad(lambda z, y: statistic(dense(z, y))))(logits, target)
    torch.testing.assert_close(slopes, torch.autograd.grad(statistic(dense(logits, target)).sum(), logits)[0])


@every_statistic
def test_shift(name: str) -> None:
    """All but the log-normaliser are unchanged, to the last digits, when 1e4 is added; the normaliser grows by it."""
    statistic = STATISTICS[name][0]
    logits, target = some(20)
    near, far = (statistic(dense(logits + shift, target)) for shift in (0.0, 1e4))
    torch.testing.assert_close(far - 1e4 * (name == "logsumexp"), near, rtol=1e-10, atol=1e-10)


@every_statistic
@settings(max_examples=10, deadline=None, derandomize=True, database=None)
@given(shape=st.lists(st.integers(0, 3), max_size=3).map(tuple))
def test_shapes(name: str, shape: tuple[int, ...]) -> None:
    """One value a position, for any leading axes."""
    assert STATISTICS[name][0](dense(*some(*shape))).shape == shape


@every_statistic
@pytest.mark.parametrize("dtype", [torch.float16, torch.bfloat16])
def test_half_precision_is_read_in_float32(name: str, dtype: torch.dtype) -> None:
    """The values are those of float32 logits; the gradient comes back in the logits' own type."""
    statistic = STATISTICS[name][0]
    logits, target = some(30)
    half = logits.detach().to(dtype).requires_grad_()
    values = statistic(dense(half, target))
    assert values.dtype == torch.float32
    assert torch.equal(values, statistic(dense(half.float(), target)))
    assert torch.autograd.grad(values.sum(), half)[0].dtype == dtype


@every_statistic
@pytest.mark.parametrize("dtype", [torch.float64, torch.float32])
def test_impossible_and_extreme_outcomes(name: str, dtype: torch.dtype) -> None:
    """-inf and ±1e4 give no nan; what has probability zero adds nothing to an entropy or a sum of squares."""
    statistic = STATISTICS[name][0]
    low, high = -math.inf, 1e4
    rows = [[0.0, low, low, low, low], [high, low, high, low, -high], [high, -high, high, -high, 0.0]]
    logits = torch.tensor(rows, dtype=dtype, requires_grad=True)
    view = dense(logits, torch.tensor([0, 2, 0]))
    values = statistic(view)
    assert not values.isnan().any()
    assert torch.autograd.grad(values[values.isfinite()].sum(), logits)[0].isfinite().all()
    torch.testing.assert_close(view.entropy, torch.tensor([0.0, math.log(2), math.log(2)], dtype=dtype))
    assert view.square_sum().tolist() == pytest.approx([1.0, 0.5, 0.5])


def test_weights_may_differ_by_position() -> None:
    """``expected_logp`` takes one q for all positions, or one for each."""
    logits, target = some(7)
    q = torch.rand(7, CLASSES, dtype=torch.float64)
    got = dense(logits, target).expected_logp(q)
    torch.testing.assert_close(got, (q * logits.log_softmax(-1)).sum(-1))


def test_argmax_is_the_first_of_equals() -> None:
    """And asks for no gradient."""
    view = dense(torch.tensor([[1.0, 3.0, 3.0], [2.0, 2.0, 2.0]], requires_grad=True), torch.tensor([0, 0]))
    assert view.argmax.tolist() == [1, 0]


def test_some_positions_have_what_stands_beside_them() -> None:
    """Target, teacher and negatives of a part are those of its positions."""
    logits, target, negatives = torch.randn(2, 3, 5), torch.randint(5, (2, 3)), torch.randint(5, (2, 3, 2))
    part = dense(logits, target, teacher=dense(-logits, target), negatives=negatives).rows(torch.tensor([5, 1]))
    assert part.target.tolist() == [int(target[1, 2]), int(target[0, 1])]
    assert part.negatives is not None
    assert part.negatives.tolist() == [negatives[1, 2].tolist(), negatives[0, 1].tolist()]
    assert isinstance(part.teacher, Dense)
    torch.testing.assert_close(part.teacher.logits, -part.logits)


def test_the_number_of_classes() -> None:
    """``classes``, ``target`` and ``logits`` are what was given."""
    logits, target = some(3, 2)
    view = dense(logits, target)
    assert isinstance(view, Dense)
    assert (view.classes, view.target is target, view.logits is logits) == (CLASSES, True, True)


def test_values_a_class() -> None:
    """``of_classes`` wants one value a class, in the scores' own type; ``at_target`` picks each position's."""
    view = dense(torch.zeros(2, 3, dtype=torch.float64), torch.tensor([2, 0], dtype=torch.int32))
    values = view.of_classes((1.0, 2.0, 3.0), "class_weights")
    assert values.dtype == torch.float64
    assert view.at_target(values).tolist() == [3.0, 1.0]
    with pytest.raises(UsageError, match=r"class_weights: got 2 values for 3 classes. Give one value a class"):
        view.of_classes((1.0, 2.0), "class_weights")


@pytest.mark.parametrize(
    ("target", "message"),
    [
        (torch.zeros(4, dtype=torch.int64), r"logits \(3, 5\) and target \(4,\)"),
        (torch.zeros(3, 1, dtype=torch.int64), r"target \(3, 1\)"),
        (torch.zeros(3, 5), r"target \(3, 5\).*without their last axis"),
        (torch.zeros(3), r"target of torch.float32. Give class numbers"),
        (torch.zeros(3, dtype=torch.bool), "target of torch.bool"),
    ],
)
def test_targets_that_do_not_fit(target: Tensor, message: str) -> None:
    """A target of another shape, or of no whole numbers, is refused before anything broadcasts."""
    with pytest.raises(UsageError, match=message):
        dense(torch.zeros(3, 5), target)


@pytest.mark.parametrize("target", [-1, 5])
def test_targets_out_of_range(target: int) -> None:
    """No class is numbered below 0 or from V on."""
    with pytest.raises(UsageError, match=f"target {target} at position .* for 5 outcomes, 0 to 4"):
        dense(torch.zeros(5), torch.tensor(target))


def test_binary() -> None:
    """The probability of 1 is the sigmoid; log-probabilities are PyTorch's, far out in the tails too."""
    logits = torch.cat([5 * torch.randn(30, dtype=torch.float64), torch.tensor([-800.0, 800.0])]).requires_grad_()
    for target in (torch.zeros(32), torch.ones(32), torch.arange(32) % 2):
        ours = binary(logits, target).logp
        theirs = -binary_cross_entropy_with_logits(logits, target.double(), reduction="none")
        torch.testing.assert_close(ours, theirs, rtol=1e-12, atol=1e-14)
        slopes = [torch.autograd.grad(v.sum(), logits)[0] for v in (ours, theirs)]
        torch.testing.assert_close(*slopes, rtol=1e-12, atol=1e-15)
    assert binary(logits, torch.ones(32)).classes == 2


def test_what_has_no_gradient_or_no_place() -> None:
    """Whole numbers are no logits, and a negative is an outcome or padding."""
    logits, target = torch.zeros(2, 3), torch.tensor([0, 1])
    with pytest.raises(UsageError, match=r"logits of torch.int64; wanted floating point, such as logits.float\(\)"):
        dense(logits.long(), target)
    with pytest.raises(UsageError, match="got target 3 at position"):
        dense(logits, target, negatives=torch.tensor([[0, -1], [3, 0]]))
    dense(logits, target, negatives=torch.tensor([[0, -1], [2, 0]]))
