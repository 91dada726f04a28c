"""A model's file: what is saved is loaded, and a damaged one is refused or answers; it never leads out of memory."""

from __future__ import annotations

import struct
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from safetensors.numpy import load_file
from safetensors.numpy import save_file as save

from lossworks.core.errors import RecordError
from lossworks.models.ngram import write_arpa
from lossworks.models.ngram.model import FILE, NgramModel
from lossworks.record.tensors import map_tensors
from models.ngram.tries import Counted, Valued, ragged, vocabulary

SIZE = 40
RNG = np.random.default_rng(0)
TEXTS = ragged([RNG.integers(3, SIZE, 12).tolist() for _ in range(20)])


def trained() -> Counted:
    """A model of order 3."""
    return Counted([row.tolist() for row in TEXTS.ids.reshape(20, 12)[:15]], SIZE, 3)


@pytest.fixture
def saved(tmp_path: Path) -> Path:
    """A folder with a sound model."""
    NgramModel(trained().trie(), vocabulary(SIZE), notes={"smoothing": "absolute"}).save(tmp_path)
    return tmp_path


def ask(folder: Path) -> Any:
    """Everything that reads the arrays."""
    model = NgramModel.load(folder, vocabulary(SIZE))
    return model.logp(TEXTS), model.distributions(TEXTS), model.explain(TEXTS.ids[:12].tolist()), model.next_words((1, 3))


def test_there_and_back(saved: Path) -> None:
    """What is loaded says the same, bit for bit, with its notes; in the file of a model from an ARPA file too."""
    model, loaded = NgramModel(trained().trie(), vocabulary(SIZE)), NgramModel.load(saved, vocabulary(SIZE))
    np.testing.assert_array_equal(loaded.logp(TEXTS), model.logp(TEXTS))
    np.testing.assert_array_equal(loaded.distributions(TEXTS), model.distributions(TEXTS))
    assert loaded.notes["smoothing"] == "absolute"
    counts = trained().counts
    valued = Valued({(w,): -2.0 for w in range(SIZE)} | {g: -1.0 for g in counts if len(g) > 1}, {}, SIZE, 3).trie()
    NgramModel(valued, vocabulary(SIZE)).save(saved)
    np.testing.assert_array_equal(
        NgramModel.load(saved, vocabulary(SIZE)).logp(TEXTS), NgramModel(valued, vocabulary(SIZE)).logp(TEXTS)
    )


def test_progress(saved: Path) -> None:
    """``save`` tells how far it is."""
    told: list[tuple[str, dict[str, Any]]] = []
    NgramModel.load(saved, vocabulary(SIZE)).save(saved, watch=lambda event, fields: told.append((event, fields)))
    assert told[-1][0] == "save"
    assert told[-1][1]["bytes"] == told[-1][1]["of"] > 0


def test_another_vocabulary(saved: Path) -> None:
    """The wrong number of tokens is told."""
    with pytest.raises(RecordError, match=r"is for 40 tokens; wanted 41.*tokenizer"):
        NgramModel.load(saved, vocabulary(SIZE + 1))


def test_truncated(saved: Path) -> None:
    """Cut anywhere."""
    whole = (saved / FILE).read_bytes()
    for length in range(0, len(whole), 97):
        (saved / FILE).write_bytes(whole[:length])
        with pytest.raises(RecordError, match=FILE):
            ask(saved)


def test_flipped_bits(saved: Path) -> None:
    """A bit turned anywhere: the model answers, or says which file is damaged."""
    whole, rng, refused = (saved / FILE).read_bytes(), np.random.default_rng(1), 0
    for _ in range(400):
        changed = bytearray(whole)
        changed[int(rng.integers(len(whole)))] ^= 1 << int(rng.integers(8))
        (saved / FILE).write_bytes(changed)
        try:
            with np.errstate(all="ignore"):
                ask(saved)
        except RecordError as error:
            refused += 1
            assert FILE in str(error)  # noqa: PT017
    assert refused > 50


Arrays = dict[str, np.ndarray[Any, Any]]


def rewrite(folder: Path, change: Callable[[Arrays], Arrays], notes: dict[str, str] | None = None) -> None:
    """The file again with other arrays or notes."""
    _, found = map_tensors(folder / FILE)
    arrays = {name: array.copy() for name, array in load_file(folder / FILE).items()}
    save(change(arrays), folder / FILE, metadata={**found, **(notes or {})})


@pytest.mark.parametrize(
    "change",
    [
        lambda a: {name: array for name, array in a.items() if name != "2.word"},
        lambda a: {name: array for name, array in a.items() if not name.startswith("3.")},
        lambda a: a | {"4.word": a["3.word"]},
        lambda a: a | {"3.begin": np.zeros(3, np.uint32)},
        lambda a: a | {"2.word": a["2.word"].astype(np.int64)},
        lambda a: a | {"2.mass": a["2.mass"].astype(np.int64)},
        lambda a: a | {"2.count": a["2.count"][:-1].copy()},
        lambda a: a | {"2.word": a["2.word"][None].copy()},
        lambda a: a | {"2.context": a["2.context"][:-1].copy()},
        lambda a: a | {"1.begin": a["1.begin"][:-1].copy()},
        lambda a: a | {"1.begin": a["1.begin"] + np.uint32(1)},
        lambda a: a | {"2.begin": np.append(a["2.begin"][:-1], np.uint32(7))},
        lambda a: a | {"2.total": a["2.total"][:-1].copy()},
        lambda a: a | {"2.counts": a["2.counts"][:-1].copy()},
        lambda a: a | {"2.mass": np.empty(0), "2.counts": np.empty(0, np.int64)},
        lambda a: a | {"2.prob": np.zeros(len(a["2.word"]), np.float32)},
        lambda a: {},
    ],
)
def test_arrays_that_do_not_fit(saved: Path, change: Callable[[Arrays], Arrays]) -> None:
    """Arrays missing, too many, of a wrong kind or length, told when the file is loaded."""
    rewrite(saved, change)
    with pytest.raises(RecordError, match=r"model\.safetensors is damaged"):
        NgramModel.load(saved, vocabulary(SIZE))


@pytest.mark.parametrize(
    "change",
    [
        lambda a: (
            a | {"1.begin": np.append(0, a["1.begin"][1:] + np.uint32(2**31) * (np.arange(SIZE) < SIZE - 1)).astype(np.uint32)}
        ),
        lambda a: a | {"2.begin": a["2.begin"][np.r_[0, len(a["2.begin"]) - 2 : 0 : -1, -1]]},
        lambda a: a | {"2.context": a["2.context"] * 0 + 200},
        lambda a: a | {"2.count": a["2.count"] * 0 + 200},
        lambda a: a | {"1.count": a["1.count"] * 0 + 200},
        lambda a: a | {"0.context": a["0.context"] * 0 + 200},
    ],
)
def test_places_that_lead_out(saved: Path, change: Callable[[Arrays], Arrays]) -> None:
    """What looks sound but leads out of the arrays is told, with the file, by each of the kernels that meet it."""
    rewrite(saved, change)
    for question in (NgramModel.logp, NgramModel.distributions):
        with pytest.raises(RecordError, match=r"model\.safetensors is damaged"):
            question(NgramModel.load(saved, vocabulary(SIZE)), TEXTS)


@pytest.mark.parametrize(
    ("key", "value"),
    [("order", "4"), ("order", "-1"), ("order", "many"), ("order", "0"), ("order", "9" * 300), ("flat", "yes"), ("format", "x")],
)
def test_notes_that_do_not_fit(saved: Path, key: str, value: str) -> None:
    """An order that the arrays have not, and another format."""
    rewrite(saved, lambda arrays: arrays, {key: value})
    with pytest.raises(RecordError, match=FILE):
        NgramModel.load(saved, vocabulary(SIZE))


def test_words_that_are_none(saved: Path) -> None:
    """A child that is no word reaches neither beyond the distribution nor beyond the words of an ARPA file."""
    rewrite(saved, lambda a: a | {"2.word": a["2.word"] * 0 + 255})
    model = NgramModel.load(saved, vocabulary(SIZE))
    with pytest.raises(RecordError, match="damaged"):
        model.distributions(TEXTS)
    with pytest.raises(RecordError, match="damaged"):
        write_arpa(model, [*map(str, range(SIZE))], saved / "a.arpa")


def test_a_header_beyond_the_file(saved: Path) -> None:
    """A length that would not fit in memory is not tried."""
    (saved / FILE).write_bytes(struct.pack("<Q", 2**62) + bytes(100))
    with pytest.raises(RecordError, match="damaged"):
        ask(saved)
