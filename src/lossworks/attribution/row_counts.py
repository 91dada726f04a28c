"""Which training rows raised a loss, exactly, where a model is counts: as if it were trained again without each of them."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
from numpy.typing import NDArray

from ..core.errors import UsageError
from ..data import Ragged
from ..inference import GenerativePredictor, TextLanguage
from ..models import LanguageModel
from ..models.ngram import NgramModel, NgramSpec
from ..models.ngram.smoothing import smoothing
from ..models.ngram.without import change_without_each

Floats = NDArray[np.float64]


def language_influence(trained: TextLanguage, training: Ragged, texts: Ragged) -> Floats:
    """The loss of each text less its loss had training been without the row, [texts, training rows]: above 0, the row raised it.

    The loss is the text's surprisal in nats, of all its positions together, its end too where the model tells ends. The tokenizer
    stays: a word that only this row has stays a token. nan where no model can be trained without the row, as no other has tokens
    or is as long as the order, and where a text is impossible both ways. Works in memory of bounded size beside the result;
    a pair takes time in proportion to the text's positions.

    Args:
        trained: an n-gram model that is not pruned, and not from an ARPA file.
        training: all rows that it was trained on, in its tokens, in any order.
        texts: the texts, in its tokens.

    Raises:
        UsageError: it is of another family, pruned or without counts; or the rows are not those that it was trained on.
    """
    return _rise(trained.spec, trained.model, training, texts)


def generative_influence(
    predictor: GenerativePredictor, training: Ragged, labels: NDArray[np.int64], texts: Sequence[str], targets: NDArray[np.int64]
) -> Floats:
    """The loss of each text less its loss had training been without the row, [texts, training rows]: above 0, the row raised it.

    The loss is -log p(target | text), in nats. Without a row its class has other counts and discounts and a smaller prior;
    tokenizer and temperature stay. nan where the class can have no model without the row, as in ``language_influence``.

    Args:
        predictor: with n-gram models that are not pruned.
        training: all rows that it was trained on, in its tokens, in any order.
        labels: the class of each, by number [rows].
        texts: the texts.
        targets: the class of each, by number [texts].

    Raises:
        UsageError: as ``language_influence``, or the classes have other numbers of rows.
    """
    given = np.bincount(labels, minlength=len(predictor.counts))
    if given.tolist() != list(predictor.counts):
        raise UsageError(
            f"the classes have {given.tolist()} rows, and the model was trained on {list(predictor.counts)}. Give all rows that "
            "it was trained on, and no others."
        )
    prepared = predictor.prepared(texts)
    logits = predictor.scores_of(prepared)
    influence = np.empty((len(texts), len(training)))
    for number, model in enumerate(predictor.models):
        rows = np.flatnonzero(labels == number)
        rise = _rise(predictor.spec, model, training.take(rows), prepared)
        with np.errstate(divide="ignore", invalid="ignore"):  # the only row of its class
            rise += np.log1p(-1 / len(rows))
            influence[:, rows] = _fall_of_loss(logits / predictor.temperature, rise / predictor.temperature, number, targets)
    return influence


def _fall_of_loss(logits: Floats, rise: Floats, number: int, targets: NDArray[np.int64]) -> Floats:
    """How far -log softmax of the targets falls when the logits of class ``number`` rise by each column of ``rise``."""
    logits = logits - logits[np.arange(len(targets)), targets][:, None]
    new = logits[:, number, None] + rise
    others = np.logaddexp.reduce(np.delete(logits, number, 1), axis=1, initial=-np.inf, keepdims=True)
    fall = np.logaddexp.reduce(logits, axis=1, keepdims=True) - np.logaddexp(others, new)
    return fall + np.where((targets == number)[:, None], rise, 0.0)


def _rise(spec: object, model: LanguageModel, training: Ragged, texts: Ragged) -> Floats:
    """``change_without_each`` of a model that can be counted down."""
    if not isinstance(spec, NgramSpec) or not isinstance(model, NgramModel):
        raise UsageError("the influence of rows is exact by counts of an n-gram model alone, and the model is of another family.")
    if model.query.valued:
        raise UsageError(
            "a model from an ARPA file has probabilities and no counts, so no row can be taken out of it. Fit one from its text."
        )
    if any(spec.prune) or spec.entropy:
        raise UsageError(
            "the model is pruned: the counts of what was left out are not known, and without a row other n-grams would be left "
            "out. Fit it without prune and entropy."
        )
    return change_without_each(model, smoothing(spec.smoothing, spec.delta), training, texts)
