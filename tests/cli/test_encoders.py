"""Classifiers and regressions by an encoder, from the command line."""

from __future__ import annotations

import json
from collections.abc import Callable
from pathlib import Path

import pytest

from .conftest import REVIEWS, STARS, TOPICS, Command, csv_of, reviews

pytestmark = pytest.mark.usefixtures("once")

Put = Callable[[str, str | bytes], Path]
SMALL = ["--epochs", "2", "--model"]
TRANSFORMER, RNN = "transformer_encoder:heads=2,dim=8", "rnn_encoder:dim=6"


@pytest.mark.parametrize("model", [TRANSFORMER, RNN])
def test_classes(command: Command, model: str) -> None:
    """Fit, predict, evaluate and report as of any model; the tokenizer lies beside the model."""
    ended = command("fit", REVIEWS, *SMALL, model, "--out", "run", "--json")
    assert ended.code == 0, ended.err
    assert {path.name for path in Path("run").iterdir()} >= {"model.safetensors", "tokenizer.json", "config.json", "report.html"}
    assert ended.json["config"]["model"] == model
    assert command("predict", "run", "good, I like it", "").code == 0
    evaluated = command("evaluate", "run", REVIEWS, "--json")
    assert evaluated.code == 0, evaluated.err
    assert evaluated.json["trained_on"] is True
    assert command("report", "run").code == 0


def test_numbers_and_label_sets(command: Command) -> None:
    """Regression by one encoder, label sets by the other; with another loss, optimiser, schedule and penalty than its own."""
    ended = command(
        "fit", STARS, *SMALL, RNN, "--loss", "huber", "--optimizer", "muon", "--schedule", "cosine", "--out", "a", "-q"
    )
    assert ended.code == 0, ended.err
    assert float(command("predict", "a", "a nice room", "--json").json["predictions"][0]["value"]) > 0
    ended = command(
        "fit", TOPICS, *SMALL, TRANSFORMER, "--penalty", "l2", "--optimizer", "sgd:momentum=0.9", "--lr", "auto", "--out", "b"
    )
    assert ended.code == 0, ended.err
    assert json.loads(Path("b/run.json").read_text())["result"]["lr_search"]["chosen"] > 0
    assert "micro_f1" in command("evaluate", "b", TOPICS, "--json").json["metrics"]


def test_said_what_is_cut_and_unknown(command: Command, put: Put) -> None:
    """Texts beyond the context and tokens that the tokenizer lacks are told of while fitting and in the report."""
    rows = [(f"{text} {'very ' * (number % 3)}", label) for number, (text, label) in enumerate(reviews())]
    data = put("a.csv", csv_of(rows))
    ended = command("fit", data, *SMALL, f"{TRANSFORMER},context=6,min_count=1", "--out", "run")
    assert ended.code == 0, ended.err
    assert "note   40 of 60 texts are longer than the context, 6 tokens with the mark of the start" in ended.err
    assert "of the tokens of held-out texts are unknown" in ended.err
    assert "40 of 60 texts are longer than the context" in Path("run/report.html").read_text("utf-8")
    assert command("predict", "run", "ζζζ 好 " * 500).code == 0
    other = put("b.csv", csv_of([("lovely lovely ζζζ 好", "good"), ("awful " * 6, "bad")]))
    said = command("evaluate", "run", other).err
    assert "note   1 of 2 texts are longer than the context" in said
    assert "note   20 % of the tokens of these texts are unknown" in said  # 2 of 10


@pytest.mark.parametrize("tokens", ["chars", "bytes", "bpe,vocabulary=300"])
def test_other_tokens(command: Command, put: Put, tokens: str) -> None:
    """Any kind of tokenizer, learnt from the training rows."""
    data = put("a.csv", csv_of(reviews()))
    ended = command("fit", data, *SMALL, f"{RNN},tokens={tokens}", "--out", "run", "-q")
    assert ended.code == 0, ended.err
    assert command("predict", "run", "好", "").code == 0


def test_out_of_range(command: Command) -> None:
    """A key outside its domain is named, and nothing begun."""
    ended = command("fit", REVIEWS, "--model", "rnn_encoder:pooling=max", "--out", "run")
    assert (ended.code, "pooling is 'max'; wanted 'mean' or 'last'" in ended.err) == (2, True)
    assert "Traceback" not in ended.err
    assert not Path("run").exists()


def test_damaged_tokenizer(command: Command, put: Put) -> None:
    """A tokenizer's file that is missing, damaged, or another's is named with a remedy."""
    data = put("a.csv", csv_of(reviews()))
    assert command("fit", data, *SMALL, RNN, "--out", "run", "-q").code == 0
    path = Path("run/tokenizer.json")
    whole = json.loads(path.read_text("utf-8"))
    for content in ("{", json.dumps(whole | {"words": whole["words"][1:]}), None):
        path.unlink() if content is None else path.write_text(content, "utf-8")
        ended = command("predict", "run", "good")
        assert ended.code == 2
        assert "Traceback" not in ended.err
        assert any(remedy in ended.err for remedy in ("Fit again", "fit again", "`lossworks fit`")), ended.err
