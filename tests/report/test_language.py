"""The page of a language model, from a record alone."""

from __future__ import annotations

import re
from pathlib import Path
from typing import Any

import pytest

from lossworks import report
from lossworks.record import Run
from lossworks.report import words
from lossworks.report.language import _shaded

from .records import metric, summary
from .test_page import Page

Json = dict[str, Any]


def language_run(path: Path, tokenizer: str = "tokenizer", **more: Any) -> Path:
    """A small run; ``tokenizer``: the key of its spec, "tokens" in runs of earlier versions."""
    names = ("nats_per_token", "perplexity", "bits_per_byte", "accuracy", "unknown_rate")
    text = {"number": 0, "nats_per_token": 3.0, "tokens": [["the", 1.0], ["cat", 9.0]], "cut": False}
    result = {
        "part": "test", "rows": 5, "positions": 40, "units": "texts", "accuracy_positions": 40, "seconds": 2.0,
        "metrics": {name: metric(0.4, 0.1) for name in names},
        "baseline": {"name": "unigram model", "metrics": {name: metric(0.9, 0.1) for name in names}},
        "surprising": {"most": [text], "least": []}, "samples": ["the cat"], "facts": {"orders": [{"order": 1, "n_grams": 7}]},
    }  # fmt: skip
    run = Run.create(path / "run")
    data = {"source": "corpus.txt", "rows": 9, "tokens": {"train": 60, "valid": 9, "test": 9}, "vocabulary": 7, "skipped": 0}
    data |= {"bytes_per_token": 4.0, "lossless": False, "text_column": None, "fingerprint": "abc"}
    config = {"model": "ngram:order=2", tokenizer: "words", "document_unit": "line"}
    run.write_summary(summary("lm", None, config=config, data=data) | {"result": result} | more)
    run.note("start", step=0)
    run.note("train", epoch=0.5, loss=2.0)
    run.close()
    return run.path


@pytest.mark.parametrize("tokenizer", ["tokenizer", "tokens"])
def test_whole_page(tmp_path: Path, tokenizer: str) -> None:
    """Verdict, metrics in the language model's terms, texts with their words apart, samples; runs of earlier versions too."""
    page = Page(report.write(language_run(tmp_path, tokenizer)))
    for part in (
        "words tokenizer", "Better than the baseline", "the model reaches 0.400 bits per byte", "share of next tokens predicted",
        "By n-gram order", "the cat", "Samples from the model", "vocabulary 7", "Reproduce",
    ):  # fmt: skip
        assert part in page.text, part
    assert "correct label" not in page.text
    (trace,) = page.figures["curve"]["data"]  # type: ignore[misc]
    assert trace["mode"] == "lines+markers"


@pytest.mark.parametrize(("status", "said"), [("interrupted", "from the last checkpoint or"), ("diverged", "no longer finite")])
def test_unfinished(tmp_path: Path, status: str, said: str) -> None:
    """What ended early says so, and what to do."""
    assert said in Page(report.write(language_run(tmp_path, result=None, status=status))).text


@pytest.mark.parametrize(
    ("training", "value", "vocabulary", "said"),
    [
        (
            {"steps": 5, "passes": 0.05, "scores": [9.2, 9.1]},
            1.2,
            22409,
            "5 steps, 0.05 passes .* fewer different tokens than 22,409",
        ),
        ({"steps": 5, "passes": 0.05, "scores": [9.2, 9.3]}, 0.4, 67, "hardly been trained: 5 steps, .* a smaller model.$"),
        ({"steps": 1, "passes": 3.0, "scores": []}, 0.4, 67, "hardly been trained: 1 step, 3 passes"),
        ({"steps": 3, "passes": 1.02, "scores": []}, 0.4, 67, "hardly been trained: 3 steps, 1 pass over"),
        ({"steps": 900, "passes": 40.0, "scores": [9.2, 9.1]}, 1.2, 67, "900 steps, 40 passes"),
        ({"steps": 900, "passes": 40.0, "scores": [9.1, 9.2]}, 1.2, 67, ""),
        ({"steps": 900, "passes": 40.0, "scores": [9.2, 9.1]}, 0.4, 67, ""),
        ({"steps": 900, "epochs": 40, "scores": [9.2, 9.1]}, 1.2, 67, ""),
    ],
)
def test_hardly_trained(tmp_path: Path, training: Json, value: float, vocabulary: int, said: str) -> None:
    """A network of few steps or less than the whole text, or no better than the baseline while it still improves, says so, with
    the remedy; one that has seen enough, or turned, does not; nor one that others trained before.
    """
    run = language_run(tmp_path)
    record = Run(run).summary
    record["result"] |= {"training": training}
    record["result"]["metrics"]["bits_per_byte"], record["data"]["vocabulary"] = metric(value, 0.1), vocabulary
    found = words.verdict(record)
    assert ("hardly trained" in found.headline) == bool(said) == ("hardly been trained" in found.sentence)
    assert re.search(said, found.sentence)
    assert found.tone != "good" or not said
    Run(run).write_summary(record)
    assert found.headline in Page(report.write(run)).text
    record["config"]["model"] = "hf:somewhere"
    assert "hardly" not in words.verdict(record).sentence


@pytest.mark.parametrize(
    ("apart", "tone", "headline", "said"),
    [
        ((0.2, 0.1, 0.3), "unsure", "Better than the baseline, worse than a 5-gram model", "worse by 0.200 (0.100 to 0.300)"),
        ((-0.2, -0.3, -0.1), "good", "Better than the baseline", "better by 0.200 (0.100 to 0.300)."),
        ((0.1, -0.1, 0.3), "good", "Better than the baseline", "from which the network is not shown to differ."),
        ((0.1, None, None), "good", "Better than the baseline", "from which the network is not shown to differ."),
    ],
)
def test_beside_an_n_gram(tmp_path: Path, apart: tuple[float | None, ...], tone: str, headline: str, said: str) -> None:
    """A verdict tells what an n-gram model reaches, and whether the network is shown to be worse or better."""
    run = Run(language_run(tmp_path))
    record = run.summary
    difference = dict(zip(("value", "low", "high"), apart, strict=True))
    record["result"]["ngram"] = {"name": "5-gram model", "metrics": {"bits_per_byte": metric(0.3, 0.1)}, "difference": difference}
    found = words.verdict(record)
    assert (found.tone, found.headline) == (tone, headline)
    assert "A 5-gram model counted on the same tokens reaches 0.300" in found.sentence
    assert said in found.sentence
    record["result"]["ngram"] = {"note": "No n-gram model was counted."}
    run.write_summary(record)
    assert "No n-gram model was counted." in Page(report.write(run.path)).text


@pytest.mark.parametrize("nats", [None, float("inf")])
def test_an_impossible_token_is_the_darkest(nats: float | None) -> None:
    """A token of probability 0 has infinite nats, which a record that was read has as None: the page can still be made."""
    text = {"number": 0, "nats_per_token": nats, "tokens": [["a", 0.5], ["b", nats]], "cut": False}
    shown = _shaded(text)
    assert [token["shade"] for token in shown["tokens"]] == [0, 7]
    assert f"{shown['nats_per_token']:.3g}" == "inf"
