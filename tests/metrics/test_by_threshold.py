"""What each threshold does: against scikit-learn's curves, against what is predicted with it, and how the page tells it."""

from __future__ import annotations

import json
import re
from pathlib import Path

import numpy as np
import pytest
from scipy.special import expit
from sklearn import metrics as sk

import lossworks
from lossworks import metrics, report
from lossworks.api import evaluate
from lossworks.cli.by_threshold import tell_labels, tell_thresholds
from lossworks.metrics import intervals
from lossworks.record import Run
from lossworks.report import by_threshold

RNG = np.random.default_rng(0)
TRUTH = (RNG.random(400) < 0.8).astype(np.int64)  # class 0 is the rarer one
ODDS = np.round(RNG.normal(size=400) + 2 * TRUTH - 1, 1)  # with ties
LOGITS = np.stack([np.ones(400), ODDS + 1], 1)
WEIGHTS = RNG.uniform(0.2, 3, 400)


@pytest.mark.parametrize("weights", [None, WEIGHTS])
def test_it_agrees_with_scikit_learn(weights: np.ndarray | None) -> None:
    """Average precision, the curve, and at each threshold precision, recall, F1 and the false positives; weights too."""
    found = metrics.by_threshold(LOGITS, TRUTH, ("rare", "often"), temperature=2.0, weights=weights)["label"]
    chance, true = expit(-ODDS / 2), TRUTH == 0
    assert (found["label"], found["other"]) == ("rare", "often")
    assert found["base_rate"] == pytest.approx(np.average(true, weights=weights))
    want = sk.average_precision_score(true, chance, sample_weight=weights)
    assert found["average_precision"]["value"] == pytest.approx(want)
    assert found["average_precision"]["low"] < want < found["average_precision"]["high"]
    assert len(found["thresholds"]) == 13
    for row in found["thresholds"]:
        called = chance >= row["threshold"]
        own = {"sample_weight": weights, "zero_division": 0}
        assert row["texts"] == called.sum()
        assert row["recall"]["value"] == pytest.approx(sk.recall_score(true, called, **own))
        assert row["f1"] == pytest.approx(sk.f1_score(true, called, **own))
        assert row["false_positives"] == (called & ~true).sum()
        assert row["false_positive_rate"] == pytest.approx(sk.recall_score(~true, called, **own))
        if called.any():
            assert row["precision"]["value"] == pytest.approx(sk.precision_score(true, called, **own))
        else:
            assert row["precision"] == {"value": None, "low": 0.0, "high": 1.0}
    precision, recall, cuts = sk.precision_recall_curve(true, chance, sample_weight=weights)
    assert 10 < len(found["curve"]) <= 100
    assert found["curve"][-1][0] == 1
    assert np.all(np.diff([point[0] for point in found["curve"]]) > 0)
    for own_recall, own_precision, cut in found["curve"]:
        at = np.abs(cuts - cut).argmin()
        assert (own_recall, own_precision, cut) == pytest.approx((recall[at], precision[at], cuts[at]), abs=1e-3)


def test_intervals_are_those_of_the_accuracy() -> None:
    """Wilson's, of as many rows as the share is of; repeats of a text count once, with its weight."""
    found = metrics.by_threshold(LOGITS, TRUTH, ("rare", "often"))
    plain, label = metrics.classify(LOGITS, TRUTH), found["label"]
    assert found["answered"][0]["accuracy"] == plain.metrics["accuracy"].to_json()
    chance, true = expit(-ODDS), TRUTH == 0
    row = label["thresholds"][7]
    called = chance >= row["threshold"]
    assert row["precision"] == intervals.proportion(true[called], np.ones(called.sum())).to_json()
    assert row["recall"] == intervals.proportion(called[true], np.ones(true.sum())).to_json()
    weights = np.repeat(WEIGHTS, 2)
    twice = {"weights": weights, "groups": np.repeat(np.arange(400), 2)}
    once = metrics.by_threshold(LOGITS, TRUTH, ("rare", "often"), weights=WEIGHTS)
    again = metrics.by_threshold(np.repeat(LOGITS, 2, 0), np.repeat(TRUTH, 2), ("rare", "often"), **twice)
    for told, want in zip(again["label"]["thresholds"], once["label"]["thresholds"], strict=True):
        for share in ("precision", "recall"):
            assert [*told[share].values()] == pytest.approx([*want[share].values()])
    assert [*again["label"]["average_precision"].values()] == pytest.approx([*once["label"]["average_precision"].values()])
    assert [*again["answered"][4]["accuracy"].values()] == pytest.approx([*once["answered"][4]["accuracy"].values()])


def test_average_precision_is_covered() -> None:
    """The interval holds the value of far more rows about as often as it says, or more often."""
    held, tries, true = 0, 100, None
    for count in (50_000, *[150] * tries):
        truth = RNG.random(count) < 0.2
        odds = RNG.normal(size=count) + 2 * truth
        found = metrics.by_threshold(np.stack([0 * odds, odds], 1), truth, "ab")["label"]["average_precision"]
        true = true or found["value"]
        held += found["low"] <= true <= found["high"]
    assert held - 1 >= 0.9 * tries


def test_answered_of_many_classes() -> None:
    """From the last threshold that all texts reach; the share answered is by weight, and what nobody reaches has no accuracy."""
    truth = RNG.integers(0, 5, 300)
    logits = RNG.normal(size=(300, 5)) / 4
    logits[np.arange(300), truth] += 1.0
    weights = RNG.uniform(0.2, 3, 300)
    found = metrics.by_threshold(logits, truth, "abcde", weights=weights)
    assert found["label"] is None
    chance = np.exp(logits) / np.exp(logits).sum(1, keepdims=True)
    best, right = chance.max(1), chance.argmax(1) == truth
    assert [row["threshold"] for row in found["answered"]] == [0.2, 0.3, 0.4, 0.5, 0.6, 0.7, 0.8, 0.9, 0.95, 0.99]
    for row in found["answered"]:
        there = best >= row["threshold"]
        assert row["texts"] == there.sum()
        assert row["share"] == pytest.approx(np.average(there, weights=weights))
        if there.any():
            assert row["accuracy"]["value"] == pytest.approx(np.average(right[there], weights=weights[there]))
    assert found["answered"][0]["texts"] == 300
    assert found["answered"][0]["share"] == 1
    assert found["answered"][-1]["accuracy"] == {"value": None, "low": 0.0, "high": 1.0}


@pytest.mark.parametrize(("truth", "weights"), [([1] * 30, None), ([0] * 29 + [1], [1.0] * 29 + [0.0])])
def test_one_class_has_no_curve(truth: list[int], weights: list[float] | None) -> None:
    """Where the rarer class is not there, or counts for nothing, only the answered are told; of few rows there is no curve."""
    found = metrics.by_threshold(LOGITS[:30], truth, "ab", weights=weights)
    assert found["label"] is None
    assert found["answered"][0]["texts"] == 30
    few = metrics.by_threshold(LOGITS[:10], [0, 1] * 5, "ab")
    assert few["label"]["label"] == "b"  # the second of two that are as frequent
    assert few["label"]["curve"] == []
    assert by_threshold.chart({"by_threshold": few}) is None
    assert by_threshold.chart({"by_threshold": found}) is None


def test_a_table_is_what_is_predicted(
    tmp_path: Path, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    """Fitted, evaluated, shown and predicted with: one table, whose rows are what ``--threshold`` does with the same texts."""
    words = [" ".join(RNG.choice(list("abcdefg"), 4)) + " win" * (i % 7 == 0 and i % 3 > 0) for i in range(300)]
    labelled = [(text, "ham" if i % 7 else "it's spam") for i, text in enumerate(words)]
    model = lossworks.fit(labelled[:200], test=labelled[200:], model="naive_bayes:chars=0", out=tmp_path / "run")
    result = model.record["result"]
    found = evaluate(model, labelled[200:])["by_threshold"]
    assert json.dumps(result["by_threshold"]) == json.dumps(found)
    assert len(json.dumps(found)) < 9000
    texts, true = [text for text, _ in labelled[200:]], np.array([label for _, label in labelled[200:]])
    for row in found["label"]["thresholds"]:
        said = np.array(model.predict(texts, {"it's spam": row["threshold"]}))
        assert (row["texts"], row["false_positives"]) == ((said != "ham").sum(), ((said != "ham") & (true == "ham")).sum())
    for row in found["answered"]:
        said = np.array(model.predict(texts, row["threshold"]))
        assert row["texts"] == sum(answer is not None for answer in said)
        assert (row["accuracy"]["value"] or 0) * row["texts"] == pytest.approx((said == true).sum())
    page = (tmp_path / "run/report.html").read_text("utf-8")
    assert '<h2 id="thresholds">' in page
    assert "--threshold &#39;it&#39;&#34;&#39;&#34;&#39;s spam=0.9&#39;" in page  # as a shell takes it
    assert '"precision-recall"' in page
    monkeypatch.setenv("COLUMNS", "80")
    big = json.loads(re.sub(r'("(?:texts|false_positives)": )(\d+)', r"\g<1>1\g<2>23", json.dumps(found["label"])))
    tell_thresholds({**found, "label": big}, "run")
    told = capsys.readouterr().out
    assert max(map(len, told.splitlines()[3:-2])) <= 80
    assert len([line for line in told.splitlines() if re.match(r"0\.\d+ ", line)]) == 13
    tell_thresholds({**found, "label": None}, "run")
    assert len(re.findall(r"^0\.\d+ .*–", capsys.readouterr().out, re.M)) == len(found["answered"])
    tell_labels(result["per_class"])
    assert "ham " in capsys.readouterr().out
    tell_labels(result["per_class"] * 11)
    assert "22 labels: --json has" in capsys.readouterr().out
    del model.record["result"]["by_threshold"]
    Run(tmp_path / "run").write_summary({key: value for key, value in model.record.items() if key != "format"})
    assert '<h2 id="thresholds">' not in report.write(tmp_path / "run").read_text("utf-8")


def test_folds_have_it_too() -> None:
    """A cross-validation tells thresholds of all rows, by the models that had not seen them."""
    rows = [(f"{'win' if i % 4 == 0 else 'me'} {i % 5}", "spam" if i % 4 == 0 else "ham") for i in range(60)]
    found = lossworks.fit(rows, model="naive_bayes:chars=0", folds=2).record["result"]["by_threshold"]
    assert found["label"]["label"] == "spam"
    assert found["label"]["base_rate"] == pytest.approx(0.25)
    assert found["answered"][0]["texts"] == 60
