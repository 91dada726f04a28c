"""Parallel text: what is read together, premiums by hand, bits a line of models, and what is refused."""

from __future__ import annotations

import json
import math
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from lossworks.api import Language
from lossworks.api.parallel import parallel_bits
from lossworks.api.tokens import build_tokenizer, report_tokens
from lossworks.core.errors import DataError, UsageError
from lossworks.data.parallel import load_parallel, names_of
from lossworks.engine import Callbacks
from lossworks.evidence.statistics import holm
from lossworks.metrics.contrast import Sample, mean_of
from lossworks.metrics.parallel import gini

from .language import LINES, fitted

LONG = [f"{line}, {line[: 1 + i % 9]}" for i, line in enumerate(LINES)]
HARD = [f"{line[::-1]} ж{i}" for i, line in enumerate(LINES)]


@pytest.fixture
def files(tmp_path: Path) -> list[str]:
    """Three languages of the same 120 lines."""
    texts = {"x.eng": LINES, "x.long": LONG, "x.hard": HARD}
    for name, lines in texts.items():
        (tmp_path / f"{name}.txt").write_text("\n".join(lines) + "\n", "utf-8")
    return [str(tmp_path / f"{name}.txt") for name in texts]


def test_names() -> None:
    """The last parts in which all paths differ, wherever they stand."""
    assert names_of(["a/new.2019-ref.afr.txt", "a/new.2019-src.eng.txt"]) == ["afr", "eng"]
    assert names_of(["x/corpus.en", "y/corpus.de"]) == ["en", "de"]
    assert names_of(["sib/eng_Latn/dev.tsv", "sib/tha_Thai/dev.tsv"]) == ["eng_Latn", "tha_Thai"]
    assert names_of(["a.x.txt", "a.y.txt", "b.x.txt"]) == ["a.x", "a.y", "b.x"]


def test_blank_lines(files: list[str], tmp_path: Path) -> None:
    """A line that is blank in one file is left out in all, so that those left say the same; other lengths are refused."""
    lines = [*LONG[:4], "", "  ", *LONG[6:]]
    Path(files[1]).write_text("\n".join(lines) + "\n", "utf-8")
    text = load_parallel(files)
    kept = [i for i in range(120) if i not in (4, 5)]
    assert (text.names, text.left_out) == (("eng", "long", "hard"), 2)
    assert list(text.texts) == [[lines[i] for i in kept] for lines in (LINES, LONG, HARD)]
    assert text.notes == ("2 lines left out, blank in one file or more",)
    Path(files[2]).write_text("\n".join([*HARD[:-1], "e\u0301"]) + "\n", "utf-8")
    text = load_parallel(files)
    assert (text.texts[2][-1], text.notes[1]) == ("\xe9", "NFC: 1 of 354 texts changed: 1 of hard")
    Path(files[2]).write_text("\n".join(HARD[:-1]) + "\n", "utf-8")
    with pytest.raises(DataError, match=r"eng\.txt has 120 lines and .*hard\.txt has 119"):
        load_parallel(files)
    for few in (files[:1], [files[0], files[0]]):
        with pytest.raises(UsageError):
            load_parallel(few)
    (tmp_path / "a.csv").write_text('text\nfine\n""\n')
    (tmp_path / "b.csv").write_text("text\nfine\nbad\n")
    with pytest.raises(DataError, match="needs every row"):
        load_parallel([str(tmp_path / "a.csv"), str(tmp_path / "b.csv")])


def test_premiums(files: list[str], tmp_path: Path) -> None:
    """Tokens of each language by those of the reference in the same lines, the dearest first; the interval is of paired lines."""
    found = report_tokens(files)
    sizes = {
        name: np.array([len(line.encode()) for line in own])
        for name, own in zip(("eng", "long", "hard"), (LINES, LONG, HARD), strict=True)
    }
    rows = found["languages"]
    assert found["reference"] == "eng"
    assert [row["language"] for row in rows] == sorted(sizes, key=lambda name: -sizes[name].sum())
    for row in rows:
        own = sizes[row["language"]]
        assert row["tokens"] == row["bytes"] == own.sum()
        assert row["premium"]["value"] == pytest.approx(own.sum() / sizes["eng"].sum())
        residual = own - row["premium"]["value"] * sizes["eng"]
        error = residual.std(ddof=1) / math.sqrt(120) / sizes["eng"].mean()
        assert (row["premium"]["high"] - row["premium"]["low"]) / 2 == pytest.approx(1.98 * error, rel=0.05, abs=1e-9)
    totals = np.array([own.sum() for own in sizes.values()], float)
    by_pairs = np.abs(totals[:, None] - totals).sum() / (2 * 9 * totals.mean())
    assert found["gini"]["value"] == pytest.approx(by_pairs)
    assert gini(np.array([[4.0, 2.0], [4.0, 2.0]])).value == 0
    assert report_tokens(files, reference="long")["languages"][-1]["premium"]["value"] < 1
    with pytest.raises(UsageError, match="'fra'"):
        report_tokens(files, reference="fra")
    fair = {}
    for plain in (1, 0):
        build_tokenizer(files, f"parity_bpe:size=280,plain={plain}").save(tmp_path / "t.json")
        fair[plain] = report_tokens(files, str(tmp_path / "t.json"))
    assert fair[0]["gini"]["value"] < fair[1]["gini"]["value"] / 2
    assert fair[0]["vocabulary"] == 280
    with pytest.raises(UsageError, match="lossworks tokens build"):
        report_tokens(files, "bpe")
    with pytest.raises(UsageError, match="has learnt already"):
        build_tokenizer(files, str(tmp_path / "t.json"))


def test_bits(files: list[str]) -> None:
    """Bits of whole lines, differences of the same lines, p by Holm; between models by language; unknown tokens are charged."""
    models = {
        "good": fitted("ngram:order=4", "bytes"),
        "poor": fitted("ngram:order=1", "bytes"),
        "words": fitted("ngram", "words"),
    }
    told: list[dict[str, Any]] = []
    found = parallel_bits(models, files, callbacks=Callbacks(watch=lambda _, fields: told.append(fields)))
    assert told == [{"done": 120 * number, "of": 1080, "things": "lines"} for number in range(1, 10)]
    bits = {
        name: np.array([[own.nats.sum() / math.log(2) for own in models[name].score(lines)] for lines in (LINES, LONG, HARD)])
        for name in ("good", "poor")
    }
    runs = {run["run"]: {row["language"]: row for row in run["languages"]} for run in found["runs"]}
    assert (found["best"], found["reference"], found["lines"]) == ("good", "eng", 120)
    for name, own in bits.items():
        told = runs[name]
        tested = [mean_of(Sample(own[i] - own[0], np.ones(120))) for i in (1, 2)]
        for i, language in enumerate(("eng", "long", "hard")):
            assert told[language]["bits"]["value"] == pytest.approx(own[i].mean())
        for language, estimate, p in zip(("long", "hard"), tested, holm([each.p for each in tested]), strict=True):
            assert told[language]["difference"]["low"] == pytest.approx(estimate.low)
            assert told[language]["p_holm"] == pytest.approx(p)
        values = [row["bits"]["value"] for row in next(run for run in found["runs"] if run["run"] == name)["languages"]]
        assert values == sorted(values, reverse=True)
    assert runs["words"]["hard"]["unknown_rate"] > 0.8
    assert runs["words"]["hard"]["bits"]["value"] > 8 * 0.5 * np.mean([len(line.encode()) for line in HARD])
    between = {each["run"]: {row["language"]: row for row in each["languages"]} for each in found["between"]}
    apart = (bits["poor"] - bits["good"]).mean(1)
    assert between["poor"]["eng"]["difference"]["value"] == pytest.approx(apart[0])
    assert between["poor"]["eng"]["word"] == "worse"
    raw = [mean_of(Sample(own, np.ones(120))).p for own in bits["poor"] - bits["good"]]
    corrected = [between["poor"][language]["p_holm"] for language in ("eng", "long", "hard")]
    assert all(p >= before for p, before in zip(corrected, raw, strict=True))
    assert corrected[0] > 2 * raw[0] > 0
    ps = [row["p_holm"] for each in found["between"] for row in each["languages"]]
    assert len(ps) == 6
    json.dumps(found, allow_nan=False)
    stream = fitted("ngram", "bytes", document_unit="file", data=["".join(LINES)] * 2)
    with pytest.raises(UsageError, match="reads a file as one text"):
        parallel_bits({"stream": stream}, files)
    assert isinstance(stream, Language)
