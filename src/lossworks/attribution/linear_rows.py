"""Which training rows raised a loss of a linear model: found by an estimate for all of them, and then trained again without."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

import numpy as np
import torch
from numpy.typing import NDArray
from scipy.stats import spearmanr
from torch import Tensor

from ..core.seeds import generator
from ..data import TRAIN, Selected
from ..tasks import LabelTask
from ..training.examples import in_numpy
from ..training.replay import Replayed
from .retrained_rows import outputs_of, outputs_without
from .trajectory import Course, Trajectory

Floats = NDArray[np.float64]
SAMPLE = 40
"""Random rows that the estimate is tried on."""

Tell = Callable[[str, int, int], None]
"""Told what is being done, how much of it is, and of how much."""


@dataclass(frozen=True, slots=True)
class Losses:
    """The proper score of each of M texts by the outputs of a network, at the temperature of its answers.

    targets: as the task has them [M, ...].
    """

    task: LabelTask
    targets: NDArray[np.generic]
    temperature: float

    def __call__(self, outputs: Floats) -> Floats:
        """The losses [..., M] of outputs [..., M, C]."""
        with torch.no_grad():
            return in_numpy(self.of(torch.from_numpy(outputs)))

    def of(self, outputs: Tensor) -> Tensor:
        """The same, differentiable."""
        some = outputs.shape[:-1]
        target = torch.from_numpy(self.task.of_network(self.targets)).to(outputs.device)
        target = target.expand(*some[:-1], *target.shape).reshape(-1, *target.shape[1:])
        return self.task.proper_score(outputs.reshape(-1, outputs.shape[-1]) / self.temperature, target).reshape(some)


@dataclass(frozen=True, slots=True)
class LinearRows:
    """What K training rows did to the losses of M texts: the strongest by an estimate for all, and rows by lot.

    rows: their places among the training rows [K], rising. influence: the loss less that of training without the row [K, M].
    agreement: the rank correlation of the estimate with that over the rows by lot, of which there are ``tried`` [M].
    """

    rows: NDArray[np.int64]
    influence: Floats
    agreement: Floats
    tried: int


def linear_influence(
    done: Replayed, course: Course, texts: Selected, losses: Losses, top: int, tell: Tell = lambda what, done, of: None
) -> LinearRows:
    """What the rows did that are among the ``top`` of a text on either side, as training without each tells.

    Args:
        done, course: a training of which ``trajectory.obstacle`` says nothing, and what was seen of it.
        texts: as the model reads them. losses: theirs.
        top: how many rows of either side are wanted of each text; half as many more are looked at.

    Raises:
        OutOfMemory: the training is too large to be followed back.
    """
    whole, numbers = outputs_of(done.network, texts), np.flatnonzero(done.data.parts == TRAIN)
    estimate = np.empty((len(numbers), len(texts)))
    for chosen, change in Trajectory(done, course).changes(texts, lambda steps, of: tell("follow", steps, of)):
        some = Losses(losses.task, losses.targets[chosen], losses.temperature)
        estimate[:, chosen] = some(whole[chosen]) - some(whole[chosen] - change)
    most = min(top + top // 2, len(numbers))
    ranked = np.argsort(estimate, axis=0, kind="stable")
    lot = generator(0, "rows").choice(len(numbers), min(SAMPLE, len(numbers)), replace=False)
    rows = np.unique(np.concatenate([ranked[:most].ravel(), ranked[-most:].ravel(), lot]))
    without = outputs_without(done, numbers[rows], texts, lambda steps, of: tell("copies", steps, of))
    influence, at = losses(whole) - losses(without), np.searchsorted(rows, lot)
    with np.errstate(invalid="ignore", divide="ignore"):
        agreement = [_rank_correlation(estimate[lot, text], influence[at, text]) for text in range(len(texts))]
    return LinearRows(rows, influence, np.array(agreement), len(lot))


def _rank_correlation(one: Floats, other: Floats) -> float:
    """Spearman's; nan where either is the same everywhere."""
    return float(spearmanr(one, other).statistic) if np.ptp(one) and np.ptp(other) else float("nan")
