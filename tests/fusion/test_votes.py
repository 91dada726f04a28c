"""Votes: how files are read, what the label model finds, what is refused."""

from __future__ import annotations

import json
from pathlib import Path

import numpy as np
import polars as pl
import pytest
from numpy.typing import NDArray

from lossworks.core.errors import DataError, RecordError, UsageError
from lossworks.fusion.label_model import ABSTAINS, fit_label_model, majority
from lossworks.fusion.votes import VotesSource
from lossworks.tasks import label_task

TASK = label_task("classify", ("a", "b"))
ROWS = [("one", ["a", None]), ("two", ["a", "b"]), ("three", [None, "b"]), ("four", [None, None])]


def _written(folder: Path, rows: list[tuple[str, list[str | None]]]) -> str:
    path = folder / "votes.jsonl"
    path.write_text("".join(json.dumps({"text": text, "votes": votes}) + "\n" for text, votes in rows), "utf-8")
    return str(path)


def _drawn(accuracy: list[float], labels: int, texts: int, coverage: float = 0.7) -> tuple[NDArray[np.int64], NDArray[np.int64]]:
    draw = np.random.default_rng(0)
    truth = draw.integers(labels, size=texts)
    right = draw.random((texts, len(accuracy))) < accuracy
    wrong = (truth[:, None] + draw.integers(1, labels, (texts, len(accuracy)))) % labels
    votes = np.where(right, truth[:, None], wrong)
    votes[draw.random(votes.shape) > coverage] = ABSTAINS
    return votes, truth


def test_accuracies_are_found_without_a_gold_label() -> None:
    """Of rules that were drawn with known accuracies, each is found to within some standard errors."""
    accuracy = [0.95, 0.85, 0.75, 0.65, 0.55, 0.5]
    votes, truth = _drawn(accuracy, 3, 3000)
    model = fit_label_model(votes, 3)
    assert np.abs(model.accuracy - accuracy).max() < 0.04
    speaks = ~np.isnan(model.logp).any(1)
    answers = (model.logp[speaks].argmax(1) == truth[speaks]).mean()
    assert answers > (majority(votes, 3)[speaks].argmax(1) == truth[speaks]).mean() + 0.01
    assert np.array_equal(speaks, (votes != ABSTAINS).any(1))


def test_a_posterior_by_hand() -> None:
    """With the accuracies that it found, the log-odds of a text are the sum of those of its votes."""
    votes, _ = _drawn([0.9, 0.8, 0.7], 2, 500)
    model = fit_label_model(votes, 2)
    row = int(np.flatnonzero((votes == [0, 1, 1]).all(1))[0])
    first, second, third = np.log(model.accuracy / (1 - model.accuracy))
    assert model.logp[row, 0] - model.logp[row, 1] == pytest.approx(first - second - third, abs=1e-5)


def test_rules_of_one_label_are_not_turned_round() -> None:
    """Where many rules vote for one label alone, those of the other still count for theirs."""
    draw = np.random.default_rng(0)
    truth = draw.integers(2, size=2000)
    fires = draw.random((2000, 9)) < np.where(truth[:, None] == 1, 0.25, 0.02)
    votes = np.where(fires, 1, ABSTAINS)
    vague = draw.random((2000, 2)) < np.where(truth[:, None] == 0, 0.45, 0.3)
    votes = np.concatenate([votes, np.where(vague, 0, ABSTAINS)], 1)
    model = fit_label_model(votes, 2)
    assert model.accuracy.min() > 0.5
    speaks = ~np.isnan(model.logp).any(1)
    assert (model.logp[speaks].argmax(1) == truth[speaks]).mean() > 0.8


def test_an_equal_rule_changes_few_answers() -> None:
    """A rule that is there twice leaves nearly all of the most probable labels as they are."""
    votes, _ = _drawn([0.9, 0.8, 0.7, 0.8], 3, 1000)
    once, twice = fit_label_model(votes, 3), fit_label_model(np.concatenate([votes, votes[:, :1]], 1), 3)
    assert np.isfinite(twice.accuracy).all()
    same = np.nan_to_num(once.logp).argmax(1) == np.nan_to_num(twice.logp).argmax(1)
    assert same.mean() > 0.95


def test_a_source_answers_for_its_texts_alone(tmp_path: Path) -> None:
    """It is silent of other texts and where no rule votes."""
    found = VotesSource.open(_written(tmp_path, ROWS), TASK).logits(["three", "one", "other", "four", "two"])
    assert found.argmax(1)[:2].tolist() == [1, 0]
    assert np.isnan(found[2:4]).all()
    assert np.isfinite(found[[0, 1, 4]]).all()
    assert np.exp(found[0]).sum() == pytest.approx(1)


def test_the_same_votes_in_other_files(tmp_path: Path) -> None:
    """One column a rule in CSV, TSV and Parquet is what a list is in JSON lines; a column of labels is no rule."""
    wanted = VotesSource.open(_written(tmp_path, ROWS), TASK)
    table = [("text", "r1", "r2", "label"), *((text, votes[0] or "", votes[1] or "-1", "b") for text, votes in ROWS)]
    for mark, name in ((",", "v.csv"), ("\t", "v.tsv")):
        (tmp_path / name).write_text("".join(mark.join(row) + "\n" for row in table), "utf-8")
    pl.DataFrame({"text": [text for text, _ in ROWS], "votes": [votes for _, votes in ROWS]}).write_parquet(
        tmp_path / "v.parquet"
    )
    for name in ("v.csv", "v.tsv", "v.parquet"):
        found = VotesSource.open(str(tmp_path / name), TASK)
        assert np.array_equal(found.logp, wanted.logp, equal_nan=True)
        assert len(found.rules) == 2


def test_rules_are_told_of(tmp_path: Path) -> None:
    """Of each rule its name, on which share of the texts it votes, and how right it is thought to be."""
    rules = VotesSource.open(_written(tmp_path, ROWS), TASK).rules
    assert [rule["rule"] for rule in rules] == ["1", "2"]
    assert [rule["coverage"] for rule in rules] == [0.5, 0.5]
    assert all(0.5 < rule["accuracy"] < 1 for rule in rules)


def test_saved_loaded_and_cut(tmp_path: Path) -> None:
    """What was saved answers alike; cut, it speaks of the same texts with others' answers."""
    votes, _ = _drawn([0.9, 0.8], 2, 200)
    rows = [(f"t{row}", [("a", "b", None)[vote] for vote in line]) for row, line in enumerate(votes.tolist())]
    source = VotesSource.open(_written(tmp_path, rows), TASK)
    source.save(tmp_path)
    loaded, cut = VotesSource.load(tmp_path, TASK), source.cut(1)
    assert np.array_equal(loaded.logp, source.logp, equal_nan=True)
    assert loaded.rules == source.rules
    assert np.array_equal(np.isnan(cut.logp), np.isnan(source.logp))
    assert not np.array_equal(cut.logp, source.logp, equal_nan=True)
    assert np.nansum(cut.logp) == pytest.approx(np.nansum(source.logp))
    with pytest.raises(RecordError, match="3 labels"):
        VotesSource.load(tmp_path, label_task("classify", ("a", "b", "c")))


@pytest.mark.parametrize(
    ("rows", "said"),
    [
        ([*ROWS, ("five", ["a"])], "line 5: 1 votes, where the first row has 2"),
        ([*ROWS, ("five", ["a", "c"])], "line 5: a rule votes for 'c', which is no label. Labels: a, b"),
        ([("one", [None, None])], "no rule votes for anything"),
        ([("one", [])], "no rule votes for anything"),
        ([], "no rows"),
    ],
)
def test_bad_files_are_refused(tmp_path: Path, rows: list[tuple[str, list[str | None]]], said: str) -> None:
    """An error names the line and what was wanted."""
    with pytest.raises(DataError, match=said):
        VotesSource.open(_written(tmp_path, rows), TASK)


def test_other_errors(tmp_path: Path) -> None:
    """No file, a row of another width, no text, no list."""
    with pytest.raises(UsageError, match="votes:FILE"):
        VotesSource.open("", TASK)
    with pytest.raises(UsageError, match="one class a text"):
        VotesSource.open(_written(tmp_path, ROWS), label_task("multilabel", ("a", "b")))
    for text, said in (
        ("text,r1,r2\nx,a\n", "line 2: 2 cells, where the header has 3"),
        ('{"text": null, "votes": ["a"]}\n', "line 1: the text is missing"),
        ('{"text": "x", "votes": "a"}\n', "line 1: the votes are no list"),
        ('{"text": "x", "votes": ["a"]}\n{"text"\n', "line 2: not JSON"),
    ):
        (tmp_path / "bad").write_text(text, "utf-8")
        with pytest.raises(DataError, match=said):
            VotesSource.open(str(tmp_path / "bad"), TASK)
