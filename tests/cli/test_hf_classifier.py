"""Sequence classifiers of Hugging Face's transformers, from the command line."""

from __future__ import annotations

import json
from collections.abc import Callable
from pathlib import Path

import pytest

from .conftest import STARS, TOPICS, Command, csv_of, reviews

pytest.importorskip("transformers")
from models.hf import hf_files

Put = Callable[[str, str | bytes], Path]
QUICK = ["--epochs", "1", "--lr", "0.003"]


@pytest.fixture(autouse=True)
def offline(monkeypatch: pytest.MonkeyPatch) -> None:
    """Whatever is asked for, nothing is fetched."""
    monkeypatch.setattr("huggingface_hub.constants.HF_HUB_OFFLINE", True)


@pytest.mark.parametrize("model", ["hf:theirs", "hf_classifier:theirs,lora=2"])
@pytest.mark.parametrize("kind", ["bert", "gpt2"])
def test_classes(command: Command, put: Put, kind: str, model: str) -> None:
    """Fitted by its name or as hf:PATH on texts with labels; the run predicts and evaluates where PATH is gone."""
    if "lora" in model:
        pytest.importorskip("peft")
    hf_files.KINDS[kind](Path("theirs"))
    data = put("a.csv", csv_of(reviews()))
    ended = command("fit", data, "--model", model, *QUICK, "--loss", "focal", "--out", "run")
    assert ended.code == 0, ended.err
    assert not any(word in ended.err for word in ("Warning", "LOAD REPORT", "Loading weights")), ended.err
    assert "hf_classifier:theirs" in ended.err
    assert json.loads(Path("run/config.json").read_text())["model"] == model.replace("hf:", "hf_classifier:")
    Path("theirs").rename("away")
    assert command("predict", "run", "a lovely thing", "").code == 0
    evaluated = command("evaluate", "run", data, "--json")
    assert evaluated.code == 0, evaluated.err
    assert evaluated.json["trained_on"] is True
    refused = command("export", "run", "model.onnx", "--to", "onnx")
    assert (refused.code, "is not written as ONNX" in refused.err) == (2, True)


def test_numbers_and_label_sets(command: Command) -> None:
    """Regression and label sets, by a family that has a form for each."""
    hf_files.bert(Path("theirs"))
    assert command("fit", STARS, "--model", "hf:theirs", *QUICK, "--loss", "huber", "--out", "a", "-q").code == 0
    assert isinstance(command("predict", "a", "a nice room", "--json").json["predictions"][0]["value"], float)
    assert command("fit", TOPICS, "--model", "hf:theirs", *QUICK, "--task", "multilabel", "--out", "b", "-q").code == 0
    assert "micro_f1" in command("evaluate", "b", TOPICS, "--json").json["metrics"]


def test_language_stays(command: Command, put: Put) -> None:
    """With --task lm the same directory is a model of language, labels or no; its end mark is its start too, as GPT-2's."""
    hf_files.gpt2(Path("theirs"))
    data = put("a.csv", csv_of(reviews()))
    ended = command("fit", data, "--model", "hf:theirs", "--task", "lm", "--steps", "2", "--out", "run")
    assert ended.code == 0, ended.err
    assert json.loads(Path("run/run.json").read_text())["result"]["baseline"]["metrics"]["nats_per_token"]["value"] < 10
    assert command("score", "run", "a lovely thing").code == 0


def test_bad_directories(command: Command, put: Put) -> None:
    """What is wrong with a directory is said with exit code 2."""
    data = put("a.csv", csv_of(reviews()))
    hf_files.bert(Path("theirs"))
    Path("theirs/tokenizer.json").unlink()
    for model, said in (("hf:theirs", "holds no tokenizer.json"), ("hf:nowhere/at/all", "no directory here"), ("hf", "hf:PATH")):
        ended = command("fit", data, "--model", model, *QUICK, "--out", "run")
        assert (ended.code, said in ended.err, "Traceback" in ended.err) == (2, True, False), ended.err
