"""Every registered penalty against every property, and broken ones that the battery must catch."""

from __future__ import annotations

from dataclasses import dataclass

import pytest
import torch
from torch import Tensor
from torch.autograd.gradcheck import GradcheckError

from lossworks import penalties as room
from lossworks.penalties import Penalty
from lossworks.penalties.group_lasso import GroupLasso
from lossworks.penalties.l1 import L1
from lossworks.penalties.l2 import L2
from penalties.battery import PROPERTIES

STRENGTHS = ("", "strength=0", "strength=0.5", "strength=3")
MORE = ("elastic_net:strength=0.5,l1_ratio=0", "elastic_net:strength=0.5,l1_ratio=0.01", "elastic_net:strength=3,l1_ratio=1")
SPECS = [*(f"{entry.name}:{keys}" for entry in room.penalties for keys in STRENGTHS), *MORE]


@pytest.mark.parametrize("name", PROPERTIES)
@pytest.mark.parametrize("spec", SPECS)
def test_penalty_keeps_its_promises(spec: str, name: str) -> None:
    """Each property holds, for the default strength, none and strong ones."""
    PROPERTIES[name](room.build(spec))


@dataclass(frozen=True, slots=True, kw_only=True)
class _Overshoots(L1):
    """A plain step of the subgradient, which goes through zero."""

    def prox(self, weight: Tensor, time: Tensor | float) -> Tensor:
        return weight - weight.sign() * self.strength * torch.as_tensor(time, dtype=weight.dtype)


@dataclass(frozen=True, slots=True, kw_only=True)
class _OneStep(L2):
    """Weight decay by one step, which does not compose."""

    def prox(self, weight: Tensor, time: Tensor | float) -> Tensor:
        return weight * (1 - torch.as_tensor(self.strength * time, dtype=weight.dtype)).clamp_min(0)


@dataclass(frozen=True, slots=True, kw_only=True)
class _WrongSign(L2):
    def prox(self, weight: Tensor, time: Tensor | float) -> Tensor:
        return weight * torch.exp(torch.as_tensor(self.strength * time, dtype=weight.dtype))


@dataclass(frozen=True, slots=True, kw_only=True)
class _TwiceAsFast(L2):
    def prox(self, weight: Tensor, time: Tensor | float) -> Tensor:
        return weight * torch.exp(torch.as_tensor(-2 * self.strength * time, dtype=weight.dtype))


@dataclass(frozen=True, slots=True, kw_only=True)
class _MeanOfSquares(L2):
    def value(self, weight: Tensor) -> Tensor:
        return self.strength / 2 * weight.square().sum() / max(1, weight.numel())


@dataclass(frozen=True, slots=True, kw_only=True)
class _FlatValue(L2):
    def value(self, weight: Tensor) -> Tensor:
        return self.strength / 2 * (weight.detach() * weight).sum()


@dataclass(frozen=True, slots=True, kw_only=True)
class _Promotes(L1):
    def prox(self, weight: Tensor, time: Tensor | float) -> Tensor:
        return weight.sign() * (weight.abs() - self.strength * time).clamp_min(0)


@dataclass(frozen=True, slots=True, kw_only=True)
class _OneTimeForAll(L1):
    def prox(self, weight: Tensor, time: Tensor | float) -> Tensor:
        return L1(strength=self.strength).prox(weight, float(torch.as_tensor(time).double().mean()))


@dataclass(frozen=True, slots=True, kw_only=True)
class _ProximalStep(GroupLasso):
    """The proximal step in the metric of the times, w_j / (1 + strength τ_j / ‖x‖), which does not compose."""

    def prox(self, weight: Tensor, time: Tensor | float) -> Tensor:
        time = torch.as_tensor(time, dtype=weight.dtype).expand_as(weight)
        length = weight.norm(dim=-1, keepdim=True)
        for _ in range(200):
            length = (weight * length / (length + self.strength * time)).norm(dim=-1, keepdim=True)
        return torch.nan_to_num(weight * length / (length + self.strength * time))


@dataclass(frozen=True, slots=True, kw_only=True)
class _MeanTime(GroupLasso):
    """One time for a row: the mean of its weights'."""

    def prox(self, weight: Tensor, time: Tensor | float) -> Tensor:
        mean = torch.as_tensor(time, dtype=torch.float64).expand_as(weight).mean(-1, keepdim=True)
        return GroupLasso(strength=self.strength).prox(weight, mean)


@dataclass(frozen=True, slots=True, kw_only=True)
class _InPlace(L2):
    def prox(self, weight: Tensor, time: Tensor | float) -> Tensor:
        return weight.mul_(torch.exp(torch.as_tensor(-self.strength * time, dtype=weight.dtype)))


FAULTS: dict[str, tuple[Penalty, str]] = {
    "overshoots through zero": (_Overshoots(strength=0.5), "flow_never_overshoots"),
    "one step of decay": (_OneStep(strength=0.5), "flow_composes"),
    "wrong sign": (_WrongSign(strength=0.5), "flow_never_overshoots"),
    "twice as fast": (_TwiceAsFast(strength=0.5), "flow_solves_its_equation"),
    "mean inside": (_MeanOfSquares(strength=0.5), "value_adds_up"),
    "value with half a gradient": (_FlatValue(strength=0.5), "value_is_one_number"),
    "a proximal step": (_ProximalStep(strength=0.5), "flow_composes"),
    "the mean of a row's times": (_MeanTime(strength=0.5), "flow_solves_its_equation"),
    "changes the type": (_Promotes(strength=0.5), "flow_keeps_the_type"),
    "one time for all": (_OneTimeForAll(strength=0.5), "flow_goes_row_by_row"),
    "writes into the weights": (_InPlace(strength=0.5), "flow_starts_where_it_is"),
}


@pytest.mark.parametrize("fault", FAULTS)
def test_the_battery_catches(fault: str) -> None:
    """Each planted fault is caught by the property named beside it."""
    penalty, name = FAULTS[fault]
    with pytest.raises((AssertionError, GradcheckError)):
        PROPERTIES[name](penalty)


def test_every_property_catches_something() -> None:
    """A property that catches no planted fault might not be able to fail."""
    assert {name for _, name in FAULTS.values()} == PROPERTIES.keys()
