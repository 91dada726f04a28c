"""Curves of losses over classes, against the probability of the target; all other classes are equally probable."""

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
from .curve import Curve, value_and_grad, value_and_grad_curve

SEEN = (9.0, 1.0)  # counts of the other classes and of the target, for losses that need them
TAUGHT = 0.9  # the teacher's probability of the target
MANY = 1000  # classes that noise is sampled from
_P = torch.linspace(0.01, 0.99, 99, dtype=torch.float64)
_TEACHER, _NEGATIVES = "a teacher", "negatives"


def outcomes(loss: CategoricalLoss) -> Curve:
    """Value and gradient by the target's probability, with cross-entropy: V classes, logits 0 except the target's, z."""
    classes = _classes(loss)
    known = loss.with_counts((SEEN[0],) * (classes - 1) + (SEEN[1],))
    needed = needs(loss)

    logit = _P.logit() + math.log(classes - 1)
    others = "others" if classes > 2 else "other"
    caption = f"{classes} classes: the target has logit z, the {others} 0; x is the target's softmax probability."
    if known != loss:
        caption += f" In training the target occurred {SEEN[1]:g} time, the {others} {SEEN[0]:g} times."
    if _TEACHER in needed:
        caption += f" The teacher gives the target a probability of {TAUGHT}."
    if _NEGATIVES in needed:
        caption += " Another class is the negative, which should be improbable."
    plain = _plain()
    own = render(loss), value_and_grad(lambda z: known.values(_scores(z, classes, needed)), logit)
    reference = None if loss == plain else (render(plain), value_and_grad(lambda z: plain.values(_scores(z, classes, ())), logit))
    return value_and_grad_curve(caption, ("probability of the target", _P), "z", own, reference)


def of_labels(loss: BinaryLoss) -> tuple[Curve, Curve]:
    """For a positive and a negative label: value and gradient by its probability, with cross-entropy."""
    labels = max([1, *(len(values) for values in _per_class(loss))])
    plain = _plain()

    def curve(target: int, what: str) -> Curve:
        def values(of: CategoricalLoss, z: Tensor) -> Tensor:
            every = z.unsqueeze(-1).expand(-1, labels)
            return of.values(binary(every, torch.full_like(every, target)))[:, 0]

        own = render(loss), value_and_grad(lambda z: values(loss, z), _P.logit())
        reference = render(plain), value_and_grad(lambda z: values(plain, z), _P.logit())
        of_several = f" It is the first of {labels} labels with equal logits." if labels > 1 else ""
        caption = f"A {what} label with logit z; x is sigmoid(z).{of_several}"
        return value_and_grad_curve(caption, ("probability of the label", _P), "z", own, reference)

    return curve(1, "positive"), curve(0, "negative")


def sampled(loss: SampledLoss) -> Curve:
    """Value and gradient by the target's probability, with cross-entropy over all classes."""

    def values(z: Tensor) -> Tensor:
        noise = ((1 - _P) / (MANY - 1)).log().unsqueeze(-1).expand(-1, loss.samples)
        count = z.new_tensor(loss.samples / MANY).log()
        hits = torch.zeros_like(noise, dtype=torch.bool)
        return loss.values(Candidates(z, noise, count.expand_as(z), count.expand(loss.samples), hits))

    plain = _plain()
    logit = _P.logit() + math.log(MANY - 1)
    caption = (
        f"{MANY} classes whose logits are log-probabilities, z for the target and equal for the others; {loss.samples} of them, "
        "sampled uniformly, are the noise, and the target is not among them."
    )
    own = render(loss), value_and_grad(values, _P.log())
    reference = f"{render(plain)} over all", value_and_grad(lambda z: plain.values(_scores(z, MANY, ())), logit)
    return value_and_grad_curve(caption, ("probability of the target", _P), "z", own, reference)


def needs(loss: CategoricalLoss) -> tuple[str, ...]:
    """The minimum that this loss needs besides logits and targets: a teacher, negatives, both or neither.

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
    """The terms of a sum; any other loss itself."""
    return tuple(term for _, term in loss.terms) if isinstance(loss, Sum) else (loss,)


def _scores(z: Tensor, classes: int, needed: tuple[str, ...]) -> Scores:
    others = torch.zeros(*z.shape, classes - 1, dtype=z.dtype)
    target = torch.full(z.shape, classes - 1)
    given: dict[str, Any] = {}
    if _TEACHER in needed:
        sure = torch.full_like(z, math.log(TAUGHT / (1 - TAUGHT)) + math.log(classes - 1))
        given["teacher"] = dense(torch.cat([others, sure.unsqueeze(-1)], -1), target)
    if _NEGATIVES in needed:
        given["negatives"] = torch.zeros(*z.shape, 1, dtype=torch.int64)
    return dense(torch.cat([others, z.unsqueeze(-1)], -1), target, **given)


def _classes(loss: Loss) -> int:
    return max([2, *(len(values) for values in _per_class(loss))])


def _per_class(loss: Loss) -> Iterator[tuple[float, ...]]:
    """The values of fields with one entry per class or label."""
    for term in terms(loss):
        for field in dataclasses.fields(term):  # type: ignore[arg-type]
            value = getattr(term, field.name)
            if isinstance(value, tuple) and value:
                yield value


def _plain() -> CategoricalLoss:
    loss = losses["cross_entropy"].thing()
    assert isinstance(loss, CategoricalLoss)
    return loss
