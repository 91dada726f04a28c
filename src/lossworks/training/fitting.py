"""From corpora to a trained, calibrated predictor and the honest figures about it."""

from __future__ import annotations

import hashlib
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, replace
from pathlib import Path
from threading import Lock
from typing import Any, Literal, Protocol

import numpy as np
from numpy.typing import NDArray

from .. import losses, metrics, models
from ..core.errors import OutOfMemory
from ..core.memory import is_out_of_memory
from ..data import TRAIN, VALID, Corpus
from ..engine import checkpoint
from ..engine.callbacks import Callbacks, TrainState
from ..inference import NetworkPredictor, Predictor
from ..tasks import Task
from .dataset import FEWEST_TO_HOLD_OUT, Dataset, assemble, read_features
from .language_settings import LanguageSettings
from .lr_search import search
from .objective import loss_for
from .refit import refit, training, with_validation_rows
from .settings import AUTO, Settings

# The state of PyTorch's generator and its number of threads belong to the whole process, and a fit keeps all processors
# busy by itself. So fits in several threads of one process take turns.
TURN = Lock()

BUDGET = 256 << 20
"""Bytes of hashed text of each part held in memory; what is beyond waits on disk."""


class Rows(Protocol):
    """The rows of one part, as a predictor's ``scores_of`` takes them."""

    @property
    def rows(self) -> int:
        """How many there are."""

    def pieces(self) -> Iterator[tuple[NDArray[np.int64], Any]]:
        """Their numbers, and they themselves prepared, some at a time."""


@dataclass(slots=True)
class Fitted:
    """What a fit gives: the predictor, the settings it was made with, and the record of data and result."""

    predictor: Predictor
    settings: Settings | LanguageSettings
    data: dict[str, Any]
    result: dict[str, Any]

    def save(self, folder: Path) -> None:
        """Write the predictor's files."""
        self.predictor.save(folder)


def fit_corpora(
    corpora: Sequence[Corpus],
    fixed: Sequence[int | None],
    settings: Settings,
    control: Callbacks | None = None,
    *,
    scratch: Path,
    resume: bool = False,
    budget: int = BUDGET,
) -> Fitted:
    """Train on ``corpora``: the first is split where no others were given as (``fixed``) validation or test part.

    ``scratch`` is a folder for temporary files. With ``resume`` the newest of the control's checkpoints is taken up.

    Raises:
        DataError, UsageError: the data or the settings do not fit.
        Diverged, Interrupted, OutOfMemory: training ended early.
    """
    control = control or Callbacks()
    data = assemble(corpora, fixed, settings.task, settings.class_weight, settings.valid, settings.test, settings.seed)
    settings = settings.resolved(data.task.kind, int((data.parts == 0).sum()))
    loss, spec = loss_for(settings.loss or "", data.task, data.target[data.parts == TRAIN]), models.build(settings.model)
    settings = replace(settings, loss=losses.render(loss))
    control.watch("data", {"reason": data.reason, "leaked": data.leaked, **describe(data), "config": settings.to_json()})
    with TURN, memory_named(settings):
        features = spec.features()
        read_features(
            data,
            features,
            scratch,
            settings.seed,
            budget,
            lambda row: control.watch("read", {"rows": row, "of": len(data.parts)}),
        )
        for note in () if resume else features.notes:
            control.watch("note", {"text": note})
        found = None
        if settings.lr == AUTO:
            found = (checkpoint.search_in(control.checkpoints) if resume else None) or search(data, spec, loss, settings, control)
            settings = settings.with_lr(found["chosen"])
            control.watch("config", {"config": settings.to_json()})
        loop = training(data, spec, loss, settings, control)
        if resume:
            loop.resume()
        loop.progress.search = found
        control.watch("resume" if resume else "start", {"step": loop.progress.step})
        progress = loop.run()
        predictor = NetworkPredictor(data.task, spec, features, loop.network.eval())
        calibrate(predictor, data, data.valid, settings.class_weight)
        whole = None if VALID in fixed else with_validation_rows(data)
        if whole is not None:
            _close(data)
            refit(predictor, loop, whole, scratch, budget)
            data.train, data.valid, data.test = whole.train, whole.valid, whole.test  # as read by the new features
        result = judge(predictor, data, data.test, _ended(progress)) | _weights(predictor.network)
        result |= {
            "notes": list(features.notes),
            "lr_search": found,
            "micro_batch": loop.gradients.micro,
            "scores": progress.scores,
        }
        result["refit_rows"] = None if whole is None else int((whole.parts == TRAIN).sum())
    _close(data)
    return Fitted(predictor, settings, describe(data), result)


def measure(predictor: Predictor, scores: NDArray[Any], target: NDArray[Any], weight: NDArray[Any] | None) -> metrics.Evaluation:
    """The figures of a predictor's scores (before calibration) against targets."""
    if predictor.task.kind == "regress":
        return metrics.regress(scores, target, weights=weight)
    if predictor.task.kind == "multilabel":
        return metrics.multilabel(
            scores, target, thresholds=predictor.thresholds, weights=weight, temperature=predictor.temperature
        )
    threshold = predictor.thresholds[0] if predictor.thresholds else None
    return metrics.classify(scores, target, weights=weight, temperature=predictor.temperature, threshold=threshold)


def mistakes(
    predictor: Predictor, scores: NDArray[Any], evaluation: metrics.Evaluation, target: NDArray[Any]
) -> tuple[NDArray[np.int64], list[dict[str, Any]]]:
    """The most confident mistakes: which rows, and what was true and what was said of each."""
    rows = metrics.mistakes(evaluation, target)
    said = predictor.decide(scores[rows] if predictor.task.kind == "regress" else predictor.probabilities(scores[rows]))
    truth = [_spoken(predictor.task, target[row]) for row in rows]
    size = "error" if predictor.task.kind == "regress" else "probability"
    found = zip(truth, said, evaluation.confidence[rows].tolist(), strict=True)
    return rows, [{"label": label, "predicted": answer, size: confidence} for label, answer, confidence in found]


def _close(data: Dataset) -> None:
    for part in (data.train, data.valid, data.test):
        if part is not None:
            part.shards.close()


def calibrate(predictor: Predictor, data: Dataset, valid: Rows | None, class_weight: str | None) -> None:
    """Temperature and thresholds from the validation rows. Of two classes the cut that is most often right; where the classes
    are weighted, the one that treats them alike.
    """
    if valid is None or not valid.rows or predictor.task.kind == "regress":
        return
    scores, target, weight, _ = scored(predictor, data, valid)
    predictor.temperature = metrics.fit_temperature(scores, target, weight)
    probability = predictor.probabilities(scores)
    if predictor.task.is_binary:
        aim: Literal["macro_f1", "accuracy"] = "macro_f1" if class_weight else "accuracy"
        predictor.thresholds = tuple(metrics.tune_thresholds(probability[:, 1], target, weight, metric=aim, standard_errors=3))
    elif predictor.task.kind == "multilabel":
        predictor.thresholds = tuple(metrics.tune_thresholds(probability, target, weight, standard_errors=3))


def _ended(progress: TrainState) -> dict[str, Any]:
    """How training went, for the record's result."""
    return {
        "seconds": progress.seconds,
        "epochs": progress.epoch,
        "best_epoch": progress.best_epoch or progress.epoch,
        "stopped": progress.stopped,
    }


def judge(predictor: Predictor, data: Dataset, test: Rows | None, ended: dict[str, Any]) -> dict[str, Any]:
    """The record's result; figures only from rows that training and calibration never saw. ``ended``: how training went."""
    tuned = {"temperature": predictor.temperature, "thresholds": predictor.thresholds}
    if test is None or not test.rows:
        return {
            "part": None,
            "rows": 0,
            "note": f"nothing was held out to test on{_why_not(data)}, so nothing is known of how good this is",
            **tuned,
            **ended,
        }
    scores, target, weight, numbers = scored(predictor, data, test)
    evaluation = measure(predictor, scores, target, weight)
    rows, found = mistakes(predictor, scores, evaluation, target)
    texts = data.texts(numbers[rows])
    listed = [{"text": text, **found_, "row": int(numbers[row])} for text, found_, row in zip(texts, found, rows, strict=True)]
    train = data.target[data.parts == 0]
    return {
        "part": "test",
        "rows": len(target),
        **evaluation.to_json(data.task.labels),
        "baseline": metrics.baseline(data.task.kind, train, target, labels=data.task.labels, weights=weight),
        "mistakes": listed,
        **tuned,
        **ended,
    }


def _why_not(data: Dataset) -> str:
    return f" (that takes {FEWEST_TO_HOLD_OUT} rows)" if len(data.corpora[0]) < FEWEST_TO_HOLD_OUT else ""


def scored(
    predictor: Predictor, data: Dataset, part: Rows
) -> tuple[NDArray[Any], NDArray[Any], NDArray[Any] | None, NDArray[np.int64]]:
    """Scores, targets, weights and row numbers of a part."""
    pieces = [(rows, predictor.scores_of(prepared)) for rows, prepared in part.pieces() if len(rows)]
    numbers = np.concatenate([rows for rows, _ in pieces])
    weight = None if data.weight is None else data.weight[numbers]
    return np.concatenate([scores for _, scores in pieces]), data.target[numbers], weight, numbers


def _spoken(task: Task, truth: Any) -> Any:
    if task.kind == "regress":
        return float(truth)
    return task.labels[truth] if task.kind == "classify" else tuple(task.labels[label] for label in np.flatnonzero(truth))


def describe(data: Dataset) -> dict[str, Any]:
    """What the record says of the data: where it came from, its parts and labels."""
    main, names = data.corpora[0], ("train", "valid", "test")
    return {
        "source": main.source,
        "rows": len(data.parts),
        "skipped": sum(corpus.skipped for corpus in data.corpora),
        "bad": [line for corpus in data.corpora for line in corpus.bad],
        "fingerprint": fingerprint(data),
        "parts": {name: int((data.parts == part).sum()) for part, name in enumerate(names)},
        "label_counts": data.label_counts(),
        "train_counts": data.train_counts(),
        "text_column": main.text_column,
        "label_column": main.label_column,
        "leaked": data.leaked,
        "task": data.task.kind,
        "labels": list(data.task.labels) or None,
    }


def fingerprint(data: Dataset) -> str:
    """Of all texts and labels, corpus by corpus, and of the weights of rows where there are any."""
    weights = [] if data.weight is None else [hashlib.blake2b(data.weight.tobytes(), digest_size=16).hexdigest()]
    return "+".join([*(corpus.fingerprint for corpus in data.corpora), *weights])


def _weights(network: models.TextModel) -> dict[str, Any]:
    parameters = list(network.parameters())
    return {"weights": sum(p.numel() for p in parameters), "zero_weights": sum(int((p == 0).sum()) for p in parameters)}


@contextmanager
def memory_named(settings: Settings) -> Iterator[None]:
    """Turn the machine's word for too little memory into ours, with what to do about it."""
    try:
        yield
    except (MemoryError, RuntimeError) as error:
        if not is_out_of_memory(error):
            raise
        raise OutOfMemory(
            f"out of memory with {settings.model}, batches of {settings.batch_size}. "
            "Try fewer bits, a smaller dim or vocabulary, or a smaller --micro-batch."
        ) from error
