"""Few rows are trained on twice: once to find out for how long, and once more with the validation rows among them."""

from __future__ import annotations

from dataclasses import dataclass, replace
from pathlib import Path

import numpy as np

from .. import losses, models, optim, penalties
from ..core.errors import Interrupted
from ..core.seeds import derive
from ..data import TEST, TRAIN, VALID
from ..engine.callbacks import Callbacks
from ..inference import NetworkPredictor
from .dataset import Dataset, read_features
from .loop import Loop
from .settings import Settings

REFIT_AT_MOST = 20_000
"""Training and validation rows with which a fit trains twice: of so few, a tenth more counts, and it takes seconds."""


@dataclass(frozen=True, slots=True)
class Ended:
    """What the training before is followed in: epochs, micro-batches, and held-out scores, for schedules that go by them."""

    epochs: int
    micro_batch: int
    scores: tuple[float, ...] = ()


def training(
    data: Dataset,
    spec: models.ModelSpec,
    loss: losses.Loss,
    settings: Settings,
    control: Callbacks,
    *,
    most_steps: int | None = None,
) -> Loop:
    """The training of a new network on ``data``, not begun."""
    assert data.features is not None
    network = spec.network(len(data.features), data.task.outputs, derive(settings.seed, "weights")).to(settings.device)
    penalty = penalties.build(settings.penalty) if settings.penalty else None
    optimizer = optim.build(settings.optimizer or "")
    stepper = optim.Stepper(optimizer, network, penalty, clip=settings.clip, ema=settings.ema)
    return Loop(data, network, loss, stepper, settings, control, most_steps=most_steps)


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
    control: Callbacks,
) -> Loop:
    """The training of ``whole``, which is read now, as far as one before had come; not begun."""
    read_features(
        whole,
        spec.features(),
        scratch,
        settings.seed,
        budget,
        lambda row: control.watch("read", {"rows": row, "of": len(whole.parts)}),
    )
    loop = training(whole, spec, loss, replace(settings, micro_batch=ended.micro_batch), control)
    loop.ends_after, loop.progress.scores = ended.epochs, list(ended.scores)
    return loop


def refit(predictor: NetworkPredictor, first: Loop, whole: Dataset, scratch: Path, budget: int) -> None:
    """Give ``predictor`` the features and network of a second training, on ``whole``, of as many epochs as were best before.

    Its temperature and thresholds stay: they need rows that training has not seen, and now there are none. The second
    training writes no checkpoints; a run that was stopped in it goes on from the end of the first.
    """
    progress = first.progress
    ended = Ended(progress.best_epoch or progress.epoch, first.gradients.micro, tuple(progress.scores))
    control = Callbacks(stop=first.control.stop)
    second = again(whole, predictor.spec, first.loss, first.settings, ended, scratch, budget, control)
    assert whole.features is not None
    try:
        first.progress.seconds += second.run().seconds
    except Interrupted:
        if first.control.checkpoints is not None:
            first.save()
        raise
    predictor.features, predictor.network = whole.features, second.network.eval()
