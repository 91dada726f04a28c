"""The arms of a comparison with those that are added by themselves: the controls of knowledge, and the members of pools."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from typing import Any

from .. import losses, models
from ..core.errors import UsageError
from ..training.teaching import CUT
from .each import EACH, family_of, is_each
from .knowledge import SAME_CUT, SAME_WITHOUT

POOL = "pool:"
Own = dict[str, Any]


@dataclass(frozen=True, slots=True)
class Pool:
    """Arms as one, weighed in each seed by the validation part; nothing more is trained. members: their places among the arms."""

    name: str
    model: str
    members: tuple[int, ...]


@dataclass(frozen=True, slots=True)
class Lineup:
    """own: what each arm has of its own. controls: by the place of an arm with knowledge, the places of what it is compared with
    by what ``Check`` calls them.
    """

    own: list[Own]
    controls: dict[int, dict[str, int]]
    pools: tuple[Pool, ...]


def lineup(asked: Sequence[Own], common: Mapping[str, Any]) -> Lineup:
    """An arm with a teacher stands between the same without one, where nobody asked for that, and the same with it cut; one whose
    model can be cut before that; pools behind their members, and those behind the arms that were asked for.

    Raises:
        UsageError: a pool of one; or there is one arm, and nothing to compare it with.
    """
    pooled = [own for own in asked if is_pool(own.get("model"))]
    members = [list(_members(own)) for own in pooled]
    wanted = [own for own in asked if own not in pooled]
    wanted += [own for each in members for own in each if own not in wanted]
    arms: list[Own] = []
    for number, own in enumerate(wanted):
        if own in wanted[:number] and own in (one for each in members for one in each):
            continue
        cut = _cut(own, common)
        if _taught(own) and not any(_bare(other) == _bare(own) and not other.get("teach") for other in [*wanted, *arms]):
            arms.append(_without(own, common))
        arms += [own] if cut is None or cut in wanted else [own, cut]
    if len(arms) < 2:
        raise UsageError("there is one arm, and nothing to compare it with. Name two or more: --loss cross_entropy --loss mse.")
    controls = {}
    for place, own in enumerate(arms):
        if (cut := _cut(own, common)) is not None:
            controls[place] = {SAME_CUT: arms.index(cut)}
            if _taught(own):
                bare = (n for n, other in enumerate(arms) if _bare(other) == _bare(own) and not other.get("teach"))
                controls[place] = {SAME_WITHOUT: next(bare), **controls[place]}
    varied = [key for key in {key for own in asked for key in own} if len({repr(own.get(key)) for own in asked}) > 1]
    pools = [
        Pool(_name(own, varied), own["model"], tuple(arms.index(one) for one in each))
        for own, each in zip(pooled, members, strict=True)
    ]
    return Lineup(arms, controls, tuple(pools))


def is_pool(model: Any) -> bool:
    """Whether the spec is that of a pool of arms: pool:linear+bag."""
    return isinstance(model, str) and model.startswith(POOL)


def members_of(model: str) -> list[str]:
    """The specs of the members of a pool, or the model itself.

    Raises:
        UsageError: a pool for each language, which would train nothing.
    """
    if is_each(model) and is_pool(family_of(model)):
        raise UsageError(f"--model {model}: a pool trains nothing for each language. Pool what does: {POOL}linear+{EACH}linear.")
    return model.removeprefix(POOL).split("+") if is_pool(model) else [model]


def _members(own: Own) -> Iterator[Own]:
    specs = members_of(own["model"])
    if len(set(specs)) < 2 or "" in specs:
        raise UsageError(f"--model {own['model']}: a pool has two different members or more: {POOL}linear+bag.")
    return ({**own, "model": spec} for spec in specs)


def _taught(own: Own) -> bool:
    return bool(own.get("teach")) and not own["teach"].startswith(CUT)


def _bare(own: Own) -> Own:
    """What is the same of an arm with a teacher and of the one without."""
    return {key: value for key, value in own.items() if key not in ("teach", "loss")}


def _without(own: Own, common: Mapping[str, Any]) -> Own:
    """An arm without its teacher, and without a loss that compares with one."""
    loss = own.get("loss", common.get("loss"))
    needs = loss and getattr(losses.build(loss), "needs", "") == "teacher"
    return {**own, "teach": None, **({"loss": None} if needs else {})}


def _cut(own: Own, common: Mapping[str, Any]) -> Own | None:
    """The arm with its knowledge cut from its texts; None where it has none that can be."""
    if own.get("teach"):
        return {**own, "teach": f"{CUT}{own['teach']}"} if _taught(own) else None
    model = own.get("model", common.get("model"))
    family = model and family_of(model)
    if family is None or models.is_language(family) or getattr(spec := models.build(family), "cut", True):
        return None
    cut = models.render(replace(spec, cut=True))  # type: ignore[call-arg]
    return {**own, "model": f"{EACH}{cut}" if is_each(model) else cut}


def _name(own: Own, varied: Sequence[str]) -> str:
    """A pool's, by what tells it from the others."""
    return " · ".join([own["model"], *(f"{key}={own[key]}" for key in sorted(varied) if key != "model" and own.get(key))])
