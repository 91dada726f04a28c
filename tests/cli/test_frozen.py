"""Pretrained knowledge as frozen states, from the command line: hf:PATH,frozen and --vectors FILE."""

from __future__ import annotations

import json
from collections.abc import Callable
from pathlib import Path

import pytest

from .conftest import STARS, TOPICS, Command, csv_of, reviews

Put = Callable[[str, str | bytes], Path]
VECTORS = "".join(
    f"{word} {x} {y} 0.5\n"
    for word, x, y in (
        ("great", 1, 0),
        ("lovely", 0.9, 0.2),
        ("fine", 1, -0.1),
        ("poor", -1, 0.1),
        ("thing", 0, 1),
        ("room", 0, 2),
    )
)


@pytest.fixture
def vectors(put: Put) -> Path:
    """A file of a few words' vectors."""
    return put("vectors.txt", VECTORS)


def test_fit_by_vectors(command: Command, put: Put, vectors: Path) -> None:
    """--vectors FILE is --model vectors:FILE; the run is used where the file is gone: predict, evaluate, explain, refit."""
    data = put("a.csv", csv_of(reviews()))
    ended = command("fit", data, "--vectors", vectors, "--out", "run")
    assert ended.code == 0, ended.err
    same = command("fit", data, "--model", f"vectors:{vectors}", "--out", "same", "-q")
    assert same.code == 0, same.err
    assert Path("run/model.safetensors").read_bytes() == Path("same/model.safetensors").read_bytes()
    assert json.loads(Path("run/config.json").read_text())["model"] == f"vectors:{vectors}"
    vectors.unlink()
    predicted = command("predict", "run", "a great thing", "poor room", "Xyz", "--json").json["predictions"]
    assert [one["label"] for one in predicted[:2]] == [label for _, label in reviews()[:2]]
    assert command("evaluate", "run", data, "--json").json["trained_on"] is True
    explained = command("explain", "run", "a great thing", "--json")
    assert explained.code == 0, explained.err
    refused = command("export", "run", "model.onnx", "--to", "onnx")
    assert (refused.code, "is not written as ONNX" in refused.err) == (2, True)


def test_vectors_beside_a_model(command: Command, put: Put, vectors: Path) -> None:
    """Two models are one too many."""
    ended = command("fit", put("a.csv", csv_of(reviews())), "--vectors", vectors, "--model", "bag")
    assert ended.code == 2
    assert "--vectors FILE is short for --model vectors:FILE" in ended.err
    assert "Leave one out" in ended.err


def test_numbers_label_sets_and_a_comparison(command: Command, put: Put, vectors: Path) -> None:
    """Regression, label sets, and an arm of a comparison."""
    assert command("fit", STARS, "--vectors", vectors, "--loss", "huber", "--out", "a", "-q").code == 0
    assert command("fit", TOPICS, "--vectors", put("b.txt", "the 1 2\nof 2 1\n"), "--out", "b", "-q").code == 0
    data = put("a.csv", csv_of(reviews(120)))
    arms = ["--model", f"vectors:{vectors}", "--model", "linear:bits=10", "--seeds", "2", "--trials", "0", "--out", "c", "--json"]
    ended = command("compare", data, *arms)
    assert ended.code == 0, ended.err


@pytest.mark.parametrize(
    ("text", "said"),
    [("great 1 2\npoor 1\n", "line 2: 1 numbers; wanted 2"), ("2 2\nx \x00\x01", "is binary"), ("", "no word vectors")],
)
def test_bad_vectors(command: Command, put: Put, text: str, said: str) -> None:
    """What is wrong with the file ends with exit code 2 and the line."""
    ended = command("fit", put("a.csv", csv_of(reviews())), "--vectors", put("v.txt", text), "--out", "run")
    assert (ended.code, said in ended.err, "Traceback" in ended.err) == (2, True, False), ended.err


def test_fit_by_frozen_states(command: Command, put: Put, monkeypatch: pytest.MonkeyPatch) -> None:
    """hf:PATH,frozen trains on labelled texts with the flags of a classifier; with --task lm it says what it is for."""
    pytest.importorskip("transformers")
    from models.hf import hf_files

    monkeypatch.setattr("huggingface_hub.constants.HF_HUB_OFFLINE", True)
    hf_files.bert(Path("theirs"))
    data = put("a.csv", csv_of(reviews()))
    ended = command("fit", data, "--model", "hf:theirs,frozen", "--class-weight", "balanced", "--out", "run")
    assert ended.code == 0, ended.err
    assert "hf_frozen:theirs" in ended.err
    Path("theirs").rename("away")
    assert command("predict", "run", "a lovely thing", "").code == 0
    assert command("landscape", "run", "-q").code == 2  # it would read all texts again, by what is gone
    Path("away").rename("theirs")
    assert command("landscape", "run", "-q", "--resolution", "3").code == 0
    lm = command("fit", data, "--model", "hf:theirs,frozen", "--task", "lm")
    assert (lm.code, "A language model is wanted" in lm.err) == (2, True)


def test_listed(command: Command) -> None:
    """The families stand in the list with how they are spelled."""
    listed = {entry["name"]: entry for entry in command("list", "models", "--json").json["models"]}
    assert listed["vectors"]["keys"] == {"path": "", "most": 500_000, "idf": False, "cut": False}
    assert "left as it is" in listed["hf_frozen"]["summary"]
