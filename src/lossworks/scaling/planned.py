"""A plan: a forecast of one run, with what it is from and what the run takes."""

from __future__ import annotations

from dataclasses import asdict, dataclass
from typing import Any

from .cost import Cost
from .forecast import Forecast
from .runs import Runs, Target


@dataclass(frozen=True, repr=False)
class Planned:
    """A forecast of one run, from others.

    Attributes:
        target: the run that is forecast.
        found: its loss with an interval, and how past forecasts went; ``found.loss[0]`` is the loss.
        taken: the seconds and the memory of its training.
        runs: what the forecast is from.
        curve: the forecast along larger and larger runs, up to the target.
        notes: what should be known beside it.
    """

    target: Target
    found: Forecast
    taken: Cost
    runs: Runs
    curve: tuple[tuple[Target, ...], Forecast]
    notes: tuple[str, ...]

    @property
    def loss(self) -> float:
        """The loss that is forecast, in nats a token."""
        return self.found.loss[0]

    @property
    def interval(self) -> tuple[float, float]:
        """The interval of the loss."""
        return self.found.low[0], self.found.high[0]

    def to_json(self) -> dict[str, Any]:
        """All of it but the runs, as one JSON object."""
        said = asdict(self.found) | {key: getattr(self.found, key)[0] for key in ("loss", "low", "high", "ratio")}
        return {
            "target": asdict(self.target), **said, "cost": asdict(self.taken), "notes": list(self.notes), "runs": len(self.runs)
        }  # fmt: skip
