"""How long a part of training is, as people say it: in steps, epochs, tokens, or as a share of the whole."""

from __future__ import annotations

import math
import re
from dataclasses import dataclass
from typing import Any

from ..core.errors import UsageError

_SPELLED = re.compile(r"(?P<amount>[0-9.]+(?:e[-+]?[0-9]+)?)\s*(?P<unit>%|[a-z]*)", re.IGNORECASE)
_UNITS = {"": "steps", "step": "steps", "epoch": "epochs", "token": "tokens"}


@dataclass(frozen=True, slots=True)
class Clock:
    """How long training is at most: ``steps``, ``per_epoch`` of them an epoch, each of ``tokens`` where they are counted."""

    steps: int
    per_epoch: float = math.inf
    tokens: float | None = None


@dataclass(frozen=True, slots=True, init=False)
class Length:
    """A stretch of training, spelled ``100`` or ``100steps``, ``2epochs``, ``1e6tokens``, ``5%``."""

    amount: float
    unit: str

    def __init__(self, spelled: Any) -> None:
        found = _SPELLED.fullmatch(str(spelled).strip())
        unit = found["unit"].lower() if found else "?"
        unit = _UNITS.get(unit, unit)
        if found is None or unit not in ("steps", "epochs", "tokens", "%"):
            raise UsageError(f"got {spelled!r} as a length; wanted such as 100 (steps), 2epochs, 1e6tokens or 5%.")
        try:
            amount = float(found["amount"])
        except ValueError:
            raise UsageError(f"got {spelled!r} as a length; {found['amount']!r} is no number.") from None
        if unit == "%" and amount > 100:
            raise UsageError(f"got {spelled!r} as a length; wanted 100% or less.")
        object.__setattr__(self, "amount", amount)
        object.__setattr__(self, "unit", unit)

    def __str__(self) -> str:
        amount = f"{self.amount:.12g}"
        return amount if self.unit == "steps" else amount + self.unit

    def steps(self, clock: Clock) -> float:
        """The same in steps.

        Raises:
            UsageError: it is in epochs or tokens, and nobody counts them.
        """
        if self.unit == "%":
            return self.amount / 100 * clock.steps
        if self.unit == "epochs":
            if math.isinf(clock.per_epoch):
                raise UsageError(
                    f"the length {self} is in epochs, and it is not said how many steps they have. Give it in steps."
                )
            return self.amount * clock.per_epoch
        if self.unit == "tokens":
            if clock.tokens is None:
                raise UsageError(f"the length {self} is in tokens, which are not counted here. Give it in steps, epochs or %.")
            return self.amount / clock.tokens
        return self.amount
