"""Sums of losses, as an expression (``CrossEntropy() + 1e-4 * ZLoss()``) and as a spec (``cross_entropy+1e-4*z_loss``)."""

from __future__ import annotations

import math
import re
from collections.abc import Sequence
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING, Self

from ..core import own
from ..core.errors import UsageError
from .base import BinaryLoss, CategoricalLoss, Loss, RegressionLoss, losses

if TYPE_CHECKING:
    from jaxtyping import Float
    from torch import Tensor

    from ..scores import Scores

_NUMBER = r"(?:\d+\.?\d*|\.\d+)(?:[eE][+-]?\d+)?"
_NUMBERS = rf"[+-]?{_NUMBER}(?:/[+-]?{_NUMBER})*"
_VALUE = rf"(?:{_NUMBERS}(?![\w./])|[^\s,+-]*)"  # a number keeps its signs, its exponent's too; other text ends at the next one
_TERM = re.compile(
    rf"\s*(?P<sign>[+-]?)\s*(?:(?P<factor>{_NUMBER})\s*\*\s*)?(?P<spec>[A-Za-z]\w*(?::\w+={_VALUE}(?:,\s*\w+={_VALUE})*)?)\s*(?=[+-]|$)"
)


@dataclass(frozen=True, slots=True)
class Sum(Loss):
    """Σ factor · loss. What it is a loss of, all its terms are: ``add`` and ``scale`` choose the class."""

    terms: tuple[tuple[float, Loss], ...]

    @property
    def descends_value(self) -> bool:
        return all(loss.descends_value for _, loss in self.terms)

    @property
    def needs(self) -> str:
        return next((loss.needs for _, loss in self.terms if loss.needs), "")

    @property
    def looks_at_target(self) -> bool:
        return any(loss.looks_at_target for _, loss in self.terms)

    def with_counts(self, counts: tuple[float, ...]) -> Self:
        return replace(self, terms=tuple((factor, loss.with_counts(counts)) for factor, loss in self.terms))


@dataclass(frozen=True, slots=True)
class CategoricalSum(Sum, CategoricalLoss):
    """A sum of losses over outcomes."""

    @property
    def positions_interact(self) -> bool:
        return any(loss.positions_interact for _, loss in self._categorical)

    @property
    def _categorical(self) -> list[tuple[float, CategoricalLoss]]:
        return [(factor, loss) for factor, loss in self.terms if isinstance(loss, CategoricalLoss)]

    def values(self, scores: Scores) -> Float[Tensor, "*position"]:
        parts = [factor * loss(scores) for factor, loss in self._categorical]
        return sum(parts[1:], start=parts[0])


@dataclass(frozen=True, slots=True)
class BinarySum(CategoricalSum, BinaryLoss):
    """A sum in which one loss at least is for two outcomes."""


@dataclass(frozen=True, slots=True)
class RegressionSum(Sum, RegressionLoss):
    """A sum of losses between numbers."""

    def errors(
        self,
        prediction: Float[Tensor, "*position"],
        value: Float[Tensor, "*position"],
        teacher: Float[Tensor, "*position"] | None = None,
    ) -> Float[Tensor, "*position"]:
        terms = [(factor, loss) for factor, loss in self.terms if isinstance(loss, RegressionLoss)]
        parts = [factor * loss.errors(prediction, value, teacher) for factor, loss in terms]
        return sum(parts[1:], start=parts[0])

    def between(self, prediction: Float[Tensor, "*position"], value: Float[Tensor, "*position"]) -> Float[Tensor, "*position"]:
        return self.errors(prediction, value)


@dataclass(frozen=True, slots=True)
class EitherSum(CategoricalSum, RegressionSum):
    """A sum of losses that are all both, over outcomes and between numbers."""


def add(left: Loss, right: Loss) -> Sum:
    """left + right, flat."""
    return _sum([*_terms(left), *_terms(right)])


def scale(loss: Loss, factor: float) -> Sum:
    """factor · loss."""
    return _sum([(factor * own, term) for own, term in _terms(loss)])


def without_target(loss: Loss) -> Loss:
    """What of a loss is left where there is no target, but a teacher: the terms that compare with it, as much as all that look at
    an outcome, and those that look at none.

    Raises:
        UsageError: none compares with a teacher.
    """
    terms = _terms(loss)
    taught = sum(factor for factor, term in terms if term.needs == "teacher")
    if not taught:
        such = "forward_kl" if isinstance(loss, CategoricalLoss) else "imitation"
        raise UsageError(f"the loss {render(loss)!r} compares with no teacher. Add one that does, such as 0.5*{such}.")
    whole = sum(factor for factor, term in terms if term.looks_at_target)
    left = [(factor, term) for factor, term in terms if term.needs or not term.looks_at_target]
    kept = [(factor * whole / taught if term.needs else factor, term) for factor, term in left]
    return _sum(kept) if len(kept) > 1 or kept[0][0] != 1 else kept[0][1]


def _terms(loss: Loss) -> tuple[tuple[float, Loss], ...]:
    return loss.terms if isinstance(loss, Sum) else ((1.0, loss),)


def _sum(terms: Sequence[tuple[float, Loss]]) -> Sum:
    if not all(isinstance(loss, Loss) for _, loss in terms):
        raise UsageError(f"only losses add up to a loss, got {[type(loss).__name__ for _, loss in terms]}.")
    if not all(math.isfinite(factor) for factor, _ in terms):
        raise UsageError(f"a loss can be multiplied by a finite number, got {[factor for factor, _ in terms]}.")
    outcomes, numbers = (all(isinstance(loss, kind) for _, loss in terms) for kind in (CategoricalLoss, RegressionLoss))
    if outcomes and numbers:
        return EitherSum(tuple(terms))
    if outcomes:
        binary = any(isinstance(loss, BinaryLoss) for _, loss in terms)
        return (BinarySum if binary else CategoricalSum)(tuple(terms))
    if numbers:
        return RegressionSum(tuple(terms))
    names = " + ".join(losses.render(loss) for _, loss in terms)
    raise UsageError(f"{names} do not add up: they are not losses of one kind (over outcomes, or between numbers).")


def build(spec: str | Loss) -> Loss:
    """The loss that a spec such as ``"focal:gamma=3"`` or ``"cross_entropy+1e-4*z_loss"`` spells; a loss is returned as it is.

    Raises:
        UsageError: an unknown name or key, a value outside its domain, or terms that do not add up.
    """
    if isinstance(spec, str):
        spec = own.without_files(spec, losses.kind)
    if isinstance(spec, str) and (terms := _split(spec)):
        return terms[0][1] if len(terms) == 1 and terms[0][0] == 1 else _sum(terms)
    return losses.build(spec)


def _split(spec: str) -> list[tuple[float, Loss]]:
    """The factors and losses of a spec with several terms, or a factor; none where it is no such spec."""
    found: list[tuple[float, str]] = []
    at = 0
    while at < len(spec):
        term = _TERM.match(spec, at)
        if term is None or (found and not term["sign"]):
            return []
        found.append((float(term["factor"] or 1) * (-1 if term["sign"] == "-" else 1), term["spec"]))
        at = term.end()
    if found and found[0][1].partition(":")[0] not in losses:
        return []  # "cross-entropy" is a name spelled with a hyphen, not a difference
    return [(factor, losses.build(term)) for factor, term in found]


def render(loss: Loss) -> str:
    """The spec that spells ``loss``."""
    if not isinstance(loss, Sum):
        return losses.render(loss)
    terms = [(factor, losses.render(term)) for factor, term in loss.terms]
    text = "".join(f"{'-' if factor < 0 else '+'}{'' if abs(factor) == 1 else f'{abs(factor)}*'}{name}" for factor, name in terms)
    return text.removeprefix("+")
