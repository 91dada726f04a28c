"""Curves of losses over outcomes, against the probability of one; every other outcome is as probable as the next."""

from __future__ import annotations

import dataclasses
import math
from collections.abc import Iterator
from typing import Any

import torch
from torch import Tensor

from ..core.errors import UsageError
from ..losses import BinaryLoss, CategoricalLoss, Loss, losses, render
from ..losses.sampled import SampledLoss
from ..losses.sums import Sum
from ..scores import Scores, binary, dense
from ..scores.sampled import Candidates
from .curve import Curve, slopes, value_and_slope

SEEN = (9.0, 1.0)  # how often the other outcomes and the target occur, for the losses that ask
TAUGHT = 0.9  # what a teacher gives the target
MANY = 1000  # outcomes that noise is drawn from
_P = torch.linspace(0.01, 0.99, 99, dtype=torch.float64)
_TEACHER, _NEGATIVES = "a teacher", "negatives"


def outcomes(loss: CategoricalLoss) -> Curve:
    """Value and slope against the target's probability, beside cross-entropy: V outcomes, logits 0 but for the target's, z."""
    classes = _classes(loss)
    known = loss.with_counts((SEEN[0],) * (classes - 1) + (SEEN[1],))
    needed = needs(loss)

    logit = _P.logit() + math.log(classes - 1)
    others = "others" if classes > 2 else "other"
    caption = f"{classes} outcomes: the last is the target and has logit z, the {others} 0; x is what softmax makes of z."
    if known != loss:
        caption += f" In training the target occurred {SEEN[1]:g} time, the {others} {SEEN[0]:g} times."
    if _TEACHER in needed:
        caption += f" The teacher gives the target {TAUGHT}."
    if _NEGATIVES in needed:
        caption += " Another outcome is the negative, which should be improbable."
    plain = _plain()
    own = render(loss), slopes(lambda z: known.values(_scores(z, classes, needed)), logit)
    beside = None if loss == plain else (render(plain), slopes(lambda z: plain.values(_scores(z, classes, ())), logit))
    return value_and_slope(caption, ("probability of the target", _P), "z", own, beside)


def of_labels(loss: BinaryLoss) -> tuple[Curve, Curve]:
    """For a label that is and for one that is not: value and slope against its probability, beside cross-entropy."""
    labels = max([1, *(len(values) for values in _per_class(loss))])
    plain = _plain()

    def curve(target: int, what: str) -> Curve:
        def values(of: CategoricalLoss, z: Tensor) -> Tensor:
            every = z.unsqueeze(-1).expand(-1, labels)
            return of.values(binary(every, torch.full_like(every, target)))[:, 0]

        own = render(loss), slopes(lambda z: values(loss, z), _P.logit())
        beside = render(plain), slopes(lambda z: values(plain, z), _P.logit())
        of_several = f" It is the first of {labels} labels, all alike." if labels > 1 else ""
        caption = f"A label that {what}, with logit z; x is sigmoid(z).{of_several}"
        return value_and_slope(caption, ("probability that the label is", _P), "z", own, beside)

    return curve(1, "is"), curve(0, "is not")


def sampled(loss: SampledLoss) -> Curve:
    """Value and slope against the target's probability, beside cross-entropy over every outcome."""

    def values(z: Tensor) -> Tensor:
        noise = ((1 - _P) / (MANY - 1)).log().unsqueeze(-1).expand(-1, loss.samples)
        count = z.new_tensor(loss.samples / MANY).log()
        hits = torch.zeros_like(noise, dtype=torch.bool)
        return loss.values(Candidates(z, noise, count.expand_as(z), count.expand(loss.samples), hits))

    plain = _plain()
    logit = _P.logit() + math.log(MANY - 1)
    caption = (
        f"{MANY} outcomes whose logits are log-probabilities, the target's z and the others alike; {loss.samples} of them, "
        "drawn uniformly, are the noise, and none of these is the target."
    )
    own = render(loss), slopes(values, _P.log())
    beside = f"{render(plain)} over all", slopes(lambda z: plain.values(_scores(z, MANY, ())), logit)
    return value_and_slope(caption, ("probability of the target", _P), "z", own, beside)


def needs(loss: CategoricalLoss) -> tuple[str, ...]:
    """The least that the scores must have besides for this loss: a teacher, negatives, neither or both.

    Raises:
        UsageError: the loss refuses scores that have both.
    """
    classes = _classes(loss)
    known = loss.with_counts((1.0,) * classes)
    refused: UsageError | None = None
    for needed in ((), (_TEACHER,), (_NEGATIVES,), (_TEACHER, _NEGATIVES)):
        try:
            known.values(_scores(_P[:1], classes, needed))
            return needed
        except UsageError as error:
            refused = error
    assert refused is not None
    raise refused


def terms(loss: Loss) -> tuple[Loss, ...]:
    """The losses that a sum is made of; any other loss itself."""
    return tuple(term for _, term in loss.terms) if isinstance(loss, Sum) else (loss,)


def _scores(z: Tensor, classes: int, beside: tuple[str, ...]) -> Scores:
    others = torch.zeros(*z.shape, classes - 1, dtype=z.dtype)
    target = torch.full(z.shape, classes - 1)
    given: dict[str, Any] = {}
    if _TEACHER in beside:
        sure = torch.full_like(z, math.log(TAUGHT / (1 - TAUGHT)) + math.log(classes - 1))
        given["teacher"] = dense(torch.cat([others, sure.unsqueeze(-1)], -1), target)
    if _NEGATIVES in beside:
        given["negatives"] = torch.zeros(*z.shape, 1, dtype=torch.int64)
    return dense(torch.cat([others, z.unsqueeze(-1)], -1), target, **given)


def _classes(loss: Loss) -> int:
    return max([2, *(len(values) for values in _per_class(loss))])


def _per_class(loss: Loss) -> Iterator[tuple[float, ...]]:
    """The values of fields that hold one for each class, or each label."""
    for term in terms(loss):
        for field in dataclasses.fields(term):  # type: ignore[arg-type]
            value = getattr(term, field.name)
            if isinstance(value, tuple) and value:
                yield value


def _plain() -> CategoricalLoss:
    loss = losses["cross_entropy"].thing()
    assert isinstance(loss, CategoricalLoss)
    return loss
