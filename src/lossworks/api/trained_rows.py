"""``influence`` of what is trained by steps: the training is done again, and looked at."""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np

from ..attribution import gradient_rows, trajectory
from ..attribution.gradient_rows import Products, judged
from ..attribution.linear_rows import Losses, linear_influence
from ..attribution.quantity import quantity
from ..attribution.retrained_rows import outputs_of
from ..attribution.trajectory import Course
from ..core.errors import UsageError
from ..data import TRAIN, ReadOptions, Selected
from ..engine import Callbacks, Loop
from ..inference import NetworkPredictor
from ..record import Run
from .influence import Influence, remedy, tell
from .model import Model
from .reading import Source
from .replayed import Again, replayed, settings_of
from .trained_on import TrainingRows

_GOOD = 0.9  # rank correlation
_INEXACT = ". The training did not end in the saved model's bits: other versions, or another machine"


@dataclass(slots=True)
class _Asked:
    """M texts with the values of their losses, and how they are looked at; ``told`` is of what is done, and how much of it."""

    texts: list[str]
    labels: list[Any]
    prepared: Selected
    losses: Losses
    values: list[float]
    top: int
    seeds: int
    callbacks: Callbacks

    def told(self, what: str, done: int, of: int) -> None:
        self.callbacks.watch(what, {"done": done, "of": of})


def trained_influence(
    model: Model,
    texts: list[str],
    labels: Sequence[Any] | None,
    top: int,
    given: Mapping[str, Source | None],
    read: ReadOptions | None,
    device: str | None,
    callbacks: Callbacks,
    seeds: int,
) -> list[Influence]:
    """Arguments and errors as of ``influence``."""
    predictor, where = model.predictor, model.path
    assert isinstance(predictor, NetworkPredictor)
    assert where is not None
    settings = settings_of(Run(where), model.record, device)
    linear = not trajectory.obstacle(settings)
    if not linear and (reason := gradient_rows.obstacle(settings)):
        raise UsageError(f"no row can be taken out of {where}: {reason}. --learning tells which rows were hard to learn.")
    told = _true(model, texts) if labels is None else list(labels)
    prepared, losses = predictor.prepared(texts), _losses(predictor, told)
    asked = _Asked(texts, told, prepared, losses, losses(outputs_of(predictor.network, prepared)).tolist(), top, seeds, callbacks)
    last, seen = int(model.record["result"]["best_epoch"]), list[Any]()

    def observer(loop: Loop, ends: Sequence[int]) -> Any:
        seen.append(Course(loop) if linear else Products(loop, prepared, losses, ends[last - 1]))
        return seen[0]

    with replayed(where, given, read, device, callbacks, remedy(str(where)), observer) as again:
        return (_linear if linear else _network)(again, seen[0], asked)


def _linear(again: Again, course: Course, asked: _Asked) -> list[Influence]:
    """Ranked by an estimate, and exact."""
    found = linear_influence(again.done, course, asked.prepared, asked.losses, asked.top, asked.told)
    return [
        tell(
            text, asked.labels[at], asked.values[at], found.rows, found.influence[:, at], _rows(again), asked.top,
            method=_of_linear(agreement, found.tried) + ("" if again.is_exact else _INEXACT), unit=_unit(again),
            agreement=None if math.isnan(agreement) else agreement, tried=found.tried,
        )
        for at, (text, agreement) in enumerate(zip(asked.texts, found.agreement.tolist(), strict=True))
    ]  # fmt: skip


def _network(again: Again, products: Products, asked: _Asked) -> list[Influence]:
    """To first order, judged by other seeds."""
    watch, own = asked.callbacks.watch, products.influence

    def begins(number: int, of: int) -> None:
        watch("retrain", {"number": number, "of": of})

    found = judged(again.done, own, asked.prepared, asked.losses, asked.top, asked.seeds, begins)
    return [
        tell(
            text, asked.labels[at], asked.values[at], found.rows[mine], found.mean[mine, at], _rows(again), asked.top,
            half=found.half[mine, at], unit=_unit(again), method=_of_networks(asked.seeds) + ("" if again.is_exact else _INEXACT),
        )
        for at, text in enumerate(asked.texts)
        for mine in [found.chosen[:, at]]
    ]  # fmt: skip


def _of_linear(agreement: float, tried: int) -> str:
    """How the rows of a linear model were found, in words."""
    found = f"rank correlation with training again is {agreement:.3f} over {tried} random ones"
    if math.isnan(agreement):
        found = f"rank correlation with training again is not known, as {tried} random ones did nothing"
    return (
        "exact by training again without each row named: the same seed, steps, features and temperature. They were found by an "
        f"estimate for all rows, whose {found}{'' if agreement >= _GOOD else ', so stronger ones may be missing'}"
    )


def _of_networks(seeds: int) -> str:
    """How the rows of a network were found, in words."""
    return (
        "a first-order approximation: products of the gradients of row and text, added up along the training; what later steps "
        "make of a change is not followed, so order and size are rough. The run's own training chose the rows; the figures are "
        f"means over {seeds} trainings with other seeds. Each interval is by itself: one in twenty misses"
    )


def _rows(again: Again) -> TrainingRows:
    return TrainingRows.of(again.done.data.corpora, again.done.data.parts == TRAIN)


def _unit(again: Again) -> str:
    return "nats" if again.done.data.task.has_probabilities else "squared units"


def _true(model: Model, texts: list[str]) -> list[Any]:
    """What is taken to be true where nobody says."""
    if not model.predictor.task.has_probabilities:
        raise UsageError("the loss of a number needs to know which one is true. Give it: --for NUMBER, labels=[…].")
    return model.predict(texts)


def _losses(predictor: NetworkPredictor, labels: list[Any]) -> Losses:
    """The losses of texts of which ``labels`` are true."""
    task = predictor.task
    targets = [quantity(task, task.default_loss, None, label).truth for label in labels]
    return Losses(task, np.array(targets), predictor.temperature)
