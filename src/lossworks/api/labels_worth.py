"""``labels_worth``: how many gold labels a class would make as good a classifier as one that was trained in another way."""

from __future__ import annotations

import math
from collections.abc import Sequence
from contextlib import closing
from dataclasses import asdict, dataclass, replace
from typing import Any

import numpy as np
from numpy.typing import NDArray
from scipy.optimize import isotonic_regression

from ..core import values
from ..core.errors import DataError, UsageError
from ..core.seeds import derive, generator
from ..data import AS_READ, Corpus, ReadOptions, load
from ..engine import Callbacks
from ..evidence.statistics import LEVEL, Floats, Variances, by_text
from ..inference import Predictor
from ..training import Settings
from .fit import fit
from .graph import Graph
from .held import as_trained
from .language import Language
from .model import Model
from .reading import Source

SIZES = (2, 5, 10, 20, 50, 100, 200, 500, 1000)
"""Labels a class that are tried, as far as there are rows."""


@dataclass(frozen=True, slots=True)
class Point:
    """Classifiers trained on so many gold ``labels`` a class: their mean ``accuracy``, and its ``difference`` from the model's.

    low, high: its 95 % interval if the model is one more such classifier.
    """

    labels: int
    accuracy: float
    difference: float
    low: float
    high: float


@dataclass(frozen=True, slots=True)
class LabelsWorth:
    """How many gold labels a class make as good a classifier as the model.

    value, low, high: that number, and its 95 % interval; 0 is fewer than the fewest tried, infinity more than the most.
    accuracy: the model's, on the test rows. points: what was tried. did: the data, family and draws, in plain values.
    """

    value: float
    low: float
    high: float
    accuracy: float
    points: tuple[Point, ...]
    did: dict[str, Any]

    @property
    def sentence(self) -> str:
        """It in words."""
        value, low, high = (self._spelled(number) for number in (self.value, self.low, self.high))
        about = "about " if 0 < self.value < math.inf else ""
        interval = f"95 % interval {low} to {high}" if low != high else "with 95 % confidence"
        return f"This model is worth {about}{value} gold labels a class ({interval})."

    def to_json(self) -> dict[str, Any]:
        """Plain values."""
        return asdict(self) | {"sentence": self.sentence}

    def _spelled(self, labels: float) -> str:
        if labels == 0:
            return f"fewer than {self.points[0].labels:,}"
        return f"more than {self.points[-1].labels:,}" if math.isinf(labels) else f"{labels:,.0f}"


def labels_worth(
    model: Model | Language | Graph,
    train: Source,
    test: Source,
    read: ReadOptions | None = None,
    *,
    sizes: Sequence[int] = SIZES,
    draws: int = 10,
    settings: Settings | None = None,
    seed: int = 0,
    callbacks: Callbacks | None = None,
) -> LabelsWorth:
    """How many gold labels a class would make as good a classifier as ``model``, whatever that was trained on.

    The same family is trained on n rows of each class, for growing n, until it is shown to be better than the model or rows run
    out. n is in the interval where a model trained on n labels a class could as well be this one: the difference in accuracy is
    not shown, with the variance of the rows drawn (for the classifiers, and once more for the model, which is one draw itself)
    and of the test rows. The ends and the value, where mean accuracies (by isotonic regression) are equal, are interpolated on
    log n. So the interval does not shrink to a point with more draws: one classifier is better than another of as many labels.

    Args:
        model: a classifier, from ``fit`` or ``load``.
        train: rows with gold labels, to draw from. Those whose text is a test row's are left out.
        test: other rows with gold labels, to judge on.
        read: which columns to read and how. Weights of rows are not used.
        sizes: the labels a class to try, ascending; those that the rarest class has no rows for are left out.
        draws: how often rows are drawn for each number, 2 or more.
        settings: how to train on them, all of them; by default the model's family with its own defaults.
        seed: of the draws and trainings.
        callbacks: how to watch and stop.

    Raises:
        UsageError: the model is no classifier of one label a text; ``sizes`` or ``draws`` are out of range.
        DataError: the data cannot be read, holds labels that the model does not know, or too few rows of a class.
    """
    callbacks = callbacks or Callbacks()
    if not isinstance(model, Model) or model.predictor.task.kind != "classify":
        raise UsageError("only a classifier of one label a text is worth so many labels a class, and this model is none.")
    values.whole("draws", draws, least=2)
    for size in sizes:
        values.whole("sizes", size, least=1)
    if not sizes or list(sizes) != sorted(set(sizes)):
        raise UsageError(f"sizes is {list(sizes)}; wanted numbers of labels a class, ascending, such as {list(SIZES[:4])}.")
    settings = settings or Settings()
    settings = replace(settings, model=settings.model or model.record["config"]["model"], task="classify", valid=0, test=0)
    read = as_trained(read, model.record)
    with closing(load(train, read)) as pool, closing(load(test, read)) as held:
        judge = _Judge.of(model.predictor, held)
        rows = np.flatnonzero(~np.isin(pool.keys, held.keys))
        classes = _classes(model.predictor, pool, rows, sizes[0])
        sizes = [size for size in sizes if size <= min(map(len, classes))]
        orders = [[generator(seed, "worth", draw).permutation(each) for each in classes] for draw in range(draws)]
        own, points = judge.right(model.predictor), []
        for done, size in enumerate(sizes):
            right = []
            for draw, order in enumerate(orders):
                callbacks.watch("worth", {"number": done * draws + draw + 1, "of": len(sizes) * draws, "labels": size})
                chosen = np.concatenate([each[:size] for each in order])
                given = list(zip(pool.texts(chosen), [pool.labels[row] for row in chosen], strict=True))
                own_seed = replace(settings, seed=derive(seed, "worth", draw))
                trained = fit(given, read=AS_READ, settings=own_seed, callbacks=Callbacks(stop=callbacks.stop))
                assert isinstance(trained, Model)
                right.append(judge.right(trained.predictor))
            points.append(_point(size, np.array(right), own, held.keys))
            if points[-1].low > 0:
                break
        did = {
            "train": pool.source,
            "test": held.source,
            "rows": {"train": len(rows), "left_out": len(pool) - len(rows), "test": len(held)},
            "model": settings.model,
            "draws": draws,
            "seed": seed,
        }
    return LabelsWorth(*_inverted(points), float(own.mean()), tuple(points), did)


@dataclass(frozen=True, slots=True)
class _Judge:
    """Test rows, by which any model of their labels is judged."""

    texts: list[str]
    truth: NDArray[Any]

    @classmethod
    def of(cls, predictor: Predictor, held: Corpus) -> _Judge:
        target = predictor.task.targets(held)
        if len(np.unique(held.keys)) < 2:
            raise DataError(f"{held.source} holds one text, on which models cannot be compared. Give more rows.")
        return cls([text for block in held.blocks() for text in block], np.array(predictor.task.labels)[target])

    def right(self, predictor: Predictor) -> Floats:
        """1 for each row [N] that is answered rightly, else 0."""
        answers = predictor.task.decide(predictor.predict_proba(self.texts), predictor.thresholds)
        return np.asarray(np.array(answers) == self.truth, np.float64)


def _classes(predictor: Predictor, pool: Corpus, rows: NDArray[np.int64], least: int) -> list[NDArray[np.int64]]:
    """The rows of each class."""
    target, labels = predictor.task.targets(pool)[rows], predictor.task.labels
    classes = [rows[target == number] for number in range(len(labels))]
    rarest = min(range(len(labels)), key=lambda number: len(classes[number]))
    if len(classes[rarest]) < least:
        raise DataError(
            f"{pool.source}: {len(classes[rarest]):,} rows have the label {labels[rarest]!r} and a text that is no test row's; "
            f"wanted {least:,} or more of each class. Give more rows with labels."
        )
    return classes


def _point(labels: int, right: Floats, own: Floats, texts: NDArray[np.uint64]) -> Point:
    """From answers [draws, N], and the model's [N]."""
    apart = by_text(right - own, texts)
    found = Variances.of(apart)
    half = replace(found, seeds=found.seeds * (found.S + 1)).half_width(LEVEL / 2)  # the model's own draw: σ²(1/S + 1)
    mean = float(apart.mean())
    return Point(labels, float(right.mean()), mean, mean - half, mean + half)


def _inverted(points: Sequence[Point]) -> tuple[float, float, float]:
    """Where the difference is none, and from where to where none is shown."""
    sizes = np.log([point.labels for point in points])
    mean, low, high = np.array([(point.difference, point.low, point.high) for point in points]).T
    first, last = _reached(sizes, high, high >= 0), _reached(sizes, low, low > 0)
    rising = isotonic_regression(mean).x
    return min(max(_reached(sizes, rising, rising >= 0), first), last), first, last


def _reached(sizes: Floats, curve: Floats, reached: NDArray[np.bool_]) -> float:
    """The number, of which ``sizes`` are logarithms, at which a curve first comes up to 0; 0 if it is there from the first on."""
    if not reached.any():
        return math.inf
    at = int(reached.argmax())
    if at == 0:
        return 0.0
    share = curve[at - 1] / (curve[at - 1] - curve[at])
    return math.exp(sizes[at - 1] + share * (sizes[at] - sizes[at - 1]))
