"""Broken losses, planted: the battery must catch each one, by the property that is there to catch it."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, replace

import pytest
import torch
from torch import Tensor
from torch.nn.functional import logsigmoid

from losses.battery import BROKEN, owed
from losses.case import Case
from losses.odd import cases
from lossworks.core.errors import UsageError
from lossworks.losses import CategoricalLoss, CrossEntropy, EmbeddingLoss, Pairs, PreferenceLoss, RegressionLoss
from lossworks.scores import Scores
from lossworks.scores.tile import Tile


def outcome(values: Callable[[Scores], Tensor]) -> Case:
    """A loss over outcomes that should be cross-entropy, and is not quite."""

    class Broken(CategoricalLoss):
        def values(self, scores: Scores) -> Tensor:
            return values(scores)

    return Case(Broken(), formula=_cross_entropy)


def _cross_entropy(loss: object, p: Tensor, y: Tensor) -> Tensor:
    return -(y * p.log()).sum(-1)


def number(errors: Callable[[Tensor, Tensor], Tensor]) -> Case:
    """A loss between numbers that should be the squared error, and is not quite."""

    class Broken(RegressionLoss):
        def between(self, prediction: Tensor, value: Tensor) -> Tensor:
            return errors(prediction, value)

    return Case(Broken(), number_formula=lambda loss, prediction, value: (prediction - value) ** 2)


def pair(preferences: Callable[[Pairs], Tensor]) -> Case:
    """A loss over pairs that should be DPO's with beta 1, and is not quite."""

    class Broken(PreferenceLoss):
        def preferences(self, pairs: Pairs) -> Tensor:
            return preferences(pairs)

    return Case(Broken(), formula=lambda loss, pairs: (1 + (-_margin(pairs)).exp()).log())


def _margin(pairs: Pairs) -> Tensor:
    chosen, rejected = pairs.log_ratios()
    return chosen - rejected


def _dpo(pairs: Pairs) -> Tensor:
    return -logsigmoid(_margin(pairs))


def row(contrasts: Callable[[Tensor, Tensor, Tensor], Tensor]) -> Case:
    """A loss between rows that should be the distance to the second where the third says so, and is not quite."""

    class Broken(EmbeddingLoss):
        def contrasts(self, first: Tensor, second: Tensor, third: Tensor, /) -> Tensor:
            return contrasts(first, second, third)

    def beside(rows: int, seed: int) -> tuple[Tensor, Tensor, Tensor]:
        drawn = torch.randn(2, rows, 4, generator=torch.Generator().manual_seed(seed), dtype=torch.float64)
        return drawn[0].clone(), drawn[1].clone(), 1.0 + torch.arange(rows, dtype=torch.float64) % 2

    return Case(Broken(), formula=lambda loss, a, b, c: c * (a - b).square().sum(-1), beside=beside)


def _distance(a: Tensor, b: Tensor, c: Tensor) -> Tensor:
    return c * (a - b).square().sum(-1)


def _writes_rows(a: Tensor, b: Tensor, c: Tensor) -> Tensor:
    with torch.no_grad():
        b += 1e-3
    return _distance(a, b, c)


def _writes_pairs(pairs: Pairs) -> Tensor:
    with torch.no_grad():
        pairs.chosen.clamp_(max=-1)
    return _dpo(pairs)


class _FrozenSquare(torch.autograd.Function):
    """A square whose gradient has no gradient."""

    generate_vmap_rule = True

    @staticmethod
    def forward(a: Tensor) -> Tensor:
        return a.square()

    @staticmethod
    def setup_context(ctx, inputs, output):  # type: ignore[no-untyped-def]
        ctx.save_for_backward(2 * inputs[0].detach())

    @staticmethod
    def backward(ctx, grad_output):  # type: ignore[no-untyped-def]
        return grad_output * ctx.saved_tensors[0]


def _target(scores: Scores, z: Tensor) -> Tensor:
    return z.gather(-1, scores.target.unsqueeze(-1)).squeeze(-1)


def _leaky(scores: Scores) -> Tensor:
    """Standardised over the batch, as batch normalisation would."""
    return -scores.logp + (scores.logits - scores.logits.mean(0, keepdim=True)).square().mean(-1) * 1e-3


def _leaky_value(scores: Scores) -> Tensor:
    """The same leak, hidden from the gradient."""
    return -scores.logp * (1 + 1e-6 * scores.logp.detach().mean())


def _unshifted(scores: Scores) -> Tensor:
    return scores.logits.exp().sum(-1).log() - _target(scores, scores.logits)


def _downcast(scores: Scores) -> Tensor:
    return -scores.logp.half().to(scores.logp.dtype)


def _downcast_in_tiles(scores: Scores) -> Tensor:
    p = scores.logp.exp()
    return (1 - (p.bfloat16().to(p.dtype) if isinstance(scores, Tile) else p)).square()


def _detached(scores: Scores) -> Tensor:
    return scores.logsumexp.detach() - _target(scores, scores.logits)


def _frozen_slope(scores: Scores) -> Tensor:
    """Right gradients, but their own gradients are cut off."""

    class Frozen(torch.autograd.Function):
        generate_vmap_rule = True

        @staticmethod
        def forward(z: Tensor, y: Tensor) -> Tensor:
            return -z.log_softmax(-1).gather(-1, y.unsqueeze(-1)).squeeze(-1)

        @staticmethod
        def setup_context(ctx, inputs, output):  # type: ignore[no-untyped-def]
            z, y = inputs
            ctx.save_for_backward(z.detach().softmax(-1) - torch.nn.functional.one_hot(y, z.shape[-1]))

        @staticmethod
        def backward(ctx, grad_output):  # type: ignore[no-untyped-def]
            return grad_output.unsqueeze(-1) * ctx.saved_tensors[0], None

    return Frozen.apply(scores.logits, scores.target)


def _noisy(scores: Scores) -> Tensor:
    return -scores.logp + 1e-6 * torch.rand_like(scores.logp)


def _writes(scores: Scores) -> Tensor:
    with torch.no_grad():
        scores.logits.clamp_(-3, 3)
    return -scores.logp


def _masked_sum(scores: Scores) -> Tensor:
    """A smoothing that multiplies zero by the infinity of an impossible class."""
    smooth = scores.logits.log_softmax(-1) * torch.zeros(scores.classes, dtype=scores.logits.dtype)
    return -scores.logp - smooth.sum(-1)


@dataclass(frozen=True, slots=True, kw_only=True)
class _ForgetsWeights(CrossEntropy):
    def values(self, scores: Scores) -> Tensor:
        weight = scores.of_classes(self.class_weights, "class_weights")
        hard = -scores.logp * scores.at_target(weight)
        return (1 - self.label_smoothing) * hard - self.label_smoothing * scores.mean_logp


WEIGHTED = cases("cross_entropy")["cross_entropy:label_smoothing=0.3,class_weights=1/0.5/4"]
FAULTS: dict[str, tuple[Case, str]] = {
    "wrong sign": (outcome(lambda s: s.logp), "learns"),
    "mean inside": (outcome(lambda s: -s.logp.mean()), "any_shape"),
    "mean inside, shape kept": (outcome(lambda s: -s.logp / max(1, s.target.numel())), "micro_batches"),
    "neighbours leak": (outcome(_leaky), "locality"),
    "neighbours leak, detached": (outcome(_leaky_value), "locality"),
    "exp without shift": (outcome(_unshifted), "extremes"),
    "silent downcast": (outcome(_downcast), "precision"),
    "class weights forgotten under smoothing": (
        Case(_ForgetsWeights(label_smoothing=0.3, class_weights=(1, 0.5, 4)), WEIGHTED.formula),
        "formula",
    ),
    "detached normaliser": (outcome(_detached), "first_derivative"),
    "frozen gradient": (outcome(_frozen_slope), "second_derivative"),
    "prefers the first class": (outcome(lambda s: -s.logp + 0.01 * s.logp_of(0 * s.target[..., None])[..., 0]), "class_order"),
    "logits instead of probabilities": (outcome(lambda s: -_target(s, s.logits) + s.logits.mean(-1)), "formula"),
    "not shift-invariant": (outcome(lambda s: -s.logp + 1e-4 * s.logsumexp.square()), "shift_invariance"),
    "noise": (outcome(_noisy), "determinism"),
    "writes into the logits": (outcome(_writes), "determinism"),
    "zero times infinity": (outcome(_masked_sum), "impossible_classes"),
    "impossible costs infinity": (outcome(lambda s: -s.logp - 0.1 * s.mean_logp), "finite_where_possible"),
    "asks an item": (outcome(lambda s: -s.logp * float(s.logp.sum() < 9)), "transforms"),
    "fails on nothing": (outcome(lambda s: -s.logp + 0 * s.logp.detach().max()), "empty_batch"),
    "counts its neighbours": (outcome(lambda s: -s.logp / max(1, s.target.numel())), "fused_chunks"),
    "counts its neighbours, one by one": (outcome(lambda s: -s.logp / max(1, s.target.numel())), "fused_values"),
    "other in tiles": (outcome(lambda s: -s.logp - 1e-9 * s.logp if isinstance(s, Tile) else -s.logp), "fused_is_dense"),
    "downcast in tiles": (outcome(_downcast_in_tiles), "fused_precision"),
    "number: wrong sign": (number(lambda a, b: -((a - b) ** 2)), "number_learns"),
    "number: mean inside": (number(lambda a, b: ((a - b) ** 2).mean()), "number_any_shape"),
    "number: mean inside, shape kept": (number(lambda a, b: (a - b) ** 2 / max(1, a.numel())), "number_micro_batches"),
    "number: half too small": (number(lambda a, b: (a - b) ** 2 / 2), "number_formula"),
    "number: neighbours leak": (number(lambda a, b: (a - b) ** 2 + 1e-3 * (a.sum() - a)), "number_locality"),
    "number: relative": (number(lambda a, b: (a - b) ** 2 / (1 + b.abs())), "number_translation"),
    "number: detached": (number(lambda a, b: (a - b) * (a - b).detach()), "number_first_derivative"),
    "number: silent downcast": (number(lambda a, b: (a - b).half().to(a.dtype) ** 2), "number_precision"),
    "number: overflow": (number(lambda a, b: ((a - b) ** 2).exp().log()), "number_extremes"),
    "pair: wrong sign": (pair(lambda p: -logsigmoid(-_margin(p))), "pair_learns"),
    "pair: chosen answer forgotten": (pair(lambda p: _dpo(replace(p, chosen=p.chosen.detach()))), "pair_learns"),
    "pair: mean inside": (pair(lambda p: _dpo(p).mean()), "pair_any_shape"),
    "pair: mean inside, shape kept": (pair(lambda p: _dpo(p) / max(1, p.chosen.numel())), "pair_micro_batches"),
    "pair: neighbours leak": (pair(lambda p: -logsigmoid(_margin(p) - 1e-3 * _margin(p).mean())), "pair_locality"),
    "pair: half too small": (pair(lambda p: _dpo(p) / 2), "pair_formula"),
    "pair: detached": (pair(lambda p: _dpo(p) + 0.1 * p.rejected.detach() * p.rejected), "pair_first_derivative"),
    "pair: frozen gradient": (pair(lambda p: _FrozenSquare.apply(_margin(p) - 5)), "pair_second_derivative"),
    "pair: reference trained": (pair(lambda p: -logsigmoid(p.chosen - p.reference_chosen)), "pair_reference_is_fixed"),
    "pair: overflow": (pair(lambda p: (1 + (-_margin(p)).exp()).log()), "pair_extremes"),
    "pair: silent downcast": (pair(lambda p: _dpo(p).half().to(p.chosen.dtype)), "pair_precision"),
    "pair: noise": (pair(lambda p: _dpo(p) + 1e-6 * torch.rand_like(p.chosen)), "pair_determinism"),
    "pair: writes": (pair(_writes_pairs), "pair_determinism"),
    "pair: asks an item": (pair(lambda p: _dpo(p) * float(p.chosen.sum() < 9)), "pair_transforms"),
    "rows: wrong sign": (row(lambda a, b, c: -_distance(a, b, c)), "rows_learn"),
    "rows: nothing to learn": (row(lambda a, b, c: (_distance(a, b, c) - 1e6).relu()), "rows_learn"),
    "rows: mean inside": (row(lambda a, b, c: _distance(a, b, c).mean()), "rows_shape"),
    "rows: half too small": (row(lambda a, b, c: _distance(a, b, c) / 2), "rows_formula"),
    "rows: detached": (row(lambda a, b, c: c * ((a - b) * (a - b).detach()).sum(-1)), "rows_first_derivative"),
    "rows: frozen gradient": (row(lambda a, b, c: c * _FrozenSquare.apply(a - b).sum(-1)), "rows_second_derivative"),
    "rows: the first counts more": (row(lambda a, b, c: _distance(a, b, c) / (1 + torch.arange(len(a)))), "rows_order"),
    "rows: overflow": (row(lambda a, b, c: c * (a - b).square().sum(-1).exp().log1p()), "rows_extremes"),
    "rows: slope of a root": (row(lambda a, b, c: c * (a - b).square().sum(-1).sqrt()), "rows_extremes"),
    "rows: silent downcast": (row(lambda a, b, c: _distance(a, b, c).half().to(a.dtype)), "rows_precision"),
    "rows: noise": (row(lambda a, b, c: _distance(a, b, c) + 1e-6 * torch.rand_like(c)), "rows_determinism"),
    "rows: writes": (row(_writes_rows), "rows_determinism"),
    "number: noise": (number(lambda a, b: (a - b) ** 2 + 1e-6 * torch.rand_like(a)), "number_determinism"),
}

SOUND = (outcome(lambda s: -s.logp), number(lambda a, b: (a - b) ** 2), pair(_dpo), row(_distance))


@pytest.mark.parametrize("fault", FAULTS)
def test_the_battery_catches(fault: str) -> None:
    """Each planted fault is caught by the property named beside it."""
    case, name = FAULTS[fault]
    crashes = {"transforms": RuntimeError, "empty_batch": RuntimeError, "pair_transforms": RuntimeError, "any_shape": UsageError}
    caught_by = (*BROKEN, crashes[name]) if name in crashes else BROKEN
    with pytest.raises(caught_by):
        owed(case.loss)[name](case)


def test_what_is_not_broken_passes() -> None:
    """The sound loss that the faults are made from keeps every property, so each is caught for its fault alone."""
    for case in SOUND:
        for check in owed(case.loss).values():
            check(case)


def test_every_property_catches_something() -> None:
    """A property that catches no planted fault might not be able to fail."""
    checked = {name for _, name in FAULTS.values()}
    owing = {name for case in SOUND for name in owed(case.loss)}
    assert owing - checked == {"number_second_derivative", "number_transforms"}
