"""Arms of one model for each language: each is trained on its rows alone, and what it says stands where its rows do."""

from __future__ import annotations

import pickle
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from numpy.typing import NDArray

import lossworks
from lossworks import ReadOptions, metrics
from lossworks.api.compare import plan_of
from lossworks.api.comparison_asked import Asked
from lossworks.core.errors import UsageError
from lossworks.data import TEST, VALID
from lossworks.engine import Callbacks
from lossworks.evidence import by_language, statistics
from lossworks.evidence.each import EachSettings
from lossworks.evidence.lineup import lineup

READ = ReadOptions(language="lang")
Rows = list[dict[str, Any]]
QUICK: dict[str, Any] = {"read": READ, "seeds": 2, "trials": 0}


@pytest.fixture(autouse=True)
def few_flips(monkeypatch: pytest.MonkeyPatch) -> None:
    """A tenth of the draws of the permutation test: its p is needed to the hundredth."""
    real = statistics.flips
    for room in (statistics, by_language):
        monkeypatch.setattr(room, "flips", lambda d, seed=0, count=999: real(d, seed, count))


def rows(sizes: dict[str, int], seed: int, labels: bool = True, turned: str = "bb") -> Rows:
    """Texts of several languages mixed up, in one of which the words that tell are the other way round."""
    draw, found = np.random.default_rng(seed), []
    for lang, size in sizes.items():
        for _ in range(size):
            label = int(draw.integers(3))
            word = f"t{(label + (lang == turned)) % 3}"
            text = " ".join([*(f"w{n}" for n in draw.integers(0, 30, 3)), word])
            found.append({"text": text, "lang": lang} | ({"label": "xyz"[label]} if labels else {}))
    return [found[place] for place in draw.permutation(len(found))]


def held(seed: int, labels: bool = True) -> dict[str, Rows]:
    """Validation and test rows."""
    sizes = {"aa": 30, "bb": 20, "cc": 10}
    return {"valid": rows(sizes, seed, labels), "test": rows(sizes, seed + 1, labels)}


def only(given: Any, lang: str) -> Any:
    """What of some rows is of one language."""
    return [row for row in given if row["lang"] == lang] if isinstance(given, list) else given


def said(given: dict[str, Any], tmp_path: Path, model: str, **how: Any) -> tuple[list[NDArray[Any]], float]:
    """The answers of an arm, and what it is judged by."""
    other = "ngram:order=1" if how.get("task") == "lm" else "linear:bits=8"
    asked = Asked(**given, **{**QUICK, **how}, arms=[{"model": model}, {"model": other}])
    with asked.opened(Callbacks()) as benchmark:
        settings = replace(asked.design(benchmark, tmp_path).arms[0].settings, seed=3)
        assert pickle.loads(pickle.dumps(settings)) == settings
        training = benchmark.training(settings, Callbacks(), (VALID, TEST))
        training.run()
        return training.answers(), benchmark.scored(training.answers(), settings).validation


@pytest.mark.parametrize("model", ["linear:bits=10", "vectors", "ngram:order=3"])
def test_each_is_of_its_language_alone(tmp_path: Path, model: str) -> None:
    """The answers are those of trainings that never saw another language, each at its own rows' places."""
    if model == "vectors":
        draw = np.random.default_rng(0)
        words = [*(f"w{n}" for n in range(30)), "t0", "t1", "t2"]
        lines = [f"{word} {' '.join(f'{x:.3f}' for x in draw.normal(size=5))}" for word in words]
        (tmp_path / "v.txt").write_text("\n".join(lines))
        model = f"vectors:{tmp_path / 'v.txt'}"
    text = model.startswith("ngram")
    how: dict[str, Any] = {"task": "lm", "tokenizer": "bytes"} if text else {"epochs": 2}
    given = {"data": rows({"aa": 150, "bb": 90, "cc": 40}, 0, not text), **held(5, not text)}
    whole, judged = said(given, tmp_path, f"each:{model}", **how)
    assert np.isfinite(judged)
    for part, found in zip(("valid", "test"), whole, strict=True):
        langs = [row["lang"] for row in given[part]]
        sizes = [len(row["text"].encode()) + 1 if text else 1 for row in given[part]]
        of = np.repeat(langs, sizes)
        for lang in ("aa", "bb", "cc"):
            alone, _ = said({name: only(value, lang) for name, value in given.items()}, tmp_path, model, **how)
            valid = ["xyz".index(row["label"]) for row in only(given["valid"], lang) if not text]
            own = 1.0 if text else metrics.fit_temperature(alone[0], np.array(valid))
            assert (own == 1) == (text or lang == "cc")  # of fewer than 20 rows
            np.testing.assert_allclose(found[of == lang], alone[part == "test"] / own, atol=1e-6)


def test_better_on_average_worse_where_labels_are_few(tmp_path: Path) -> None:
    """Pooled, apart and both as a pool, by language; languages with nothing to learn from are told, and answered by shares."""
    sizes = {"aa": 200, "bb": 100, "cc": 6, "dd": 5}
    train = [row for row in rows(sizes, 0) if row["lang"] != "dd" or row["label"] == "x"]
    held_out = {
        name: rows({"aa": 60, "bb": 120, "cc": 120, "dd": 25, "ee": 25}, seed) for name, seed in (("valid", 1), ("test", 2))
    }
    spec = "linear:chars=0,bits=10"
    arms = [spec, f"each:{spec}", f"pool:{spec}+each:{spec}"]
    how: dict[str, Any] = {**QUICK, "seeds": 3, "epochs": 8, "optimizer": "adam:lr=0.03", "model": arms}
    found = lossworks.compare(train, **held_out, **how, out=tmp_path / "run")
    assert list(found.verdicts) == arms
    assert found.arms[1]["settings"]["model"] == f"each:{spec}"
    each, pool = found.record["result"]["by_language"]
    words = {row["language"]: row["word"] for row in each["rows"]}
    assert (words["bb"], words["cc"]) == ("better", "worse"), each["sentence"]
    assert each["sentence"].startswith("Better on average, but worse in ")
    assert found.arms[2]["metrics"]["nll"] < found.arms[0]["metrics"]["nll"]
    assert "worse" not in {row["language"]: row["word"] for row in pool["rows"]}["aa"]
    assert found.record["protocol"]["untrained"] == {f"each:{spec}": ["dd", "ee"]}
    page = (tmp_path / "run/report.html").read_text("utf-8")
    assert f"each:{spec} has no model for dd, ee" in page
    assert f"Each training of each:{spec} is one model for each language" in page
    (whole, _) = said({"data": train, **held_out}, tmp_path, f"each:{spec}")
    test = np.array([row["lang"] for row in held_out["test"]])
    counts = {"dd": [row["label"] for row in train if row["lang"] == "dd"], "ee": [row["label"] for row in train]}
    for lang, labels in counts.items():
        shares = np.log(np.maximum([labels.count(label) for label in "xyz"], 0.5))
        np.testing.assert_allclose(whole[1][test == lang], np.broadcast_to(shares, (25, 3)))


def test_settings_are_of_the_arm_but_what_rows_decide(tmp_path: Path) -> None:
    """Trials tune it as a whole; a plan counts all its trainings' steps; a control with knowledge cut is one for each too."""
    given = {"data": rows({"aa": 150, "bb": 90, "cc": 40}, 0), **held(5)}
    planned = plan_of(**given, **{**QUICK, "trials": 2}, epochs=2, model=["linear:bits=8", "each:linear:bits=8"])
    assert [arm.trials for arm in planned.arms] == [2, 2]
    asked = Asked(**given, **QUICK, epochs=2, model=["each:linear:bits=8", "linear:bits=8"])
    with asked.opened(Callbacks()) as benchmark:
        settings = asked.design(benchmark, tmp_path).arms[0].settings
        training = benchmark.training(settings, Callbacks(), (VALID,))
        assert training.steps == 2 * (10 + 6 + 3)  # two epochs in batches of 16
        state = training.run()
        assert (state.step, training.size) == (training.steps, 2 * 280)
    assert settings.to_json()["model"] == "each:linear:bits=8"
    assert isinstance(settings.with_lr(0.5), EachSettings)
    found = lineup([{"model": "linear"}, {"model": "each:vectors:v.txt"}], {})
    assert found.own[2] == {"model": "each:vectors:v.txt,cut=true"}


def test_balanced_language_models(tmp_path: Path) -> None:
    """What is counted reads each text as often as fit does with the same balance; the tokens stay those of all arms."""
    train = rows({"aa": 120, "bb": 20}, 0, labels=False)
    given = {"valid": rows({"aa": 20, "bb": 20}, 1, labels=False), "test": rows({"aa": 20, "bb": 20}, 2, labels=False)}
    how: dict[str, Any] = {"task": "lm", "tokenizer": "bytes", "model": "ngram:order=2", "read": READ}
    found = lossworks.compare(train, **given, **how, balance=["proportional", "alpha:0"], seeds=1, trials=0)
    assert list(found.verdicts) == ["balance=proportional", "balance=alpha:0.0"]
    values = [arm["metrics"]["nats_per_token"] for arm in found.arms]
    assert values[0] != pytest.approx(values[1], rel=1e-4)
    for value, balance in zip(values, (None, "alpha:0"), strict=True):
        fitted = lossworks.fit(train, **given, **how, balance=balance, seed=1)
        assert value == pytest.approx(fitted.record["result"]["metrics"]["nats_per_token"]["value"])
    with pytest.raises(UsageError, match=r"--balance alpha:0\.0 needs to know each row's language"):
        lossworks.compare(["a b"] * 90, task="lm", model="ngram", balance=["alpha:0", "proportional"])


def test_refused() -> None:
    """Without languages there is nothing to be for each; a pool is made of what is trained for each, not the other way round."""
    with pytest.raises(UsageError, match="--model each:linear needs to know each row's language"):
        lossworks.compare(rows({"aa": 50}, 0), model="each:linear", arms=[{}, {"model": "bag"}])
    with pytest.raises(UsageError, match="a pool trains nothing for each language"):
        lossworks.compare(rows({"aa": 50}, 0), model=["linear", "each:pool:linear+bag"], read=READ)
