"""``influence``: which training rows raised the loss of a text, and which lowered it, as training without each would tell."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import asdict, dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from ..core.errors import UsageError
from ..data import ReadOptions, named
from ..inference import GenerativePredictor
from ..models.ngram import NgramModel
from .fit import Source
from .held import several
from .language import Language
from .model import Model
from .tested import TrainingRows, training_rows

METHOD = (
    "exact by counts: the loss as it would be had the model been fitted without the row, tokenizer and temperature as they are"
)


@dataclass(frozen=True, slots=True)
class Row:
    """A training row. influence: the text's loss less its loss without the row, in nats: above 0, the row raised it."""

    place: str
    text: str
    label: Any
    influence: float


@dataclass(frozen=True, slots=True)
class Influence:
    """What training rows did to the loss of ``text``, of a classifier -log p of ``label``.

    loss: in nats. rows: how many there are. raised, lowered: those that did so most, the strongest first. unknown: rows without
    which there would be no model of their class.
    """

    text: str
    label: Any
    loss: float
    rows: int
    raised: tuple[Row, ...]
    lowered: tuple[Row, ...]
    unknown: int
    method: str = METHOD

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
    read: ReadOptions | None = None,
) -> list[Influence]:
    """Which of a run's training rows raised the loss of each text, and which lowered it: exact for what is counted.

    Args:
        model: loaded from a run directory: an n-gram language model, or a classifier of such models.
        texts: raw texts; together they take far less time than one by one.
        labels: of a classifier, what is true of each text. None: what the model answers.
        top: how many rows are named on each side.
        data: what the run was trained on, where that is no longer where the record says.
        read: which columns to read and how, as it was then.

    Raises:
        UsageError: the model is of another family, pruned or without counts; a label is unknown; the training data is not there.
        DataError: it is other data.
    """
    from ..attribution.row_counts import generative_influence, language_influence
    from ..data import Ragged

    if top < 1:
        raise UsageError(f"top is {top}; wanted 1 or more: 10.")
    _check(model)
    given = list(several(texts, model.record))
    where = str(model.path)
    with training_rows(where, model, read, data, f"lossworks explain {where} TEXT --rows --data FILE") as rows:
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
        each = zip(given, told, losses, found, strict=True)
        return [_told(text, label, loss, row, rows, top) for text, label, loss, row in each]


def _check(model: Model | Language) -> None:
    """Raise UsageError where rows cannot be taken out of the model again."""
    if model.path is None:
        raise UsageError("the influence of rows needs a run, whose record names its training data. Load it from its directory.")
    models = [model.model] if isinstance(model, Language) else getattr(model.predictor, "models", ())
    if not models or not all(isinstance(each, NgramModel) for each in models):
        raise UsageError(
            f"{model.path} holds no n-gram models, and only counts can be taken back exactly. --learning tells which rows were "
            "hard to learn; a classifier whose rows can be told of is --model ngram:order=2."
        )


def _number(model: Model, label: Any) -> int:
    labels = model.predictor.task.labels
    if named(label) not in labels:
        raise UsageError(f"the model knows no label {label!r}. Labels: {', '.join(labels)}.")
    return labels.index(named(label))


def _told(text: str, label: Any, loss: float, found: NDArray[np.float64], rows: TrainingRows, top: int) -> Influence:
    known = np.flatnonzero(np.isfinite(found))
    ranked = known[np.argsort(-found[known], kind="stable")].tolist()

    def named_rows(numbers: list[int]) -> tuple[Row, ...]:
        return tuple(Row(rows.place(row), rows.texts[row], rows.labels[row], float(found[row])) for row in numbers)

    return Influence(
        text=text,
        label=label,
        loss=float(loss),
        rows=len(found),
        raised=named_rows([row for row in ranked[:top] if found[row] > 0]),
        lowered=named_rows([row for row in ranked[: -top - 1 : -1] if found[row] < 0]),
        unknown=len(found) - len(known),
    )
