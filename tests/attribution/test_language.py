"""Explanations of language models: shares against texts scored again, whatever the tokens, the family and the division."""

from __future__ import annotations

import json
import math
from functools import cache
from pathlib import Path

import numpy as np
import pytest
import torch

from api.language import LINES, fitted, neural
from attribution.rescored import rescored
from lossworks import tokens
from lossworks.api import Language
from lossworks.attribution.control import shuffled_language
from lossworks.attribution.explanation import Division
from lossworks.attribution.language_texts import LanguageTexts
from lossworks.attribution.parts import spans_of
from lossworks.attribution.trial import judge
from lossworks.core.errors import UnknownName, UsageError
from lossworks.data import Ragged
from lossworks.inference import TextLanguage
from lossworks.models.hf.model import load_hf
from lossworks.models.hf.spec import HfSpec
from lossworks.models.hmm import HmmModel, HmmSpec
from lossworks.models.neural import NeuralModel
from lossworks.models.rnn import RnnSpec
from models.hf.hf_files import gpt2
from models.hmm.cases import tables
from models.neural.checks import lively

TEXTS = ["the cat 3 sat on a mat, é电 purred", " the  dog 99 barked.\n", "zzz", "don't 电电 é!"]
known = cache(fitted)


def agrees(model: Language, text: str, by: str, part: int | None, atol: float) -> None:
    """Value, baseline and shares are those of texts scored again; the residual is what is left."""
    (found,) = model.explain([text], by=by, part=part, method="leave_one_out", trial=False)
    asked = None if part is None else part - 1 if part > 0 else len(found.shares) + part
    value, baseline, shares = rescored(model, text, found.spans.tolist(), asked)
    assert found.value == pytest.approx(value, abs=atol)
    assert found.baseline == pytest.approx(baseline, abs=atol)
    np.testing.assert_allclose(found.shares, shares, atol=atol)
    assert found.residual == pytest.approx(found.value - found.baseline - found.shares.sum(), abs=1e-9)


@pytest.mark.parametrize("by", ["word", "char", "token"])
@pytest.mark.parametrize("spelled", ["words", "chars", "bytes", "bpe:size=300"])
@pytest.mark.parametrize("family", ["ngram:order=3", "ngram:order=1", "hmm:states=3,iterations=2"])
def test_scored_again(family: str, spelled: str, by: str) -> None:
    """Of whole texts and of parts, where a deletion changes the tokens beside it too."""
    model = known(family, spelled)
    for text in TEXTS:
        for part in (None, 1, -1):
            agrees(model, text, by, part, 1e-9)


@pytest.mark.parametrize("ends", [True, False])
def test_windows(ends: bool) -> None:
    """A network, texts within its context of 16 and beyond it, with an end and without."""
    model = neural(ends=ends)
    for text in ("the cat", "the dog 99 barked at a mat"):
        for part in (None, 2, -1):
            agrees(model, text, "word", part, 1e-3)
    (short, long) = model.explain(["the cat", "the dog 99 barked at a mat"], trial=False)
    assert len(short.notes) == 1
    assert "27 tokens, its start among them, and the model reads 16 at once" in long.notes[1]
    assert [each["token"] for each in short.details] == [*"the cat", *(["</s>"] if ends else [])]
    assert sum(each["bits"] for each in short.details) == pytest.approx(short.value, abs=1e-3)


def test_recurrent() -> None:
    """A recurrent network over byte pairs."""
    tokenizer = tokens.build("bpe:size=300").learn([LINES])
    spec = RnnSpec(layers=1, dim=16)
    network = spec.network(tokenizer.vocabulary.size)
    lively(network)
    model = NeuralModel(network.eval(), tokenizer.vocabulary)
    trained = Language(TextLanguage(spec, tokenizer, model), None)
    for part in (None, 3):
        agrees(trained, TEXTS[0], "word", part, 1e-3)


def test_pretrained(tmp_path: Path) -> None:
    """A model of transformers, whose start is its end."""
    folder = gpt2(tmp_path)
    trained = Language(TextLanguage(HfSpec(path=str(folder)), tokens.load(folder / "tokenizer.json"), load_hf(folder)), None)
    for part in (None, -1):
        agrees(trained, "a lovely thing, number 3", "word", part, 1e-3)


def test_what_comes_later() -> None:
    """What stands after a part has no share in its surprisal, exactly; tokens that reach beyond it are said."""
    for model in (neural(), known("ngram:order=3", "bytes"), known("hmm:states=3,iterations=2", "bytes")):
        (found,) = model.explain(["the cat sat on it"], part=2, trial=False)
        assert found.quantity == "surprisal of 'cat'"
        assert found.shares[1:].tolist() == [0, 0, 0, 0]
        assert found.shares[0] != 0
        assert "".join(each["token"] for each in found.details) == " cat"
    words = known("ngram:order=3", "words")
    (found,) = words.explain(["the mat, é电"], part=2, trial=False)
    assert found.quantity == "surprisal of 'mat,'"
    assert found.shares[2] != 0  # without the comma it is another token
    assert any("parts that come later have a share" in note for note in found.notes)


def test_impossible() -> None:
    """A token of probability 0 counts as 1,074 bits, is said to, and leaves nothing that is not a number."""
    emission = [[0.0, 0.0, 0.2, 0.8, 0.0], [0.0, 0.0, 0.5, 0.0, 0.5]]
    chain = tables([1, 0], [[0.5, 0.5], [0.5, 0.5]], emission)
    tokenizer = tokens.build("words").learn([["a b"]])
    model = Language(TextLanguage(HmmSpec(states=2), tokenizer, HmmModel(chain, tokenizer.vocabulary)), None)
    for method in ("marginal", "leave_one_out"):
        (found,) = model.explain(["a zebra a b"], method=method)
        assert np.isfinite(found.shares).all()
        assert found.shares[1] > 1000 > np.abs(found.shares[[0, 2, 3]]).max()
        assert found.notes[-1].startswith("1 token has probability 0 under the model")
        told = json.dumps(found.to_json(), allow_nan=False)
        assert json.loads(told)["details"][1]["bits"] is None
        (part,) = model.explain(["a zebra a b"], method=method, part=3)
        assert part.value < 1000
        assert not any("probability 0" in note for note in part.notes)


def test_details() -> None:
    """What each family tells of tokens: orders with counts, states with their probability; None where there is no number."""
    (ngram,) = known("ngram:order=3", "words").explain(["the cat </s> zzz"], trial=False)
    first, second, *_ = ngram.details
    assert (second["token"], second["characters"]) == ("cat", [4, 7])
    assert sum(order["share"] for order in second["orders"]) == pytest.approx(second["probability"], rel=1e-12)
    assert second["orders"][2]["context"] == ["the"]
    assert first["bits"] == pytest.approx(-math.log2(first["probability"]))
    hmm = known("hmm:states=3,iterations=2", "words")
    (states,) = hmm.explain(["the cat"], trial=False)
    encoded = hmm.trained.encode(["the cat"])
    assert [each["state"] for each in states.details] == hmm.model.viterbi(encoded).tolist()
    gamma = hmm.model.posteriors(encoded)
    assert [each["posterior"] for each in states.details] == pytest.approx(
        [row[each["state"]] for row, each in zip(gamma, states.details, strict=True)]
    )
    assert set(states.details[0]["says"]) <= {hmm.tokenizer.spelling(token) for token in range(hmm.tokenizer.vocabulary.size)}


def test_orders() -> None:
    """The orders of n-grams share a token's probability, and nothing is left over."""
    model = known("ngram:order=3", "words")
    whole = model.model.explain(model.trained.encode(["the cat 3 sat on"]).ids.astype(int).tolist())
    for part in (1, 2, 4, -1):
        (found,) = model.explain(["the cat 3 sat on"], by="order", part=part)
        told = whole[part - 1 if part > 0 else 4]
        assert found.value == told["probability"]
        assert found.shares.tolist() == [order["share"] for order in told["orders"]]
        assert abs(found.residual) < 1e-15
        assert found.parts == [f"{order['n']}-gram" for order in told["orders"]]
        assert found.trial is None
    assert [found.text[first:last] for first, last in found.spans.tolist()] == ["on", "on", "sat on", "3 sat on"]
    with pytest.raises(UsageError, match=r"text number 1 has 2; part 3 is asked for"):
        model.explain(["the cat"], by="order", part=3)
    with pytest.raises(UnknownName, match="unknown method for orders"):
        model.explain(["the cat"], by="order", part=1, method="leave_one_out")
    with pytest.raises(UsageError, match="only an n-gram model has orders"):
        neural().explain(["the cat"], by="order", part=1)


def test_refused_and_empty() -> None:
    """No text, an empty one, one token; a part, a method or a division that is not there."""
    for model in (known("ngram:order=3", "words"), known("hmm:states=3,iterations=2", "words"), neural(ends=False)):
        assert model.explain([]) == []
        empty, blank, one = model.explain(["", " \n", "the"])
        assert empty.shares.size == blank.shares.size == 0
        assert empty.value == empty.baseline == pytest.approx(float(model.score([""])[0].bits.sum()), abs=1e-5)
        assert empty.trial is not None
        assert empty.trial.word == one.trial.word == "not shown"  # type: ignore[union-attr]
        assert one.shares.shape == (1,)
        with pytest.raises(UsageError, match="text number 2 has 2 parts by word, and part 3 is asked for"):
            model.explain(["a b c", "a b"], part=3)
        with pytest.raises(UsageError, match="part 0 is asked for"):
            model.explain(["a b"], part=0)
        with pytest.raises(UnknownName, match="unknown method"):
            model.explain(["a"], method="exact")
        with pytest.raises(UnknownName, match="unknown division"):
            model.explain(["a"], by="words")
        with pytest.raises(UsageError, match="wanted a list"):
            model.explain("a b")
    with pytest.raises(UsageError, match="2,001 parts, and leave-one-out reads it once for each"):
        neural().explain(["a " * 2001])


def test_shuffled() -> None:
    """A model that knows nothing: each token read as another one, the marks as themselves; a network's weights out of order."""
    counted = known("ngram:order=3", "chars").trained
    other = shuffled_language(counted, 1)
    read, given = other.encode(["the cat"]).ids, counted.encode(["the cat"]).ids
    assert (read != given).mean() > 0.5
    assert len(set(zip(given.tolist(), read.tolist(), strict=True))) == len(set(given.tolist())) == len(set(read.tolist()))
    every = other.encode(["".join(LINES)]).ids.tolist()
    assert not set(every) & {counted.tokenizer.vocabulary.start, counted.tokenizer.vocabulary.end}
    assert other.encode(["the cat"]).ids.dtype == given.dtype
    network = neural().trained
    shuffled, before = shuffled_language(network, 1), [each.clone() for each in network.model.network.parameters()]  # type: ignore[attr-defined]
    pairs = list(zip(shuffled.model.network.parameters(), before, strict=True))  # type: ignore[attr-defined]
    assert all(torch.equal(a.sort().values, b.sort().values) for a, b in ((a.flatten(), b.flatten()) for a, b in pairs))
    assert not all(torch.equal(a, b) for a, b in pairs)
    ids = Ragged(np.array([5, 6, 7], np.uint32), np.array([0, 3]))
    assert not np.allclose(shuffled.model.logp(ids), network.model.logp(ids))


def test_trial_beyond_size() -> None:
    """That longer passages have more bits makes nothing believed: the truth is, and shares by size or at random are not."""
    model = known("hmm:states=3,iterations=2", "chars").trained
    text = "the cat 3 sat on a mat, é电 purred the dog 8 barked on"
    given = LanguageTexts([text], [spans_of(text, "word", None)], model, [None])
    (values,), sizes = given.values([_each_gone(len(given.spans[0]))]), given.sizes(0)
    true = Division(float(values[0]), 0, values[0] - values[1:])
    control = [Division(0, 0, np.random.default_rng(0).normal(size=len(true.shares)))]
    assert judge(given, [true], [control])[0].word == "trust"
    for column in sizes.T:
        (trial,) = judge(given, [Division(true.value, 0, column)], [control])
        assert (trial.word, trial.facts["nothing"]) == ("not shown", "shares")
    assert judge(given, control, [control])[0].word != "trust"


def _each_gone(parts: int) -> np.ndarray:
    return np.concatenate([np.ones((1, parts), bool), ~np.eye(parts, dtype=bool)])
