"""Fused scores: every statistic against dense, every argument, and the promised cost."""

from __future__ import annotations

from collections.abc import Callable

import pytest
import torch
from torch import Tensor, nn
from torch.nn import functional

import lossworks
from lossworks import losses
from lossworks.scores import Scores, TopK, dense, fused
from scores.layer import CLASSES, LOSS, WIDTH, Counted, close, layer

# --- statistics

IDS = torch.randint(CLASSES, (5, 7, 2))
Q = torch.rand(CLASSES, dtype=torch.float64)
Q_EACH = torch.rand(5, 7, CLASSES, dtype=torch.float64)
STATISTICS: dict[str, Callable[[Scores], Tensor]] = {
    "logp": lambda s: s.logp,
    "mean_logp": lambda s: s.mean_logp,
    "entropy": lambda s: s.entropy,
    "logsumexp": lambda s: s.logsumexp,
    "max_other_logp": lambda s: s.max_other_logp,
    "rest_logp": lambda s: s.rest_logp,
    "square_sum": lambda s: s.square_sum(),
    "square_sum, weighted": lambda s: s.square_sum(Q),
    "logp_of": lambda s: s.logp_of(IDS),
    "expected_logp": lambda s: s.expected_logp(Q),
    "expected_logp, each": lambda s: s.expected_logp(Q_EACH),
    "sum": lambda s: s.sum(lambda logp, q, each, one: (logp * q).sin() + each * logp * one, Q, Q_EACH, Q_EACH[..., :1]),
}


@pytest.mark.parametrize("name", STATISTICS)
def test_statistics_are_those_of_dense(name: str) -> None:
    """Values, and gradients into the hidden states and the weight."""
    hidden, weight, target = layer(5, 7)
    got, want = (STATISTICS[name](s) for s in (fused(hidden, weight, target), dense(hidden @ weight.T, target)))
    grad_output = torch.randn_like(want)
    close(got, want)
    close(*(torch.autograd.grad((value * grad_output).sum(), (hidden, weight)) for value in (got, want)))


def test_argmax_and_what_is_given_besides() -> None:
    """Metrics come with the mean, at no further product; positions that are not kept hold 0."""
    hidden, weight, target = layer(4, 9)
    keep = torch.rand(4, 9) > 0.5
    view, want = fused(hidden, weight, target, keep=keep), dense(hidden @ weight.T, target)
    with Counted() as counted:
        _, also = view.mean(LOSS, also=("values", "logp", "entropy", "argmax"))
    assert counted.rows == keep.sum()
    for name, part in also.items():
        whole = LOSS(want) if name == "values" else getattr(want, name)
        close(part, torch.where(keep, whole, 0).detach())
    assert torch.equal(fused(hidden, weight, target).argmax, want.argmax)


def test_a_teacher_and_negatives_are_cut_alike() -> None:
    """Fused, dense and top-k teachers; each position meets its own."""
    hidden, weight, target = layer(3, 8)
    taught, keep = torch.randn(3, 8, WIDTH, dtype=torch.float64), torch.rand(3, 8) > 0.3
    whole = (taught @ weight.T).detach()
    top = whole.log_softmax(-1).topk(4)
    loss = losses.build("forward_kl+unlikelihood")
    negatives = torch.randint(-1, CLASSES, (3, 8, 2))
    for small, large in (
        (fused(taught, weight.detach(), target), dense(whole, target)),
        (dense(whole, target), dense(whole, target)),
        (TopK(top.indices, top.values), TopK(top.indices, top.values)),
    ):
        got = fused(hidden, weight, target, keep=keep, teacher=small, negatives=negatives).mean(loss)
        want = loss(dense(hidden @ weight.T, target, teacher=large, negatives=negatives))[keep].mean()
        close(got, want)
        close(*(torch.autograd.grad(value, (hidden, weight)) for value in (got, want)))


def test_sequence_losses_are_exact() -> None:
    """DPO over summed log-probabilities: what interacts is combined outside, and the backward pass makes the logits again."""
    hidden, weight, target = layer(4, 5)

    def dpo(logp: Tensor) -> Tensor:
        sums = logp.sum(-1)
        return -functional.logsigmoid(0.1 * (sums[:2] - sums[2:])).mean()

    got, want = dpo(fused(hidden, weight, target).logp), dpo(dense(hidden @ weight.T, target).logp)
    close(got, want)
    close(*(torch.autograd.grad(value, (hidden, weight)) for value in (got, want)))


# --- arguments


def test_shift_scores_against_what_follows() -> None:
    """Position t against the target at t + shift; mask and weights stand with the targets."""
    hidden, weight, target = layer(3, 9)
    keep, weights = torch.rand(3, 9) > 0.3, torch.rand(3, 9, dtype=torch.float64)
    for shift in (1, 3, 9):
        got = fused(hidden, weight, target, keep=keep, shift=shift).mean(LOSS, weights=weights)
        counted = (weights * keep)[:, shift:]
        want = (LOSS(dense(hidden[:, :-shift] @ weight.T, target[:, shift:])) * counted).sum() / counted.sum().clamp_min(1e-9)
        close(got, want)


def test_a_common_denominator() -> None:
    """Two micro-batches over the weight of both make the mean of the whole."""
    hidden, weight, target = layer(20)
    parts = [fused(hidden[a:b], weight, target[a:b]).mean(LOSS, denom=20) for a, b in ((0, 7), (7, 20))]
    close(parts[0] + parts[1], fused(hidden, weight, target).mean(LOSS))


def test_from_the_top() -> None:
    """lossworks.fused takes a spec, and a layer whole."""
    hidden, _, target = layer(20, dtype=torch.float32)
    head = nn.Linear(WIDTH, CLASSES)
    want = functional.cross_entropy(head(hidden), target)
    for how in ({"weight": head}, {"weight": head.weight, "bias": head.bias}):
        close(lossworks.fused("cross_entropy", hidden, target=target, **how), want, 1e-6)
    mean, also = lossworks.fused("cross_entropy", hidden, head, target, also=("argmax",))
    assert mean.requires_grad
    assert torch.equal(also["argmax"], head(hidden).argmax(-1))


def test_explain_says_which_way() -> None:
    """Positions kept and left out, chunks, precision."""
    hidden, weight, target = layer(30, dtype=torch.bfloat16)
    said = fused(hidden, weight, target, keep=torch.arange(30) < 25).explain()
    for part in ("25 of 30 positions", "4 chunks of 8", "bfloat16", "float32", "3 products"):
        assert part in said, said
    assert "whole in memory" in dense(hidden @ weight.T, target).explain()


@pytest.mark.parametrize(
    ("width", "trained", "said"),
    [(1024, True, "3 chunks of 512"), (1024, False, "4 chunks of 325"), (64, True, "4 chunks of 325")],
)
def test_a_large_head_is_gone_through_less_often(monkeypatch: pytest.MonkeyPatch, width: int, trained: bool, said: str) -> None:
    """A chunk's logits may be half as large as the gradient of the weights, where there is one."""
    monkeypatch.undo()  # the sizes that are used
    weight = torch.empty(40_000, width, requires_grad=trained)
    assert said in fused(torch.empty(1300, width), weight, torch.zeros(1300, dtype=torch.long)).explain()


def test_a_loss_of_bare_logits() -> None:
    """What a loss takes straight out of the logits is kept, though their memory is used again; with cap and temperature too."""
    hidden, weight, target = layer(20)
    for how in ({}, {"softcap": 2.0, "temperature": 0.5}):
        view = fused(hidden, weight, target, **how)
        z = hidden @ weight.T
        z = 2 * torch.tanh(z / 2) / 0.5 if how else z
        for read in (lambda s: s.logits[:, 0], lambda s: s.logits.sum(-1)):
            got, want = view.mean(read), read(dense(z, target)).mean()
            close(got, want)
            close(view.values(read), read(dense(z, target)))
            close(*(torch.autograd.grad(value, (hidden, weight), retain_graph=True) for value in (got, want)))


def test_nothing_kept() -> None:
    """No positions, or none kept: shapes and dtypes as ever, a mean of 0, gradients of 0."""
    for shape, keep in (((3, 4), torch.zeros(3, 4, dtype=torch.bool)), ((0, 4), None)):
        hidden, weight, target = layer(*shape, dtype=torch.bfloat16)
        view = fused(hidden, weight, target, keep=keep)
        mean, also = view.mean(LOSS, also=("argmax", "logp"))
        mean.backward()
        assert mean == 0
        assert weight.grad is not None
        assert not weight.grad.any()
        assert (also["argmax"].dtype, also["logp"].dtype, also["logp"].shape) == (torch.int64, torch.float32, shape)
        assert view.logp_of(target.unsqueeze(-1).expand(*shape, 3)).shape == (*shape, 3)
        assert view.sum(lambda logp: logp).shape == shape


def test_evaluating_first_leaves_nothing_behind() -> None:
    """What is kept of a loss's values a class in inference mode can be trained with."""
    hidden, weight, target = layer(20)
    loss = losses.build("cross_entropy:class_weights=" + "/".join(map(str, range(1, CLASSES + 1))))
    with torch.inference_mode():
        fused(hidden, weight, target).mean(loss)
    fused(hidden, weight, target).mean(loss).backward()
    loss(hidden @ weight.T, target).sum().backward()


# --- cost


def test_logits_never_stand_whole() -> None:
    """No tensor is larger than a chunk's logits, a weight or the states, forward or backward."""
    hidden, weight, target = layer(500)
    with Counted() as counted:
        fused(hidden, weight, target).mean(LOSS).backward()
        fused(hidden, weight, target).entropy.sum().backward()
    assert counted.largest == 500 * WIDTH


def test_what_is_masked_costs_nothing() -> None:
    """Positions masked, or of no weight, are dropped before the products."""
    hidden, weight, target = layer(100)
    keep, weights = torch.rand(100) < 0.5, (torch.rand(100) < 0.5).double()
    with Counted() as counted:
        fused(hidden, weight, torch.where(keep, target, -100), keep=keep).mean(LOSS, weights=weights)
    assert counted.rows == (keep & (weights > 0)).sum()


def test_nothing_waits_for_the_device() -> None:
    """No number is read back on the way: forward and backward run ahead of the device (but for a look at the slope on a CPU)."""
    hidden, weight, target = layer(40)
    view = fused(hidden, weight, target)
    with Counted() as counted:
        mean, _ = view.mean(LOSS, also=("logp", "argmax"))
        view.logp.sum().backward()
    assert not {"_local_scalar_dense", "nonzero", "is_nonzero", "equal"} & counted.ran.keys()
    with Counted() as counted:
        mean.backward()
    assert counted.ran["_local_scalar_dense"] + counted.ran["is_nonzero"] <= 1
