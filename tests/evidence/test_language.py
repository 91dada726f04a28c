"""Models of language as arms: the same rows for all, the weights at the end, figures that are those of a fit."""

from __future__ import annotations

import itertools
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch

import lossworks
from lossworks import metrics
from lossworks.api import evaluate, side_by_side
from lossworks.api.compare import plan_of
from lossworks.core.errors import Interrupted, UsageError
from lossworks.core.seeds import generator
from lossworks.data import VALID, ReadOptions
from lossworks.engine import Callbacks
from lossworks.evidence.runs import opened
from lossworks.training import beside_counts
from lossworks.training.tokens import TokenObjective

WORDS = ("the", "cat", "dog", "sat", "ran", "on", "by", "a", "mat", "fen")
TINY = "transformer:layers=1,heads=1,dim=16,context=16"
SHORT: dict[str, Any] = {"document_unit": "file", "tokenizer": "chars", "model": TINY, "steps": 24, "batch_tokens": 256}


@pytest.fixture
def text(tmp_path: Path) -> Path:
    """Some thousands of characters of few words, of which each makes the next likely."""
    draw, path, at, words = generator(3, "text"), tmp_path / "text.txt", 0, []
    for _ in range(2500):
        at = (at + int(draw.integers(1, 4))) % len(WORDS)
        words.append(WORDS[at] + ("\n" if draw.random() < 0.1 else " "))
    path.write_text("".join(words))
    return path


def test_units() -> None:
    """The mean over units of each metric is the metric of the whole, whatever the units' sizes; from the values come the sums."""
    draw = generator(0, "units")
    nats, bounds, sizes = draw.exponential(size=50), np.array([0, 1, 1, 20, 34, 50]), np.array([3, 0, 44, 17, 30])
    units = metrics.SegmentCounts(bounds, np.diff(bounds), sizes.astype(float), np.zeros(5, np.int64), np.array([2, 0, 9, 0, 1]))
    whole, rows = metrics.surprisal(-nats, units), metrics.by_segment(units.sums(nats), units)
    for name in ("nats_per_token", "bits_per_byte"):
        assert rows[name].mean() == pytest.approx(whole[name].value)
    assert metrics.linear_sums(rows["nats_per_token"], units.positions) == pytest.approx(units.sums(nats))


@pytest.mark.parametrize("texts", ["file", "line"])
def test_figures_are_those_of_a_fit(text: Path, texts: str) -> None:
    """Counted families, which a fit ends in the same way, get the figures that ``fit`` tells, whichever the tokens, and that
    ``evaluate`` tells of the same rows, alone and side by side, with unknown tokens among them; seeds change nothing, tokens that
    differ are compared by bits a byte alone, and nothing is tuned.
    """
    lines = text.read_text().splitlines()
    text.write_text("\n".join(line + chr(0x4E00 + i) * (i % 8 == 0) for i, line in enumerate(lines)))  # each but once
    asked: dict[str, Any] = {"task": "lm", "document_unit": texts, "model": ["ngram:order=2", "ngram:order=4"], "seeds": 2}
    found = lossworks.compare(text, tokenizer=["chars", "bytes"], **asked)
    assert found.record["result"]["metric"] == "bits_per_byte"
    for arm in found.arms:
        of = arm["settings"]
        own = {"task": "lm", "document_unit": texts, "model": of["model"], "tokenizer": of["tokenizer"]}
        fitted = lossworks.fit(text, out=text.parent / arm["name"].replace("/", " "), **own)
        for name in ("bits_per_byte", "nats_per_token"):
            assert arm["metrics"][name] == pytest.approx(fitted.record["result"]["metrics"][name]["value"])
        if of["tokenizer"] == "chars":
            unigram = fitted.record["result"]["baseline"]["metrics"]["bits_per_byte"]["value"]
            assert found.record["result"]["prior"] == pytest.approx(unigram)
            assert fitted.metrics["unknown_rate"]["value"] > 0
        (beside,) = side_by_side({"it": fitted})["runs"]
        for told in (evaluate(fitted), beside):
            assert told["metrics"]["bits_per_byte"]["value"] == pytest.approx(fitted.metrics["bits_per_byte"]["value"])
        assert (arm["tuning"]["trials"], arm["settings"]["loss"]) == ([], None)
        assert arm["seeds"][0]["value"] == arm["seeds"][1]["value"]
    assert "ngram:order=2 · tokenizer=chars" in found.verdicts
    with pytest.raises(UsageError, match="nats_per_token does not compare between the arms' tokens"):
        lossworks.compare(text, tokenizer=["chars", "bytes"], metric="nats_per_token", **asked)
    with pytest.raises(UsageError, match="to words:max_size=3 more than 5% of the test part's tokens are unknown"):
        lossworks.compare(text, tokenizer=["words:max_size=3", "bytes"], **asked)


def test_paired(text: Path) -> None:
    """Arms that are the same but for what does not matter end in the same figures, seed by seed: same weights, same rows."""
    found = lossworks.compare(
        text, optimizer=["sgd:lr=0.3", "momentum:lr=0.3,momentum=0"], trials=0, seeds=2, schedule="constant", **SHORT
    )
    values = [[run["value"] for run in arm["seeds"]] for arm in found.arms]
    assert values[0] == pytest.approx(values[1], abs=1e-6)
    assert values[0][0] != values[0][1]
    assert found.arms[0]["texts"] == found.arms[1]["texts"] == pytest.approx(24 * 256, rel=0.05)


def test_last_weights(text: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """A training ends with the weights of its last step, though the first score was the best."""
    scores = itertools.count(1.0)
    monkeypatch.setattr(TokenObjective, "held_out", lambda objective, world: {"nll": next(scores)})
    common = {"task": "lm", "document_unit": "file", "tokenizer": "chars", "model": TINY}
    common |= {"steps": 40, "batch_tokens": 256, "optimizer": "adam", "schedule": "constant"}
    with opened([(text, None)], ReadOptions(unlabelled=True, texts="file"), common, of_language=True) as benchmark:
        weights = list[torch.Tensor]()

        def stepped() -> None:
            weights[:] = [p.detach().clone() for p in training.loop.objective.network.parameters()]

        sharded = benchmark.training(benchmark.resolve({"shards": 2}), Callbacks(), (VALID,))
        assert sharded.loop.callbacks.world.shards == 2
        training = benchmark.training(benchmark.resolve({}), Callbacks(stepped=stepped), (VALID,))
        training.run()
        assert next(scores) - 1 == training.scores > 1
        assert all(map(torch.equal, weights, training.loop.objective.network.parameters()))


def test_planted(text: Path) -> None:
    """A rate far too low is found worse; a loss that is the baseline's by another name is not, nor is it better; both sources of
    chance are there.
    """
    arms: list[dict[str, Any]] = [
        {"optimizer": "adamw"},
        {"optimizer": "adamw:lr=1e-6"},
        {"optimizer": "adamw", "loss": "focal:gamma=0"},
    ]
    found = lossworks.compare(text, arms=arms, trials=0, seeds=4, **SHORT)
    _, low, same = found.arms
    assert low["verdict"]["word"] == "worse", low["verdict"]["sentence"]
    assert same["verdict"]["word"] == "no difference shown"
    assert low["verdict"]["shares"]["seeds"] > 0
    assert "test segments" in found.record["result"]["rows_are"]
    assert not found.record["result"]["slices"]
    (apart, *_) = found.record["result"]["reading"]["apart"]
    assert all(one["values"][1] > one["values"][0] for one in apart["worse"])
    assert all(one["text"] in text.read_text() for one in apart["worse"])


def test_beside_counts(text: Path) -> None:
    """A counted family stands beside a trained one, which alone is tuned, and takes nothing of what is about training."""
    choices = {**SHORT, "model": ["ngram:order=3", TINY]}
    found = lossworks.compare(text, trials=2, seeds=2, **choices)
    counted, trained = found.arms
    assert (len(counted["tuning"]["trials"]), len(trained["tuning"]["trials"])) == (0, 2)
    assert counted["settings"]["schedule"] is None
    assert trained["verdict"]["word"] in ("worse", "no difference shown")


def test_counting_beside_trained_arms(text: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """What a fit of an n-gram tells on the same rows, and each arm's paired difference from it; not where an arm counts."""
    asked: dict[str, Any] = {**SHORT, "optimizer": ["adamw", "adamw:lr=1e-6"], "trials": 0, "seeds": 3}
    found = lossworks.compare(text, out=text.parent / "run", **asked)
    rival = found.record["result"]["ngram"]
    counted = lossworks.fit(text, task="lm", document_unit="file", tokenizer="chars", model="ngram")
    assert rival["value"] == pytest.approx(counted.metrics["nats_per_token"]["value"])
    assert [one["arm"] for one in rival["arms"]] == [arm["name"] for arm in found.arms]
    for arm, one in zip(found.arms, rival["arms"], strict=True):
        assert one["value"] == pytest.approx(arm["value"] - rival["value"])
        assert 0 < one["low"] < one["value"] < one["high"]
        assert one["word"] == "worse"
    page = (text.parent / "run" / "report.html").read_text()
    assert f"A 5-gram model counted on the same tokens has nats_per_token {rival['value']:.3f}" in page
    assert "Worse than that: " in page
    both = lossworks.compare(text, **{**asked, "seeds": 1, "model": ["ngram:order=3", TINY], "optimizer": None})
    assert "ngram" not in both.record["result"]
    monkeypatch.setattr(beside_counts, "_FEW", 0)
    few = lossworks.compare(text, **{**asked, "seeds": 1})
    assert "take longer than a moment" in few.record["result"]["ngram"]["note"]


def test_stopped_and_resumed(text: Path, tmp_path: Path) -> None:
    """Stopped in the midst of a training and gone on with, a comparison ends in the same figures as one that
    was never stopped.
    """
    asked: dict[str, Any] = {**SHORT, "loss": ["cross_entropy", "mse"], "trials": 3, "seeds": 2}
    whole = lossworks.compare(text, **asked)
    callbacks, ended = Callbacks(), list[Any]()

    def watch(event: str, fields: dict[str, Any]) -> None:
        ended.extend([fields] if event == "training" else [])
        if len(ended) == 3:
            callbacks.stop.set()

    callbacks.watch = watch
    with pytest.raises(Interrupted):
        lossworks.compare(text, out=tmp_path / "run", callbacks=callbacks, **asked)
    again = lossworks.compare(text, out=tmp_path / "run", resume=True, **asked)
    assert again.verdicts == whole.verdicts
    columns = ("stage", "arm", "number", "lr", "validation", "test_nats_per_token", "curve_validation")
    assert again.trainings.select(columns).equals(whole.trainings.select(columns))


def test_plan(text: Path) -> None:
    """Every training is counted, and a longer one is told to take longer."""
    asked: dict[str, Any] = {**SHORT, "loss": ["cross_entropy", "mse"], "trials": 3, "seeds": 2}
    short, long = plan_of(text, **asked), plan_of(text, **asked | {"steps": 2400})
    assert (short.trainings, [(arm.trials, arm.seeds) for arm in short.arms]) == (10, [(3, 2), (3, 2)])
    assert long.arms[0].seconds > 10 * short.arms[0].seconds
    assert (
        plan_of(text, task="lm", document_unit="file", tokenizer="chars", model=["ngram", "ngram:order=2"], seeds=1).trainings
        == 2
    )


def test_duplicates(tmp_path: Path) -> None:
    """Test texts that stand among the training texts are found, and differences are given without them too."""
    lines = [f"the {word} saw {other} at {number}" for number in range(4) for word in WORDS for other in WORDS]
    train, valid, test = (tmp_path / name for name in ("train.txt", "valid.txt", "test.txt"))
    train.write_text("\n".join(lines))
    valid.write_text("\n".join(f"nothing of {n} is known" for n in range(20)))
    test.write_text("\n".join([*lines[:7], *(f"a whole new line number {n} of {n * n}" for n in range(30))]))
    found = lossworks.compare(
        train, valid=valid, test=test, task="lm", model=["ngram:order=1", "ngram:order=3"], tokenizer="chars", seeds=2
    )
    assert found.record["duplicates"]["exact"]["test"] == 7
    verdict = found.arms[1]["verdict"]
    assert verdict["without_duplicates"] != pytest.approx(verdict["value"])
