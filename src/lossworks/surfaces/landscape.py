"""The loss around trained weights, on a plane through them, and the trajectory that training took, seen in that plane."""

from __future__ import annotations

import math
from collections.abc import Callable
from dataclasses import dataclass
from typing import Literal

import torch
from torch import Tensor, nn

from ..core.errors import UsageError
from ..core.seeds import derive
from ..losses import render
from ..training.replay import Replayed, flat
from .probe import Probe, Seen

Plane = Literal["trajectory", "random"]
PLANES = ("trajectory", "random")
_MARGIN = 0.25  # of what the trajectory spans, beyond it on each side
_NARROWEST = 0.2  # of the longer side of the plane, that the shorter one is at least
_FLAT = 1e-12  # a direction with no more than this share of the trajectory is rounding


@dataclass(frozen=True, slots=True, kw_only=True)
class Spot:
    """The weights after ``step`` steps: their place in the plane, and the loss of the weights themselves, off the plane too."""

    step: int
    epoch: float
    x: float
    y: float
    loss: float | None
    held_out: float | None


@dataclass(frozen=True, slots=True, kw_only=True)
class Landscape:
    """Mean losses over a plane: ``loss[row][column]`` at (``x[column]``, ``y[row]``), None where it is not finite.

    At (0, 0) are the weights that were kept (``kept``: which epoch's). ``shares``: of the squared length of the snapshots'
    distances from those, what lies along x and along y. ``exact``: whether training, done again, ended in the saved model's bits;
    ``off``, by how much a weight differs at most.
    """

    plane: Plane
    x: tuple[float, ...]
    y: tuple[float, ...]
    loss: tuple[tuple[float | None, ...], ...]
    held_out: tuple[tuple[float | None, ...], ...] | None
    trajectory: tuple[Spot, ...]
    kept: Spot
    shares: tuple[float, float]
    unit: float
    exact: bool
    off: float
    loss_name: str
    held_out_name: str
    rows: int
    held_out_rows: int
    seed: int
    weights: int
    second: bool
    penalty: str | None
    risk: str


def landscape(
    done: Replayed,
    saved: Tensor,
    *,
    plane: Plane = "trajectory",
    resolution: int = 25,
    rows: int = 2000,
    span: float = 1.0,
    seed: int = 0,
    tell: Callable[[int, int], None] = lambda done, of: None,
) -> Landscape:
    """The landscape of a training that was repeated; ``saved``: the weights of its model in a row.

    Args:
        done: the repeated training; its network is taken apart, its snapshots become distances from the weights kept.
        saved: what the run's model holds.
        plane: along the two principal directions of the trajectory, or two random directions, each row of which is as long as
            the weights' own (Li et al. 2018, arXiv:1712.09913, section 4).
        resolution: points along each side.
        rows: of the training rows, and of the held-out rows, how many the losses are means over.
        span: how far the random plane reaches, in lengths of the directions.
        seed: of the rows and the random directions.
        tell: told how many rows of the surface are done.

    Raises:
        UsageError: training did not move the weights, so there is no trajectory.
    """
    center = flat(done.network)
    same = center.shape == saved.shape
    off = float((center - saved).abs().max()) if same else math.inf
    offsets = [shot.weights.sub_(center) for shot in done.snapshots]
    if plane == "trajectory":
        directions, places, shares = _trajectory(offsets, lambda: _random(done.network, center, seed)[0])
        ends = _around(places)
    else:
        directions, places, shares = _project(offsets, _random(done.network, center, seed))
        ends = _square(places, span)
    x, y = (torch.linspace(low, high, resolution, dtype=torch.float64).tolist() for low, high in ends)
    probe = Probe(done, rows, seed)
    here, across, along = probe.see(center), probe.see(directions[0]), probe.see(directions[1])
    grids: list[list[tuple[float | None, ...]]] = [[], []]
    for number, up in enumerate(y):
        found = [probe.losses(_mix(here, (across, right), (along, up))) for right in x]
        for grid, column in zip(grids, zip(*found, strict=True), strict=True):
            grid.append(column)
        tell(number + 1, resolution)
    spots = tuple(
        Spot(step=shot.step, epoch=shot.epoch, x=place[0], y=place[1], loss=own[0], held_out=own[1])
        for shot, offset, place in zip(done.snapshots, offsets, places, strict=True)
        for own in [probe.losses(_mix(here, (probe.see(offset), 1.0)))]
    )
    settled, best = probe.losses(here), min(spots, key=lambda spot: math.hypot(spot.x, spot.y))
    return Landscape(
        plane=plane,
        x=tuple(x),
        y=tuple(y),
        loss=tuple(grids[0]),
        held_out=tuple(grids[1]) if probe.held_out_rows else None,
        trajectory=spots,
        kept=Spot(step=best.step, epoch=best.epoch, x=0.0, y=0.0, loss=settled[0], held_out=settled[1]),
        shares=shares,
        unit=float(directions[0].double().norm()),
        exact=same and torch.equal(center, saved),
        off=off,
        loss_name=render(done.loss),
        held_out_name=probe.held_out_name,
        rows=probe.rows,
        held_out_rows=probe.held_out_rows,
        seed=seed,
        weights=len(center),
        second=done.second,
        penalty=done.settings.penalty,
        risk=done.settings.risk or "mean",
    )


def _mix(here: Seen, *steps: tuple[Seen, float]) -> Seen:
    """What stands at ``here`` plus each direction times its number: all that the losses read is linear in the weights."""
    rest, sums = here.rest, here.sums
    for seen, times in steps:
        rest = rest + times * seen.rest
        sums = [[a + times * b for a, b in zip(mine, theirs, strict=True)] for mine, theirs in zip(sums, seen.sums, strict=True)]
    return Seen(rest, sums)


def _random(network: nn.Module, center: Tensor, seed: int) -> list[Tensor]:
    """Two directions: in each row of a matrix the weights' own length, nothing in biases and other vectors."""
    directions = []
    for number in range(2):
        chance = torch.Generator().manual_seed(derive(seed, "landscape", number))
        parts, start = [], 0
        for p in network.parameters():
            own = center[start : start + p.numel()].view(p.shape)
            start += p.numel()
            drawn = torch.randn(p.shape, generator=chance) if p.ndim > 1 else torch.zeros(p.shape)
            if p.ndim > 1:
                lengths = own.flatten(1).norm(dim=1) / drawn.flatten(1).norm(dim=1).clamp_min(1e-30)
                drawn *= lengths.view(-1, *[1] * (p.ndim - 1))
            parts.append(drawn.reshape(-1))
        directions.append(torch.cat(parts))
    return directions


Found = tuple[list[Tensor], list[tuple[float, float]], tuple[float, float]]
"""Two directions, the places of the snapshots in their plane, and the shares of the trajectory along each."""


def _trajectory(offsets: list[Tensor], random: Callable[[], Tensor]) -> Found:
    """The principal directions, of length 1, from the inner products of the snapshots' distances from the weights kept."""
    inner = _inner(offsets, offsets)
    values, vectors = torch.linalg.eigh((inner + inner.T) / 2)
    total = float(values.clamp_min(0).sum())
    if not total > 0:
        raise UsageError("training did not move the weights, so there is no trajectory. Choose --plane random.")
    directions: list[Tensor] = []
    for number in (-1, -2):
        share = float(values[number]) / total if len(values) >= -number else 0.0
        if share > _FLAT:
            found = sum((offset * float(v) for offset, v in zip(offsets, vectors[:, number], strict=True)), start=torch.zeros(()))
        else:  # a trajectory along one line: any other direction completes the plane
            found = random()
            found -= directions[0] * float(_inner([found], directions[:1]))
        directions.append(found / max(float(found.double().norm()), 1e-30))
    places = _inner(offsets, directions)
    for number, towards in enumerate((-places[0, 0], places[:, 1].sum())):  # the start to the left, the bend upwards
        if towards < 0:
            directions[number].neg_()
            places[:, number].neg_()
    lengths = places.square().sum(0) / total
    return directions, [(a, b) for a, b in places.tolist()], (float(lengths[0]), float(lengths[1]))


def _project(offsets: list[Tensor], directions: list[Tensor]) -> Found:
    """The nearest places in the plane of two directions that need be neither orthogonal nor of length 1."""
    against, gram = _inner(offsets, directions), _inner(directions, directions)
    places = torch.linalg.lstsq(gram, against.T).solution.T
    total = sum(float(offset.double().square().sum()) for offset in offsets)
    lengths = places.square() @ gram.diag().diag()
    shares = (lengths.sum(0) / max(total, 1e-300)).tolist()
    return directions, [(a, b) for a, b in places.tolist()], (shares[0], shares[1])


def _inner(some: list[Tensor], others: list[Tensor], piece: int = 1 << 17) -> Tensor:
    """Inner products [some, others] in float64, a piece of the weights at a time."""
    total = torch.zeros(len(some), len(others), dtype=torch.float64)
    for start in range(0, len(others[0]), piece):
        left, right = (torch.stack([one[start : start + piece].double() for one in many]) for many in (some, others))
        total += left @ right.T
    return total


Ends = list[tuple[float, float]]


def _around(places: list[tuple[float, float]]) -> Ends:
    """A rectangle that holds the places and the weights kept, with a margin, and is not too narrow."""
    sides = [[0.0, *side] for side in zip(*places, strict=True)]
    widest = max(max(side) - min(side) for side in sides)
    ends = []
    for side in sides:
        middle, half = (max(side) + min(side)) / 2, max((max(side) - min(side)) * (0.5 + _MARGIN), widest * _NARROWEST)
        ends.append((middle - half, middle + half))
    return ends


def _square(places: list[tuple[float, float]], span: float) -> Ends:
    reach = max([span, *(abs(at) * (1 + _MARGIN) for place in places for at in place)])
    return [(-reach, reach), (-reach, reach)]
