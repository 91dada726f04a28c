"""Each risk against numbers worked by hand, its limits, what it remembers, and what it refuses."""

from __future__ import annotations

import math
from collections.abc import Sequence

import pytest
import torch
from torch import Tensor

from lossworks import risks
from lossworks.core.errors import UnknownName, UsageError
from lossworks.risks.cvar import CVaR
from lossworks.risks.group_dro import GroupDRO
from lossworks.risks.mean import Mean
from lossworks.risks.worst_group import WorstGroup
from risks.battery import drawn, near, slope

VALUES = torch.tensor([1.0, 4.0, 2.0, 8.0], dtype=torch.float64)
ONES = torch.ones(4, dtype=torch.float64)
GROUPS = torch.tensor([0, 0, 1, 1])


def numbers(*found: float) -> Tensor:
    """In float64."""
    return torch.tensor(found, dtype=torch.float64)


def test_mean_by_hand() -> None:
    """(1·1 + 4·2 + 2·0 + 8·1) / 4 = 4.25."""
    assert Mean().combine(VALUES, numbers(1, 2, 0, 1))[0] == 4.25


@pytest.mark.parametrize(
    ("alpha", "weight", "wanted", "shares"),
    [
        (0.25, (1, 1, 1, 1), 8.0, (0, 0, 0, 1)),
        (0.5, (1, 1, 1, 1), 6.0, (0, 0.5, 0, 0.5)),
        (0.375, (1, 1, 1, 1), (8 + 0.5 * 4) / 1.5, (0, 1 / 3, 0, 2 / 3)),  # half of the 4 is inside
        (0.5, (1, 1, 0, 4), 8.0, (0, 0, 0, 1)),  # 3 of the 4 that the 8 weighs
        (0.9, (2, 3, 4, 1), (8 + 12 + 8 + 1) / 9, (1 / 9, 3 / 9, 4 / 9, 1 / 9)),
    ],
)
def test_cvar_by_hand(alpha: float, weight: Sequence[float], wanted: float, shares: Sequence[float]) -> None:
    """The worst alpha of the weight, with a share of the position on the boundary; the gradient is those shares."""
    risk = CVaR(alpha=alpha)
    near(risk.combine(VALUES, numbers(*weight))[0], wanted)
    near(slope(risk, VALUES, numbers(*weight), GROUPS), numbers(*shares))


@pytest.mark.parametrize("alpha", [0.05, 0.2, 0.61, 1.0])
def test_cvar_is_rockafellar_and_uryasevs_minimum(alpha: float) -> None:
    """min over t of t + E[(v - t)₊] / alpha; it lies at one of the values."""
    values, weight, _ = drawn()
    share = weight / weight.sum()
    found = min(float(t + (share * (values - t).clamp_min(0)).sum() / alpha) for t in values)
    near(CVaR(alpha=alpha).combine(values, weight)[0], found)


def test_limits() -> None:
    """CVaR goes from the mean to the worst value; the groups' risks from a mean to the worst group's and the worst value."""
    values, weight, groups = drawn()
    mean, worst = Mean().combine(values, weight)[0], values[weight > 0].max()
    near(CVaR(alpha=1.0).combine(values, weight)[0], mean)
    near(CVaR(alpha=1e-9).combine(values, weight)[0], worst)
    near(WorstGroup().combine(values, weight, 0 * groups)[0], mean)
    near(WorstGroup().combine(values, weight, torch.arange(len(values)) * 1000 - 7)[0], worst)
    start = torch.zeros(3, dtype=torch.float64)
    means = torch.stack([Mean().combine(values[groups == g], weight[groups == g])[0] for g in range(3)])
    near(GroupDRO(step=0.0).combine(values, weight, groups, start)[0], means.mean())
    near(GroupDRO(step=1e6).combine(values, weight, groups, start)[0], means.max())
    near(WorstGroup().combine(values, weight, groups)[0], means.max())


def test_worst_group_by_hand() -> None:
    """Means 2.5 and 5; the gradient goes to the second group alone, by weight. A heavier 1 changes nothing."""
    assert WorstGroup().combine(VALUES, ONES, GROUPS)[0] == 5.0
    assert WorstGroup().combine(VALUES, numbers(9, 1, 1, 3), GROUPS)[0] == 6.5
    near(slope(WorstGroup(), VALUES, numbers(9, 1, 1, 3), GROUPS), numbers(0, 0, 0.25, 0.75))
    near(slope(WorstGroup(), 0 * VALUES, ONES, GROUPS).sort().values, numbers(0, 0, 0.5, 0.5))  # as bad: one's, not half of each


def test_group_dro_by_hand() -> None:
    """Means 2.5 and 5 with step log(2)/2.5: after one step q is 1:2, after the next 1:4; the gradient is q over the groups."""
    risk = GroupDRO(step=math.log(2) / 2.5)
    first, state = risk.combine(VALUES, ONES, GROUPS, risk.start(2))
    near(first, (2.5 + 2 * 5) / 3)
    leaf = VALUES.clone().requires_grad_()
    second, state = risk.combine(leaf, ONES, GROUPS, state)
    near(second.detach(), (2.5 + 4 * 5) / 5)
    near(torch.autograd.grad(second, leaf)[0], numbers(0.1, 0.1, 0.4, 0.4))
    near(state, numbers(2 * 2.5, 2 * 5) * risk.step)
    assert not state.requires_grad


def test_group_dro_keeps_what_an_absent_group_gathered() -> None:
    """A step without a group leaves its state as it is, to the bit, and its share of the weight unused."""
    risk = GroupDRO(step=0.7)
    state = numbers(0.3, 0.1)
    alone = torch.zeros(4, dtype=torch.int64)
    found, after = risk.combine(VALUES, ONES, alone, state)
    assert (after[0] > state[0], after[1] == state[1]) == (True, True)
    near(found, after.softmax(0)[0] * 3.75)


def test_group_dro_does_not_overflow() -> None:
    """A million hard steps later the shares still are shares."""
    risk = GroupDRO(step=100.0)
    found, state = risk.combine(VALUES, ONES, GROUPS, numbers(1e9, 1e9))
    assert (found, bool(state.isfinite().all())) == (5.0, True)


@pytest.mark.parametrize("name", ["group_dro", "worst_group"])
def test_groups_are_needed(name: str) -> None:
    """A grouped risk without groups says what to give, and which risks need none."""
    with pytest.raises(UsageError, match=rf"the risk '{name}' compares groups, and got none. Give groups=.*mean or cvar"):
        risks.build(name).combine(VALUES, ONES)


def test_the_risks_named_as_ungrouped_are_all_there_are() -> None:
    """The remedy above names every risk that works without groups."""
    assert [entry.name for entry in risks.risks if not entry.thing.grouped] == ["cvar", "mean"]


def test_group_dro_wants_its_state() -> None:
    """Without a state it cannot know how many groups there are."""
    with pytest.raises(UsageError, match=r"Give state=risk.start\(number of groups\)"):
        GroupDRO().combine(VALUES, ONES, GROUPS)


def test_shapes_that_differ() -> None:
    """One weight and one group a value; the message says what came."""
    with pytest.raises(UsageError, match=r"got values \(4,\), weight \(1,\). Expand them"):
        Mean().combine(VALUES, ONES[:1])
    with pytest.raises(UsageError, match=r"weight \(4,\), groups \(2,\)"):
        WorstGroup().combine(VALUES, ONES, GROUPS[:2])


@pytest.mark.parametrize(
    ("spec", "message"),
    [
        ("cvar:alpha=0", "risk 'cvar': alpha is 0.0; wanted more than 0, up to 1"),
        ("cvar:alpha=1.5", "alpha is 1.5; wanted"),
        ("cvar:alpha=nan", "alpha is nan; wanted"),
        ("group_dro:step=-1", "risk 'group_dro': step is -1.0; wanted a finite number, 0 or more"),
        ("group_dro:step=inf", "step is inf; wanted"),
        ("mean:alpha=1", "risk 'mean' takes no keys, got 'alpha'"),
    ],
)
def test_values_outside_the_domain(spec: str, message: str) -> None:
    """What is outside its domain is refused, with the name, what came and what was wanted."""
    with pytest.raises(UsageError, match=message):
        risks.build(spec)


def test_broken_specs() -> None:
    """Unknown names get a suggestion; what is no risk is told what is; a spec goes there and back."""
    with pytest.raises(UnknownName, match=r"unknown risk 'cvr'. Did you mean 'cvar'"):
        risks.build("cvr")
    with pytest.raises(UsageError, match=r"got 3 as a risk. Give a spec such as"):
        risks.build(3)  # type: ignore[arg-type]
    assert risks.render(risks.build("cvar:alpha=0.1")) == "cvar:alpha=0.1"
