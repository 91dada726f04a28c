"""An explanation: a quantity of one text, divided among its parts, with what is left over, and how far it may be believed."""

from __future__ import annotations

import math
from dataclasses import asdict, dataclass, field
from typing import TYPE_CHECKING, Any, Literal

import numpy as np
from numpy.typing import NDArray

if TYPE_CHECKING:
    from jaxtyping import Float, Int

Word = Literal["trust", "not shown", "do not trust"]


@dataclass(frozen=True, slots=True)
class Trial:
    """Whether an explanation may be believed, and why: paired tests of what its shares foretell, which it can fail."""

    word: Word
    sentence: str
    facts: dict[str, Any] = field(default_factory=dict)


@dataclass(frozen=True, slots=True)
class Division:
    """A method's answer for one text: the quantity of it whole, and of nothing of it, and the share of each part [P].

    notes, details: as of ``Explanation``.
    """

    value: float
    baseline: float
    shares: Float[NDArray[np.float64], "P"]
    notes: tuple[str, ...] = ()
    details: tuple[dict[str, Any], ...] = ()


@dataclass(frozen=True, slots=True, kw_only=True)
class Explanation:
    """A quantity of one text as shares of its parts.

    quantity, unit: what is explained. value: of the whole text. baseline: without any part.
    spans: characters of each part [P, 2], the first and the one after the last. shares: of each part [P].
    deleted: what the quantity loses when that part alone is deleted [P], where the shares are not that already.
    names: of parts that are no passages of the text: orders of n-grams.
    method: the name of how the shares were found. how: that in words. notes: what to know about them.
    details: what the family itself tells, token by token (orders and counts of n-grams, states, evidence by label).
    """

    text: str
    quantity: str
    unit: str
    value: float
    baseline: float
    spans: Int[NDArray[np.int64], "P 2"]
    shares: Float[NDArray[np.float64], "P"]
    method: str
    how: str
    deleted: Float[NDArray[np.float64], "P"] | None = None
    names: tuple[str, ...] = ()
    trial: Trial | None = None
    notes: tuple[str, ...] = ()
    details: tuple[dict[str, Any], ...] = ()

    @property
    def residual(self) -> float:
        """What the shares leave over: value - baseline - their sum."""
        return self.value - self.baseline - float(self.shares.sum())

    @property
    def parts(self) -> list[str]:
        """The text of each part, or its name."""
        return list(self.names) or [self.text[first:last] for first, last in self.spans.tolist()]

    def to_json(self) -> dict[str, Any]:
        """Everything as plain values; a number that is not finite is None."""
        deleted = [None] * len(self.shares) if self.deleted is None else self.deleted.tolist()
        rows = zip(self.parts, self.spans.tolist(), self.shares.tolist(), deleted, strict=True)
        return {
            "text": self.text,
            "quantity": self.quantity,
            "unit": self.unit,
            "value": finite(self.value),
            "baseline": finite(self.baseline),
            "residual": finite(self.residual),
            "method": self.method,
            "how": self.how,
            "named": bool(self.names),
            "parts": [
                {"text": text, "characters": span, "share": finite(share)}
                | ({} if self.deleted is None else {"deleted": finite(lost)})
                for text, span, share, lost in rows
            ],
            "trial": None if self.trial is None else asdict(self.trial),
            "notes": list(self.notes),
            "details": list(self.details),
        }


def finite(value: float | None) -> float | None:
    """The same, or None of what JSON has no number for."""
    return value if value is not None and math.isfinite(value) else None
