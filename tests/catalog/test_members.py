"""Every registered member can be shown; what a spec spells is found, and what nobody knows is not."""

from __future__ import annotations

import functools
import json
from collections.abc import Iterator
from typing import Any

import pytest

from lossworks.api.show import Shown
from lossworks.catalog import Member, find, text, trajectories
from lossworks.catalog.member import REGISTRIES
from lossworks.catalog.text import WIDTH
from lossworks.core.errors import UnknownName, UsageError

MEMBERS = [(registry.kind, entry.name) for registry in REGISTRIES for entry in registry]
DRAWN = {"loss", "penalty", "risk", "schedule"}
BRAILLE = {chr(code) for code in range(0x2801, 0x2900)}


@pytest.fixture(scope="module", autouse=True)
def one_learning_rate() -> Iterator[None]:
    """One learning rate instead of eight; `test_trajectories` tries them all."""
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(trajectories, "RATES", (0.1,))
        trajectories._compared.cache_clear()
        yield
    trajectories._compared.cache_clear()


@functools.cache
def found(name: str) -> tuple[Member, ...]:
    """The members of a name, computed once."""
    return find(name)


@pytest.mark.parametrize(("kind", "name"), MEMBERS)
def test_every_member_is_shown(kind: str, name: str) -> None:
    """Facts that are there, in 78 columns, and curves whose every point is a finite number; JSON has the same."""
    (member,) = (member for member in found(name) if member.kind == kind)
    facts = member.terms[0]
    assert facts.name == name
    assert facts.formula
    assert facts.source
    assert bool(member.curves) == (kind in DRAWN)
    for curve in member.curves:
        assert curve.caption.endswith(".")
        for panel in curve.panels:
            assert any(not line.reference for line in panel.lines)
            assert all(len(line.y) == len(curve.x) and None not in line.y for line in panel.lines)
    shown = text((member,))
    assert max(map(len, shown.split("\n"))) <= WIDTH
    assert facts.source.split()[0] in shown
    assert bool(BRAILLE & set(shown)) == (kind in DRAWN | {"optimizer"})
    assert bool(member.surfaces) == (kind == "optimizer")
    points = json.loads(json.dumps(Shown(found(name)).to_json(), allow_nan=False))["members"]
    assert [each["kind"] for each in points] == [each.kind for each in found(name)]


def test_every_kind_of_slot_is_taken_apart() -> None:
    """No docstring's slot is left among the remarks, and a slot is found wherever a docstring has one."""
    for _, name in MEMBERS:
        for member in found(name):
            said = member.terms[0]
            for slot in ("Domain:", "Limit:", "Limits:", "Gradient:", "Gradient into"):
                assert slot not in f"{said.formula} {said.domain} {said.limit} {said.gradient} {said.remarks}", name


@pytest.mark.parametrize(
    ("name", "near"),
    [
        ("focl", "focal"),
        ("elastic-nets", "elastic_net"),
        ("worst-groups", "worst_group"),
        ("adamW2", "adamw"),
        ("linaer", "linear"),
    ],
)
def test_an_unknown_name_is_looked_for_among_all_kinds(name: str, near: str) -> None:
    """Losses, penalties, risks, optimisers and models are all candidates for what was meant."""
    with pytest.raises(UnknownName, match=f"Did you mean '{near}'"):
        find(name)


def test_specs_are_built() -> None:
    """Keys, signs and hyphens are read as everywhere else, and wrong ones are refused."""
    assert find("focal:gamma=5")[0].terms[0].parameters[0].value == 5
    assert find("cross-entropy") == find("cross_entropy")
    total = find("cross_entropy-0.1*entropy")[0]
    assert (total.spec, [facts.name for facts in total.terms]) == ("cross_entropy-0.1*entropy", ["cross_entropy", "entropy"])
    with pytest.raises(UsageError, match="gama"):
        find("focal:gama=5")
    with pytest.raises(UsageError, match="strength is -1"):
        find("l1:strength=-1")
    with pytest.raises(UsageError, match="do not add up"):
        find("focal+mae")


def test_a_name_in_two_registries_is_shown_for_each(monkeypatch: pytest.MonkeyPatch) -> None:
    """Where a loss and a penalty share a name, both are there."""
    penalties: Any = REGISTRIES[1]
    monkeypatch.setitem(penalties._entries, "huber", penalties["l1"])
    assert [member.kind for member in find("huber")] == ["loss", "penalty"]


def test_needs() -> None:
    """What must be given besides is found by asking the loss, term by term, and said in the caption."""
    assert find("forward_kl+unlikelihood")[0].needs == ("a teacher", "negatives")
    assert find("class_balanced")[0].needs == ()
    assert "The teacher gives the target a probability of 0.9." in find("soft_targets")[0].curves[0].caption
    assert "occurred 1 time, the other 9 times" in find("ldam")[0].curves[0].caption
    assert "teacher" not in find("focal")[0].curves[0].caption


@pytest.mark.parametrize("spec", ["1e308*cross_entropy", "1e-300*focal", "cross_entropy-cross_entropy", "huber:delta=1e-5"])
def test_extreme_sizes_fit(spec: str) -> None:
    """Enormous, tiny and vanishing values are drawn in the same columns."""
    assert max(map(len, text(find(spec)).split("\n"))) <= WIDTH


@pytest.mark.parametrize(
    ("spec", "serves"),
    [
        ("cross_entropy", ("classify", "multilabel", "lm")), ("asymmetric", ("classify (two classes)", "multilabel")),
        ("ldam", ("classify", "lm")), ("mse", ("classify", "multilabel", "regress", "lm")), ("mae", ("regress",)),
        ("unlikelihood", ("scores with negatives, from Python",)), ("entropy", ("sums with another loss",)),
        ("dpo", ("pairs of answers",)),
    ],
)  # fmt: skip
def test_serves_what_fit_takes(spec: str, serves: tuple[str, ...]) -> None:
    """A task is named where its fit takes the loss."""
    assert find(spec)[0].serves == serves
