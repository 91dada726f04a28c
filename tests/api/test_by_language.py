"""Languages from the data to the record, ``evaluate`` and the page, for every task of texts."""

from __future__ import annotations

import random
from pathlib import Path
from typing import Any

import polars as pl
import pytest

import lossworks
from lossworks import ReadOptions
from lossworks.api import Language, Model, evaluate, load
from lossworks.core.errors import UsageError
from lossworks.record import Run

from ..report.records import HOSTILE

READ = ReadOptions(language="lang")
SIZES = {"swa": 160, "tha": 120, HOSTILE: 61, "one": 1}


def table(kind: str) -> list[dict[str, Any]]:
    """Rows of four languages; in Thai the labels are drawn at random."""
    rng, rows = random.Random(0), []
    for lang, size in SIZES.items():
        for n in range(size):
            right = n % 2 == 0
            told = rng.random() < 0.5 if lang == "tha" else right
            text = f"{'good' if right else 'bad'} {lang} {rng.choice('xyz')} {n}"
            label = {"regress": float(told) + n / 1000, "multilabel": ["p", "q"] if told else ["q"]}.get(kind, str(told))
            rows.append({"text": text, "lang": lang} | ({} if kind == "lm" else {"label": label}))
    return rows


def rounded(value: Any) -> Any:
    """The same with numbers to six digits."""
    if isinstance(value, dict | list):
        return {k: rounded(v) for k, v in value.items()} if isinstance(value, dict) else [rounded(v) for v in value]
    return float(f"{value:.6g}") if isinstance(value, float) else value


@pytest.mark.parametrize("kind", ["classify", "multilabel", "regress", "lm"])
def test_fit_and_evaluate(tmp_path: Path, kind: str) -> None:
    """The record has every language and the worst first; what is evaluated again is the same, and each language as if alone."""
    rows = table(kind)
    pl.DataFrame(rows).write_parquet(tmp_path / "rows.parquet")
    how: dict[str, Any] = {"model": "ngram:order=2"} if kind == "lm" else {"model": "linear:bits=10", "epochs": 2}
    run = tmp_path / "run"
    lossworks.fit(tmp_path / "rows.parquet", out=run, read=READ, task=kind, valid=0.1, test=0.5, **how)
    model = load(run)
    assert isinstance(model, Model | Language)
    record = Run(run).summary
    assert record["given"]["language"] == "lang"
    assert record["data"]["languages"]["tha"] == {"train": 48, "valid": 12, "test": 60}
    assert record["data"]["languages"]["one"] == {"train": 1, "valid": 0, "test": 0}
    said = record["result"]["languages"]
    assert rounded(evaluate(model)["languages"]) == rounded(said)
    assert {row["language"]: row["texts"] for row in said["rows"]} == pytest.approx({"swa": 80, "tha": 60, HOSTILE: 30.5}, abs=1)
    if kind != "lm":
        assert said["rows"][0]["language"] == "tha"
        assert said["rows"][0]["word"] == "harder"
    assert set(record["result"]["metrics"]) - {"accuracy"} <= set(said["rows"][0]["metrics"])
    whole = evaluate(model, rows, READ)["languages"]["rows"]
    for row in whole:
        alone = evaluate(model, [each for each in rows if each["lang"] == row["language"]])["metrics"]
        for name in row["metrics"].keys() & alone.keys():
            assert rounded(row["metrics"][name]) == rounded(alone[name]), (row["language"], name)
        if kind == "classify":
            told = [each["label"] for each in rows if each["lang"] == row["language"]]
            assert row["one_label"] == pytest.approx(max(map(told.count, told)) / len(told))
    assert ("one_label" in whole[0]) is (kind == "classify")
    page = (run / "report.html").read_text("utf-8")
    assert "By language" in page
    assert HOSTILE not in page
    assert "languages" not in evaluate(model, rows)
    with pytest.raises(UsageError, match="was fitted with --language lang, and its test rows are drawn as then"):
        evaluate(model, read=ReadOptions(language="text"))


def test_one_text_of_all(tmp_path: Path) -> None:
    """Languages are refused where all is read as one text."""
    (tmp_path / "x.txt").write_text("some text\n" * 60)
    with pytest.raises(UsageError, match="--document-unit file makes one of all"):
        lossworks.fit(tmp_path / "x.txt", task="lm", document_unit="file", read=ReadOptions(language="auto"))


def test_identified(monkeypatch: pytest.MonkeyPatch) -> None:
    """Where languages are identified, each good text is asked about, and what is found is kept."""
    asked = list[str]()

    def identify(texts: list[str]) -> list[str]:
        asked.extend(texts)
        return ["tha" if "tha" in text else "swa" for text in texts]

    monkeypatch.setattr("lossworks.data.languages.identify", identify)
    rows = [{key: row[key] for key in ("text", "label")} for row in table("classify")] + [{"text": " ", "label": "True"}]
    found = lossworks.fit(rows, model="linear:bits=10", epochs=1, read=ReadOptions(language="auto", bad_rows="skip"))
    assert sum(found.record["data"]["languages"]["tha"].values()) == SIZES["tha"]
    assert set(found.record["data"]["languages"]) == {"tha", "swa"}
    assert set(asked) == {row["text"] for row in rows[:-1]}
