"""Naive Bayes by counting: its logits worked by hand, what is left out, its files, and what a fit makes of it."""

from collections import Counter
from pathlib import Path
from typing import Any

import numpy as np
import pytest

import lossworks
from lossworks.core.errors import RecordError, UsageError
from lossworks.inference import load_predictor
from lossworks.models.counted import CountedClassifier
from lossworks.models.naive_bayes import NaiveBayesSpec, _score
from lossworks.record.tensors import map_tensors, write_tensors

TEXTS = ["one two two", "two three four four", "one five five five six", "six three one"]
CLASSES = np.array([0, 1, 2, 2])


def counted(**keys: Any) -> tuple[NaiveBayesSpec, CountedClassifier]:
    """Words alone of the four texts, read in two pieces."""
    spec = NaiveBayesSpec(**{"words": 1, "chars": 0, "bits": 8, **keys})
    counts = spec.counts(3)
    for piece in (slice(0, 1), slice(1, 4)):
        counts.add(spec.read(TEXTS[piece]), CLASSES[piece])
    return spec, counts.learned()


def by_hand(text: str, left_out: set[str], kept: list[set[str]] | None = None) -> np.ndarray:
    """log p(class) + Σ log p(word | class) / √n over the n words known, less its mean, which counts for nothing."""
    found = [Counter(" ".join(TEXTS[i] for i in np.flatnonzero(k == CLASSES)).split()) for k in range(3)]
    kept = kept or [set(own) for own in found]
    known = set().union(*kept) - left_out
    logits = np.log([1 / 4, 1 / 4, 2 / 4])
    words = [word for word in text.split() if word in known]
    for word in words:
        logits += [
            np.log(((own[word] if word in mine else 0) + 0.3) / (own.total() + 0.3 * 2**8))
            for own, mine in zip(found, kept, strict=True)
        ] / np.sqrt(len(words))
    return np.asarray(logits - logits.mean())


@pytest.mark.parametrize("text", ["one two", "two two five" + 20 * " never", 50 * "never ", "", "four five six"])
def test_logits(text: str) -> None:
    """As worked by hand, to the half step of a weight for each word; words never seen add nothing."""
    spec, model = counted()
    (found,) = model.scores(spec.read([text]))
    assert found - found.mean() == pytest.approx(by_hand(text, set()), abs=0.015)


def test_left_out() -> None:
    """``shared`` leaves out what more classes have; ``top`` keeps the most frequent of each class."""
    for keys, expected in (
        ({"shared": 2}, by_hand("one two five", set())),  # "one" is in two classes
        ({"shared": 1}, by_hand("one two five", {"one", "two", "three"})),
        ({"top": 1}, by_hand("one two five four", set(), [{"two"}, {"four"}, {"five"}])),
    ):
        spec, model = counted(**keys)
        text = "one two five four" if "top" in keys else "one two five"
        (found,) = model.scores(spec.read([text]))
        assert found - found.mean() == pytest.approx(expected, abs=0.03), keys


def test_parts() -> None:
    """The same bits whatever number of threads share the texts, a long one after short ones too."""
    spec, model = counted(chars=3, words=2)
    read = spec.read([*TEXTS, "one " * 500, "", *TEXTS])
    apart = np.empty((len(read), 3), np.float32)
    for part in range(3):
        _score(part, 3, read.ids, read.offsets, model._starts, model._pairs, model.step[0], model.unseen, model.prior, apart)
    assert (apart == model.scores(read)).all()


def test_fit(tmp_path: Path) -> None:
    """A fit tells classes apart, knows their scripts, reads back the same bits, explains itself and takes no gradients."""
    rows = [(f"{word} {n} {word}s", word) for n in range(30) for word in ("apple", "груша", "plum")]
    model = lossworks.fit(rows, model="naive_bayes:bits=14", out=tmp_path / "run")
    assert isinstance(model, lossworks.Model)
    assert model.predict(["apples", "груша"]) == ["apple", "груша"]
    assert model.record["result"]["metrics"]["accuracy"]["value"] == 1
    again = load_predictor(tmp_path / "run")
    assert again.scripts == model.predictor.scripts == (("Latn",), ("Latn",), ("Cyrl", "Latn"))
    texts = ["apple", "", "\ud800", "plum " * 999]
    assert (again.scores(texts) == model.predictor.scores(texts)).all()
    (why,) = model.explain(["the apple fell"])
    assert why.shares.argmax() == 1
    assert why.trial is not None
    with pytest.raises(UsageError, match=r"--epochs is for families trained by gradients; naive_bayes is counted"):
        lossworks.fit(rows, model="naive_bayes", epochs=3)
    with pytest.raises(UsageError, match="tells classes apart"):
        lossworks.fit([(text, number) for number, (text, _) in enumerate(rows)], model="naive_bayes", task="regress")
    path = tmp_path / "run/model.safetensors"
    arrays, notes = map_tensors(path)
    for name, damaged in {"classes": arrays["classes"] + np.uint8(3), "lengths": arrays["lengths"][1:]}.items():
        write_tensors(path, {**arrays, name: damaged}, notes)
        with pytest.raises(RecordError, match="do not fit"):
            load_predictor(tmp_path / "run")
