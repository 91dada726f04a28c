"""A member of any registry by its spec: its facts, tasks, requirements, curves and trajectories."""

from __future__ import annotations

import re
from dataclasses import dataclass
from typing import Any

from ..balances import balances
from ..core import own
from ..core.errors import UnknownName, UsageError
from ..core.registry import Registry
from ..losses import BinaryLoss, CategoricalLoss, EmbeddingLoss, Loss, PreferenceLoss, RegressionLoss, build, losses, render
from ..losses.sampled import SampledLoss
from ..models import models
from ..optim import Optimizer, optimizers
from ..penalties import Penalty, penalties
from ..risks import Risk, risks
from ..schedules import Schedule, schedules
from ..tasks import Classify, LanguageModeling, Multilabel, Regress, Task
from ..tokens import tokenizers
from . import numbers, outcomes, rates, trajectories, weights
from .curve import Curve
from .facts import Facts, facts
from .trajectories import Surface

_TWO = "classify (two classes)"
_TASKS: dict[str, Task] = {
    "classify": Classify(("a", "b", "c")),
    _TWO: Classify(("a", "b")),
    "multilabel": Multilabel(("a", "b")),
    "regress": Regress(),
    "lm": LanguageModeling(),
}

REGISTRIES: tuple[Registry[Any], ...] = (losses, penalties, risks, balances, schedules, optimizers, models, tokenizers)


@dataclass(frozen=True, slots=True, kw_only=True)
class Member:
    """A configured member of a registry.

    terms: its facts; for a sum of losses, those of each term.
    serves: tasks it can be used for, or its kind of input if ``fit`` has no such task.
    needs: inputs that it requires and a plain ``fit`` does not provide.
    surfaces: for an optimizer, the test functions and its trajectories.
    """

    kind: str
    spec: str
    terms: tuple[Facts, ...]
    serves: tuple[str, ...] = ()
    needs: tuple[str, ...] = ()
    curves: tuple[Curve, ...] = ()
    surfaces: tuple[Surface, ...] = ()


def find(spec: str) -> tuple[Member, ...]:
    """Every registered member with this spec, usually one.

    Raises:
        UnknownName: no registry has the name.
        UsageError: a parameter or a value is wrong, or terms cannot be added.
    """
    spec = own.without_files(spec)
    name = spec.partition(":")[0]
    homes = [registry for registry in REGISTRIES if name in registry]
    words = re.findall(r"[A-Za-z]\w*", spec)
    if not homes and re.search(r"[-+*]", spec) and any(word in losses for word in words):
        homes = [losses]
    if not homes:
        known = {entry.name for registry in REGISTRIES for entry in registry}
        raise UnknownName("name", name, known, where="lossworks list names all there is; lossworks help tells of the rest.")
    found: list[Member] = []
    wrong: list[UsageError] = []
    for home in homes:  # a name of two kinds is shown as both, if both have the given parameters
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
    thing = registry.build(spec)
    described = facts(registry[registry.name_of(type(thing))], thing)
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
    return Member(kind=registry.kind, spec=registry.render(thing), terms=(described,), curves=curves, surfaces=surfaces)


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
    found = [name for name, task in _TASKS.items() if not task.misfit(loss, taught=True)]
    kinds = (
        (PreferenceLoss, "pairs of answers"),
        (EmbeddingLoss, "pairs of embeddings"),
        (SampledLoss, "output layers too large to compute in full"),
    )
    found += [words for kind, words in kinds if isinstance(loss, kind)]
    if isinstance(loss, CategoricalLoss) and not found:
        found = ["sums with another loss"] if not loss.looks_at_target else ["scores with negatives, from Python"]
    return tuple(name for name in found if name != _TWO or "classify" not in found)


def _needs(loss: Loss) -> tuple[str, ...]:
    if isinstance(loss, CategoricalLoss) and not isinstance(loss, BinaryLoss):
        return outcomes.needs(loss)
    return ("a noise distribution",) if isinstance(loss, SampledLoss) else ()
