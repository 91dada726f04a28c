"""Every registered loss, with its defaults and with odd parameters, against every property of its kind."""

from __future__ import annotations

import dataclasses

import pytest
from torch import Tensor

from losses import categorical, regression
from losses.battery import BROKEN, owed
from losses.case import Case
from losses.odd import cases
from lossworks.losses import CategoricalLoss, losses
from lossworks.scores import Scores

CASES = {spec: case for entry in losses for spec, case in cases(entry.name).items()}


@pytest.mark.parametrize(
    ("spec", "name"), [(spec, name) for spec, case in CASES.items() for name in owed(case.loss)], ids=lambda value: value
)
def test_loss_keeps_its_promises(spec: str, name: str) -> None:
    """Each property holds; one that a loss is excused from is really broken, so that no excuse outlives its reason."""
    case = CASES[spec]
    if name not in case.excused:
        owed(case.loss)[name](case)
        return
    with pytest.raises(BROKEN):
        owed(case.loss)[name](case)


@pytest.mark.parametrize("name", [entry.name for entry in losses])
def test_new_losses_bring_odd_parameters_and_a_test_file(name: str) -> None:
    """A loss in the registry has a test file of its own, with odd parameters for every field."""
    fields = [field.name for field in dataclasses.fields(losses[name].thing)]
    untried = [key for key in fields if not any(f"{key}=" in spec for spec in cases(name))]
    assert not untried, f"{name}: no odd value of {untried} in tests/losses/test_{name}.py"


def test_excuses_name_properties() -> None:
    """An excuse for a property that nobody checks would say nothing."""
    known = categorical.PROPERTIES.keys() | regression.PROPERTIES.keys()
    assert {name for case in CASES.values() for name in case.excused} <= known


def test_a_new_loss_needs_only_its_parameters() -> None:
    """An unregistered loss, nothing but its class given, goes through the same properties."""

    class Negative(CategoricalLoss):
        def values(self, scores: Scores) -> Tensor:
            return -scores.logp

    case = Case(Negative())
    for check in owed(case.loss).values():
        check(case)
