"""What each training row did to a linear model's outputs, found by following its training by AdaGrad back from the end.

From a text's outputs backwards goes what a change of each weight, and of each sum of squares, at a step would do to them at the
end: the adjoint, as Hara et al. 2019 (arXiv:1906.08473) have it for SGD. Two things are not left to derivatives:

- A row is taken out of a step by AdaGrad's own rule, the step less the step without it. The first steps of a rare feature hardly
  depend on the size of its gradient, so the derivative is near 0 where the whole step goes.
- The row's own later steps do not answer, for they are not there either: what goes back through its outputs and its squares to
  its own features is left out (for others' features it is not known apart).

What others then do differently is told by derivatives, and so is how a mean of one row less changes their steps. Steps are
remembered by the outputs of their rows alone; all else follows from them.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from itertools import chain

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

from .. import optim
from ..core.errors import OutOfMemory
from ..core.memory import available
from ..data import TRAIN, Selected
from ..engine import Loop
from ..models.linear import LinearSpec
from ..optim.rules.adagrad import AdaGrad
from ..training.dataset import Part
from ..training.examples import ExampleObjective
from ..training.replay import MEMORY, Replayed
from ..training.settings import Settings
from .adjoint import Back, Floats, Step

_ASIDE = 1e-4  # of an output, for differences of gradients


def obstacle(settings: Settings) -> str:
    """Why a training cannot be followed back; empty where it can."""
    optimizer = optim.build(settings.optimizer or "")
    if not isinstance(settings.spec, LinearSpec):
        return f"the model is {settings.model}"
    if not isinstance(optimizer, AdaGrad) or optimizer.weight_decay:
        return f"the optimizer is {optim.render(optimizer)}"
    told = {
        "balance": settings.balance,
        "penalty": settings.penalty,
        "clip": settings.clip,
        "ema": settings.ema,
        "risk": settings.risk,
    }
    return next((f"the {name} is {value}" for name, value in told.items() if value not in (None, "mean", "proportional")), "")


@dataclass
class Course:
    """The outputs of the rows of each step while a loop trains, and its learning rate; called after each of its steps."""

    loop: Loop
    outputs: list[Tensor] = field(default_factory=list)
    rates: list[float] = field(default_factory=list)
    _waiting: list[Tensor] = field(default_factory=list)

    def __post_init__(self) -> None:
        objective = self.loop.objective
        assert isinstance(objective, ExampleObjective)
        objective.said = lambda outputs: self._waiting.append(outputs.cpu())

    def __call__(self) -> None:
        self.outputs.append(torch.cat(self._waiting) if self._waiting else torch.empty(0))
        self.rates.append(self.loop.stepper.lr)
        self._waiting.clear()


@dataclass(slots=True)
class Trajectory:
    """A finished training of a linear model by AdaGrad, to be gone along forwards and backwards."""

    done: Replayed
    course: Course
    _place: NDArray[np.int64] = field(init=False)
    _starts: NDArray[np.int64] = field(init=False)

    def __post_init__(self) -> None:
        data = self.done.data
        numbers = np.flatnonzero(data.parts == TRAIN)
        self._place = np.full(len(data.parts), -1)
        self._place[numbers] = np.arange(len(numbers))
        self._starts = np.zeros(len(numbers) + 1, np.int64)
        for rows, selected in self._train.pieces():
            self._starts[self._place[rows] + 1] = selected.lengths + 1
        np.cumsum(self._starts, out=self._starts)

    def changes(
        self, texts: Selected, tell: Callable[[int, int], None] = lambda done, of: None
    ) -> Iterator[tuple[NDArray[np.int64], Floats]]:
        """The outputs of texts less those of a training without each row, some texts at a time: their numbers, and what the rows
        did [training rows, texts, outputs].

        Args:
            texts: as the model reads them.
            tell: told how many steps are done, of how many.

        Raises:
            OutOfMemory: not even one text can be followed.
        """
        size, half = self._at_once(), self._objective.per_epoch * self.done.kept.epochs
        blocks = -(-len(texts) // size)
        for number in range(blocks):
            chosen = np.arange(number * size, min((number + 1) * size, len(texts)))
            asked = texts.batch(chosen, torch.empty(0), torch.empty(0))
            back = Back(self._optimizer, self._features, self._starts, asked, self.done.data.task.outputs)
            both = chain(map(back.forward, self._steps()), map(back.backward, self._steps(backwards=True)))
            for at, _ in enumerate(both, 1):
                tell(number * 2 * half + at, blocks * 2 * half)
            yield chosen, back.changes.reshape(len(back.changes), len(chosen), -1)

    @property
    def _objective(self) -> ExampleObjective:
        objective = self.course.loop.objective
        assert isinstance(objective, ExampleObjective)
        return objective

    @property
    def _optimizer(self) -> AdaGrad:
        optimizer = self.course.loop.stepper.optimizer
        assert isinstance(optimizer, AdaGrad)
        return optimizer

    @property
    def _train(self) -> Part:
        assert self.done.data.train is not None
        return self.done.data.train

    @property
    def _features(self) -> int:
        assert self.done.data.features is not None
        return len(self.done.data.features)

    def _at_once(self) -> int:
        """How many texts are followed together."""
        outputs, ids = self.done.data.task.outputs, int(self._starts[-1])
        of_all = 8 * outputs * (ids + self._features)
        of_text = 4 * outputs**2 * (ids + 2 * self._features + 3 * len(self._starts))
        if of_all + of_text > (free := available()):
            raise OutOfMemory(
                f"to follow the training back takes {(of_all + of_text) / 2**30:.1f} GiB, and {free / 2**30:.1f} are free. "
                "Fit on fewer rows, or with fewer features: --model linear:chars=0."
            )
        return int(max(1, (MEMORY - of_all) // of_text))

    def _steps(self, *, backwards: bool = False) -> Iterator[Step]:
        """The steps in their order, or the last one first; those that did nothing are left out."""
        objective, outputs, shards = self._objective, self.course.outputs, self._train.shards
        way: Callable[[range], Iterator[int]] = reversed if backwards else iter
        for epoch in way(range(self.done.kept.epochs)):
            numbered = enumerate(objective.steps(epoch), epoch * objective.per_epoch)
            made = [(at, piece, chosen) for at, ((piece, chosen),) in numbered if len(outputs[at])]
            rows = [shards.rows(piece)[chosen] for _, piece, chosen in made]
            pulls, curvatures = self._derivatives([outputs[at] for at, _, _ in made], rows)
            for number in way(range(len(made))):
                at, piece, chosen = made[number]
                yield self._step(piece, chosen, pulls[number], curvatures[number], self.course.rates[at])

    def _step(self, piece: int, chosen: NDArray[np.int64], pull: Floats, curvature: Floats, rate: float) -> Step:
        numbers, selected = self._train.piece(piece)
        nothing, rows, bias = torch.empty(0), numbers[chosen], self._features
        batch = selected.batch(chosen, nothing, nothing)
        weight = self.done.data.loss_weight[rows].astype(np.float64)
        total = weight.sum()
        left = np.maximum(total - weight, 1e-9 * total)
        return Step(
            self._place[rows],
            np.insert(batch.ids.astype(np.int64), batch.offsets[1:], bias),
            batch.offsets + np.arange(len(batch.offsets)),
            np.insert(batch.values.astype(np.float64), batch.offsets[1:], 1.0),
            pull * (weight / total)[:, None],
            curvature * (weight / total)[:, None, None],
            np.where(left > 1e-9 * total, total / left, 0.0),
            rate,
        )

    def _derivatives(self, outputs: list[Tensor], rows: list[NDArray[np.int64]]) -> tuple[list[Floats], list[Floats]]:
        """Of each step's rows the gradient of their losses by their outputs, and its differences: not every loss has a second
        derivative that can be asked for.
        """
        data, loss = self.done.data, self.done.loss
        numbers, cuts = np.concatenate(rows), np.cumsum([len(each) for each in rows])[:-1]
        target = torch.from_numpy(data.task.of_network(data.target[numbers]))

        def gradient(at: Tensor) -> Floats:
            with torch.enable_grad():
                leaf = at.clone().requires_grad_()
                (found,) = torch.autograd.grad(data.task.losses(loss, leaf, target).sum(), leaf)
            return np.asarray(found.numpy())

        middle = torch.cat(outputs).double()
        aside = _ASIDE * torch.eye(middle.shape[1], dtype=torch.float64)
        curvature = np.stack([(gradient(middle + each) - gradient(middle - each)) / (2 * _ASIDE) for each in aside], 2)
        return np.split(gradient(middle), cuts), np.split(curvature, cuts)
