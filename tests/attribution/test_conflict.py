"""Conflicts of gradients: cosines without the bias of noise, intervals that hold, and languages that want opposite things."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest
import torch

import lossworks
from lossworks import ReadOptions
from lossworks.api import evaluate
from lossworks.attribution import conflict as module
from lossworks.attribution.conflict import conflict
from lossworks.core.errors import UsageError
from lossworks.data import Languages

READ = ReadOptions(language="lang")


def planted(rng: np.random.Generator, cosines: tuple[float, float], noise: float, count: int = 160, size: int = 400) -> Any:
    """What is found of three languages: the second and third have such cosines with the first; each row's gradient is noisy."""
    basis = np.linalg.qr(rng.normal(size=(size, 3)))[0].T
    ways = [basis[0], *(c * basis[0] + np.sqrt(1 - c * c) * basis[n + 1] for n, c in enumerate(cosines))]
    of = np.repeat(np.arange(3, dtype=np.int32), count)
    each = np.stack(ways)[of] + noise * rng.normal(size=(3 * count, size))

    def gradient(rows: Any) -> Any:
        total = torch.from_numpy(each[rows].sum(0))
        return [total[:150], total[150:]], len(rows)

    return conflict(Languages(("a", "b", "c"), of), np.arange(3 * count, dtype=np.uint64), size, gradient)


def cosine(found: Any, *languages: str) -> Any:
    """What is found of a pair."""
    return next(pair for pair in found["pairs"] if pair["languages"] == sorted(languages))


def test_planted_cosines() -> None:
    """Rows whose gradients are noise by far: the estimate is not drawn to 0, its interval holds, and the worst pair is first."""
    held, values, called = 0, [], 0
    for seed in range(40):
        found = planted(np.random.default_rng(seed), (-0.5, 0.0), noise=0.5)
        pair = cosine(found, "a", "b")
        values.append(pair["cosine"])
        held += pair["low"] <= -0.5 <= pair["high"]
        called += cosine(found, "a", "c")["word"] != "not shown"
        assert found["pairs"][0]["cosine"] == min(each["cosine"] for each in found["pairs"])
    naive = -0.5 / (1 + 0.25 * 400 / 160)
    assert np.mean(values) == pytest.approx(-0.5, abs=0.04)
    assert abs(naive + 0.5) > 0.15  # where noise is left in the lengths
    assert held >= 34
    assert called <= 5


def test_sketches(monkeypatch: pytest.MonkeyPatch) -> None:
    """In less memory the cosines are nearly the same, and it is said."""
    whole = planted(np.random.default_rng(1), (-0.7, 0.6), noise=0.1)
    monkeypatch.setattr(module, "_MEMORY", 4 * 8 * 3 * 300)
    found = planted(np.random.default_rng(1), (-0.7, 0.6), noise=0.1)
    assert (whole["sketch"], found["sketch"]) == (None, 300)
    for pair in whole["pairs"]:
        assert cosine(found, *pair["languages"])["cosine"] == pytest.approx(pair["cosine"], abs=0.15)
    assert [pair["word"] for pair in whole["pairs"]] == ["conflict", "conflict", "agree"]
    rng, of = np.random.default_rng(0), np.repeat(np.arange(2, dtype=np.int32), 80)
    apart = np.kron(np.eye(2), np.ones(300))[of] + 0.1 * rng.normal(size=(160, 600))  # none below 0, and none in common

    def gradient(rows: Any) -> Any:
        return [torch.from_numpy(apart[rows].sum(0))], len(rows)

    (pair,) = conflict(Languages(("a", "b"), of), np.arange(160, dtype=np.uint64), 600, gradient)["pairs"]
    assert abs(pair["cosine"]) < 0.2


def rows() -> list[dict[str, Any]]:
    """A word that means one thing in two languages, and the opposite in a third."""
    rng, found = np.random.default_rng(0), []
    for lang, count in (("aa", 120), ("bb", 120), ("cc", 120), ("few", 10)):
        for n in range(count):
            right = (n % 2 == 0) != (lang == "bb")
            label = str(right if rng.random() < 0.9 else not right)
            found.append({"text": f"{'good' if n % 2 else 'bad'} {lang} {n}", "lang": lang, "label": label})
    return found


def test_languages_that_want_opposite_things() -> None:
    """Of a classifier and of a language model; the verdict names the pair, and the model is as it was."""
    model: Any = lossworks.fit(rows(), read=READ, model="linear:bits=9,words=1,chars=0", epochs=6)
    before = model.predict(["good", "bad"])
    said = evaluate(model, rows(), READ, conflict=True)["conflict"]
    assert [pair["word"] for pair in said["pairs"]] == ["conflict", "conflict", "agree"]
    assert all("bb" in pair["languages"] for pair in said["pairs"][:2])
    assert said["few"] == ["few"]
    assert said["verdict"].startswith("2 of 3 pairs of languages are shown to conflict")
    assert model.predict(["good", "bad"]) == before
    texts = [{"text": row["text"], "lang": row["lang"]} for row in rows()]
    language: Any = lossworks.fit(
        texts, read=READ, task="lm", model="transformer:layers=1,dim=8,heads=2", tokenizer="chars", steps=2, batch_tokens=256
    )
    said = evaluate(language, texts, READ, conflict=True)["conflict"]
    assert {pair["word"] for pair in said["pairs"]} == {"agree"}  # it has hardly begun
    with pytest.raises(UsageError, match="they are not known"):
        evaluate(model, rows(), conflict=True)
    counted = lossworks.fit(texts, read=READ, task="lm", model="ngram:order=1")
    with pytest.raises(UsageError, match="ngram:order=1 is counted and has none"):
        evaluate(counted, texts, READ, conflict=True)
