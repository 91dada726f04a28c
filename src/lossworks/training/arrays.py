"""The training of a linear model as arrays and compiled code alone: PyTorch takes longer to import than such a fit does."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from typing import Any

import numpy as np
from numpy.typing import NDArray

from .. import losses, models, optim, risks, schedules
from ..core.errors import Diverged, RecordError
from ..core.memory import rows_at_once
from ..data import Draws
from ..engine import Callbacks, Course, TrainState, checkpoint
from ..engine.distributed import World
from ..models.base import ArraySpec, Weights
from ..models.linear import LinearSpec
from ..optim.array_rows import ArrayRows
from ..record.tensors import under
from ..risks.mean import Mean
from ..schedules import Clock
from .allowed import AUTO
from .array_stepper import BIAS, TABLE, ArrayStepper
from .dataset import Dataset
from .drawing import Drawing, Rows, cut, means, sums
from .played import Played
from .settings import Settings
from .sizes import check_memory
from .stretch import Stretch, played_in


def array_course(
    data: Dataset, spec: models.ModelSpec, loss: losses.Loss, settings: Settings, callbacks: Callbacks
) -> ArrayCourse | None:
    """The training of ``linear`` on ``data``, not begun, where all of its steps can be taken many at a time; else None.

    Which it is follows from data and settings alone, for the bits that a training ends in do.
    """
    optimizer, world = optim.build(settings.optimizer or ""), callbacks.world
    plain = settings.device == "cpu" and world.size == world.shards == 1 and callbacks.stepped is None
    plain = plain and settings.penalty is None and settings.clip is None and settings.ema is None
    plain = (
        plain
        and settings.groups is None
        and settings.sharding is None
        and settings.micro_batch != AUTO
        and not optimizer.full_batch
    )
    plain = plain and optimizer.works_on_rows and isinstance(risks.build(settings.risk or "mean"), Mean)
    if not plain or not isinstance(spec, LinearSpec) or data.features is None:
        return None
    check_memory(spec, data, settings)
    weights = {name: np.zeros(shape, np.float32) for name, shape in spec.shapes(len(data.features), data.task.outputs).items()}
    objective = ArrayObjective(
        data, spec, weights, loss, int(settings.batch_size or 1), settings.seed, data.rates, settings.stop_by
    )
    played = played_in(objective, optimizer, loss)
    if played is None:
        return None
    objective.played = played
    rows = {name: ArrayRows(weights[name].reshape(len(weights[name]), -1), optimizer) for name in (BIAS, TABLE)}
    course = ArrayCourse(
        objective,
        ArrayStepper(optimizer, rows),
        settings.micro_batch if isinstance(settings.micro_batch, int) else objective.batch_size,
        schedule=schedules.build(settings.schedule or "constant"),
        clock=Clock(int(settings.epochs or 1) * objective.per_epoch, objective.per_epoch),
        callbacks=callbacks,
        patience=int(settings.patience or 1),
    )
    course._stretch = Stretch(objective, played, rows[TABLE], rows[BIAS])
    return course


@dataclass
class ArrayObjective(Drawing):
    """A linear model on its data. ``played``: the loss."""

    data: Dataset
    spec: ArraySpec
    weights: Weights
    loss: losses.Loss
    batch_size: int
    seed: int
    rates: NDArray[np.float64] | None = None
    stop_by: str | None = None
    played: Played | None = None
    _draws: dict[int, Draws] = field(default_factory=dict, init=False)

    def held_out(self, world: World) -> dict[str, float] | None:
        """As of ``ExampleObjective``."""
        part, data, task = self.data.valid, self.data, self.data.task
        if part is None or not part.rows:
            return None
        size, found = rows_at_once(task.outputs, models.MICRO), list[dict[str, tuple[float, float]]]()
        said: list[tuple[NDArray[Any], NDArray[np.int64]]] = []
        for rows, selected in part.pieces():
            for chosen in cut(np.arange(len(rows)), size):
                numbers, outputs = rows[chosen], self.spec.outputs(selected.bags(chosen), self.weights)
                target: NDArray[Any] = data.target[numbers]
                trained: NDArray[Any] = data.loss_weight[numbers]
                own: NDArray[Any] = np.ones(len(numbers)) if data.weight is None else data.weight[numbers]
                scores = task.readable(outputs)
                score, correct = task.by_row(scores, target)[task.proper], task.correct_of_scores(scores, target)
                values = {"loss": (self.values(outputs, target), trained), data.held_out_metric: (score, trained)}
                values |= {task.held_out_metric: (score, own)} | ({} if correct is None else {"accuracy": (correct, own)})
                found.append(sums(values))
                said.append((outputs, numbers))
        if not found:
            return None
        told = means(list(found[0]), np.sum([np.array(list(batch.values())).ravel() for batch in found], 0))
        return self.with_metric(told, np.concatenate([each for each, _ in said]), np.concatenate([each for _, each in said]))

    def values(self, outputs: NDArray[Any], target: NDArray[Any]) -> NDArray[np.float64]:
        """The loss of each row of outputs."""
        assert self.played is not None
        wanted = self.data.task.of_network(target).astype(np.float64).reshape(len(outputs), -1)
        return self.played(outputs.astype(np.float64), wanted)[0]

    def bad_row(self, rows: Rows) -> str | None:
        """Where the first of some rows is whose loss is not finite, in words; where only their sum is not, the largest."""
        numbers = np.concatenate([self._train.shards.rows(piece)[chosen] for piece, chosen in rows])
        outputs = np.concatenate([self.spec.outputs(self.read(piece, chosen)[0], self.weights) for piece, chosen in rows])
        with np.errstate(over="ignore", invalid="ignore"):
            values = self.values(outputs, self.data.target[numbers]).astype(outputs.dtype)
            total = (values * self.data.loss_weight[numbers]).sum()
        worst = np.where(np.isfinite(values), values, np.inf).argmax()
        return None if np.isfinite(total) else self.data.place(int(numbers[worst]))


@dataclass(slots=True)
class ArrayCourse(Course):
    """Trains a linear model. ``run`` leaves the best weights in the objective's."""

    objective: ArrayObjective
    stepper: ArrayStepper
    micro_batch_size: int
    _best: Weights = field(default_factory=dict)

    @property
    def trained(self) -> Weights:
        return self.objective.weights

    @property
    def micro_batch(self) -> int:
        return self.micro_batch_size

    def resume(self) -> None:
        found = checkpoint.load_arrays(self.callbacks.checkpoints)
        if found is None:
            return
        tensors, state = found
        try:
            self.put(tensors)
            self._best, self.state = under(tensors, "best."), TrainState.from_json(state)
        except (KeyError, TypeError, ValueError) as error:
            raise RecordError(
                f"{self.callbacks.checkpoints} does not fit the run ({error}). Remove it to start from the beginning."
            ) from None

    def save(self) -> None:
        if self.callbacks.checkpoints is not None:
            arrays = self._arrays() | {f"best.{name}": array for name, array in self._best.items()}
            arrays["risk.state"] = np.zeros(0)  # of the mean, as any training has it
            checkpoint.save(self.callbacks.checkpoints, self.state.step, arrays, self.state.to_json())
        self._saved = self.callbacks.clock()
        self.log("checkpoint")

    def copied(self) -> dict[str, NDArray[Any]]:
        """Weights and the optimiser's state as they stand, for ``put``."""
        return {name: array.copy() for name, array in self._arrays().items()}

    def put(self, arrays: dict[str, NDArray[Any]]) -> None:
        """Have them stand as they were."""
        for name, array in self.objective.weights.items():
            array[...] = arrays[f"network.{name}"]
        self.stepper.load(under(arrays, "stepper."))

    def _arrays(self) -> dict[str, NDArray[Any]]:
        parts = {"network.": self.objective.weights, "stepper.": self.stepper.tensors()}
        return {prefix + name: array for prefix, part in parts.items() for name, array in part.items()}

    @contextmanager
    def _working(self) -> Iterator[None]:
        yield

    def _to_training(self, *, fresh: bool) -> None:
        pass

    def _step(self, rows: Rows) -> int:
        """What no stretch takes: a step without weight, and one that is not finite.

        Raises:
            Diverged: the latter.
        """
        if self.objective.weight(rows) == 0:
            self._count()
            return 1
        step, bad = self.state.step + 1, self.objective.bad_row(rows)
        what, where = "loss", f" (epoch {self.state.epoch + 1}, batch {self.state.done + 1}{f', first at {bad}' if bad else ''})"
        if bad is None and (names := self.stepper.not_finite()):
            what, where = "gradient", f" (of {', '.join(names)})"
        raise Diverged(f"the {what} was not finite at step {step:,}{where}. The weights were not updated with it. {self._remedy}")

    def _keep(self) -> None:
        self._best = {name: array.copy() for name, array in self.objective.weights.items()}

    def _end(self) -> bool:
        weights = self.objective.weights
        for name, array in weights.items():
            array[...] = self._best.get(name, array) if self.keeps_best else array
        return all(bool(np.isfinite(array).all()) for array in weights.values())
