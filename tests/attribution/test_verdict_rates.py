"""How often verdicts on explanations of a real model are wrong; ``bench/explain_verdict.py`` measures it of many."""

from __future__ import annotations

import random
from collections.abc import Callable
from dataclasses import dataclass, replace
from importlib.resources import files
from math import sqrt

import numpy as np
import polars as pl
import pytest

import lossworks
from lossworks.attribution.control import shuffled
from lossworks.attribution.deletion import leave_one_out
from lossworks.attribution.explanation import Division
from lossworks.attribution.parts import spans_of
from lossworks.attribution.quantity import quantity
from lossworks.attribution.texts import LabelTexts
from lossworks.attribution.trial import judge

TOKEN, TEXTS = "zorvex", 80


@dataclass
class Case:
    """Texts with the token, the true shares, those under shuffled labels, and those of the control."""

    texts: LabelTexts
    true: list[Division]
    wrong: list[Division]
    control: list[Division]

    def trusted(self, make: Callable[[int, np.random.Generator], np.ndarray]) -> float:
        """How often the verdict on made shares is trust."""
        rng = np.random.default_rng(0)
        given = [replace(each, shares=make(n, rng)) for n, each in enumerate(self.true)]
        return float(np.mean([each.word == "trust" for each in judge(self.texts, given, [self.control])]))


def with_token(text: str, draw: random.Random) -> str:
    """The text with the token between two words."""
    words = text.split()
    words.insert(draw.randint(0, len(words)), TOKEN)
    return " ".join(words)


@pytest.fixture(scope="module")
def case() -> Case:
    """A linear model of reviews, of which half of the positive ones have a token."""
    draw = random.Random(0)
    reviews = pl.read_csv(files("lossworks.data") / "reviews.csv").rows()
    draw.shuffle(reviews)
    rows = [
        (with_token(text, draw), label) if label == "positive" and draw.random() < 0.5 else (text, label)
        for text, label in reviews
    ]
    train, labels = rows[TEXTS:], [label for _, label in rows[TEXTS:]]
    draw.shuffle(labels)
    settings = {"model": "linear:bits=14", "epochs": 5, "test": 0}
    model = lossworks.fit(train, **settings).predictor
    other = lossworks.fit([(text, label) for (text, _), label in zip(train, labels, strict=True)], **settings).predictor
    texts = [with_token(" ".join(text.split()[: 4 + n % 20]), draw) for n, (text, _) in enumerate(reviews[:TEXTS])]
    asked = quantity(model.task, None, model.task.labels.index("positive"))
    given = LabelTexts(texts, [spans_of(text, "word", None) for text in texts], model, [asked] * TEXTS)
    wrong, control = (leave_one_out(replace(given, predictor=each)) for each in (other, shuffled(model)))
    return Case(given, leave_one_out(given), wrong, control)


def test_wrong_explanations(case: Case) -> None:
    """Random, constant, wrong-class and shuffled-label explanations are trusted in 5 % of texts, within the binomial's reach."""
    most = 0.05 + 2 * sqrt(0.05 * 0.95 / TEXTS)
    assert case.trusted(lambda n, rng: rng.standard_normal(len(case.true[n].shares))) <= most
    assert case.trusted(lambda n, rng: rng.permutation(case.true[n].shares)) <= most
    assert case.trusted(lambda n, rng: case.wrong[n].shares) <= most
    assert case.trusted(lambda n, rng: -case.true[n].shares) == 0  # of two classes the other
    assert case.trusted(lambda n, rng: np.ones(len(case.true[n].shares))) == 0


def test_true_explanations(case: Case) -> None:
    """True ones of texts with the shortcut are trusted in 95 %."""
    assert case.trusted(lambda n, rng: case.true[n].shares) >= 0.95
    found = [division.shares.argmax() for division in case.true]
    assert np.mean([TOKEN in case.texts.pieces(n)[0][part] for n, part in enumerate(found)]) >= 0.95
