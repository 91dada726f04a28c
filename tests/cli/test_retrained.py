"""A model and the one retrained after it, on new rows: what each metric differs by, and rows that one of them was trained on."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest

import lossworks
from lossworks.api import Language, Model, evaluate, labels_side_by_side, side_by_side
from lossworks.api import trained_on as module
from lossworks.api.paired import paired_labels
from lossworks.data import load
from lossworks.evidence.statistics import holm

from .conftest import Command, csv_of

LINEAR = "linear:bits=10,chars=0"


def rows_of(number: int, seed: int, right: float = 0.9) -> list[tuple[str, str]]:
    """Words that tell the label most of the time."""
    draw = np.random.default_rng(seed)
    label = draw.integers(0, 3, number)
    word = np.where(draw.random(number) < right, label, draw.integers(0, 3, number))
    return [
        (f"{'abc'[w] * 3} {seed}x{i} {draw.integers(9)}", ("ham", "news", "spam")[k])
        for i, (w, k) in enumerate(zip(word, label, strict=True))
    ]


@pytest.fixture
def runs(tmp_path: Path) -> dict[str, Model]:
    """Of a month's rows, most of them mislabelled, of two months', and a copy of the first with another seed."""
    files = {"october": rows_of(150, 0, 0.3), "november": rows_of(300, 1), "december": rows_of(200, 2)}
    for name, rows in files.items():
        (tmp_path / f"{name}.csv").write_text(csv_of(rows), "utf-8")
    both = csv_of(files["october"] + files["november"])
    (tmp_path / "both.csv").write_text(both, "utf-8")
    for name, data, seed in (("old", "october", 0), ("new", "both", 0), ("other", "october", 1)):
        lossworks.fit(f"{tmp_path / data}.csv", model=LINEAR, seed=seed, out=tmp_path / name)
    return {name: lossworks.load(tmp_path / name) for name in ("old", "new", "other")}  # type: ignore[misc]


def test_the_difference_of_each_metric(runs: dict[str, Model], tmp_path: Path) -> None:
    """As ``paired_labels`` has it, with p corrected over the metrics of both pairs."""
    found = labels_side_by_side(runs, tmp_path / "december.csv")
    assert "against" not in found["runs"][0]
    pairs = [row["against"] for row in found["runs"][1:]]
    alone = [paired_labels(runs["old"], runs[name], load(tmp_path / "december.csv")) for name in ("new", "other")]
    every = [
        (pair["metrics"][name], one["metrics"][name]) for pair, one in zip(pairs, alone, strict=True) for name in one["metrics"]
    ]
    for told, own in every:
        assert told["difference"] | {"p_holm": 0} == own["difference"] | {"p_holm": 0}
    assert [told["difference"]["p_holm"] for told, _ in every] == holm([own["difference"]["p"] for _, own in every])
    assert [pair["run"] for pair in pairs] == ["old", "old"]
    assert pairs[0]["metrics"]["accuracy"]["word"] == "better"
    assert pairs[0]["fixed"] > pairs[0]["broken"]


def test_in_a_terminal(command: Command, runs: dict[str, Model]) -> None:
    """A table of each pair, and the F1 of every label; with a warning of rows that stand in what one was trained on."""
    done = command("evaluate", "old", "new", "december.csv")
    lines = done.out.splitlines()
    start = lines.index("From old to new")
    assert lines[start + 2].split()[0] == "nll"
    assert lines[start + 2].split()[-1] == "better"
    f1 = {row.split()[0]: row.split()[2:] for row in lines[lines.index("F1 by label") + 2 :][:3]}
    told = [evaluate(runs[name], "december.csv")["per_class"] for name in ("old", "new")]
    assert f1 == {one["label"]: [f"{one['f1']:.3f}", f"{new['f1']:.3f}"] for one, new in zip(*told, strict=True)}
    assert "stand word for word" not in done.err
    seen = command("evaluate", "old", "new", "november.csv").err
    known = evaluate(runs["new"], "november.csv")["known"]
    assert 200 < known < 300  # the others are its test part
    assert f"{known} of the 300 rows stand word for word among those that new was trained on: its figures flatter it" in seen
    assert "old was" not in seen


def test_rows_that_were_trained_on(runs: dict[str, Model], tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Counted by their text; not of the test part, of very much, or of data that is gone."""
    model, texts = runs["old"], [text for text, _ in rows_of(150, 0, 0.3)]
    assert evaluate(model)["known"] is None
    assert evaluate(model, tmp_path / "october.csv")["trained_on"]
    mixed = [(texts[0], "ham"), *rows_of(20, 5)]
    first = evaluate(model, [(text, "ham") for text in texts] + mixed)["known"]
    parts = model.record["data"]["parts"]
    assert first - evaluate(model, mixed)["known"] == parts["train"] + parts["valid"]
    monkeypatch.setattr(module, "MOST_ROWS", 149)
    assert evaluate(model, mixed)["known"] is None
    monkeypatch.undo()
    (tmp_path / "october.csv").unlink()
    assert evaluate(model, mixed)["known"] is None
    unrecorded = lossworks.fit(rows_of(60, 0), model=LINEAR, epochs=1)
    assert evaluate(unrecorded, mixed)["known"] is None  # type: ignore[arg-type]


def test_language(command: Command, tmp_path: Path) -> None:
    """Lines of a language model too, alone and side by side."""
    lines = [text for text, _ in rows_of(100, 0)]
    (tmp_path / "all.txt").write_text("\n".join(lines))
    (tmp_path / "some.txt").write_text("\n".join([*lines[:30], "another line"]))
    lossworks.fit(tmp_path / "all.txt", task="lm", model="ngram:order=2", out=tmp_path / "lm")
    model = lossworks.load(tmp_path / "lm")
    assert isinstance(model, Language)
    known = evaluate(model, tmp_path / "some.txt")["known"]
    assert 20 <= known <= 30
    assert side_by_side({"lm": model}, tmp_path / "some.txt")["runs"][0]["known"] == known
    assert f"{known} of the 31 rows stand word for word among those that the model" in command("evaluate", "lm", "some.txt").err
