"""Texts whose quantities are known functions of the parts kept: effects of parts, and of pairs of them."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace

import numpy as np
from numpy.typing import NDArray

from lossworks.attribution.explanation import Division, Trial
from lossworks.attribution.texts import Texts
from lossworks.attribution.trial import judge


@dataclass(slots=True)
class Made(Texts):
    """effects: of each text, of each label and part [L, P]; label 0 is explained. pairs: of parts that are both kept [P, P].
    always: the part that is always kept. nothing: the quantity without any part.
    """

    effects: Sequence[NDArray[np.float64]]
    pairs: Sequence[NDArray[np.float64]]
    always: int | None = None
    nothing: float = 0.0

    def some(self, first: int, last: int) -> Made:
        part = slice(first, last)
        cut = {name: getattr(self, name)[part] for name in ("texts", "spans", "effects", "pairs")}
        return replace(self, **cut)

    def described(self, number: int) -> tuple[str, str]:
        return "logit", "nats"

    def fixed(self, number: int) -> NDArray[np.bool_]:
        return np.arange(len(self.spans[number])) == (-1 if self.always is None else self.always)

    def all_values(self, number: int, kept: NDArray[np.bool_]) -> NDArray[np.float64]:
        """Of each label [L, N]."""
        effects, pairs = self.effects[number], self.pairs[number]
        return self.nothing + effects @ kept.T + ((kept @ pairs) * kept).sum(1)

    def values(self, kept: Sequence[NDArray[np.bool_]]) -> list[NDArray[np.float64]]:
        return [self.all_values(number, rows)[0] for number, rows in enumerate(kept)]

    def readings(self, kept: Sequence[NDArray[np.bool_]]) -> list[tuple[NDArray[np.float64], dict[str, NDArray[np.float64]]]]:
        found = []
        for number, rows in enumerate(kept):
            own, *others = self.all_values(number, rows)
            found.append((own, {f"label {n}": other for n, other in enumerate(others, 1)}))
        return found

    def leave_one_out(self, label: int = 0) -> list[Division]:
        """The true shares: what deleting each part alone does."""
        found = []
        for number, spans in enumerate(self.spans):
            parts = len(spans)
            kept = np.concatenate([np.ones((1, parts), np.bool_), np.zeros((1, parts), np.bool_), ~np.eye(parts, dtype=np.bool_)])
            whole, nothing, *without = self.all_values(number, kept)[label].tolist()
            found.append(Division(whole, nothing, whole - np.array(without)))
        return found


def made(
    sizes: Sequence[int], *, seed: int = 0, labels: int = 1, shortcut: float = 0.0, pairs: float = 0.1, shared: float = 0.0
) -> Made:
    """Texts of ``sizes`` parts.

    shortcut: added to the first part's effect on label 0. pairs: size of the effects of pairs beside those of parts. shared: the
    weight of what all labels have in common.
    """
    rng = np.random.default_rng(seed)
    effects = [shared * rng.standard_normal(size) + rng.standard_normal((labels, size)) for size in sizes]
    for each in effects:
        each[0, 0] += shortcut
    spans = [np.stack([np.arange(size), np.arange(size) + 1], 1) for size in sizes]
    texts = [f"{number} {size}".ljust(size) for number, size in enumerate(sizes)]
    return Made(texts, spans, effects, [pairs * rng.standard_normal((size, size)) for size in sizes])


def told(texts: Made, shares: Sequence[NDArray[np.float64]], seed: int = 0) -> list[Trial]:
    """The verdicts on given shares, beside controls that are random."""
    rng = np.random.default_rng(seed + 1)
    given = [replace(each, shares=own) for each, own in zip(texts.leave_one_out(), shares, strict=True)]
    control = [replace(each, shares=rng.standard_normal(len(each.shares))) for each in given]
    return judge(texts, given, [control], seed)
