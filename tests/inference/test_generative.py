"""Classes by language models: Bayes' rule by hand, files, what cannot be told so."""

from __future__ import annotations

import json
import math
import shutil
from collections import Counter
from functools import partial
from pathlib import Path
from types import SimpleNamespace

import numpy as np
import pytest

import lossworks
from lossworks.core.errors import DataError, RecordError, UsageError
from lossworks.data import Ragged
from lossworks.inference import GenerativePredictor, text_logp
from lossworks.models import LanguageModel

ROWS = [("a b a", "x"), ("a c", "x"), ("b b c", "y"), ("b", "x"), ("c c c", "y"), ("a c", "z")]
UNIGRAM = "ngram:order=1,smoothing=additive,delta=0.5"


def by_hand(rows: list[tuple[str, str]], text: str, words: set[str]) -> dict[str, float]:
    """p(label | text) by counting: words and the end of a text, half a count more for each that can be predicted."""
    logits = {}
    for label in sorted({label for _, label in rows}):
        texts = [each for each, of in rows if of == label]
        counts = Counter(" ".join(texts).split())
        total = sum(counts.values()) + len(texts) + 0.5 * (len(words) + 2)  # the unknown word and the end are predicted too
        logp = sum(math.log((counts[word] + 0.5) / total) for word in text.split()) + math.log((len(texts) + 0.5) / total)
        logits[label] = logp + math.log(len(texts) / len(rows))
    whole = sum(map(math.exp, logits.values()))
    return {label: math.exp(logit) / whole for label, logit in logits.items()}


def test_bayes() -> None:
    """Of few rows, all learned from, the probabilities are Bayes' rule over counts; of unknown words and no words too."""
    model = lossworks.fit(ROWS, model=UNIGRAM, tokenizer="words")
    assert isinstance(model.predictor, GenerativePredictor)
    assert model.predictor.counts == (3, 2, 1)
    texts = ["a a b", "c", "", "b zz"]
    for text, row in zip(texts, model.predict_proba(texts), strict=True):
        assert dict(zip(model.labels, row, strict=True)) == pytest.approx(by_hand(ROWS, text, {"a", "b", "c"}))


def test_two_labels() -> None:
    """Two labels likewise."""
    rows = [row for row in ROWS if row[1] != "z"]
    model = lossworks.fit(rows, model=UNIGRAM, tokenizer="words")
    assert dict(zip(model.labels, model.predict_proba(["b c"])[0], strict=True)) == pytest.approx(
        by_hand(rows, "b c", {"a", "b", "c"})
    )
    assert model.predict(["b c c", "a a"]) == ["y", "x"]


def rows(count: int = 120) -> list[tuple[str, str]]:
    """Rows of two labels that single words tell apart."""
    return [(f"it is {('good fine', 'bad poor')[i % 2]} number {i % 7} of {i}", ("up", "down")[i % 2]) for i in range(count)]


@pytest.mark.parametrize("spec", ["ngram:order=2", "hmm:states=2,iterations=3"])
def test_saved(spec: str, tmp_path: Path) -> None:
    """Figures, temperature, a report; what is loaded answers the same."""
    model = lossworks.fit(rows(), model=spec, tokenizer="words", out=tmp_path / "run")
    assert model.metrics["accuracy"]["value"] == 1.0
    assert model.record["result"]["refit_rows"] == 108
    assert (tmp_path / "run/report.html").exists()
    again = lossworks.load(tmp_path / "run")
    texts = ["it is good fine number 3 of 7", "it is bad poor number 4 of 8", "深"]
    assert (again.predict_proba(texts) == model.predict_proba(texts)).all()
    assert again.predict(texts[:2]) == ["up", "down"]


@pytest.fixture(scope="module")
def run(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A small run's directory, to be copied."""
    path = tmp_path_factory.mktemp("generative") / "run"
    lossworks.fit(rows(40), model="ngram:order=2", tokenizer="words", out=path)
    return path


@pytest.mark.parametrize("name", ["tokenizer.json", "classes.json", "classes/0/model.safetensors", "classes/1/model.safetensors"])
@pytest.mark.parametrize("spoil", ["missing", "cut", "other"])
def test_damaged(name: str, spoil: str, run: Path, tmp_path: Path) -> None:
    """A file that is missing, cut or replaced is refused."""
    shutil.copytree(run, tmp_path / "run")
    path = tmp_path / "run" / name
    if spoil == "missing":
        path.unlink()
    else:
        path.write_bytes(path.read_bytes()[:30] if spoil == "cut" else json.dumps({"format": 1, "counts": [1]}).encode())
    with pytest.raises(RecordError):
        lossworks.load(tmp_path / "run")


def test_impossible_text() -> None:
    """A text with a token of probability 0 is impossible, and texts after it are what they are alone."""
    texts = Ragged(np.zeros(3, np.uint32), np.array([0, 1, 1, 3]))
    said = np.array([-1.0, -math.inf, -2.0, -0.5, -0.25, -0.125])
    model = SimpleNamespace(logp=lambda _: said, bounds=partial(LanguageModel.bounds, SimpleNamespace(ends=True)))
    found = text_logp(model, texts)  # type: ignore[arg-type]
    assert found.tolist() == [-math.inf, -2.0, -0.875]


def test_calibrated() -> None:
    """Repeated words are counted as if each were news, so the model is too sure; the temperature takes that back."""
    rows = [(" ".join([("good", "bad")[(i + (i % 4 == 0)) % 2]] * 9), ("up", "down")[i % 2]) for i in range(400)]
    rows = [(f"{text} {i}", label) for i, (text, label) in enumerate(rows)]
    model = lossworks.fit(rows, model=UNIGRAM, tokenizer="words:min_count=2")
    assert model.predictor.temperature > 3
    assert model.metrics["nll"]["value"] < 0.65


def test_refused() -> None:
    """Numbers, weights, and a label missing."""
    with pytest.raises(UsageError, match="tells classes apart"):
        lossworks.fit([(f"word {i}", i * 1.5) for i in range(60)], model="ngram:order=2")
    with pytest.raises(UsageError, match="no use for --weight"):
        lossworks.fit([("a", "x", 2.0), ("b", "y", 1.0)], model="ngram:order=2")
    with pytest.raises(DataError, match=r"row 2: the label is missing \(1 such rows\)"):
        lossworks.fit([("a", "x"), ("b", None), ("c", "y")], model="ngram:order=2")
