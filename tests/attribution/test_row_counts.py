"""What each training row adds to a loss, by counts, is what training without it takes away."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
from numpy.typing import NDArray

import lossworks
from lossworks.attribution.row_counts import generative_influence, language_influence
from lossworks.core.errors import UsageError
from lossworks.inference import GenerativePredictor, TextLanguage
from lossworks.inference.generative import text_logp
from lossworks.interop.arpa import import_arpa
from lossworks.models.base import build_language
from lossworks.models.ngram import write_arpa
from lossworks.models.ngram.smoothing import METHODS

ROWS = [
    ("the film is a good one", "up"),
    ("a good film", "up"),
    ("a good film", "up"),
    ("", "up"),
    ("good good good and a film to see", "up"),
    ("the film is a bad one", "down"),
    ("zyzzyva bad", "down"),
    ("is it a film", "odd"),
]
TEXTS = ["a good film", "zyzzyva is a bad one", "", "nobody knows it", "is it a film"]
LABELS = ("down", "odd", "up")
NUMBERS = np.array([LABELS.index(label) for _, label in ROWS])


@pytest.fixture(scope="module")
def fitted() -> GenerativePredictor:
    """A predictor for its task and tokenizer."""
    predictor = lossworks.fit([row for row in ROWS if row[0]], model="ngram:order=2", tokenizer="words").predictor
    assert isinstance(predictor, GenerativePredictor)
    assert tuple(predictor.task.labels) == LABELS
    return predictor


def trained(fitted: GenerativePredictor, spec: str, rows: NDArray[np.int64]) -> GenerativePredictor:
    """The predictor of some of the rows, with the tokenizer of all."""
    built, tokenizer = build_language(spec), fitted.tokenizer
    texts = [[ROWS[row][0] for row in rows if NUMBERS[row] == number] for number in range(len(LABELS))]
    models = tuple(built.fit(fitted.prepared(of_class), tokenizer.vocabulary) for of_class in texts)
    return GenerativePredictor(fitted.task, built, tokenizer, models, tuple(map(len, texts)), temperature=1.7)


@pytest.mark.parametrize("order", [1, 2, 3])
@pytest.mark.parametrize("method", METHODS)
def test_classes(method: str, order: int, fitted: GenerativePredictor) -> None:
    """-log p(label | text) for every text and label, of each row that its class can do without."""
    spec, everything = f"ngram:order={order},smoothing={method}", np.arange(len(ROWS))
    texts, targets = TEXTS * 3, np.repeat(np.arange(3), len(TEXTS))

    def loss(rows: NDArray[np.int64]) -> NDArray[np.float64]:
        return -np.log(trained(fitted, spec, rows).predict_proba(texts)[np.arange(len(texts)), targets])

    encoded = fitted.prepared([text for text, _ in ROWS])
    found = generative_influence(trained(fitted, spec, everything), encoded, NUMBERS, texts, targets)
    for row in everything[:-1]:
        np.testing.assert_allclose(found[:, row], loss(everything) - loss(np.delete(everything, row)), rtol=0, atol=1e-10)
    assert np.isnan(found[:, -1]).all()  # the only row of its class
    assert found[0, 1] > 0 > found[10, 1] or method != "additive"  # an equal text speaks for "up", against "down"


def language(fitted: GenerativePredictor, spec: str, texts: list[str]) -> TextLanguage:
    """A language model of texts, with the tokenizer of all."""
    built = build_language(spec)
    return TextLanguage(built, fitted.tokenizer, built.fit(fitted.prepared(texts), fitted.tokenizer.vocabulary))


def test_language(fitted: GenerativePredictor) -> None:
    """The surprisal of texts, of each row."""
    rows, spec = [text for text, _ in ROWS], "ngram:order=3"
    asked = fitted.prepared(TEXTS)

    def loss(texts: list[str]) -> NDArray[np.float64]:
        return -text_logp(language(fitted, spec, texts).model, asked)

    found = language_influence(language(fitted, spec, rows), fitted.prepared(rows), asked)
    for row in range(len(rows)):
        np.testing.assert_allclose(found[:, row], loss(rows) - loss(rows[:row] + rows[row + 1 :]), rtol=0, atol=1e-10)


def test_refused(fitted: GenerativePredictor, tmp_path: Path) -> None:
    """Models whose counts cannot be taken back, with the reason; rows of other numbers."""
    rows = [text for text, _ in ROWS]
    encoded = fitted.prepared(rows)
    whole = language(fitted, "ngram:order=2", rows)
    write_arpa(whole.model, [fitted.tokenizer.spelling(each) for each in range(whole.model.vocabulary.size)], tmp_path / "a.arpa")
    for model, said in (
        (import_arpa(tmp_path / "a.arpa", lambda event, fields: None)[0], "ARPA file has probabilities and no counts"),
        (language(fitted, "ngram:order=2,prune=0/1", rows), "the model is pruned"),
        (language(fitted, "ngram:order=2,entropy=1e-9", rows), "the model is pruned"),
        (language(fitted, "hmm:states=2,iterations=1", rows), "another family"),
    ):
        with pytest.raises(UsageError, match=said):
            language_influence(model, encoded, encoded)
    predictor = trained(fitted, "ngram:order=2", np.arange(len(ROWS)))
    with pytest.raises(UsageError, match=r"the classes have \[5, 1, 2\] rows"):
        generative_influence(predictor, encoded, 2 - NUMBERS, rows, NUMBERS)
