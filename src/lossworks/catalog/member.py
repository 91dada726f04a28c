"""A member of any registry by the spec that spells it: its facts, what it serves, its curves, and where it goes."""

from __future__ import annotations

import re
from dataclasses import dataclass
from typing import Any

from ..core import specs
from ..core.errors import UnknownName, UsageError
from ..core.registry import Registry
from ..losses import BinaryLoss, CategoricalLoss, EmbeddingLoss, Loss, PreferenceLoss, RegressionLoss, build, losses, render
from ..losses.sampled import SampledLoss
from ..models import models
from ..optim import Optimizer, optimizers
from ..penalties import Penalty, penalties
from ..risks import Risk, risks
from ..schedules import Schedule, schedules
from . import numbers, outcomes, rates, trajectories, weights
from .curve import Curve
from .facts import Facts, facts
from .trajectories import Surface

REGISTRIES: tuple[Registry[Any], ...] = (losses, penalties, risks, schedules, optimizers, models)


@dataclass(frozen=True, slots=True, kw_only=True)
class Member:
    """A configured member of a registry.

    terms: its facts; of a sum of losses, those of each term.
    serves: kinds of task it can be used for, or what it works on where that is no kind of ``fit``.
    needs: what it must be given besides, which a plain ``fit`` does not.
    surfaces: of an optimiser, what it was run on, and its way down.
    """

    kind: str
    spec: str
    terms: tuple[Facts, ...]
    serves: tuple[str, ...] = ()
    needs: tuple[str, ...] = ()
    curves: tuple[Curve, ...] = ()
    surfaces: tuple[Surface, ...] = ()


def find(spec: str) -> tuple[Member, ...]:
    """Every registered member that ``spec`` spells, mostly one.

    Raises:
        UnknownName: no registry knows the name.
        UsageError: a key or a value is wrong, or terms do not add up.
    """
    name = spec.partition(":")[0]
    homes = [registry for registry in REGISTRIES if name in registry]
    words = re.findall(r"[A-Za-z]\w*", spec)
    if not homes and re.search(r"[-+*]", spec) and any(word in losses for word in words):
        homes = [losses]
    if not homes:
        raise UnknownName("name", name, {entry.name for registry in REGISTRIES for entry in registry})
    found: list[Member] = []
    wrong: list[UsageError] = []
    for home in homes:  # a name of two kinds is shown as both, as far as the keys are known to them
        try:
            found.append(_loss(build(spec)) if home is losses else _other(home, spec))
        except UsageError as error:
            wrong.append(error)
    if not found:
        raise wrong[0]
    return tuple(found)


def _loss(loss: Loss) -> Member:
    terms = outcomes.terms(loss)
    return Member(
        kind=losses.kind,
        spec=render(loss),
        terms=tuple(facts(losses[losses.name_of(type(term))], term) for term in terms),
        serves=_serves(loss),
        needs=_needs(loss),
        curves=_curves(loss),
    )


def _other(registry: Registry[Any], spec: str) -> Member:
    thing = specs.build(registry, spec)
    said = facts(registry[registry.name_of(type(thing))], thing)
    curves: tuple[Curve, ...] = ()
    surfaces: tuple[Surface, ...] = ()
    if isinstance(thing, Penalty):
        curves = (weights.weight(thing),)
    elif isinstance(thing, Schedule):
        curves = (rates.rate(thing),)
    elif isinstance(thing, Risk):
        curves = (weights.share(thing),)
    elif isinstance(thing, Optimizer):
        surfaces = trajectories.surfaces(thing, rate_given=re.search(r"[:,]\s*lr\s*=", spec) is not None)
    return Member(kind=registry.kind, spec=specs.render(registry, thing), terms=(said,), curves=curves, surfaces=surfaces)


def _curves(loss: Loss) -> tuple[Curve, ...]:
    found: list[Curve] = []
    if isinstance(loss, BinaryLoss):
        found += outcomes.of_labels(loss)
    elif isinstance(loss, CategoricalLoss):
        found.append(outcomes.outcomes(loss))
    if isinstance(loss, RegressionLoss):
        found.append(numbers.errors(loss))
    if isinstance(loss, PreferenceLoss):
        found.append(numbers.pairs(loss))
    if isinstance(loss, EmbeddingLoss):
        found.append(numbers.rows(loss))
    if isinstance(loss, SampledLoss):
        found.append(outcomes.sampled(loss))
    return tuple(found)


def _serves(loss: Loss) -> tuple[str, ...]:
    found: list[str] = []
    if isinstance(loss, CategoricalLoss):
        found += ["classify (two classes)" if isinstance(loss, BinaryLoss) else "classify", "multilabel"]
    kinds = (
        (RegressionLoss, "regress"),
        (PreferenceLoss, "pairs of answers"),
        (EmbeddingLoss, "rows that are compared"),
        (SampledLoss, "heads too wide to compute whole"),
    )
    return (*found, *(words for kind, words in kinds if isinstance(loss, kind)))


def _needs(loss: Loss) -> tuple[str, ...]:
    if isinstance(loss, CategoricalLoss) and not isinstance(loss, BinaryLoss):
        return outcomes.needs(loss)
    return ("noise to draw outcomes from",) if isinstance(loss, SampledLoss) else ()
