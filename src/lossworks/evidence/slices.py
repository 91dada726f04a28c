"""In which describable part of a data set a model's loss differs from that on the rest, or two models' difference does.

Every slice is tested by ``contrast`` and all p-values are corrected together by Holm's method, so that where no slice differs one
is called different in at most 5 % of data sets. Rows of one text are one unit.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import asdict, dataclass, field, replace
from typing import Any, Literal

import numpy as np

from ..metrics.contrast import FEWEST, LEVEL, Estimate, Losses, contrast, holm, mean_of
from ..tokens.graphemes import isolated
from .text_slices import Slice

Word = Literal["harder", "easier", "better", "worse", "differs", "no difference shown"]


@dataclass(frozen=True, slots=True, kw_only=True)
class Told:
    """What was found of one slice.

    texts: how many it has.
    share: its part of all rows, by weight; of a language model, of all tokens or bytes.
    inside, outside: the mean loss, or of two models the mean difference, on its rows and on the others.
    value, low, high: inside less outside, and the 95 % interval of that alone, uncorrected.
    p, p_holm: before and after Holm's correction over all slices that were tested.
    excess: how much less the whole loss would be if its rows cost what the others do, as a part of it; of two models, what its
    rows add to their mean difference.
    inside_low, inside_high: the 95 % interval of ``inside``.
    also: other descriptions of the very same rows.
    """

    kind: str
    name: str
    texts: int
    share: float
    inside: float
    outside: float
    value: float
    low: float
    high: float
    p: float
    p_holm: float = 1.0
    excess: float | None
    inside_low: float
    inside_high: float
    word: Word = "no difference shown"
    also: tuple[str, ...] = ()

    @property
    def title(self) -> str:
        """Its description."""
        return title(self.kind, self.name)

    @property
    def shown(self) -> bool:
        """Whether it differs."""
        return self.p_holm <= LEVEL


@dataclass(frozen=True, slots=True, kw_only=True)
class Table:
    """All slices of a model, those that differ first: the ones with more loss, then those with less, by share times difference.

    mean: of all rows, the loss, or the difference from the model ``against``.
    untested: slices of too few texts, or with too few outside: kind, name and how many texts they have.
    """

    run: str
    against: str | None
    mean: Estimate
    slices: list[Told]
    untested: list[tuple[str, str, int]] = field(default_factory=list)

    @property
    def shown(self) -> list[Told]:
        """Those that differ."""
        return [one for one in self.slices if one.shown]

    def to_json(self) -> dict[str, Any]:
        """Plain values."""
        return asdict(self)


def title(kind: str, name: str) -> str:
    """A slice's description."""
    return f"{kind} {name!r}" if kind == "word" else f"{kind} {name}"


def judge(runs: dict[str, Losses], slices: Sequence[Slice]) -> list[Table]:
    """Of one model the slices whose loss differs from the rest's; of several, those whose difference from the first does.

    Args:
        runs: losses on the same rows, by the models' names.
        slices: parts of those rows, chosen without a look at the losses.
    """
    (first, losses), *others = runs.items()
    distinct = _distinct(slices)
    pairs: list[tuple[str, str | None, Losses]] = [(name, first, other.less(losses)) for name, other in others] or [
        (first, None, losses)
    ]
    tables = [_table(name, against, of, distinct) for name, against, of in pairs]
    corrected = iter(holm([one.p for table in tables for one in table.slices]))
    return [_worded(replace(table, slices=[replace(one, p_holm=next(corrected)) for one in table.slices])) for table in tables]


def _distinct(slices: Sequence[Slice]) -> list[tuple[Slice, tuple[str, ...]]]:
    """Each set of rows once, with the other descriptions that it has."""
    found: dict[bytes, list[Slice]] = {}
    for one in slices:
        found.setdefault(one.rows.astype(np.int64).tobytes(), []).append(one)
    return [(same[0], tuple(title(one.kind, one.name) for one in same[1:])) for same in found.values()]


def _table(run: str, against: str | None, losses: Losses, slices: Sequence[tuple[Slice, tuple[str, ...]]]) -> Table:
    told, untested = list[Told](), list[tuple[str, str, int]]()
    everything = losses.sample(np.arange(len(losses.sums)))
    mean = mean_of(everything)
    for one, also in slices:
        inside = losses.sample(one.rows)
        outside = losses.sample(losses.without(one.rows)) if len(inside.sums) >= FEWEST else inside
        if min(len(inside.sums), len(outside.sums)) < FEWEST:
            untested.append((one.kind, one.name, len(inside.sums)))
            continue
        found, own = contrast(inside, outside), mean_of(inside)
        share = float(inside.sizes.sum() / everything.sizes.sum())
        excess = share * own.value if against else share * found.value / mean.value if mean.value else None
        told.append(
            Told(
                kind=one.kind, name=one.name, also=also, texts=len(inside.sums), share=share, inside=own.value,
                inside_low=own.low, inside_high=own.high, outside=outside.rate, excess=excess, **asdict(found),
            )
        )  # fmt: skip
    return Table(run=run, against=against, mean=mean, slices=told, untested=untested)


def _worded(table: Table) -> Table:
    """The slices in their order, each with its word."""
    told = [replace(one, word=_word(one, table.against is not None)) if one.shown else one for one in table.slices]
    order = sorted(told, key=lambda one: (0, one.value < 0, -one.share * abs(one.value)) if one.shown else (1, False, one.p))
    return replace(table, slices=order)


def _word(one: Told, paired: bool) -> Word:
    """Which way a slice differs; of two models neither may be shown to be better there, though it is not as elsewhere."""
    if not paired:
        return "harder" if one.value > 0 else "easier"
    return "worse" if one.inside_low > 0 else "better" if one.inside_high < 0 else "differs"


def sentence(table: Table, unit: str) -> str:
    """What was found, in words."""
    shown, tested = table.shown, f"{len(table.slices):,} slices tested"
    if table.against is not None:
        return f"{_overall(table, unit)} {_apart(table, tested)}"
    if not shown:
        return f"No slice shown to differ ({tested})."
    most = shown[0]
    way, extreme = ("more", "most excess") if most.value > 0 else ("less", "least excess")
    part = "" if most.excess is None else f", {abs(most.excess):.1%} of the whole loss"
    return (
        f"{len(shown):,} of {tested} differ, after Holm's correction. The {extreme} loss is with "
        f"{isolated(most.title)}: its texts cost {abs(most.value):.3g} {unit} {way} than the others "
        f"({_range(most.value, most)}){part}."
    )


def _overall(table: Table, unit: str) -> str:
    """Which model is better on all rows."""
    mean = table.mean
    if mean.p > LEVEL:
        return f"On all rows no difference from {table.against} is shown: {mean.value:+.3g} {unit} ({_range(1, mean)})."
    way = "worse" if mean.value > 0 else "better"
    return f"On all rows {way} than {table.against} by {abs(mean.value):.3g} {unit} ({_range(mean.value, mean)})."


def _apart(table: Table, tested: str) -> str:
    """Where the difference is another than elsewhere: first where the model is worse."""
    if not table.shown:
        return f"No slice shown to differ from that ({tested})."
    most = table.shown[0]
    inside = Estimate(most.inside, most.inside_low, most.inside_high, most.p)
    what = f"{most.inside:+.3g}" if most.word == "differs" else f"{most.word} by {abs(most.inside):.3g}"
    return (
        f"In {len(table.shown):,} of {tested} it differs from that elsewhere, after Holm's correction: of "
        f"{isolated(most.title)} it is {what} ({_range(1 if most.word == 'differs' else most.inside, inside)}), elsewhere "
        f"{most.outside:+.3g}."
    )


def _range(sign: float, of: Any) -> str:
    """The ends of an interval; of one below zero, that of its size, as the sign is in the words."""
    low, high = (of.low, of.high) if sign > 0 else (-of.high, -of.low)
    return f"{low:.3g} to {high:.3g}"
