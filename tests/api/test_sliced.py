"""Slices of real runs: planted faults are found by the word that marks them; doubles and unknown tokens; what is left out."""

from __future__ import annotations

import json
import random
from pathlib import Path
from typing import Any

import numpy as np
import pytest

import lossworks
from lossworks.api import Model, evaluate, labels_side_by_side, side_by_side, write_slices
from lossworks.core.errors import UsageError
from lossworks.evidence.slices import title
from lossworks.metrics.segments import Segments

from .language import LINES, fitted

OTHER = ("one", "two", "three", "four", "five", "six")


def rows(count: int, seed: int, flipped: str = "") -> list[tuple[str, str]]:
    """Texts of two classes that a word tells apart; of those with the word ``flipped`` half have the other label."""
    rng, found = random.Random(seed), []
    for n in range(count):
        label = rng.choice(("bad", "good"))
        said = {"good": "lovely", "bad": "awful"}[label]
        text = f"a {said} {rng.choice(OTHER)} {rng.choice(OTHER)} number{n}"
        turned = flipped and flipped in text.split() and rng.random() < 0.5
        found.append((text, ({"good": "bad", "bad": "good"}[label] if turned else label)))
    return found


@pytest.fixture(scope="module")
def model() -> Model:
    """A model of texts whose labels are right."""
    found = lossworks.fit(rows(300, 0), model="linear:bits=12", epochs=3)
    assert isinstance(found, Model)
    return found


def titles(table: dict[str, Any]) -> list[tuple[str, str, str]]:
    """The slices that differ."""
    return [(one["kind"], one["name"], one["word"]) for one in table["slices"] if one["word"] != "no difference shown"]


def names(table: dict[str, Any]) -> set[str]:
    """All descriptions of the slices that were tested."""
    return {name for one in table["slices"] for name in (title(one["kind"], one["name"]), *one["also"])}


def test_planted_labels(model: Model) -> None:
    """Wrong labels of the texts with one word are found by that word, before all else; where they are right, it is not."""
    (table,) = evaluate(model, rows(300, 1, flipped="four"), slices=True)["slices"]["tables"]
    assert titles(table)[0] == ("word", "four", "harder")
    assert "word 'four'" in table["verdict"]
    (table,) = evaluate(model, rows(300, 2), slices=True)["slices"]["tables"]
    assert "four" not in [name for _, name, _ in titles(table)]
    assert "slices" not in evaluate(model, rows(50, 2))


def test_two_models(model: Model) -> None:
    """A model that learnt wrong labels of one word is worse there than elsewhere, and said to be."""
    misled = lossworks.fit(rows(300, 0, flipped="four"), model="linear:bits=12", epochs=3)
    assert isinstance(misled, Model)
    found = labels_side_by_side({"a": model, "b": misled}, rows(400, 3), slices=True)["slices"]
    (table,) = found["tables"]
    assert (table["run"], table["against"], found["unit"]) == ("b", "a", "nats")
    assert ("word", "four", "worse") in titles(table)
    assert found["left_out"][0].startswith("predicted labels")


def test_weights_and_numbers() -> None:
    """The mean is the weighted proper score; numbers have squared errors, and bands of their targets."""
    numbers = [(text, n / 7 + (label == "good")) for n, (text, label) in enumerate(rows(200, 4))]
    model = lossworks.fit(numbers, model="linear:bits=10", epochs=2)
    assert isinstance(model, Model)
    data = [(text, number, 1 + n % 3) for n, (text, number) in enumerate(numbers)]
    result = evaluate(model, data, lossworks.ReadOptions(weight=2), slices=True)
    (table,) = result["slices"]["tables"]
    assert result["slices"]["unit"] == "squared units"
    assert table["mean"]["value"] == pytest.approx(result["metrics"]["mse"]["value"])
    bands = [one["texts"] for one in table["slices"] if one["kind"] == "true label"]
    assert len(bands) == 4
    assert sum(bands) == 200


def test_sets() -> None:
    """Each label of a set is a slice, true and predicted."""
    data = [(text, (label, "thing")) for text, label in rows(200, 5)]
    model = lossworks.fit(data, model="linear:bits=10", epochs=2)
    assert isinstance(model, Model)
    found = evaluate(model, data, slices=True)["slices"]["tables"][0]
    assert {"true label good", "predicted label good"} <= names(found)
    assert ["true label", "thing", 200] in [list(few) for few in found["untested"]]  # none is outside


def written(path: Path, data: list[Any]) -> Path:
    """Rows as JSON lines, texts as lines."""
    path.write_text(
        "\n".join(row if isinstance(row, str) else json.dumps(dict(zip(("text", "label"), row, strict=True))) for row in data)
    )
    return path


def test_doubles_of_training_rows(tmp_path: Path) -> None:
    """Found where the training data is, the validation rows among them where the fit was on those too; else it is said."""
    data = rows(200, 6)
    lossworks.fit(written(tmp_path / "d.jsonl", data), model="linear:bits=10", epochs=2, out=tmp_path / "run")
    model = lossworks.load(tmp_path / "run")
    assert model.record["result"]["refit_rows"]
    other = [*data, *rows(60, 7)]
    (tmp_path / "d.jsonl").touch()
    (table,) = evaluate(model, other, slices=True)["slices"]["tables"]
    like = next(one for one in table["slices"] if one["name"] == "like a training text")
    assert like["texts"] == model.record["data"]["parts"]["train"] + model.record["data"]["parts"]["valid"]
    own = evaluate(model, slices=False)
    assert own["rows"] == model.record["data"]["parts"]["test"]
    written(tmp_path / "d.jsonl", data[1:])
    found = evaluate(model, other, slices=True)["slices"]
    assert "are not there, or have changed" in found["left_out"][0]
    assert not [one for one in found["tables"][0]["slices"] if "training" in one["name"]]


def test_unknown_tokens() -> None:
    """Of a family with tokens, the texts that hold unknown ones; of hashed features there are none."""
    model = lossworks.fit(rows(200, 8), model="ngram:order=1", tokenizer="words")
    assert isinstance(model, Model)
    data = [(text.replace("number", "a a"), label) for text, label in rows(100, 8)] + rows(100, 9)
    data = [(f"{text.rsplit(' ', 1)[0]}{' zzz' * (n % 2)}", label) for n, (text, label) in enumerate(data)]
    (table,) = evaluate(model, data, slices=True)["slices"]["tables"]
    assert {"word 'zzz'", "text with tokens unknown to the model"} <= names(table)


def test_language(tmp_path: Path) -> None:
    """The mean is nats a token, alone, and bits a byte beside another model; texts of one kind cost more, by the word in them."""
    model = fitted("ngram:order=4", "chars")
    data = [*LINES, *(f"zebra {i} qzx vwj" for i in range(40))]
    alone = evaluate(model, data, slices=True)
    (table,) = alone["slices"]["tables"]
    assert table["mean"]["value"] == pytest.approx(alone["metrics"]["nats_per_token"]["value"])
    assert "word 'zebra'" in names({"slices": table["slices"][:1]})
    assert table["slices"][0]["word"] == "harder"
    both = side_by_side({"a": model, "b": fitted("ngram:order=1", "bytes")}, data, slices=True)
    values = {row["run"]: row["metrics"]["bits_per_byte"]["value"] for row in both["runs"]}
    (table,) = both["slices"]["tables"]
    assert (table["run"], both["slices"]["unit"]) == ("b", "bits a byte")
    assert table["mean"]["value"] == pytest.approx(values["b"] - values["a"])


def test_one_long_text(tmp_path: Path) -> None:
    """Of one text the units are its segments; a token of probability 0 leaves its segment out, and it is said."""
    (tmp_path / "a.txt").write_text("\n".join([*LINES, *(f"zebra {i} qzx vwj abc def ghi" for i in range(150))]))
    model = fitted("ngram:order=3", "chars", tmp_path / "a.txt", document_unit="file")
    found = evaluate(model, tmp_path / "a.txt", slices=True)["slices"]
    texts = Segments.of(lambda: [[(tmp_path / "a.txt").read_text()]], whole=True).bytes
    assert found["left_out"] == []
    assert "word 'zebra'" in names(found["tables"][0])
    honest = model.model.logp
    object.__setattr__(model.model, "logp", lambda texts: np.where(np.arange(len(honest(texts))) == 70, -np.inf, honest(texts)))
    models = {"a": model, "b": fitted("ngram:order=1", "bytes", tmp_path / "a.txt", document_unit="file")}
    both = side_by_side(models, tmp_path / "a.txt", slices=True)["slices"]
    assert both["left_out"] == [f"1 of {len(texts)} segments, with a token of probability 0"]
    assert both["tables"][0]["slices"]


def test_too_few(model: Model) -> None:
    """Fewer than forty texts hold no two slices to compare: an error that says so."""
    with pytest.raises(UsageError, match=r"40 different texts or more, .* and there are 30"):
        evaluate(model, rows(30, 1) * 2, slices=True)


def test_json_and_page(model: Model, tmp_path: Path) -> None:
    """Plain values, and a page of them."""
    found = evaluate(model, rows(300, 1, flipped="four"), slices=True)["slices"]
    assert json.loads(json.dumps(found, allow_nan=False))["tables"][0]["slices"][0]["name"] == "four"
    assert "word &#39;four&#39;" in write_slices(found, tmp_path / "s.html", name="data").read_text("utf-8")
