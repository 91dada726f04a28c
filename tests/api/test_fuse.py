"""Sources made one model, from Python."""

from __future__ import annotations

import random
import shutil
from pathlib import Path
from typing import Any

import numpy as np
import pytest

import lossworks
from lossworks import fuse
from lossworks.api import evaluate, influence
from lossworks.api.fuse import Fused
from lossworks.core.errors import RecordError, UsageError

GOOD = ["great", "lovely", "superb", "charming", "moving", "clever"]
BAD = ["awful", "dull", "boring", "stupid", "weak", "tedious"]
FILLER = ["the", "a", "film", "plot", "actor", "scene", "story", "music", "end", "of", "and", "with", "is", "was", "some", "very"]
Rows = list[tuple[str, str]]


def rows(count: int, seed: int) -> Rows:
    """Labelled texts; one word of each tells the label."""
    draw, found = random.Random(seed), []
    for _ in range(count):
        label = draw.choice(["neg", "pos"])
        words = [*draw.choices(FILLER, k=6), draw.choice(GOOD if label == "pos" else BAD)]
        draw.shuffle(words)
        found.append((" ".join(words), label if draw.random() < 0.9 else draw.choice(["neg", "pos"])))
    return found


@pytest.fixture(scope="module")
def runs(tmp_path_factory: pytest.TempPathFactory) -> dict[str, Any]:
    """Two classifiers, two language models over the same tokens, and one over others."""
    place = tmp_path_factory.mktemp("runs")
    common: dict[str, Any] = {"test": 0, "seed": 0}
    texts = [text for text, _ in rows(300, 5)]
    few = place / "few.tsv"
    few.write_text("".join(f"{text}\t{label}\n" for text, label in [("text", "label"), *rows(60, 1)]))
    made = {
        "linear": lossworks.fit(few, out=place / "linear", epochs=2, **common),
        "bayes": lossworks.fit(rows(300, 2), out=place / "bayes", model="ngram:order=1", **common),
        "bigrams": lossworks.fit(texts, out=place / "bigrams", task="lm", model="ngram:order=2", tokenizer="chars", **common),
    }
    tokens = str(place / "bigrams" / "tokenizer.json")
    made["five"] = lossworks.fit(texts, out=place / "five", task="lm", model="ngram:order=5", tokenizer=tokens, **common)
    made["words"] = lossworks.fit(texts, out=place / "words", task="lm", model="ngram:order=2", tokenizer="words", **common)
    return made


@pytest.fixture(scope="module")
def labels(runs: dict[str, Any], tmp_path_factory: pytest.TempPathFactory) -> Fused:
    """A pool of classifiers, in a run."""
    out = tmp_path_factory.mktemp("pool") / "labels"
    return fuse([runs["linear"], runs["bayes"]], on=rows(200, 3), test=rows(400, 4), twin="auto", out=out)


@pytest.fixture(scope="module")
def language(runs: dict[str, Any], tmp_path_factory: pytest.TempPathFactory) -> Fused:
    """A pool of language models, in a run."""
    out = tmp_path_factory.mktemp("pool") / "language"
    on, test = ([text for text, _ in rows(100, seed)] for seed in (6, 7))
    return fuse([runs["bigrams"], runs["five"], "cache:decay=0.9", "uniform"], on=on, test=test, kind="linear", out=out)


def test_a_pool_is_a_model(labels: Fused) -> None:
    """What is loaded from the run predicts, evaluates and explains like any other, and says what the pool in hand says."""
    assert labels.path is not None
    model = lossworks.load(labels.path)
    assert isinstance(model, lossworks.Model)
    texts = [text for text, _ in rows(20, 9)]
    assert isinstance(labels.model, lossworks.Model)
    assert np.array_equal(model.predict_proba(texts), labels.model.predict_proba(texts))
    assert model.predict_proba(texts).sum(1) == pytest.approx(1)
    found = evaluate(model, rows(200, 10))
    assert found["metrics"]["accuracy"]["value"] > 0.8
    (explained,) = model.explain(["a great film"], method="leave_one_out")
    assert explained.shares.argmax() == 1
    assert (labels.path / "report.html").exists()


def test_the_loss_told_is_the_pools(labels: Fused) -> None:
    """The loss in the facts is what ``evaluate`` finds."""
    again = evaluate(labels.model, rows(400, 4))
    assert labels.facts["loss"]["value"] == pytest.approx(again["metrics"]["nll"]["value"], abs=1e-9)


def test_knowledge_is_shown(labels: Fused) -> None:
    """The second classifier saw five times as many rows: that is more than a twin of the first brings."""
    (verdict,) = labels.facts["verdicts"]
    assert verdict["word"] == "helps"
    assert [check["than"] for check in verdict["checks"]][-1] == "a second seed of the first source"


def test_without_a_twin_nothing_is_claimed(runs: dict[str, Any]) -> None:
    """Where a second seed was not tried, a gain is not called knowledge."""
    found = fuse([runs["linear"], runs["bayes"]], on=rows(200, 3), test=rows(400, 4))
    assert found.facts["verdicts"][0]["word"] == "not enough to say"
    assert found.path is None


@pytest.mark.parametrize("kind", ["linear", "log_linear"])
@pytest.mark.parametrize("by_context", [False, True])
def test_every_kind(runs: dict[str, Any], kind: str, by_context: bool) -> None:
    """Whatever the rule, a pool is hardly worse, on what its weights were found on, than its best source."""
    on = rows(200, 3)
    found = fuse([runs["linear"], runs["bayes"]], on=on, kind=kind, by_context=by_context).model
    alone = [evaluate(runs[name], on)["metrics"]["nll"]["value"] for name in ("linear", "bayes")]
    assert evaluate(found, on)["metrics"]["nll"]["value"] <= min(alone) + 1e-4


def test_language(language: Fused) -> None:
    """A pool of language models scores, generates and predicts, and its orders are worth more than its cache."""
    assert language.path is not None
    model = lossworks.load(language.path)
    assert isinstance(model, lossworks.Language)
    texts = [text for text, _ in rows(5, 11)]
    assert [row.logp for row in model.score(texts)] == pytest.approx([row.logp for row in language.model.score(texts)])
    assert model.generate("the ", max_new_tokens=5)[0].startswith("the ")
    assert sum(p for _, p in model.next("the f", top=10_000)) == pytest.approx(1)
    words = {verdict["source"].rsplit("/", 1)[-1]: verdict["word"] for verdict in language.facts["verdicts"]}
    assert words["five"] == "helps"
    assert words["uniform"] == "no knowledge shown"


def test_a_pool_in_a_pool(labels: Fused, language: Fused, runs: dict[str, Any], tmp_path: Path) -> None:
    """A pool is a source too."""
    again = fuse([labels.model, "uniform"], on=rows(100, 12), out=tmp_path / "labels")
    assert lossworks.load(tmp_path / "labels").predict(["a great film"]) == again.model.predict(["a great film"])
    texts = [text for text, _ in rows(50, 12)]
    fuse([language.model, runs["bigrams"]], on=texts, kind="log_linear", out=tmp_path / "language")
    assert isinstance(lossworks.load(tmp_path / "language"), lossworks.Language)


def test_models_that_have_no_run() -> None:
    """Models that were fitted in this process are sources too."""
    models = [lossworks.fit(rows(60, seed), test=0, epochs=1) for seed in (1, 2)]
    found = fuse(models, on=rows(100, 3), test=rows(100, 4))
    assert [row["source"] for row in found.facts["sources"]] == ["model 1", "model 2"]


def test_the_seed_draws_what_is_cut(runs: dict[str, Any]) -> None:
    """Another seed moves a source's answers elsewhere, and changes no weight."""
    found = [fuse([runs["linear"], runs["bayes"]], on=rows(200, 3), test=rows(200, 4), seed=seed).facts for seed in (0, 0, 1)]
    cut = [{check["than"]: check["value"] for check in one["verdicts"][0]["checks"]}["cut from its texts"] for one in found]
    assert cut[0] == cut[1] != cut[2]
    assert found[0]["sources"] == found[2]["sources"]


def test_soup(tmp_path: Path) -> None:
    """Runs from one start become one network with the mean of their weights, calibrated anew; it is a run like theirs."""
    train, on, test = rows(200, 21), rows(80, 22), rows(200, 23)
    runs = [lossworks.fit(train, test=0, lr=lr, epochs=3, out=tmp_path / str(lr)) for lr in (0.3, 0.9)]
    found = fuse(runs, on=on, test=test, kind="soup", out=tmp_path / "soup")
    model = lossworks.load(tmp_path / "soup")
    networks = [each.predictor.network for each in (*runs, model)]  # type: ignore[union-attr]
    for one, other, mean in zip(*(network.parameters() for network in networks), strict=True):
        assert (one + other).detach().numpy() / 2 == pytest.approx(mean.detach().numpy(), abs=1e-6)
    assert found.facts["loss"]["value"] == pytest.approx(evaluate(model, test)["metrics"]["nll"]["value"])
    assert found.facts["verdicts"] == []


def test_soup_of_language(tmp_path: Path) -> None:
    """Language models too."""
    texts = [text for text, _ in rows(60, 24)]
    how: dict[str, Any] = {
        "task": "lm",
        "model": "transformer:layers=1,dim=16,heads=1,context=32",
        "tokenizer": "chars",
        "test": 0,
    }
    runs = [lossworks.fit(texts, steps=steps, out=tmp_path / str(steps), **how) for steps in (4, 6)]
    made = fuse(runs, on=texts[:30], kind="soup").model
    heads = [each.model.network.head.weight.detach().numpy() for each in (*runs, made)]  # type: ignore[union-attr]
    assert (heads[0] + heads[1]) / 2 == pytest.approx(heads[2], abs=1e-6)


def test_no_soup(runs: dict[str, Any]) -> None:
    """Networks that began apart have no mean that means anything."""
    train = rows(60, 1)
    others = {
        "seed 3": lossworks.fit(train, test=0, epochs=1, seed=3),
        "is bag": lossworks.fit(train, test=0, epochs=1, model="bag"),
        "other data": lossworks.fit(rows(70, 8), test=0, epochs=1, seed=0),
        "is ngram": runs["bayes"],
    }
    for said, other in others.items():
        with pytest.raises(UsageError, match=said):
            fuse([runs["linear"], other], on=rows(50, 3), kind="soup")
    with pytest.raises(UsageError, match="is no run"):
        fuse([runs["linear"], "uniform"], on=rows(50, 3), kind="soup")


def test_rows_of_a_pool(labels: Fused) -> None:
    """A pool has no training rows of its own."""
    with pytest.raises(UsageError, match="Ask each of its sources"):
        influence(labels.model, ["a great film"])


def test_damage_is_found(labels: Fused, tmp_path: Path) -> None:
    """A source's file that is not what was saved is named."""
    assert labels.path is not None
    shutil.copytree(labels.path, tmp_path / "run")
    (tmp_path / "run" / "sources" / "1" / "config.json").write_text("{}")
    with pytest.raises(RecordError, match=r"sources/1/config\.json is damaged"):
        lossworks.load(tmp_path / "run")


def test_vectors_are_fitted_to_the_rows_of_the_first_run(runs: dict[str, Any], tmp_path: Path) -> None:
    """They know words that these rows have not; the layer is what a fit makes, and is read without the file of vectors."""
    vectors = tmp_path / "vectors.txt"
    vectors.write_text("".join(f"{word} {side} 0.5\n" for words, side in ((GOOD, 1), (BAD, -1)) for word in words))
    found = fuse([runs["linear"], f"vectors:{vectors}"], on=rows(200, 3), test=rows(300, 4), twin="auto", out=tmp_path / "pool")
    assert found.facts["verdicts"][0]["word"] == "helps", found.facts["verdicts"][0]["sentence"]
    same = lossworks.fit(rows(60, 1), model=f"vectors:{vectors}", test=0)
    given = [text for text, _ in rows(20, 9)]
    assert isinstance(found.model, lossworks.Model)
    pool: Any = found.model.predictor
    assert pool.sources[1].predictor.predict_proba(given) == pytest.approx(same.predict_proba(given))
    vectors.unlink()
    again = lossworks.load(tmp_path / "pool")
    assert isinstance(again, lossworks.Model)
    assert again.predict_proba(given) == pytest.approx(found.model.predict_proba(given))


def wrong(runs: dict[str, Any]) -> list[tuple[list[Any], dict[str, Any], str]]:
    """Sources that cannot be pooled, or data that cannot be judged on, and what is said."""
    on, texts = rows(50, 3), [text for text, _ in rows(50, 3)]
    other = lossworks.fit([(text, "x" + label) for text, label in rows(40, 1)], test=0, epochs=1)
    numbers = lossworks.fit([(text, len(text) + 0.5) for text, _ in rows(60, 1)], test=0, epochs=1, task="regress")
    return [
        ([runs["linear"]], {"on": on}, "two sources"),
        ([runs["linear"], runs["linear"]], {"on": on}, "named twice"),
        ([runs["linear"], other], {"on": on}, "other labels"),
        ([numbers, "uniform"], {"on": on}, "predict numbers"),
        ([runs["linear"], runs["bayes"]], {"on": on, "kind": "sum"}, "log_linear or soup"),
        ([runs["linear"], runs["bayes"]], {"on": on, "test": on}, "--test is the text"),
        ([runs["linear"], runs["bayes"]], {"on": rows(300, 2)}, "was trained on"),
        ([runs["linear"], runs["bayes"]], {"on": on, "test": rows(60, 1)}, "was trained on"),
        ([runs["linear"], "lexikon:words.csv"], {"on": on}, "unknown source"),
        ([runs["bayes"], "vectors:glove.txt"], {"on": on}, "lossworks fit DATA --vectors glove.txt --out RUN, and give the run"),
        ([runs["linear"], "hf:tiny"], {"on": on}, "lossworks fit DATA --model hf:PATH,frozen"),
        ([runs["linear"], "graph:facts.tsv"], {"on": on}, "lossworks fit FILE --task graph"),
        ([runs["bigrams"], runs["words"]], {"on": texts}, "other tokens"),
        ([runs["bigrams"], runs["linear"]], {"on": texts}, "no outcomes in common"),
        ([runs["bigrams"], "ngram"], {"on": texts}, "trained first"),
        (["uniform", runs["bigrams"]], {"on": texts}, "the first source is uniform"),
        ([runs["bayes"], runs["linear"]], {"on": on, "twin": "auto"}, "second seed of .* is the same model"),
        ([runs["linear"], runs["bayes"]], {"on": on, "twin": "uniform"}, "wanted a run like"),
        ([runs["bigrams"], runs["five"]], {"on": texts, "twin": runs["words"]}, "other tokens"),
    ]


def test_errors(runs: dict[str, Any]) -> None:
    """What is wrong is said, with what to do."""
    for sources, how, said in wrong(runs):
        with pytest.raises(UsageError, match=said):
            fuse(sources, **how)
