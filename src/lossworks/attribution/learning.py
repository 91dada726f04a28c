"""When a model learned each of its training rows, from its training done again: what it said of them after each epoch.

Forgetting events are those of Toneva et al. 2019 (arXiv:1812.05159), looked for after each epoch rather than whenever a row is
trained on; confidence and variability those of data maps (Swayamdipta et al. 2020, arXiv:2009.10795); EL2N is of Paul et al.
2021 (arXiv:2107.07075), of one training, where they take the mean of ten.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from typing import Any

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

from ..data import TRAIN
from ..engine import Loop
from ..losses import render
from ..models import MICRO
from ..training.drawing import cut
from ..training.examples import ExampleObjective, in_numpy
from ..training.replay import Replayed, evaluating, flat

Floats = NDArray[np.float32]

FEWEST = 5
"""Looks that a training of fewer epochs is given, within them."""
_EARLY = 0.1  # of the training, after which EL2N is taken


@dataclass(frozen=True, slots=True, kw_only=True)
class Learning:
    """What was said of N training rows at L looks.

    rows: their numbers in the data [N], rising.        labels: their true labels, sets of labels or numbers.
    epochs: when the looks were [L], 1 being the end of the first epoch.
    loss: what was trained on, without the rows' weights [L, N].
    course [L, N]: the probability of the true label (of label sets the geometric mean over the labels), or the squared error.
    right [L, N]: whether the most probable label was the true one, of label sets whether all were right; None of numbers.
    el2n: the distance of the probabilities from the truth after ``early`` epochs [N]; None of numbers.
    exact: whether the training ended in the saved model's bits; ``off``: by how much a weight differs at most.
    second: whether it is the second of a fit's two trainings, on validation rows too.
    """

    rows: NDArray[np.int64]
    labels: list[Any]
    epochs: NDArray[np.float64]
    loss: Floats
    course: Floats
    right: NDArray[np.bool_] | None
    el2n: Floats | None
    early: float
    exact: bool
    off: float
    loss_name: str
    second: bool

    @property
    def mean(self) -> NDArray[np.float64]:
        """The mean of ``course`` over the looks [N]: confidence, or of numbers the mean squared error."""
        return np.asarray(self.course.mean(0, dtype=np.float64))

    @property
    def spread(self) -> NDArray[np.float64]:
        """The standard deviation of ``course`` over the looks [N]: variability."""
        return np.asarray(self.course.std(0, dtype=np.float64))

    @property
    def correctness(self) -> NDArray[np.float64] | None:
        """At which share of the looks each row was right [N]."""
        return None if self.right is None else np.asarray(self.right.mean(0))

    @property
    def forgotten(self) -> NDArray[np.int64] | None:
        """How often each row was wrong just after it had been right [N]; of a row that never was right, 0."""
        return None if self.right is None else np.asarray((self.right[:-1] & ~self.right[1:]).sum(0))

    @property
    def first_learned(self) -> NDArray[np.float64] | None:
        """The epoch of the first look at which a row was right [N]; nan where none was."""
        if self.right is None:
            return None
        return np.where(self.right.any(0), self.epochs[self.right.argmax(0)], np.nan)

    @property
    def last_wrong(self) -> NDArray[np.float64] | None:
        """The epoch of the last look at which a row was wrong [N]: it was learned for good after that; nan where it never was."""
        if self.right is None:
            return None
        last = len(self.right) - 1 - self.right[::-1].argmin(0)
        return np.where(self.right.all(0), np.nan, self.epochs[last])

    @property
    def learned(self) -> NDArray[np.float64] | None:
        """The epoch of the look from which on a row was right to the end [N]; nan where the last look found it wrong."""
        if self.right is None:
            return None
        wrong = (~self.right)[::-1].argmax(0)  # looks at the end that were right, where any was not
        first = np.where(self.right.all(0), 0, len(self.right) - wrong)
        return np.where(self.right[-1], self.epochs[np.minimum(first, len(self.right) - 1)], np.nan)

    def hard(self, count: int) -> NDArray[np.int64]:
        """The places, 0 to N - 1, of the rows hardest to learn: lowest confidence, or largest mean error."""
        return np.argsort(-self._misfit, kind="stable")[:count]

    def ambiguous(self, count: int) -> NDArray[np.int64]:
        """Those of the rows that the model changed its mind about most: highest variability."""
        return np.argsort(-self.spread, kind="stable")[:count]

    def easy(self, count: int) -> NDArray[np.int64]:
        """Those of the rows easiest to learn."""
        return np.argsort(self._misfit, kind="stable")[:count]

    @property
    def _misfit(self) -> NDArray[np.float64]:
        return self.mean if self.right is None else -self.mean


def looks_at(ends: Sequence[int], most: int) -> list[int]:
    """The steps to look after: the ends of epochs, ``most`` at most, evenly spread; of few epochs, steps within them too."""
    if len(ends) >= FEWEST or ends[0] < 2:
        chosen = np.linspace(0, len(ends) - 1, min(most, len(ends)))
        return sorted({ends[round(number)] for number in chosen.tolist()})
    parts = math.ceil(FEWEST / len(ends)) * len(ends)
    return sorted({max(1, round(ends[-1] * number / parts)) for number in range(1, parts + 1)})


@dataclass
class Looks:
    """Looks at the training rows while a loop trains; called after each of its steps.

    loop: the training. ends: the steps that end its epochs. most: looks at most. tell: told how many looks are done, of how many.
    """

    loop: Loop
    ends: Sequence[int]
    most: int
    tell: Callable[[int, int], None]
    loss: list[Floats] = field(default_factory=list)
    scores: list[dict[str, Floats]] = field(default_factory=list)

    def __post_init__(self) -> None:
        self.steps = looks_at(self.ends, self.most)
        self.done: list[int] = []
        objective = self.loop.objective
        assert isinstance(objective, ExampleObjective)
        self.objective = objective
        self.rows = np.flatnonzero(objective.data.parts == TRAIN)

    def __call__(self) -> None:
        step = self.loop.state.step
        if step not in self.steps or step in self.done:
            return
        self.done.append(step)
        with evaluating(self.loop):
            self._look()
        self.tell(len(self.done), len(self.steps))

    def epochs(self) -> NDArray[np.float64]:
        """When the looks were."""
        return np.array(self.done) / (self.ends[-1] / len(self.ends))

    @torch.no_grad()
    def _look(self) -> None:
        data, network, task = self.objective.data, self.objective.network, self.objective.data.task
        assert data.train is not None
        loss = np.empty(len(self.rows), np.float32)
        names = [task.proper, "brier", task.right_metric] if task.right_metric else [task.proper]
        found = {name: np.empty(len(self.rows), np.float32) for name in names}
        for numbers, selected in data.train.pieces():
            for chosen in cut(np.arange(len(numbers)), MICRO):
                batch, rows = data.batch(selected, numbers, chosen), numbers[chosen]
                outputs = network(batch)
                places = np.searchsorted(self.rows, rows)
                loss[places] = in_numpy(task.losses(self.objective.loss, outputs, batch.target.to(outputs.device)))
                values = task.by_row(task.readable(outputs.float().cpu().numpy()), data.target[rows])
                for name, of in found.items():
                    of[places] = values[name]
        self.loss.append(loss)
        self.scores.append(found)


def learning(done: Replayed, looks: Looks, saved: Tensor) -> Learning:
    """What the looks of a training that was repeated saw; ``saved``: the weights of its model in a row."""
    task, center = done.data.task, flat(done.network)
    same = center.shape == saved.shape
    off = float((center - saved).abs().max()) if same else math.inf
    columns = {name: np.stack([one[name] for one in looks.scores]) for name in looks.scores[0]}
    epochs = looks.epochs()
    early = int(np.searchsorted(epochs, _EARLY * len(looks.ends) - 1e-9))
    proper, right = columns[task.proper], task.right_metric
    return Learning(
        rows=looks.rows,
        labels=[task.name_of(target) for target in done.data.target[looks.rows]],
        epochs=epochs,
        loss=np.stack(looks.loss),
        course=np.exp(-proper / task.decisions) if right else proper,
        right=columns[right] == 1 if right else None,
        el2n=np.sqrt(columns["brier"][early]) if right else None,
        early=float(epochs[early]),
        exact=same and torch.equal(center, saved),
        off=off,
        loss_name=render(done.loss),
        second=done.second,
    )
