"""``evaluate --precision``: the threshold it names does with ``predict`` what it says, of test parts and of folds."""

from __future__ import annotations

import re
from pathlib import Path

import numpy as np
import polars as pl
import pytest

import lossworks
from lossworks.api import evaluate
from lossworks.core.errors import RecordError, UsageError

from .conftest import Command, csv_of


def rows_of(number: int, seed: int = 0) -> list[tuple[str, str]]:
    """Three classes, whose words tell them most of the time."""
    draw = np.random.default_rng(seed)
    kinds = draw.choice(["ham", "it's spam", "news"], number, p=[0.5, 0.2, 0.3])
    shown = np.where(draw.random(number) < 0.8, kinds, draw.choice(["ham", "it's spam", "news"], number))
    return [
        (f"{word[:4]} {' '.join(draw.choice(list('abcdefg'), 3))} n{i}", str(kind))
        for i, (word, kind) in enumerate(zip(shown, kinds, strict=True))
    ]


@pytest.fixture
def runs(command: Command, tmp_path: Path) -> Path:
    """Data, other rows, a run with a test part, and one of folds."""
    (tmp_path / "data.csv").write_text(csv_of(rows_of(600)), "utf-8")
    (tmp_path / "other.csv").write_text(csv_of(rows_of(800, 1)), "utf-8")
    for flags in (("--out", "run"), ("--folds", "3", "--out", "folded")):
        assert command("fit", "data.csv", "--model", "naive_bayes:chars=0", "--quiet", *flags).code == 0
    return tmp_path


def test_the_threshold_does_what_is_said(command: Command, runs: Path) -> None:
    """Of two labels and of all together: the table is what predicting with its threshold does."""
    model, other = lossworks.load(runs / "run"), rows_of(800, 1)
    texts, true = [text for text, _ in other], np.array([label for _, label in other])
    flags = ("--precision", "it's spam=0.5", "--precision", "ham=0.8")
    spam, ham = command("evaluate", "run", "other.csv", *flags, "--json").json["for_precision"]
    for found, label in ((spam, "it's spam"), (ham, "ham")):
        for kind in ("here", "shown"):
            said = np.array(model.predict(texts, {label: found[kind]["threshold"]})) == label
            assert found[kind]["texts"] == said.sum()
            assert found[kind]["precision"]["value"] == pytest.approx((true[said] == label).mean())
            assert found[kind]["precision"]["value"] >= found["wanted"]
    assert ham["shown"]["threshold"] >= ham["here"]["threshold"]
    (both,) = evaluate(model, runs / "other.csv", precision=0.85)["for_precision"]
    answered = np.array([answer is not None for answer in model.predict(texts, both["here"]["threshold"])])
    assert (both["label"], both["here"]["texts"]) == (None, answered.sum())

    told = command("evaluate", "run", "other.csv", *flags).out
    cuts = [f"{found['shown']['threshold']:g}" for found in (spam, ham)]
    quoted = f"""'it'"'"'s spam={cuts[0]}'"""
    assert told.splitlines()[-1] == f"Next:  lossworks predict run TEXTS --threshold {quoted} --threshold ham={cuts[1]}"
    assert len(re.findall(r"^(?:here|shown) +0\.\d+ +\d+ ", told, re.M)) == 4
    assert "Called" not in told
    assert "Answered from" not in told
    (runs / "few.csv").write_text(csv_of([row for row in other if row[1] == "ham" and row[0].startswith("ham ")][:20]), "utf-8")
    few = command("evaluate", "run", "few.csv", "--precision", "ham=0.9").out
    assert "Of other texts it is shown from no threshold on: that takes 29 texts called ham, if all are right." in few
    none = command("evaluate", "run", "few.csv", "--precision", "news=0.9").out
    assert none.splitlines()[-1] == "From no threshold on are 90 % of the texts called news right."
    assert (
        command("evaluate", "run", "other.csv").out.splitlines()[-1]
        == "Next:  lossworks evaluate run other.csv --precision LABEL=0.9"
    )


def test_folds(command: Command, runs: Path) -> None:
    """Without other rows a run of folds has its own figures, and thresholds by what was said of every row."""
    model = lossworks.load(runs / "folded")
    found = evaluate(model, precision={"ham": 0.8})
    said = pl.read_parquet(runs / "folded/folds.parquet")
    assert (found["metrics"], found["rows"], found["source"]) == (model.metrics, 600, "the out-of-fold rows of data.csv")
    (ham,) = found["for_precision"]
    called = said.filter(pl.col("probability:ham") >= ham["here"]["threshold"])
    assert ham["here"]["texts"] == len(called) > 200
    assert ham["here"]["precision"]["value"] == pytest.approx((called["label"] == "ham").mean())
    told = command("evaluate", "folded").out
    assert told.startswith("the out-of-fold rows of data.csv: 600 rows")
    assert "no rows" in command("evaluate", "folded", "--slices").err
    weighted = [(*row, 1 + i % 3) for i, row in enumerate(rows_of(200))]
    by_weight = lossworks.fit(weighted, folds=2, model="linear:bits=8,chars=0", epochs=1, out=runs / "weighted")
    (heavy,) = evaluate(by_weight, precision={"ham": 0.8})["for_precision"]
    kept = pl.read_parquet(runs / "weighted/folds.parquet").filter(pl.col("probability:ham") >= heavy["here"]["threshold"])
    right = kept["weight"].filter(kept["label"] == "ham").sum() / kept["weight"].sum()
    assert heavy["here"]["precision"]["value"] == pytest.approx(right)
    (runs / "folded/folds.parquet").unlink()
    assert evaluate(model)["rows"] == 600
    with pytest.raises(RecordError, match="Fit the run again"):
        evaluate(model, precision=0.9)


def test_sets_of_labels() -> None:
    """A set holds a label from its threshold on; and all labels together have no one precision."""
    rows = [(f"{('x y', 'y z', 'z')[i % 3]} w{i}", [["p"], ["p", "q"], ["q"]][i % 3]) for i in range(120)]
    model = lossworks.fit(rows, model="linear:bits=8,chars=0", epochs=2)
    (found,) = evaluate(model, rows, precision={"q": 0.9})["for_precision"]
    said = model.predict([text for text, _ in rows], {"q": found["here"]["threshold"]})
    assert found["here"]["texts"] == sum("q" in answer for answer in said)
    with pytest.raises(UsageError, match="of one label"):
        evaluate(model, rows, precision=0.9)


def test_what_is_refused(command: Command, runs: Path) -> None:
    """Each with what to do about it."""
    for flags, why in (
        (("run", "--precision", "hem=0.9"), "Did you mean 'ham'"),
        (("run", "--precision", "ham=95"), "the precision is 95; wanted a share above 0 and below 1"),
        (("run", "--precision", "much"), "the precision is 'much'"),
        (("run", "--precision", "0.9", "--precision", "0.8"), "--precision is 0.9 and 0.8; wanted one number"),
        (("run", "folded", "other.csv", "--precision", "0.9"), "--precision is of one model"),
        (("run", "other.csv", "--parallel", "--precision", "0.9"), "not for parallel text"),
    ):
        done = command("evaluate", *flags)
        assert (done.code, why in done.err) == (2, True), done.err
    numbers = lossworks.fit([(f"w{i % 7}", i / 7) for i in range(60)], task="regress", model="linear:bits=8", epochs=1)
    with pytest.raises(UsageError, match="is for classifiers"):
        evaluate(numbers, [("w1", 0.2)] * 3, precision=0.9)
