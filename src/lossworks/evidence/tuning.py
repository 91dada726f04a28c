"""What is tuned, and the points that are tried: as many for every arm, spread first and then closer around the best.

A point depends on the arm's finished trials alone and not on the order in which they ended, so any number of workers, killed and
restarted any number of times, try the same points.
"""

from __future__ import annotations

import math
import re
from collections.abc import Sequence
from dataclasses import dataclass, fields, replace
from typing import Any

import numpy as np

from .. import losses, models, optim, penalties
from ..core.errors import UnknownName, UsageError
from ..core.seeds import derive, generator
from ..training import Settings

WIDE = 100.0
"""A learning rate is searched between this many times less and more than the optimizer's default."""
_SPEC = re.compile(r"(?P<part>[a-z]+)\.(?P<key>\w+)=(?P<low>[^:]+):(?P<high>[^:]+)")
_ROOMS: dict[str, Any] = {"model": models, "loss": losses, "optimizer": optim, "penalty": penalties}
_LOG_FROM = 10.0  # a range this many times as high as low is searched on a log scale


@dataclass(frozen=True, slots=True)
class Dimension:
    """A parameter to tune: the learning rate (``lr``), or ``part.key`` between ``low`` and ``high``."""

    name: str
    low: float = 0.0
    high: float = 0.0

    @classmethod
    def parse(cls, spec: str) -> Dimension:
        """From ``lr``, or ``loss.gamma=0.5:5``.

        Raises:
            UsageError: neither, or an invalid range.
        """
        if spec == "lr":
            return cls("lr")
        found = _SPEC.fullmatch(spec.strip())
        try:
            if found is None or found["part"] not in _ROOMS:
                raise ValueError
            low, high = float(found["low"]), float(found["high"])
        except ValueError:
            parts = ", ".join(_ROOMS)
            raise UsageError(f"--tune {spec!r}: wanted lr, or part.key=low:high, the part one of {parts}.") from None
        if not -math.inf < low < high < math.inf:
            raise UsageError(f"--tune {spec!r}: wanted a range from low to high.")
        return cls(f"{found['part']}.{found['key']}", low, high)

    def range_of(self, settings: Settings) -> tuple[float, float, bool]:
        """Low, high, and whether it is searched on a log scale."""
        if self.name == "lr":
            usual = float(settings.lr or 0)
            return usual / WIDE, usual * WIDE, True
        return self.low, self.high, self.low > 0 and self.high >= _LOG_FROM * self.low

    def fits(self, settings: Settings) -> bool:
        """Whether an arm has this parameter."""
        return settings.optimizer is not None if self.name == "lr" else _field(settings, self.name) is not None

    def apply(self, settings: Settings, value: float) -> Settings:
        """The settings with the parameter set."""
        if self.name == "lr":
            return settings.with_lr(value)
        part, key = self.name.split(".")
        member = _built(settings, part)
        changed = replace(member, **{key: round(value) if isinstance(getattr(member, key), int) else value})
        return replace(settings, **{part: _ROOMS[part].render(changed)})


def parse(specs: Sequence[str]) -> tuple[Dimension, ...]:
    """The dimensions of the specs.

    Raises:
        UsageError: an invalid spec, or one given twice.
    """
    found = tuple(map(Dimension.parse, specs))
    if len({one.name for one in found}) < len(found):
        raise UsageError(f"--tune names something twice: {', '.join(specs)}.")
    return found


def check_fits(dimensions: Sequence[Dimension], settings: Sequence[Settings]) -> None:
    """Raise UnknownName if no arm has a parameter that is to be tuned."""
    for one in dimensions:
        if one.name != "lr" and not any(one.fits(each) for each in settings):
            part = one.name.split(".")[0]
            members = [_built(each, part) for each in settings if getattr(each, part, None)]
            raise UnknownName("parameter to tune:", one.name, {f"{part}.{f.name}" for member in members for f in fields(member)})


def points(
    dimensions: Sequence[Dimension], settings: Settings, trials: int, scores: Sequence[float], seed: int
) -> list[dict[str, float]]:
    """The points to try as far as they are known, given the ``scores`` of the first ones (lower is better).

    Two thirds are spread over the whole range, a Latin hypercube. Once all of those have scores, the rest are spread between the
    best one's neighbours; where the best learning rate is the outermost, they continue beyond it, as far apart as the first were.
    """
    own = [one for one in dimensions if one.fits(settings)]
    if not own or not trials:
        return []
    first = max(1, math.ceil(trials * 2 / 3))
    ranges = [one.range_of(settings) for one in own]
    spread = _spread(own, ranges, first, derive(seed, "spread"))
    if len(scores) < first or first == trials:
        return spread
    best = spread[min(range(first), key=scores.__getitem__)]
    rest = trials - first
    closer = [
        _further(best[one.name], tried, *reach, first, rest)
        if one.name == "lr" and first > 1 and best[one.name] in (tried[0], tried[-1])
        else _around(best[one.name], *reach, first)
        for one, reach, tried in zip(own, ranges, (sorted(point[one.name] for point in spread) for one in own), strict=True)
    ]
    return spread + _spread(own, closer, rest, derive(seed, "closer"), shifted=True)


def _spread(
    own: Sequence[Dimension], ranges: Sequence[tuple[float, float, bool]], count: int, seed: int, shifted: bool = False
) -> list[dict[str, float]]:
    """``count`` points; shifted: in the middle of an even count stands a gap, so that no point is tried twice."""
    draw = generator(seed, "cells")
    cells = np.stack([draw.permutation(count) + 0.5 for _ in own], 1) / count  # one point in each slice of every number's range
    if shifted and count % 2:
        cells = cells * count / (count + 1) + (cells > 0.5 - 1e-9) / (count + 1)  # leaves out the middle, which was tried
    return [
        {one.name: _between(*reach, place) for one, reach, place in zip(own, ranges, row, strict=True)} for row in cells.tolist()
    ]


def _between(low: float, high: float, log: bool, place: float) -> float:
    value = low * (high / low) ** place if log else low + (high - low) * place
    return float(f"{value:.4g}")


def _around(value: float, low: float, high: float, log: bool, count: int) -> tuple[float, float, bool]:
    """Between the neighbours of a value that is one of ``count``, within the range."""
    step = (high / low) ** (1 / count) if log else (high - low) / count
    below, above = (value / step, value * step) if log else (value - step, value + step)
    return max(low, below), min(high, above), log


def _further(
    value: float, tried: Sequence[float], low: float, high: float, log: bool, count: int, rest: int
) -> tuple[float, float, bool]:
    """Beyond the outermost of the ``count`` rates that were tried, for ``rest`` more of them."""
    far = (high / low) ** (rest / count)
    return (value / far, value / far**0.02, log) if value == tried[0] else (value * far**0.02, value * far, log)


def _field(settings: Settings, name: str) -> float | None:
    """The value of ``part.key`` in the settings, if it is a number."""
    part, key = name.split(".")
    value = getattr(_built(settings, part), key, None) if getattr(settings, part, None) else None
    return value if isinstance(value, int | float) and not isinstance(value, bool) else None


def _built(settings: Settings, part: str) -> Any:
    """The member of a room that the settings spell."""
    spec = getattr(settings, part)
    if part == "model" and models.is_language(spec):
        return models.build_language(spec)
    return _ROOMS[part].build(spec)
