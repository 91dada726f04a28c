"""Classes, label sets and numbers by a network over features: trained, calibrated, trained again on more rows, and judged."""

from __future__ import annotations

from collections.abc import Sequence
from contextlib import ExitStack
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np

from .. import losses, models
from ..data import TEST, TRAIN, VALID, Corpus
from ..engine import Callbacks, TrainState, checkpoint
from ..inference import NetworkPredictor
from ..losses.sums import without_target
from .ahead import Ahead, may_begin
from .allowed import AUTO
from .assembling import assemble, read_features
from .balancing import check_languages, drawn
from .dataset import Dataset
from .describing import describe
from .judging import calibrate, judge
from .refit import Ended, again, course, refit, with_validation_rows
from .resolving import check_stopping, for_examples
from .settings import Settings
from .sizes import check_memory, with_model
from .start import Start
from .teaching import CUT, Teacher, teach


def fit(
    corpora: Sequence[Corpus],
    fixed: Sequence[int | None],
    settings: Settings,
    callbacks: Callbacks,
    scratch: Path,
    *,
    resume: bool,
    budget: int,
    teacher: Teacher | None = None,
    start: Start | None = None,
) -> tuple[NetworkPredictor, Settings, dict[str, Any], dict[str, Any]]:
    """The predictor, its resolved settings, and the record of data and result; arguments and errors as of ``fit_corpora``."""
    check_languages(settings, corpora)
    data = _assembled(corpora, fixed, settings, teacher, start)
    settings, loss = _resolved(settings, data, known=start is not None)
    spec = models.build(settings.spec)  # type: ignore[arg-type]
    callbacks.watch("data", {"reason": data.reason, **describe(data), "config": settings.to_json()})
    features = spec.features() if start is None else start.features()
    features.to(settings.device)
    read_features(data, features, scratch, settings.seed, budget, callbacks, known=start is not None)
    for note in () if resume else features.notes:
        callbacks.watch("note", {"text": note})
    whole = None if VALID in fixed else with_validation_rows(data)
    check_memory(spec, data, settings, trainings=1 if whole is None else 2)
    refit_rows = None if whole is None else int((whole.parts == TRAIN).sum())
    if refit_rows is not None:
        callbacks.watch("twice", {"rows": refit_rows, "of": int((data.parts == TRAIN).sum())})
    settings, found = _searched(data, spec, loss, settings, callbacks, start, resume=resume)
    loop = course(data, spec, loss, settings, callbacks, start=start)
    if resume:
        loop.resume()
    loop.state.search = found
    callbacks.watch("resume" if resume else "start", {"step": loop.state.step})
    with ExitStack() as stack:
        ahead = None
        if whole is not None and start is None and may_begin(loop, settings):
            how = settings, Ended(0, loop.micro_batch), scratch, budget
            ahead = stack.enter_context(Ahead(loop, lambda told: again(whole, spec, loss, *how, told, features, make=course)))
        state = loop.run()
        predictor = NetworkPredictor(data.task, spec, features, loop.trained)
        if start is not None:
            start.calibrate(predictor)
        one = None
        if not data.judged_by_teacher:
            one = calibrate(predictor, data, data.valid, settings.class_weight)
        if whole is not None:
            data.close()
            refit(predictor, loop, loss, whole, settings, scratch, budget, start, ahead)
    if whole is not None:
        data.train, data.valid, data.test = whole.train, whole.valid, whole.test  # as read by the new features
    ended = _ended(state) | {"judged_by": loop.objective.metric}
    result = (judge(predictor, data, data.test, ended, one) if callbacks.world.is_first else ended) | {
        **predictor.size(),
        "notes": list(features.notes),
        "lr_search": found,
        "micro_batch": loop.micro_batch,
        "scores": state.scores,
        "refit_rows": refit_rows,
        **drawn(data.balance, data.languages, data.parts, data.rates),
    }
    data.close()
    return predictor, settings, describe(data), result


def _assembled(
    corpora: Sequence[Corpus], fixed: Sequence[int | None], settings: Settings, teacher: Teacher | None, start: Start | None
) -> Dataset:
    """Parts, targets and weights, and what a teacher says of the rows; the labels as what training starts from knows them."""
    taught = None if teacher is None else teach(corpora, fixed, settings.task, teacher)
    shares = settings.valid, settings.test
    task = None if start is None else start.task(corpora[0])
    data = assemble(corpora, fixed, settings.task, settings.class_weight, *shares, settings.seed, taught, settings.balance, task)
    if start is not None:
        data.reason = f"{data.task.kind}, as of {start.name}"
    if taught is not None and str(settings.teach).startswith(CUT):
        data.teacher = taught.cut(data.task, np.flatnonzero(data.parts != TEST), settings.seed)
    return data


def _resolved(settings: Settings, data: Dataset, *, known: bool) -> tuple[Settings, losses.Loss]:
    """The settings with every choice made, but for a learning rate that is to be found, and the loss; ``known``: the model is."""
    settings = settings if known else with_model(settings, data)
    settings = replace(settings, loss=settings.loss or default_loss(data))
    settings = for_examples(settings, data.task, int((data.parts == TRAIN).sum()))
    check_stopping(settings, data.task.kind, judged=bool((data.parts == VALID).any()) and not data.judged_by_teacher)
    loss = loss_for(settings, data)
    return replace(settings, loss=losses.render(loss)), loss


def _searched(
    data: Dataset,
    spec: models.ModelSpec,
    loss: losses.Loss,
    settings: Settings,
    callbacks: Callbacks,
    start: Start | None,
    *,
    resume: bool,
) -> tuple[Settings, dict[str, Any] | None]:
    """The settings with a learning rate found by short runs, where that is asked for, and what was found."""
    if settings.lr != AUTO:
        return settings, None
    from .lr_search import search

    before = checkpoint.search_in(callbacks.checkpoints) if resume else None
    found = before or search(data, spec, loss, settings, callbacks, start)
    settings = settings.with_lr(found["chosen"])
    callbacks.watch("config", {"config": settings.to_json()})
    return settings, found


def loss_for(settings: Settings, data: Dataset) -> losses.Loss:
    """The loss that the settings spell, told how often each class occurs in the training rows where it asks for that.

    Raises:
        UsageError: it is not for this task.
    """
    counts = [float(count) for count in (data.train_counts() or ())] if data.task.groups else []
    loss = data.task.loss(settings.loss or default_loss(data), counts, taught=data.teacher is not None)
    if data.teacher is not None:
        without_target(loss)  # it compares with the teacher, or that would be for nothing
    return loss


def default_loss(data: Dataset) -> str:
    """The loss where none is named."""
    if data.teacher is None:
        return data.task.default_loss
    beside, alone = data.task.taught_losses
    return beside if data.given is None or data.given[data.parts == TRAIN].any() else alone


def _ended(state: TrainState) -> dict[str, Any]:
    """How training went, for the record's result."""
    return {
        "seconds": state.seconds,
        "epochs": state.epoch,
        "best_epoch": state.best_epoch or state.epoch,
        "stopped": state.stopped,
    }
