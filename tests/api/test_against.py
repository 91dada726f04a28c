"""``against``: a run beside the one before, on the rows that were held out from both, and never more said than is shown."""

from __future__ import annotations

import json
import re
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import numpy as np
import pytest

import lossworks
from lossworks import report
from lossworks.api import evaluate
from lossworks.api.against import verdict
from lossworks.api.tested import corpus_for
from lossworks.core.errors import UsageError

Rows = list[tuple[str, str]]
SMALL: dict[str, Any] = {"model": "linear:bits=10,chars=0"}


def rows_of(labels: str, count: int = 300) -> Rows:
    """Texts of random words, of which one tells the label, nine times in ten."""
    draw = np.random.default_rng(0)
    words = [f"w{number}" for number in range(60)]
    said = [labels[row % len(labels)] for row in range(count)]
    return [(" ".join([label if draw.random() < 0.9 else "none", *draw.choice(words, 5)]), label) for label in said]


@pytest.fixture(scope="module")
def runs(tmp_path_factory: pytest.TempPathFactory) -> dict[str, Path]:
    """Runs of one data set, of which the first learned nothing; one with other labels, and one of language."""
    folder = tmp_path_factory.mktemp("runs")
    data = folder / "data.csv"
    data.write_text("text,label\n" + "".join(f"{text},{label}\n" for text, label in rows_of("abc")), "utf-8")
    (folder / "data.txt").write_text("\n".join(text for text, _ in rows_of("abc")), "utf-8")
    lossworks.fit(data, out=folder / "old", epochs=8, penalty="l1:strength=10", **SMALL)
    lossworks.fit(data, out=folder / "new", epochs=8, loss="focal", **SMALL)
    lossworks.fit(data, out=folder / "seed", epochs=8, seed=5, **SMALL)
    lossworks.fit([(text, label) for text, label in rows_of("xy", 60)], out=folder / "other", epochs=1, **SMALL)
    for name, order in (("lm", 2), ("lm3", 3)):
        lossworks.fit(folder / "data.txt", task="lm", model=f"ngram:order={order}", out=folder / name)
    return {path.name: path for path in folder.iterdir() if path.is_dir()}


def figure_of(page: Path, name: str) -> Any:
    """A figure in a page."""
    found = re.search(r'<script type="application/json" id="figures">(.*?)</script>', page.read_text("utf-8"), re.S)
    assert found is not None
    return json.loads(found[1])[name]


def test_same_test_part(runs: dict[str, Path]) -> None:
    """Figures are those of ``evaluate``, the better run is called so and the other worse, and only what differs is listed."""
    found, back = lossworks.against(runs["new"], runs["old"]), lossworks.against(runs["old"], runs["new"])
    told = {name: evaluate(lossworks.load(runs[name]))["metrics"] for name in ("old", "new")}
    for name, one in found["held_out"]["metrics"].items():
        assert one["before"] == pytest.approx(told["old"][name]["value"], abs=1e-6)
        assert one["after"] == pytest.approx(told["new"][name]["value"], abs=1e-6)
    assert (found["verdict"]["word"], back["verdict"]["word"]) == ("better", "worse")
    assert found["settings"] == [["loss", "cross_entropy", "focal"], ["penalty", "l1:strength=10.0", None]]


def test_page(runs: dict[str, Path]) -> None:
    """The section has verdict, settings and the validation curves of both logs; without ``against`` the page has none."""
    found = lossworks.against(runs["new"], runs["old"])
    page = report.write(runs["new"], against=found)
    html = page.read_text("utf-8")
    assert f"{found['verdict']['headline']}</h2>" in html
    assert '<th scope="row">loss</th><td>cross_entropy</td><td>focal</td>' in html
    drawn = {trace["name"]: trace["y"] for trace in figure_of(page, "against")["data"]}
    logged = {name: lossworks.Run(runs[name]).events() for name in ("old", "new")}
    scores = {name: [event["nll"] for event in events if event["event"] == "valid"] for name, events in logged.items()}
    assert drawn == {"before, validation": scores["old"], "now, validation": scores["new"]}  # not the losses: they differ
    page = report.write(runs["seed"], against=lossworks.against(runs["seed"], runs["old"]))
    assert "now, training loss" in {trace["name"] for trace in figure_of(page, "against")["data"]}
    assert 'id="against"' not in report.write(runs["new"]).read_text("utf-8")


def test_rows_held_out_from_both(runs: dict[str, Path]) -> None:
    """Runs with other test parts are judged on the rows that are in both; too few of them give no verdict."""
    parts = [_texts({name: lossworks.load(runs[name])}) for name in ("old", "seed")]
    shared = set(parts[0]) & set(parts[1])
    found = lossworks.against(runs["seed"], runs["old"])
    assert 0 < found["held_out"]["rows"] == len(shared) < 20
    assert found["tested"] == [len(part) for part in parts]
    assert found["verdict"] == {
        "word": "few",
        "headline": f"Too few test texts are shared with {runs['old']} to tell a difference",
    }
    both = {name: lossworks.load(runs[name]) for name in ("seed", "old")}
    assert set(_texts(both, shared=True)) == shared


def _texts(models: dict[str, Any], shared: bool = False) -> list[str]:
    corpus = corpus_for(models, None, None, shared=shared)
    return [text for block in corpus.blocks() for text in block]


def test_language_models(runs: dict[str, Path]) -> None:
    """They are held against one another by bits a byte."""
    found = lossworks.against(runs["lm3"], runs["lm"])
    told = evaluate(lossworks.load(runs["lm3"]))["metrics"]["bits_per_byte"]["value"]
    assert found["held_out"]["metrics"]["bits_per_byte"]["after"] == pytest.approx(told, abs=1e-6)
    assert found["settings"] == [["model", "ngram:order=2", "ngram:order=3"]]
    assert "bits per byte" in report.write(runs["lm3"], against=found).read_text("utf-8").lower()


@pytest.mark.parametrize(
    ("new", "old", "said"),
    [
        ("other", "old", "have other labels (a, b, c, x, y)"),
        ("lm", "old", "is of the task lm and"),
        ("old", "old", "cannot be held against itself"),
    ],
)
def test_refused(runs: dict[str, Path], new: str, old: str, said: str) -> None:
    """What has no metric, no label, or nothing to differ in is refused by name."""
    with pytest.raises(UsageError, match=re.escape(said)):
        lossworks.against(runs[new], runs[old])


def test_no_row_in_common(runs: dict[str, Path], tmp_path: Path) -> None:
    """Where no test row is in both, that is said, and what to do."""
    data = tmp_path / "more.csv"
    data.write_text("text,label\n" + "".join(f"other {text},{label}\n" for text, label in rows_of("abc", 60)), "utf-8")
    lossworks.fit(data, out=tmp_path / "new", epochs=1, **SMALL)
    with pytest.raises(UsageError, match=r"no test row in common.*lossworks evaluate .* DATA"):
        lossworks.against(tmp_path / "new", runs["old"])


@pytest.mark.parametrize(
    ("words", "moved", "word", "headline"),
    [
        (["better", "no difference shown"], 3, "better", "Better than old in nll; in accuracy no difference is shown"),
        (["better", "worse"], 3, "mixed", "Better than old in nll, worse in accuracy"),
        (["worse", "worse"], 3, "worse", "Worse than old in nll and accuracy"),
        (["no difference shown"] * 2, 3, "open", "Not shown to differ from old"),
        (["few texts", "few texts"], 3, "few", "Too few test texts are shared with old to tell a difference"),
        (["no difference shown"] * 2, 0, "same", "The same answers as old"),
    ],
)
def test_verdict(words: Sequence[str], moved: int, word: str, headline: str) -> None:
    """The headline claims what is shown, names where it is not, and takes no side where metrics disagree."""
    metrics = {name: {"word": one} for name, one in zip(("nll", "accuracy"), words, strict=True)}
    found = {"metrics": metrics, "fixed": moved, "broken": 0, "largest_change": 0.1 * moved}
    assert verdict(found, "old") == {"word": word, "headline": headline}
