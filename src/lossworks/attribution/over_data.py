"""Explanations of many texts together: which parts matter most, and whether the explanations may be believed."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from ..evidence.statistics import LEVEL, Difference, difference, holm
from ..metrics.intervals import Interval, mean, proportion
from .explanation import Explanation, Word, finite
from .verdict import MARK

MOST = 20
"""Kinds of parts that are listed for a quantity, for and against each."""
FEWEST = 2
"""Texts that a kind of part must stand in to be listed: one tells nothing of others."""


_SIDES = ("raising", "lowering")


@dataclass(frozen=True, slots=True)
class Kind:
    """Parts that are spelled alike but for capitals. total: of their shares over all texts. mean: in a text that has them."""

    part: str
    texts: int
    total: float
    mean: Interval


@dataclass(frozen=True, slots=True)
class Parts:
    """What matters in the texts of which ``quantity`` is explained: what raises it most in all, and what lowers it most."""

    quantity: str
    texts: int
    raising: tuple[Kind, ...]
    lowering: tuple[Kind, ...]

    def to_json(self) -> dict[str, Any]:
        """Plain values."""
        told = {name: [asdict(kind) | {"mean": kind.mean.to_json()} for kind in getattr(self, name)] for name in _SIDES}
        return {"quantity": self.quantity, "texts": self.texts, **told}


@dataclass(frozen=True, slots=True)
class Test:
    """A paired difference over the texts: the explanations' figure less the other's. p_holm: after Holm's correction."""

    name: str
    found: Difference
    p_holm: float

    @property
    def shown(self) -> int:
        """1 where the explanations are shown to be better, -1 where worse, else 0."""
        return 0 if self.p_holm > LEVEL or self.found.contradicted else int(np.sign(self.found.value))

    def to_json(self) -> dict[str, Any]:
        """Plain values."""
        told = ("value", "low", "high", "p", "p_flips")
        return {"name": self.name, **{key: finite(getattr(self.found, key)) for key in told}, "p_holm": self.p_holm}


@dataclass(frozen=True, slots=True)
class DataTrial:
    """The verdict over all texts. correlation: the mean rank correlation. trusted: share of the texts whose own verdict is trust.

    tried, untried: texts with a trial, and those that have nothing to test.
    """

    word: Word
    sentence: str
    tried: int
    untried: int
    correlation: Interval | None = None
    trusted: Interval | None = None
    tests: tuple[Test, ...] = ()

    def to_json(self) -> dict[str, Any]:
        """Plain values."""
        plain = {name: getattr(self, name) for name in ("word", "sentence", "tried", "untried")}
        intervals = {"correlation": self.correlation, "trusted": self.trusted}
        told = {name: None if value is None else value.to_json() for name, value in intervals.items()}
        return {**plain, **told, "tests": [test.to_json() for test in self.tests]}


def parts_of(explanations: Sequence[Explanation]) -> list[Parts]:
    """The parts that matter most for each quantity, that of most texts first."""
    by_quantity: dict[str, list[Explanation]] = defaultdict(list)
    for each in explanations:
        by_quantity[each.quantity].append(each)
    found = [_parts(quantity, own) for quantity, own in by_quantity.items()]
    return sorted(found, key=lambda parts: -parts.texts)


def _parts(quantity: str, explanations: Sequence[Explanation]) -> Parts:
    shares: dict[str, list[float]] = defaultdict(list)
    for each in explanations:
        own: dict[str, float] = defaultdict(float)
        for part, share in zip(each.parts, each.shares.tolist(), strict=True):
            own[part.lower()] += share
        for part, share in own.items():
            shares[part].append(share)
    kinds = [_kind(part, np.array(own)) for part, own in shares.items() if len(own) >= FEWEST]
    ranked = sorted(kinds, key=lambda kind: (-kind.total, kind.part))
    raising = tuple(kind for kind in ranked[:MOST] if kind.total > 0)
    return Parts(quantity, len(explanations), raising, tuple(kind for kind in ranked[: -MOST - 1 : -1] if kind.total < 0))


def _kind(part: str, shares: NDArray[np.float64]) -> Kind:
    return Kind(part, len(shares), float(shares.sum()), mean(shares, np.ones(len(shares))))


def trial_of(explanations: Sequence[Explanation], controls: Mapping[str, slice]) -> DataTrial:
    """The verdict over all texts, each of them one unit.

    Args:
        explanations: of different texts, each with its trial.
        controls: which of the controls of every trial are of one kind, by its name.
    """
    facts = [each.trial.facts for each in explanations if each.trial is not None]
    tried = [each for each in facts if "nothing" not in each]
    untried = len(explanations) - len(tried)
    if len(tried) < 2:
        return DataTrial("not shown", "Fewer than two texts have something to test.", len(tried), untried)
    ones = np.ones(len(tried))
    reached = np.array([each["correlation"] for each in tried])
    found = {name: difference(d) for name, d in _paired(tried, reached, controls).items()}
    corrected = holm([each.p for each in found.values()])
    tests = tuple(Test(name, each, p) for (name, each), p in zip(found.items(), corrected, strict=True))
    words = np.array([each.trial.word for each in explanations if each.trial and "nothing" not in each.trial.facts])
    correlation, trusted = mean(reached, ones, low=-1, high=1), proportion(words == "trust", ones)
    word: Word = "trust" if all(test.shown > 0 for test in tests) else "not shown"
    word = "do not trust" if any(test.shown < 0 for test in tests) else word
    sentence = _sentence(word, tests, correlation, trusted, len(tried))
    return DataTrial(word, sentence, len(tried), untried, correlation, trusted, tests)


def _paired(
    facts: Sequence[Mapping[str, Any]], reached: NDArray[np.float64], controls: Mapping[str, slice]
) -> dict[str, NDArray[np.float64]]:
    """The paired differences [S, N] that a verdict takes; where no seed is in one, it stands there twice."""
    alone = {
        f"above {MARK:g}": reached - MARK,
        "the same shares on other parts": reached - [each["chance"] for each in facts],
        "random deletions": np.array([_more(each["top"], each["random"]) for each in facts]),
    }
    if any(each["others"] for each in facts):
        alone["other labels"] = reached - [max(each["others"].values(), default=-1.0) for each in facts]
    drawn = np.array([each["controls"] for each in facts]).T
    return {name: np.stack([d, d]) for name, d in alone.items()} | {name: reached - drawn[own] for name, own in controls.items()}


def _more(top: float | None, random: float | None) -> float:
    """How much more is lost with the parts of largest shares; 0 where a reading was infinite."""
    return 0.0 if top is None or random is None else top - random


def _sentence(word: Word, tests: Sequence[Test], correlation: Interval, trusted: Interval, texts: int) -> str:
    figures = (
        f"over {texts:,} texts the mean rank correlation is {correlation.value:.2f} ({correlation.low:.2f} to "
        f"{correlation.high:.2f}), and {trusted.value:.0%} of them are to be trusted one by one"
    )
    if word == "trust":
        return f"The shares foretell what deletions do: {figures}."
    failed = next(test for test in tests if (test.shown < 0 if word == "do not trust" else test.shown <= 0))
    said = "Not shown that the shares foretell" if word == "not shown" else "The shares do not foretell"
    return f"{said} what deletions do ({failed.name}: {failed.found.low:+.2g} to {failed.found.high:+.2g}): {figures}."
