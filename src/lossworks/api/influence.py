"""``influence``: which training rows raised the loss of a text, and which lowered it, as training without each would tell."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from ..core.errors import UsageError
from ..data import ReadOptions, named
from ..engine import Callbacks
from ..inference import GenerativePredictor, NetworkPredictor
from ..models.ngram import NgramModel
from .held import several
from .language import Language
from .model import Model
from .reading import Source
from .trained_on import TrainingRows, training_rows

METHOD = (
    "exact by counts: the loss as it would be had the model been fitted without the row, tokenizer and temperature as they are"
)


@dataclass(frozen=True, slots=True)
class Row:
    """A training row. influence: the text's loss less its loss without the row: above 0, the row raised it.

    low, high: where it is the mean over trainings with other seeds, its 95 % interval. shown: whether that excludes 0.
    """

    place: str
    text: str
    label: Any
    influence: float
    low: float | None = None
    high: float | None = None
    shown: bool | None = None


@dataclass(frozen=True, slots=True)
class Influence:
    """What training rows did to the loss of ``text``: -log p of ``label``, of a number the squared error.

    loss: in units of ``unit``. rows: how many there are. raised, lowered: those that did so most, the strongest first.
    unknown: rows without which there would be no model of their class. method: how it is known, and how well.
    agreement: where the rows were found by an estimate, its rank correlation with training again, over ``tried`` random rows.
    """

    text: str
    label: Any
    loss: float
    rows: int
    raised: tuple[Row, ...]
    lowered: tuple[Row, ...]
    unknown: int
    method: str = METHOD
    agreement: float | None = None
    tried: int = 0
    unit: str = "nats"

    @property
    def is_shown(self) -> bool:
        """Whether of any row an influence is shown, where that is in question."""
        rows = (*self.raised, *self.lowered)
        return any(row.shown for row in rows) if any(row.shown is not None for row in rows) else True

    def to_json(self) -> dict[str, Any]:
        """Plain values."""
        return asdict(self)


def influence(
    model: Model | Language,
    texts: Sequence[str],
    *,
    labels: Sequence[Any] | None = None,
    top: int = 10,
    data: Source | None = None,
    valid: Source | None = None,
    test: Source | None = None,
    read: ReadOptions | None = None,
    device: str | None = None,
    callbacks: Callbacks | None = None,
    seeds: int = 3,
) -> list[Influence]:
    """Which of a run's training rows raised the loss of each text, and which lowered it.

    What is counted is known exactly and at once. A linear model is trained again: once to follow its training back, from which
    all rows are ranked, and then side by side without each of the rows that are named, so what is told of them is exact too. Of
    a network products of gradients are added up along its training, which is right to first order at best; the rows that are
    strongest there are judged by trainings with other seeds, and each figure has its interval.

    Args:
        model: loaded from a run directory: an n-gram language model, a classifier of such models, or a model trained by steps.
        texts: raw texts; together they take far less time than one by one.
        labels: what is true of each text: a label, several, or a number. None: what the model answers.
        top: how many rows are named on each side.
        data: what the run was trained on, where that is no longer where the record says.
        valid, test: held-out rows that were given as data of their own, likewise.
        read: which columns to read and how, as it was then.
        device: where to train; where the run was trained, if not given.
        callbacks: how to watch.
        seeds: of a network, how many other trainings judge, two or more.

    Raises:
        UsageError: the model is of another family, pruned or without counts; a label is unknown; the training data is not there.
        DataError: it is other data.
    """
    if top < 1:
        raise UsageError(f"top is {top}; wanted 1 or more: 10.")
    if seeds < 2:
        raise UsageError(f"seeds is {seeds}; wanted 2 or more, as one alone shows no spread: 3.")
    if model.path is None:
        raise UsageError("the influence of rows needs a run, whose record names its training data. Load it from its directory.")
    if not (given := list(several(texts, model.record))):
        return []
    if isinstance(model, Model) and isinstance(model.predictor, NetworkPredictor):
        from .trained_rows import trained_influence

        sources = {"data": data, "valid": valid, "test": test}
        return trained_influence(model, given, labels, top, sources, read, device, callbacks or Callbacks(), seeds)
    return _counted(model, given, labels, top, {"data": data, "valid": valid, "test": test}, read)


def _counted(
    model: Model | Language,
    given: list[str],
    labels: Sequence[Any] | None,
    top: int,
    sources: Mapping[str, Source | None],
    read: ReadOptions | None,
) -> list[Influence]:
    """Of n-gram models."""
    from ..attribution.row_counts import generative_influence, language_influence
    from ..data import Ragged

    _check(model)
    where = str(model.path)
    with training_rows(where, model, read, sources, remedy(where)) as rows:
        if isinstance(model, Language):
            if labels is not None:
                raise UsageError("a language model knows no labels. Leave them out.")
            encoded = model.trained.encode(given)
            found = language_influence(model.trained, model.trained.encode(rows.texts), encoded)
            losses, told = [-row.logp for row in model.score(given)], [None] * len(given)
        else:
            predictor = model.predictor
            assert isinstance(predictor, GenerativePredictor)
            told = model.predict(given) if labels is None else list(labels)
            targets = np.array([_number(model, label) for label in told])
            training = Ragged(*predictor.tokenizer.encode(rows.texts))
            own = np.array([_number(model, label) for label in rows.labels])
            found = generative_influence(predictor, training, own, given, targets)
            losses = (-np.log(predictor.predict_proba(given))[np.arange(len(given)), targets]).tolist()
        everything = np.arange(len(rows.texts))
        each = zip(given, told, losses, found, strict=True)
        return [tell(text, label, loss, everything, row, rows, top) for text, label, loss, row in each]


def remedy(run: str) -> str:
    """The command that gives the training data where it is not there."""
    return f"lossworks explain {run} TEXT --rows --data FILE"


def tell(
    text: str, label: Any, loss: float, places: NDArray[np.int64], found: NDArray[np.float64], rows: TrainingRows, top: int,
    half: NDArray[np.float64] | None = None, **about: Any,
) -> Influence:  # fmt: skip
    """The rows that did most among those at ``places``, whose influence was ``found``.

    half: of their intervals, where they have some. about: the last fields.
    """
    known = np.flatnonzero(np.isfinite(found))
    ranked = known[np.argsort(-found[known], kind="stable")].tolist()

    def named_rows(numbers: list[int]) -> tuple[Row, ...]:
        at = [(int(places[number]), _interval(number)) for number in numbers]
        return tuple(Row(rows.place(row), rows.texts[row], rows.labels[row], *figures) for row, figures in at)

    def _interval(number: int) -> tuple[Any, ...]:
        value = float(found[number])
        if half is None:
            return (value,)
        low, high = value - float(half[number]), value + float(half[number])
        return value, low, high, low > 0 or high < 0

    return Influence(
        text=text,
        label=label,
        loss=float(loss),
        rows=len(rows.texts),
        raised=named_rows([row for row in ranked[:top] if found[row] > 0]),
        lowered=named_rows([row for row in ranked[: -top - 1 : -1] if found[row] < 0]),
        unknown=len(found) - len(known),
        **about,
    )


def _check(model: Model | Language) -> None:
    """Raise UsageError where rows cannot be taken out of the model again."""
    models = [model.model] if isinstance(model, Language) else getattr(model.predictor, "models", ())
    if model.record["config"]["model"] == "pool":
        raise UsageError(f"{model.path} is a pool, which was not trained on rows. Ask each of its sources.")
    if not models or not all(isinstance(each, NgramModel) for each in models):
        raise UsageError(
            f"{model.path} holds no n-gram models, and of language models only counts can be taken back. Fit --model ngram."
        )


def _number(model: Model, label: Any) -> int:
    labels = model.predictor.task.labels
    if named(label) not in labels:
        raise UsageError(f"the model knows no label {label!r}. Labels: {', '.join(labels)}.")
    return labels.index(named(label))
