"""Every registered risk against every property, and broken ones that the battery must catch."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

import pytest
import torch
from torch import Tensor
from torch.autograd.gradcheck import GradcheckError

from lossworks import risks as room
from lossworks.risks import Risk
from lossworks.risks.base import group_means, over
from lossworks.risks.cvar import CVaR
from lossworks.risks.group_dro import GroupDRO
from lossworks.risks.mean import Mean
from lossworks.risks.worst_group import WorstGroup
from risks.battery import PROPERTIES

SPECS = {
    "mean": [""],
    "cvar": ["", "alpha=0.001", "alpha=0.37", "alpha=1"],
    "group_dro": ["", "step=0", "step=2"],
    "worst_group": [""],
}
MOVING = "the groups' weights move with the values, and the gradient holds them fixed"
EXCUSED = {
    f"group_dro:{keys}": dict.fromkeys(("the_gradient_is_right", "monotone", "positively_homogeneous", "subadditive"), MOVING)
    for keys in ("", "step=2")
}
CASES = [
    (f"{entry.name}:{keys}", name)
    for entry in room.risks
    for keys in SPECS[entry.name]
    for name in PROPERTIES
    if name not in EXCUSED.get(f"{entry.name}:{keys}", {})
]


@pytest.mark.parametrize(("spec", "name"), CASES)
def test_risk_keeps_its_promises(spec: str, name: str) -> None:
    """Each property holds, for the defaults and for values off the beaten track, or is excused with a reason."""
    PROPERTIES[name](room.build(spec))


def _broken(base: type[Risk], of: Callable[..., tuple[Tensor, Tensor]], **more: Any) -> Risk:
    """A member of ``base`` that combines by ``of(self, values, weight, groups, state)``."""
    cls = type("_Broken", (base,), {"of": of, "__slots__": (), **more})
    return dataclass(frozen=True, kw_only=True)(cls)()


def _rough(self: Risk, values: Tensor, weight: Tensor, groups: Tensor, state: Tensor | None = None) -> Any:
    """Without a care for a weight of 0."""
    return (weight * values).sum() / weight.sum(), state


def _by_count(self: Any, values: Tensor, weight: Tensor, groups: Tensor, state: Tensor) -> Any:
    """The worst positions by their number, not by their weight."""
    return values.topk(3).values.mean(), state


def _by_place(self: Any, values: Tensor, weight: Tensor, groups: Tensor, state: Tensor) -> Any:
    first = weight * torch.arange(len(weight), 0, -1)
    return over((first * values).sum(), first.sum()), state


def _synchronises(self: Any, values: Tensor, weight: Tensor, groups: Tensor, state: Tensor) -> Any:
    total = weight.sum().item()
    return (weight * values).sum() / (total or 1.0), state


def _root(self: Any, values: Tensor, weight: Tensor, groups: Tensor, state: Tensor) -> Any:
    """The root of the mean square: no shift, and no order among negative values."""
    return over((weight * values.square()).sum(), weight.sum()).clamp_min(1e-300).sqrt(), state


def _spread(self: Any, values: Tensor, weight: Tensor, groups: Tensor, state: Tensor) -> Any:
    """Mean and half the variance: what markets used before coherent risks."""
    mean = over((weight * values).sum(), weight.sum())
    return mean + over((weight * (values - mean).square()).sum(), weight.sum()) / 2, state


def _deviation(self: Any, values: Tensor, weight: Tensor, groups: Tensor, state: Tensor) -> Any:
    """Mean and twice the standard deviation: it falls where a good position gets worse."""
    mean = over((weight * values).sum(), weight.sum())
    return mean + 2 * over((weight * (values - mean).square()).sum(), weight.sum()).clamp_min(1e-300).sqrt(), state


def _quantile(self: Any, values: Tensor, weight: Tensor, groups: Tensor, state: Tensor) -> Any:
    """Value at risk: the loss that a fifth of the weight exceeds. Not subadditive."""
    order = values.argsort(descending=True)
    passed = weight[order].cumsum(0) <= 0.2 * weight.sum()
    return values[order][passed.sum().clamp_max(len(values) - 1)], state


def _sum(self: Any, values: Tensor, weight: Tensor, groups: Tensor, state: Tensor) -> Any:
    return (weight * values).sum(), state


def _half_slope(self: Any, values: Tensor, weight: Tensor, groups: Tensor, state: Tensor) -> Any:
    mean = over((weight * values).sum(), weight.sum())
    return mean / 2 + mean.detach() / 2, state


def _flat(self: Any, values: Tensor, weight: Tensor, groups: Tensor, state: Tensor) -> Any:
    return over(weight * values, weight.sum()).sum(0, keepdim=True), state


def _empty_is_worst(self: Any, values: Tensor, weight: Tensor, groups: Tensor, state: Tensor) -> Any:
    """Groups that weigh nothing count with a mean of 0: seen where all others are below it."""
    means, _ = group_means(values - 10, weight, groups, 5)
    return means.max() + 10, state


def _unmasked(self: Risk, values: Tensor, weight: Tensor, groups: Any = None, state: Any = None) -> Any:
    return over((weight.detach() * values).sum(), weight.detach().sum()).to(values.dtype), torch.zeros(0).double()


FAULTS: dict[str, tuple[Risk, str]] = {
    "keeps a dimension": (_broken(Mean, _flat), "it_is_one_number_of_the_values_kind"),
    "the worst by number": (_broken(CVaR, _by_count), "weights_are_repetition"),
    "a sum": (_broken(Mean, _sum), "only_the_share_of_a_weight_counts"),
    "earlier counts more": (_broken(Mean, _by_place), "order_does_not_matter"),
    "looks at what weighs nothing": (_broken(Mean, Mean.of, combine=_unmasked), "what_weighs_nothing_is_not_there"),
    "divides by nothing": (_broken(Mean, _rough), "nothing_at_all_is_zero"),
    "half the slope": (_broken(Mean, _half_slope), "the_gradient_says_what_share_each_has"),
    "half the slope, in figures": (_broken(Mean, _half_slope), "the_gradient_is_right"),
    "asks for a number": (_broken(Mean, _synchronises), "it_never_waits_for_the_device"),
    "mean and deviation": (_broken(Mean, _deviation), "monotone"),
    "mean and variance": (_broken(Mean, _spread), "positively_homogeneous"),
    "root of the mean square": (_broken(Mean, _root), "translation_equivariant"),
    "absent groups count": (_broken(WorstGroup, _empty_is_worst), "translation_equivariant"),
    "value at risk": (_broken(Mean, _quantile), "subadditive"),
    "weights that move": (GroupDRO(step=2.0), "the_gradient_is_right"),
}


@pytest.mark.parametrize("fault", FAULTS)
def test_the_battery_catches(fault: str) -> None:
    """Each planted fault is caught by the property named beside it."""
    risk, name = FAULTS[fault]
    with pytest.raises((AssertionError, GradcheckError, RuntimeError)):
        PROPERTIES[name](risk)


def test_every_property_catches_something() -> None:
    """A property that catches no planted fault might not be able to fail."""
    assert {name for _, name in FAULTS.values()} == PROPERTIES.keys()


@pytest.mark.parametrize("spec", EXCUSED)
def test_an_excuse_is_needed(spec: str) -> None:
    """At least one property that a risk is excused from does not hold for it."""
    broken = 0
    for name in EXCUSED[spec]:
        try:
            PROPERTIES[name](room.build(spec))
        except (AssertionError, GradcheckError):
            broken += 1
    assert broken
