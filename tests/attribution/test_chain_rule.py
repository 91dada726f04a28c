"""Shares under language models of classes, against counting by hand and fine integration."""

from __future__ import annotations

import math
from collections import Counter

import numpy as np
import pytest

import lossworks
from lossworks import tokens
from lossworks.attribution import chain_rule
from lossworks.attribution.control import shuffled
from lossworks.core.errors import UsageError
from lossworks.inference import GenerativePredictor

ROWS = [("a b a", "x"), ("a c", "x"), ("b b c", "y"), ("b", "x"), ("c c c", "y"), ("a c", "z")] * 3
UNIGRAM, LABELS = "ngram:order=1,smoothing=additive,delta=0.5", ["x", "y", "z"]


def generative(model: object) -> GenerativePredictor:
    """The model's predictor."""
    assert isinstance(model, lossworks.Model)
    assert isinstance(model.predictor, GenerativePredictor)
    return model.predictor


@pytest.fixture(scope="module")
def unigram() -> lossworks.Model:
    """Of words, its temperature not 1."""
    model = lossworks.fit(ROWS, model=UNIGRAM, tokenizer="words")
    generative(model).temperature = 0.8
    return model


def evidence(word: str | None) -> dict[str, float]:
    """log p(word | label) by counting, half a count more for each that can be predicted; None: the end."""
    found = {}
    for label in LABELS:
        texts = [text.split() for text, of in ROWS if of == label]
        counts = Counter(each for text in texts for each in text)
        total = sum(counts.values()) + len(texts) + 0.5 * 5  # a, b, c, the unknown word and the end
        found[label] = math.log(((len(texts) if word is None else counts[word]) + 0.5) / total)
    return found


def logit(values: dict[str, float], label: str, against: str | None = None) -> float:
    """Of a label against another, or the mean of the others."""
    others = [against] if against else [each for each in LABELS if each != label]
    return (values[label] - sum(values[each] for each in others) / len(others)) / 0.8


@pytest.mark.parametrize("against", [None, "z"])
def test_by_hand(against: str | None, unigram: lossworks.Model) -> None:
    """Each word's share is what it says, divided by the temperature; the end of single words says what that of no text says."""
    text = "  a c\tzebra\nc "
    (found,) = unigram.explain([text], label="y", against=against, trial=False)
    assert found.method == "exact"
    assert found.parts == ["a", "c", "zebra", "c", "\n "[1:]]
    wanted = [logit(evidence(word), "y", against) for word in ("a", "c", "zebra", "c")]
    np.testing.assert_allclose(found.shares, [*wanted, 0], atol=1e-12)
    prior = {label: math.log(sum(of == label for _, of in ROWS) / len(ROWS)) + evidence(None)[label] for label in LABELS}
    assert found.baseline == pytest.approx(logit(prior, "y", against))
    assert found.value == pytest.approx(
        logit(dict(zip(LABELS, generative(unigram).scores([text])[0], strict=True)), "y", against)
    )
    assert found.residual == pytest.approx(0, abs=1e-12)


@pytest.mark.parametrize("spec", ["ngram:order=3", "hmm:states=2,iterations=3"])
@pytest.mark.parametrize("by", ["word", "char", "token"])
def test_complete(spec: str, by: str) -> None:
    """The shares of every quantity add up, the end's among them, which depends on what stands before it."""
    model = lossworks.fit(ROWS, model=spec, tokenizer="words")
    texts = ["", " ", "a b c", "c", "zz", "b b a a"]
    for quantity in (None, "probability", "surprisal", "focal:gamma=2", "hinge"):
        found = model.explain(texts, quantity=quantity, label="y", by=by, trial=False)
        for each in found:
            assert abs(each.residual) <= 1e-9 * max(abs(each.value), abs(each.baseline))
            assert each.spans[-1].tolist() == [len(each.text.rstrip()), len(each.text)]
        assert found[0].value == found[0].baseline
        assert not found[0].shares.any()
        if quantity == "probability":
            np.testing.assert_allclose([each.value for each in found], model.predict_proba(texts)[:, 1], rtol=1e-9)
    assert found[2].shares[-1] != 0
    for number, text in enumerate(texts):
        np.testing.assert_allclose(
            model.explain([text], quantity="hinge", label="y", by=by, trial=False)[0].shares, found[number].shares, atol=1e-12
        )


def test_blocks(unigram: lossworks.Model, monkeypatch: pytest.MonkeyPatch) -> None:
    """What is held at once does not matter."""
    texts = ["a b", "", "c c c", "zz a"]
    together = unigram.explain(texts, trial=False)
    monkeypatch.setattr(chain_rule, "_NUMBERS", 9)
    for one, other in zip(together, unigram.explain(texts, trial=False), strict=True):
        np.testing.assert_array_equal(one.shares, other.shares)
        assert one.details == other.details


def test_integrated(unigram: lossworks.Model) -> None:
    """The probability's shares are its mean gradient along the line from the empty text's scores, by many small steps."""
    (found,) = unigram.explain(["a c zebra"], quantity="probability", label="y", trial=False)
    assert found.method == "integrated_gradients"
    predictor = generative(unigram)
    begin, end = (predictor.scores([text])[0] / predictor.temperature for text in ("", "a c zebra"))
    t = (np.arange(100_000) + 0.5) / 100_000
    scores = begin + t[:, None] * (end - begin)
    p = np.exp(scores - np.log(np.exp(scores).sum(1, keepdims=True)))
    gradient = (p[:, 1:2] * ((np.arange(3) == 1) - p)).mean(0)
    wanted = [gradient @ list(evidence(word).values()) / predictor.temperature for word in ("a", "c", "zebra")]
    np.testing.assert_allclose(found.shares, [*wanted, 0], atol=1e-9)


def test_white_space_and_shared_characters() -> None:
    """What a space says goes to the part behind it, or to the end; a character in several tokens has what all of them say."""
    rows = [("ab é", "x"), ("é é", "y"), ("ba", "x"), ("a é b", "y")] * 2
    for tokenizer, size in (("chars", [1, 1, 1, 1]), ("bytes", [1, 1, 2, 1])):
        model = lossworks.fit(rows, model=UNIGRAM, tokenizer=tokenizer)
        text = "a é "
        (found,) = model.explain([text], label="y", trial=False)
        assert found.parts == ["a", "é", " "]
        logp = np.stack([each.logp(generative(model).prepared([text])) for each in generative(model).models], 1)
        says = (logp[:, 1] - logp[:, 0]) / generative(model).temperature
        assert len(says) == sum(size) + 1
        np.testing.assert_allclose(found.shares, [says[0], says[1:-2].sum(), says[-2]], atol=1e-12)
        (found,) = model.explain([text], label="y")
        assert found.deleted is not None
        assert found.deleted[0] == pytest.approx(says[0] + says[1])  # a text begins as it began, without a space
        assert found.deleted[-1] == 0 != says[-2]  # the end is never deleted, nor the space before it


def test_told_by_token(unigram: lossworks.Model) -> None:
    """Token by token the evidence of each label less its mean; with the prior it adds up to the logits, but for a constant."""
    (found,) = unigram.explain(["b  a"], trial=False)
    assert [(each["token"], each["characters"]) for each in found.details] == [("b", [0, 1]), ("a", [3, 4]), ("</s>", [4, 4])]
    for each, word in zip(found.details, ("b", "a", None), strict=True):
        mean = sum(evidence(word).values()) / 3
        assert each["evidence"] == pytest.approx({label: value - mean for label, value in evidence(word).items()})
    sums = np.array([sum(each["evidence"][label] for each in found.details) for label in LABELS]) + generative(unigram).prior
    scores = generative(unigram).scores(["b  a"])[0]
    np.testing.assert_allclose(sums - sums.mean(), scores - scores.mean(), atol=1e-12)
    assert found.to_json()["details"][0]["evidence"]["x"] == found.details[0]["evidence"]["x"]


def test_deletions_beside(unigram: lossworks.Model) -> None:
    """Of single words a deletion takes away the share. Leave-one-out knows no end."""
    (found,) = unigram.explain(["a c b a c zebra"], label="y")
    np.testing.assert_allclose(found.deleted, found.shares, atol=1e-12)
    assert found.trial is not None
    (other,) = unigram.explain(["a c"], label="y", method="leave_one_out", trial=False)
    assert other.parts == ["a", "c"]
    with pytest.raises(UsageError, match="unknown method"):
        unigram.explain(["a"], quantity="probability", method="exact")


def test_control(unigram: lossworks.Model) -> None:
    """The control reads every token as another one, the same for all classes and each time, and marks as themselves."""
    predictor = generative(unigram)
    other = shuffled(predictor, 1)
    assert isinstance(other, GenerativePredictor)
    plain, read = predictor.prepared(["a b c zebra", "c"]), other.prepared(["a b c zebra", "c"])
    assert (plain.offsets == read.offsets).all()
    assert plain.ids.dtype == read.ids.dtype
    assert sorted(read.ids[:3].tolist()) == sorted(plain.ids[:3].tolist()) != read.ids[:3].tolist()
    assert (read.ids[3], read.ids[4]) == (plain.ids[3], read.ids[2])
    assert (shuffled(predictor, 1).prepared(["a b c"]).ids == read.ids[:3]).all()
    rows = [(f"{word} {number}", label) for number in range(50) for word, label in (("good", "yes"), ("bad", "no"))]
    model = lossworks.fit(rows, model="ngram:order=2", tokenizer="words")
    texts = [f"{word} {number}" for number in range(10) for word in ("good", "bad")]
    right = np.array([label for _ in range(10) for label in ("yes", "no")])
    assert (np.array(model.predict(texts)) == right).all()
    assert np.mean([np.array(shuffled(generative(model), seed).predict(texts)) == right for seed in range(8)]) < 0.7
    assert tokens.build("words").learn([["a"]]).vocabulary.unknown == 0  # what a word nobody knows is read as
