"""Several models on one text: figures by hand, the order, paired differences, what is not compared."""

from __future__ import annotations

import math
from itertools import pairwise
from pathlib import Path

import numpy as np
import pytest

import lossworks
from lossworks.api import Language, Model, evaluate, labels_side_by_side, side_by_side
from lossworks.core.errors import UsageError
from lossworks.metrics.intervals import ratio

from .language import LINES, fitted, neural

OTHER = [" ".join([f"the dog {i} purred", "and é电 cards"][: 1 + i % 2] * (1 + i % 5)) for i in range(80)]


@pytest.fixture(scope="module")
def models() -> dict[str, Language]:
    """A good and a poor model of bytes, and one of words, some of which it does not know."""
    return {
        "poor": fitted("ngram:order=1", "bytes"),
        "words": fitted("ngram:order=3", "words"),
        "good": fitted("ngram:order=4", "bytes"),
        "chars": fitted("ngram:order=3", "chars"),
    }


def test_by_hand(models: dict[str, Language]) -> None:
    """Every figure from the surprisals themselves, with 8 bits for each byte of an unknown token in those that compare between
    tokenizers; the others are those that ``evaluate`` has.
    """
    result = side_by_side(models, OTHER)
    size = sum(len(line.encode()) for line in OTHER)
    characters = sum(map(len, OTHER))
    assert (result["bytes"], result["characters"], result["rows"]) == (size, characters, 80)
    for row in result["runs"]:
        model, metrics = models[row["run"]], row["metrics"]
        scored = model.score(OTHER)
        nats = np.concatenate([each.nats for each in scored])
        spelled = [
            (each.text[slice(*span)], token) for each in scored for span, token in zip(each.spans, each.tokens, strict=True)
        ]
        bits = nats.sum() / math.log(2) + 8 * sum(len(text.encode()) for text, token in spelled if token == "<unk>")
        assert metrics["bits_per_byte"]["value"] == pytest.approx(bits / size)
        assert metrics["bits_per_character"]["value"] == pytest.approx(bits / characters)
        assert metrics["nats_per_token"]["value"] == pytest.approx(nats.mean())
        assert metrics["perplexity"]["value"] == pytest.approx(math.exp(nats.mean()))
        alone = evaluate(model, OTHER)["metrics"]
        assert {**alone, **metrics} == {**metrics, **alone}


def test_the_mark_itself(models: dict[str, Language]) -> None:
    """A text in which unknown words were replaced already is spelled by the token of what is unknown; another word is not."""
    marked, other = (evaluate(models["words"], [f"the {word} sat on a mat"] * 3)["metrics"] for word in ("<unk>", "ab电"))
    assert other["unknown_rate"] == marked["unknown_rate"]
    each = [22 * marked["bits_per_byte"]["value"] + 8 * 5, 22 * other["bits_per_byte"]["value"]]
    assert each[0] == pytest.approx(each[1])


def test_order_and_best(models: dict[str, Language]) -> None:
    """Ordered by bits a byte, of which the first is the best if it knows nearly every token; differences are from that."""
    result = side_by_side(models, [*OTHER, "§"])
    values = [row["metrics"]["bits_per_byte"]["value"] for row in result["runs"]]
    rows = {row["run"]: row for row in result["runs"]}
    unknown = {name: row["metrics"]["unknown_rate"]["value"] for name, row in rows.items()}
    assert values == sorted(values)
    assert 0 == unknown["good"] < unknown["chars"] < 0.05 < unknown["words"]
    assert result["best"] == result["runs"][0]["run"] == "chars"
    assert rows["chars"]["difference"] is None
    assert rows["good"]["tokenizer"] == rows["poor"]["tokenizer"] != rows["chars"]["tokenizer"]


@pytest.mark.parametrize(("beside", "best"), [("poor", "poor"), ("blind", None)])
def test_much_that_is_unknown(models: dict[str, Language], beside: str, best: str | None) -> None:
    """A model to which much is unknown is never the best, not even where the others are worse; of such alone, none is."""
    others = {"poor": models["poor"], "blind": fitted("ngram:order=1", "words:max_size=2")}
    result = side_by_side({"words": models["words"], beside: others[beside]}, ["the dog sat on a mat, § the cat sat on a mat, §"])
    assert [row["run"] for row in result["runs"]] == ["words", beside]
    assert result["runs"][0]["metrics"]["unknown_rate"]["value"] > 0.1
    assert result["best"] == best
    assert [row["difference"] is None for row in result["runs"]] == [best is None, best is not None]


def test_paired_differences(models: dict[str, Language]) -> None:
    """The interval is that of resampling the texts, the same for both."""
    chosen = {name: models[name] for name in ("good", "poor")}
    found = side_by_side(chosen, OTHER)["runs"][1]
    sizes = np.array([len(line.encode()) for line in OTHER])
    sums = {name: np.array([each.bits.sum() for each in model.score(OTHER)]) for name, model in chosen.items()}
    apart = sums["poor"] - sums["good"]
    draws = np.random.default_rng(0).integers(0, len(OTHER), (4000, len(OTHER)))
    resampled = np.quantile(apart[draws].sum(1) / sizes[draws].sum(1), [0.025, 0.975])
    difference = found["difference"]
    assert difference["value"] == pytest.approx(apart.sum() / sizes.sum())
    width = difference["high"] - difference["low"]
    assert [difference["low"], difference["high"]] == pytest.approx(resampled, abs=0.1 * width)


def test_one_long_text(tmp_path: Path) -> None:
    """Of one text the same segments for every tokenizer, and every bit and byte in one of them."""
    (tmp_path / "a.txt").write_text("\n".join(LINES * 2))
    (tmp_path / "b.txt").write_text("\n".join(OTHER))
    size = len("\n".join(OTHER).encode())
    models = {
        name: fitted("ngram:order=3", name, tmp_path / "a.txt", document_unit="file")
        for name in ("bytes", "chars", "bpe:size=300", "words")
    }
    result = side_by_side(models, tmp_path / "b.txt")
    assert (result["rows"], result["bytes"], result["characters"]) == (1, size, len("\n".join(OTHER)))
    assert result["units"] == f"{result['characters'] // 100} segments"
    text = "\n".join(OTHER)
    for row in result["runs"]:
        tokenizer = models[row["run"]].tokenizer
        units = text.split() if row["run"] == "words" else text
        unknown = [each for each in units if tokenizer.vocabulary.unknown in tokenizer.encode([each])[0].tolist()]
        assert len(unknown) == row["unknown"]
        owed = 8 * sum(len(each.encode()) for each in unknown)
        bits = models[row["run"]].score([text])[0].bits.sum()
        alone = evaluate(models[row["run"]], tmp_path / "b.txt")["metrics"]["bits_per_byte"]["value"]
        assert row["metrics"]["bits_per_byte"]["value"] == pytest.approx(alone) == pytest.approx((bits + owed) / size)
    cuts = np.linspace(0, len(text), len(text) // 100 + 1).astype(int)
    parts = [text[first:last] for first, last in pairwise(cuts)]
    (scored,) = models["chars"].score([text])
    bits = np.array([scored.bits[first:last].sum() for first, last in pairwise(cuts)])
    by_hand = ratio(bits, np.array([float(len(part.encode())) for part in parts]), low=0.0)
    row = next(row for row in result["runs"] if row["run"] == "chars")
    assert row["metrics"]["bits_per_byte"] == pytest.approx(by_hand.to_json())


def test_an_impossible_token(monkeypatch: pytest.MonkeyPatch) -> None:
    """A model that takes a token for impossible is the last, and has no figure."""
    never, good = fitted("ngram:order=5", "bytes"), fitted("ngram:order=1", "bytes")
    honest = never.model.logp
    monkeypatch.setattr(never.model, "logp", lambda texts: np.where(np.arange(len(honest(texts))) == 70, -np.inf, honest(texts)))
    result = side_by_side({"never": never, "good": good}, OTHER)
    assert [row["run"] for row in result["runs"]] == ["good", "never"]
    last = result["runs"][1]
    assert last["impossible"] > 0
    assert last["metrics"]["bits_per_byte"]["value"] is None
    assert last["difference"]["value"] is None


def test_strides() -> None:
    """Networks read with the stride asked for, and n-grams have none."""
    text = [" ".join(LINES[:3])]
    found = [side_by_side({"a": neural()}, text, stride=stride)["runs"][0]["metrics"] for stride in (None, 8, 2)]
    assert found[0] == found[1] != found[2]
    assert evaluate(neural(), text, stride=2)["metrics"]["nats_per_token"] == found[2]["nats_per_token"]
    with pytest.raises(UsageError, match="ngram:order=3: it has no context"):
        side_by_side({"a": neural(), "b": fitted()}, text, stride=2)
    with pytest.raises(UsageError, match="ngram:order=3: it has no context"):
        evaluate(fitted(), text, stride=2)


def test_other_kinds_of_texts() -> None:
    """Lines and whole files are other texts: their figures are not put side by side."""
    with pytest.raises(UsageError, match="one --document-unit"):
        side_by_side({"a": fitted(), "b": neural(texts="file", ends=False)}, OTHER)


def test_classifiers() -> None:
    """Models of the same labels stand side by side as ``evaluate`` has each; of other labels they do not."""
    rows = [(f"a {('lovely', 'awful')[i % 2]} thing, number {i}", ("good", "bad")[i % 2]) for i in range(60)]
    found = [lossworks.fit(rows, model=f"linear:bits={bits}", epochs=1) for bits in (8, 10)]
    other = lossworks.fit([(text, label + "ly") for text, label in rows], model="linear:bits=8", epochs=1)
    assert all(isinstance(each, Model) for each in (*found, other))
    first, second = found
    assert isinstance(first, Model)
    assert isinstance(second, Model)
    assert isinstance(other, Model)
    result = labels_side_by_side({"a": first, "b": second}, rows[:20])
    assert [row["run"] for row in result["runs"]] == ["a", "b"]
    assert result["runs"][1]["metrics"] == evaluate(second, rows[:20])["metrics"]
    assert ["against" in row for row in result["runs"]] == [False, True]
    with pytest.raises(UsageError, match="same labels"):
        labels_side_by_side({"a": first, "b": other}, rows[:20])
    with pytest.raises(UsageError, match="is for language models"):
        evaluate(first, rows[:20], stride=3)
