"""Few rows are trained on twice: once to find out for how long, and once more with the validation rows among them."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, replace
from pathlib import Path
from typing import TYPE_CHECKING, Any, TypeVar

import numpy as np

from .. import losses, models, optim, penalties, risks, schedules
from ..core.errors import Interrupted
from ..core.seeds import derive
from ..data import TEST, TRAIN, VALID, Features
from ..engine import Callbacks, Course
from ..inference import NetworkPredictor
from ..schedules import Clock
from .ahead import Ahead
from .allowed import AUTO
from .arrays import array_course
from .assembling import read_features
from .balancing import group_count
from .dataset import Dataset
from .settings import Settings
from .sizes import check_memory
from .start import Start

if TYPE_CHECKING:
    from ..engine import Loop
    from .examples import ExampleObjective

C = TypeVar("C", bound=Course)
REFIT_AT_MOST = 20_000
"""Training and validation rows with which a fit trains twice: of so few, a tenth more counts, and it takes seconds."""


@dataclass(frozen=True, slots=True)
class Ended:
    """What the training before is followed in: epochs, micro-batches, and held-out scores, for schedules that go by them."""

    epochs: int
    micro_batch: int
    scores: tuple[float, ...] = ()


def course(
    data: Dataset,
    spec: models.ModelSpec,
    loss: losses.Loss,
    settings: Settings,
    callbacks: Callbacks,
    *,
    start: Start | None = None,
) -> Course:
    """The training of a new model on ``data``, not begun: one that need not be looked into, and so by arrays alone if that suits.

    start: what it goes on from.
    """
    found = array_course(data, spec, loss, settings, callbacks) if start is None else None
    return found or training(data, spec, loss, settings, callbacks, start=start)


def training(
    data: Dataset,
    spec: models.ModelSpec,
    loss: losses.Loss,
    settings: Settings,
    callbacks: Callbacks,
    *,
    last_step: int | None = None,
    outputs: int | None = None,
    objective: Callable[..., ExampleObjective] | None = None,
    start: Start | None = None,
) -> Loop:
    """The training of a new network on ``data``, not begun.

    last_step: where it ends sooner than the settings say. outputs: of the network, where they are not the task's; ``objective``
    then makes losses of them; None: ``ExampleObjective``. start: what it goes on from.
    """
    from ..data.sparse_embedding import SparseEmbedding
    from ..engine import Loop
    from ..engine.reduction import Reduction
    from .examples import ExampleObjective

    assert data.features is not None
    callbacks = callbacks.with_shards(settings.shards)  # which a training done again has too
    if outputs is None:
        check_memory(spec, data, settings)
    outputs = outputs or data.task.outputs
    network = spec.network(len(data.features), outputs, derive(settings.seed, "weights")).to(settings.device)
    suited = None if start is None else start.fill(network, data.task)
    penalty = penalties.build(settings.penalty) if settings.penalty else None
    stepper = optim.Stepper(optim.build(settings.optimizer or ""), network, penalty, clip=settings.clip, ema=settings.ema)
    if start is not None and suited is not None:
        start.take_up(stepper, suited)
    batch_size, micro_batch = int(settings.batch_size or 1), settings.micro_batch
    languages, full, drawn = data.languages, stepper.optimizer.full_batch, data.rates
    groups = group_count(settings, languages, data.task.groups)
    if full and drawn is not None and languages is not None:  # all rows make a step: each weighs as often as it would be drawn
        data, drawn = replace(data, loss_weight=data.loss_weight * drawn[languages.of_row].astype(np.float32)), None
    how: dict[str, Any] = {"rates": drawn, "groups": settings.groups, "stop_by": settings.stop_by}
    made = (objective or ExampleObjective)(data, network, loss, None if full else batch_size, settings.seed, **how)
    steps = int(settings.epochs or 1) * made.per_epoch
    kernels = stepper.by_rows and any(isinstance(module, SparseEmbedding) and module.is_head for module in network.modules())
    return Loop(
        made,
        stepper,
        Reduction(risks.build(settings.risk or "mean"), groups),
        micro_batch if isinstance(micro_batch, int) else batch_size,
        schedule=schedules.build(settings.schedule or "constant"),
        clock=Clock(min(steps, last_step or steps), made.per_epoch),
        callbacks=callbacks,
        patience=int(settings.patience or 1),
        fit_memory=micro_batch == AUTO,
        threads=1
        if kernels
        else network.threads,  # the only layer and the steps by rows are kernels of ours, which share the cores
    )


def with_validation_rows(data: Dataset) -> Dataset | None:
    """The data, unread, with its validation rows as training rows; None where there are none, or too many to train twice."""
    valid = data.parts == VALID
    if not valid.any() or (data.parts != TEST).sum() > REFIT_AT_MOST:
        return None
    parts = np.where(valid, np.uint8(TRAIN), data.parts)
    return replace(data, parts=parts, features=None, train=None, valid=None, test=None)


def again(
    whole: Dataset,
    spec: models.ModelSpec,
    loss: losses.Loss,
    settings: Settings,
    ended: Ended,
    scratch: Path,
    budget: int,
    callbacks: Callbacks,
    before: Features | None = None,
    start: Start | None = None,
    *,
    make: Callable[..., C] = training,  # type: ignore[assignment]
) -> C:
    """The training of ``whole``, which is read now, as far as one before had come; not begun.

    Args:
        whole: the rows, unread.
        spec, loss, settings: of the training before; its micro-batches are taken from ``ended``.
        ended: how far that came.
        scratch, budget: as of ``fit_corpora``.
        callbacks: how to watch and stop it.
        before: a reading of the same texts, by the same spec.
        start: what both trainings go on from.
        make: ``training``, or ``course``.
    """
    features = spec.features() if start is None else start.features()
    features.to(settings.device)
    if before is not None:
        features.follow(before)
    read_features(whole, features, scratch, settings.seed, budget, callbacks, known=start is not None)
    loop = make(whole, spec, loss, replace(settings, micro_batch=ended.micro_batch), callbacks, start=start)
    loop.last_epoch, loop.followed = ended.epochs, ended.scores or None
    return loop


def refit(
    predictor: NetworkPredictor,
    first: Course,
    loss: losses.Loss,
    whole: Dataset,
    settings: Settings,
    scratch: Path,
    budget: int,
    start: Start | None = None,
    ahead: Ahead | None = None,
) -> None:
    """Give ``predictor`` the features and network of a second training, on ``whole``, of as many epochs as were best before:
    ``ahead``, where that was begun.

    Its temperature and thresholds stay: they need rows that training has not seen, and now there are none. The second
    training writes no checkpoints; a run that was stopped in it goes on from the end of the first.
    """
    state = first.state
    ended = Ended(state.best_epoch or state.epoch, first.micro_batch, tuple(state.scores))

    def watch(event: str, fields: dict[str, Any]) -> None:
        if event == "train":  # its steps are none of the run's
            shown = {name: value for name, value in fields.items() if name != "step"}
            first.callbacks.watch("refit", {**shown, "epochs": ended.epochs})
        elif event == "contrast":
            first.callbacks.watch(event, fields)

    told = first.callbacks
    callbacks, began = Callbacks(watch=watch, stop=told.stop, world=told.world, ended=told.ended), told.clock()
    try:
        second = None if ahead is None else ahead.until(ended.epochs, callbacks)
        if second is not None and told.ended is not None:
            told.ended(second.stepper)
        if second is None:
            how = settings, ended, scratch, budget, callbacks, predictor.features
            second = again(whole, predictor.spec, loss, *how, start, make=course)
            began = told.clock()
            second.run()
    except Interrupted:
        if first.callbacks.checkpoints is not None:
            first.save()
        raise
    state.seconds += told.clock() - began
    assert whole.features is not None
    predictor.features, predictor.learned = whole.features, second.trained
