"""Learning a model of language from raw text: parts, tokens of the training part alone, figures by hand, bounded memory."""

from __future__ import annotations

import math
from collections import Counter
from pathlib import Path
from typing import Any

import pytest

import lossworks
from lossworks.api import Language, evaluate
from lossworks.core.errors import DataError, Interrupted, UsageError
from lossworks.data import loading
from lossworks.engine import Callbacks
from lossworks.report import words
from lossworks.training import division

UNIGRAM = "ngram:order=1,smoothing=additive,delta=1"
LINES = [f"the cat {i} sat on mat {i % 5} and {'purred' if i % 3 else 'slept'}" for i in range(200)]


def fit(data: Any, **choices: Any) -> Language:
    """What is fitted, which must be a model of language."""
    model = lossworks.fit(data, task="lm", **choices)
    assert isinstance(model, Language)
    return model


def test_figures_by_hand() -> None:
    """A unigram model counted by hand: surprisal, bits a byte, unknown words; the baseline is the same model."""
    train, test = ["a b a", "b"], ["a zz", "b"]
    found = fit(train, test=test, valid=0.0, model=UNIGRAM, tokenizer="words")
    counts = Counter(a=2, b=2, end=2, unknown=0)
    p = {word: (count + 1) / (6 + 4) for word, count in counts.items()}
    nats = [-math.log(p[word]) for word in ("a", "unknown", "end", "b", "end")]
    metrics = found.metrics
    assert metrics["nats_per_token"]["value"] == pytest.approx(sum(nats) / 5)
    assert metrics["perplexity"]["value"] == pytest.approx(math.exp(sum(nats) / 5))
    assert metrics["bits_per_byte"]["value"] == pytest.approx((sum(nats) / math.log(2) + 8 * len("zz")) / 5)
    assert metrics["unknown_rate"]["value"] == pytest.approx(1 / 3)
    baseline = found.record["result"]["baseline"]["metrics"]
    assert baseline["perplexity"]["value"] == pytest.approx(metrics["perplexity"]["value"])
    scored = found.score(["a zz"])[0]
    assert scored.tokens == ("a", "<unk>", "</s>")
    assert scored.nats.tolist() == pytest.approx(nats[:3])
    assert found.perplexity(test) == pytest.approx(metrics["perplexity"]["value"])
    assert float(found.scores(["a"]).logp.exp()[0]) == pytest.approx(0.3)
    assert found.next("", 2) == [("</s>", pytest.approx(0.3)), ("a", pytest.approx(0.3))]


def test_accuracy() -> None:
    """A model that knows its texts by heart guesses nearly every token."""
    found = fit(["one two three"] * 50, test=["one two three", "one two"], valid=0.0, model="ngram:order=3", tokenizer="words")
    assert found.metrics["accuracy"]["value"] == pytest.approx(6 / 7)
    assert found.record["result"]["accuracy_positions"] == 7


def test_tokens_of_the_training_part_alone() -> None:
    """A word that stands in held-out texts alone is unknown."""
    found = fit(LINES, model="ngram:order=2", tokenizer="words")
    data = found.record["data"]
    assert data["parts"] == {"train": 160, "valid": 20, "test": 20}
    assert data["vocabulary"] < 3 + len(set(" ".join(LINES).split()))
    assert found.metrics["unknown_rate"]["value"] > 0


def test_repeatable() -> None:
    """The same seed gives the same figures and samples; another one another split."""
    first, same, other = (fit(LINES, model="ngram:order=3", seed=seed) for seed in (0, 0, 1))
    assert first.record["result"] | {"seconds": 0} == same.record["result"] | {"seconds": 0}
    assert first.metrics != other.metrics
    assert first.generate(samples=3, seed=5) == same.generate(samples=3, seed=5)
    assert first.generate(samples=3, seed=5) != same.generate(samples=3, seed=6)


def test_stream(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """A whole file: the shares at its end are held out, cut at lines; every character is in one part; there is no end."""
    text = "\n".join(LINES)
    (tmp_path / "a.txt").write_text(text)
    monkeypatch.setattr("lossworks.data.sources.CHUNK", 1000)
    found = fit(tmp_path / "a.txt", document_unit="file", tokenizer="chars", model="ngram:order=4", out=tmp_path / "run")
    data, result = found.record["data"], found.record["result"]
    assert sum(data["tokens"].values()) == len(text)
    assert data["tokens"]["test"] == pytest.approx(0.1 * len(text), abs=60)
    assert (result["units"], result["positions"]) == (f"{data['tokens']['test'] // 20} segments", data["tokens"]["test"])
    assert not found.model.ends
    tail = text[-data["tokens"]["test"] :]
    assert tail.startswith("the cat")
    assert found.perplexity([tail]) == pytest.approx(found.metrics["perplexity"]["value"])
    assert len(found.generate("the ", max_new_tokens=50)[0]) == 54
    (tmp_path / "tail.txt").write_text(tail)
    again = evaluate(lossworks.load(tmp_path / "run"), tmp_path / "tail.txt")
    assert again["metrics"] == result["metrics"]


def test_pieces_do_not_matter(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Read in small chunks and spilled to disk: the same model and figures."""
    (tmp_path / "a.txt").write_text("\n".join(LINES))
    whole = fit(tmp_path / "a.txt", model="ngram:order=3")
    monkeypatch.setattr("lossworks.data.sources.CHUNK", 300)
    monkeypatch.setattr("lossworks.data.store.BLOCK", 500)
    monkeypatch.setattr(loading.load, "__kwdefaults__", {"budget": 1000, "spill": None})
    pieces = fit(tmp_path / "a.txt", model="ngram:order=3")
    assert whole.metrics == pieces.metrics


def test_held_out_files(tmp_path: Path) -> None:
    """Files of their own, texts that leak told of; few texts are all learnt from, and that is said."""
    found = fit(LINES[:100], valid=LINES[100:120], test=LINES[120:140] + LINES[:3], model="ngram:order=2", out=tmp_path / "run")
    assert found.record["data"]["parts"] == {"train": 100, "valid": 20, "test": 23}
    assert found.record["data"]["leaked"] == {"valid": 0, "test": 3}
    assert "3 of the 23 test texts stand word for word among the training texts" in words.verdict(found.record).sentence
    few = fit(LINES[:10], model="ngram:order=2")
    assert few.metrics == {}
    assert "nothing is known of how good this is" in few.record["result"]["note"]


def test_labels_are_not_looked_at() -> None:
    """Told that it is language, labels are left alone, odd ones too; else they call for classes."""
    rows = [(line, i % 2) for i, line in enumerate(LINES)]
    assert fit(rows, model="ngram:order=2").metrics == fit(LINES, model="ngram:order=2").metrics
    assert not isinstance(lossworks.fit(rows, model="ngram:order=2"), Language)
    assert isinstance(lossworks.fit(LINES, model="ngram:order=2"), Language)


@pytest.mark.parametrize(
    ("choices", "words"),
    [
        ({"model": "linear"}, "language model is wanted"),
        ({"penalty": "l1"}, "--penalty is for classifiers"),
        ({"batch_size": 4}, "--batch-size is for classifiers"),
        ({"tokenizer": "syllables"}, "unknown tokenizer"),
        ({"document_unit": "page"}, "unknown document unit"),
        ({"memory": "much"}, "wanted bytes"),
        ({"valid": 0.6, "test": 0.6}, "below 1 together"),
        ({"model": "ngram:order=0"}, "order is 0"),
        ({"nonsense": 1}, "unknown argument of fit"),
    ],
)
def test_refused(choices: dict[str, Any], words: str) -> None:
    """What does not go together, each with what was wanted."""
    with pytest.raises(UsageError, match=words):
        lossworks.fit(LINES, **{"task": "lm", **choices})


def test_by_gradients() -> None:
    """A family of networks is trained by a named optimiser and loss, its held-out loss noted; else by its own method."""
    events: list[str] = []
    callbacks = Callbacks(watch=lambda event, fields: events.append(event))
    choices = {"model": "hmm:states=3,iterations=2", "tokenizer": "words:min_count=2"}
    trained = fit(LINES, **choices, optimizer="adam", lr=0.1, loss="cross_entropy+0.01*z_loss", epochs=2, callbacks=callbacks)
    assert events.count("valid") == 2
    assert "iteration" not in events
    assert trained.metrics["perplexity"]["value"] < trained.tokenizer.vocabulary.size
    events.clear()
    fit(LINES, **choices, callbacks=callbacks)
    assert events.count("iteration") == 2
    assert "valid" not in events


@pytest.mark.parametrize(
    ("choices", "words"),
    [
        ({"model": "ngram:order=2", "loss": "focal"}, "--loss is for families trained by gradients"),
        ({"model": "hmm", "epochs": 3}, "name --optimizer or --loss too"),
        ({"model": "hmm", "optimizer": "adam", "epochs": 0}, "epochs is 0"),
        ({"model": "hmm", "optimizer": "adam", "lr": "auto"}, "--lr auto is for classifiers"),
        ({"model": "hmm", "optimizer": "adamm"}, "unknown optimizer"),
    ],
)
def test_gradients_refused(choices: dict[str, Any], words: str) -> None:
    """Settings of gradients where there are none, or outside their domain, before anything is read."""
    with pytest.raises(UsageError, match=words):
        fit(LINES, **choices)


def test_language_flags_for_networks() -> None:
    """A classifier over features knows no tokenizer."""
    with pytest.raises(UsageError, match="--tokenizer is for language models"):
        lossworks.fit([("a", "x"), ("b", "y")], model="linear", tokenizer="chars")


def test_nothing_to_learn() -> None:
    """No texts, or weights, which nobody counts by."""
    with pytest.raises(DataError):
        fit([], model="ngram:order=2")
    with pytest.raises(UsageError, match="--weight"):
        fit([{"text": "a", "w": 1}], model="ngram:order=2", read=lossworks.ReadOptions(weight="w"))


def test_stopped(tmp_path: Path) -> None:
    """Ctrl-C while counting: the record says so; resumed, it starts again and ends in the same bits."""

    def watch(event: str, fields: dict[str, Any]) -> None:
        if event == "count":
            raise KeyboardInterrupt

    with pytest.raises(Interrupted, match="--resume starts it again"):
        fit(LINES, model="ngram:order=2", out=tmp_path / "run", callbacks=Callbacks(watch=watch))
    assert lossworks.load_run(tmp_path / "run").summary["status"] == "interrupted"
    assert "interrupted" in (tmp_path / "run/report.html").read_text()
    assert not (tmp_path / "run/scratch").exists()
    resumed = fit(LINES, model="ngram:order=2", out=tmp_path / "run", resume=True)
    fit(LINES, model="ngram:order=2", out=tmp_path / "whole")
    assert resumed.record["status"] == "finished"
    assert (tmp_path / "run/model.safetensors").read_bytes() == (tmp_path / "whole/model.safetensors").read_bytes()


def test_cuts() -> None:
    """Where a stream's parts begin: at lines where there are any."""
    corpus = loading.load(["ab\ncd\n", "ef\n"], lossworks.ReadOptions(unlabelled=True))
    assert [division._line_after(corpus, place, 9) for place in range(10)] == [0, 3, 3, 3, 6, 6, 6, 9, 9, 9]
    assert [division._line_after(loading.load(["abcd"], lossworks.ReadOptions(unlabelled=True)), 2, 4)] == [2]


def test_texts_without_spaces_are_read_by_characters() -> None:
    """Where no tokenizer is named, also among others, and for classes; words of scripts with spaces stay words."""
    unspaced = ["这个产品让我很失望，包装破损，客服也不回复", "我非常喜欢这个产品，物流很快，质量也好得很"] * 10
    assert str(fit(unspaced, model="ngram:order=2").record["config"]["tokenizer"]) == "chars"
    assert str(fit(unspaced, model="ngram:order=2", tokenizer="words").record["config"]["tokenizer"]) == "words"
    assert str(fit(LINES, model="ngram:order=2").record["config"]["tokenizer"]) == "words"
    assert str(fit([*LINES, *unspaced * 5], model="ngram:order=2").record["config"]["tokenizer"]) == "chars"
    for texts, tokenizer in ((unspaced, "chars"), (LINES, "words")):
        classes = lossworks.fit([(text, "ab"[i % 2]) for i, text in enumerate(texts)], model="ngram:order=1", task="classify")
        assert classes.record["config"]["tokenizer"] == tokenizer
