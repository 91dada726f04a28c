"""Metrics by language: the worst first, and called worse only where it is shown to be."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest
from scipy import stats

from lossworks.data import Languages
from lossworks.metrics import Interval, Losses, by_language, texts_by_language
from lossworks.metrics.language import SegmentCounts


def found(values: np.ndarray, languages: list[str], texts: np.ndarray | None = None, sizes: np.ndarray | None = None) -> Any:
    """What is said of rows with these losses."""
    names = sorted(set(languages))
    told = Languages(tuple(names), np.array([names.index(name) for name in languages], np.int32))
    sizes = np.ones(len(values)) if sizes is None else sizes
    losses = Losses(values * sizes, sizes, np.arange(len(values)) if texts is None else texts)
    return by_language("nll", losses, told, lambda rows: {"nll": Interval(float(values[rows].mean()), 0, 9)})


def test_worked_by_hand() -> None:
    """Means, the interval for all at once (Bonferroni), the difference from all others together, and Holm's p, worst first."""
    x = np.array([-1.0, 1.0] * 15)  # without skewness
    values = np.concatenate([1 + 0.1 * x, 3 + 0.1 * x, 1.02 + 0.1 * x])
    said = found(values, ["a"] * 30 + ["b"] * 30 + ["c"] * 30)
    assert [row["language"] for row in said["rows"]] == ["b", "c", "a"]
    b, c, a = said["rows"]
    half = stats.t.ppf(1 - 0.05 / 2 / 3, 29) * 0.1 / np.sqrt(29)
    assert [b["corrected"]["low"], b["corrected"]["high"]] == pytest.approx([3 - half, 3 + half])
    assert (b["loss"], b["others"], b["difference"]["value"]) == pytest.approx((3, 1.01, 1.99))
    assert (b["word"], c["word"], a["word"]) == ("harder", "easier", "easier")
    assert (b["texts"], b["share"], said["texts"]) == (30, pytest.approx(1 / 3), 90)
    assert said["verdict"] == (
        "Worst in b: nll 3 (2.95 to 3.05, corrected for 3 languages; 30 texts), in the others together 1.01. "
        "It is shown to be worse than in the others, after Holm's correction."
    )
    both = found(np.concatenate([values, values + 2]), [*"a" * 30, *"b" * 60, *"c" * 60, *"d" * 30])["verdict"]
    assert both.startswith("Worst in c: ")
    assert "c and" not in both


def test_no_difference_is_rarely_called_one() -> None:
    """Where 20 languages are alike, none is called worse or better in all but few data sets, though one is always the worst; and
    the intervals hold all at once.
    """
    rng, called, hold, runs = np.random.default_rng(0), 0, 0, 60
    languages = [f"l{n % 20:02}" for n in range(1200)]
    for _ in range(runs):
        said = found(rng.exponential(size=1200), languages)
        called += any(row["word"] != "no difference shown" for row in said["rows"])
        hold += all(row["corrected"]["low"] <= 1 <= row["corrected"]["high"] for row in said["rows"])
        if called == 0:
            assert "is not shown to be worse than in the others: one of 20 estimates is always the highest." in said["verdict"]
    assert called <= 8  # 5 % of 60 are 3
    assert hold >= 52


def test_few_texts() -> None:
    """Few texts, or one, are told and not compared, and stand last however bad; repeats count as one, what weighs 0 as none."""
    values = np.concatenate([np.linspace(0, 1, 40), np.linspace(3, 4, 30), [4.5], np.full(5, 2.0), [8.0]])
    languages = ["a"] * 40 + ["b"] * 30 + ["one"] + ["same"] * 5 + ["weightless"]
    texts = np.concatenate([np.arange(71), np.full(5, 99), [100]])
    sizes = np.r_[np.ones(76), 0.0]
    said = found(values, languages, texts, sizes)
    assert [(row["language"], row["texts"], row["word"]) for row in said["rows"]] == [
        ("b", 30, "harder"),
        ("a", 40, "easier"),
        ("one", 1, "few texts"),
        ("same", 1, "few texts"),
    ]
    assert said["rows"][2]["corrected"] is None
    assert said["rows"][2]["p_holm"] is None
    assert said["verdict"].endswith("Too few texts (20 are needed) of one, same.")
    alone = found(values[:41], ["a"] * 40 + ["one"], texts[:41])
    assert alone["verdict"].startswith("nll is 0.5 in a, the one language with enough texts to compare.")
    assert "none is compared" in found(values[:6], [*"aaabbb"])["verdict"]


def test_language_models() -> None:
    """Texts that say the same are compared by what they cost whole; a text that is impossible makes its language's metrics so."""
    nats = np.concatenate([np.full(30, 60.0), np.full(30, 40.0)]) + np.tile(np.linspace(-1, 1, 30), 2)
    positions = np.r_[np.full(30, 30), np.full(30, 10)]
    counts = SegmentCounts(np.r_[0, positions.cumsum()], positions, positions * 2.0, *np.zeros((2, 60), np.int64))
    told = Languages(("mya", "zho"), np.repeat(np.array([0, 1], np.int32), 30))
    said = texts_by_language(nats, counts, np.arange(60), told)
    worst, other = said["rows"]
    assert (worst["language"], worst["loss"], worst["word"]) == ("mya", pytest.approx(60), "harder")
    assert worst["metrics"]["nats_per_token"]["value"] < other["metrics"]["nats_per_token"]["value"]
    assert worst["metrics"]["bits_per_byte"]["value"] == pytest.approx(1 / np.log(2))
    assert said["verdict"].startswith("Highest in mya: nats_per_text 60 ")
    nats[3] = np.inf
    said = texts_by_language(nats, counts, np.arange(60), told)
    assert (said["rows"][0]["texts"], said["rows"][0]["metrics"]["nats_per_token"]["value"]) == (29, None)
