"""Labels as they are given: of which type, one or several in a cell, long ids; what is kept of each."""

from __future__ import annotations

import io
import json
from collections.abc import Callable
from decimal import Decimal
from pathlib import Path
from typing import Any

import numpy as np
import polars as pl
import pytest

from lossworks.core.errors import DataError, UsageError
from lossworks.data import ReadOptions, class_names, joined, load, load_all, named, original
from lossworks.data.labels import find_separator

Put = Callable[[str, str | bytes], Path]

TYPES: list[tuple[list[Any], str]] = [
    (["a", "b"], "str"),
    (["1", "0"], "str"),
    ([1, 0], "int"),
    ([np.int64(1), 0], "int"),
    ([1, 0.5], "float"),
    ([True, np.bool_(False)], "bool"),
    ([2**60, 1], "int"),
    ([[1, 2], [2]], "int"),
    ([["a"], []], "str"),
]


@pytest.mark.parametrize(("given", "label_type"), TYPES)
def test_types(given: list[Any], label_type: str) -> None:
    """The type of all labels is known, and each comes back as it was given."""
    corpus = load([(f"text {i}", label) for i, label in enumerate(given)])
    assert corpus.label_type == label_type
    for label in given:
        for one in label if isinstance(label, list) else [label]:
            back = original(named(one), label_type)
            assert back == one
            assert type(back).__name__ == label_type


@pytest.mark.parametrize("given", [[1, "a"], [True, 1]])
def test_mixed_types_are_text(given: list[Any]) -> None:
    """Where types differ there is none to go back to."""
    assert load(list(zip("xy", given, strict=True))).label_type == "str"


def test_long_ids_stay_apart(put: Put) -> None:
    """Whole numbers beyond what a float holds exactly are not merged, from Python, JSON or Parquet."""
    ids = [2**53 + i for i in range(4)]
    frame, file = pl.DataFrame({"text": list("abcd"), "label": ids}), io.BytesIO()
    frame.write_parquet(file)
    lines = "".join(json.dumps({"text": text, "label": label}) + "\n" for text, label in zip("abcd", ids, strict=True))
    for source in (list(zip("abcd", ids, strict=True)), frame, put("x.jsonl", lines), put("x.parquet", file.getvalue())):
        corpus = load(source)
        assert class_names(corpus) == [str(label) for label in ids]
        assert corpus.label_type == "int"


CELLS = [
    (["food; money", "money", "", "food"], ";", [("food", "money"), ("money",), (), ("food",)]),
    (["food|money", "money", "a;b|food"], "|", [("food", "money"), ("money",), ("a;b", "food")]),
    (["b,a,b", "a"], ",", [("a", "b"), ("a",)]),
    (['["food", "money"]', "[]", "['a']"], "list", [("food", "money"), (), ("a",)]),
    (["[1, 2]", "[2]"], "list", [("1", "2"), ("2",)]),
]


@pytest.mark.parametrize(("cells", "mark", "sets"), CELLS)
@pytest.mark.parametrize("asked", [True, False])
def test_several_in_a_cell(put: Put, cells: list[str], mark: str, sets: list[tuple[str, ...]], asked: bool) -> None:
    """What parts them is as said, or found; an empty cell is the empty set; the rows are as those of lists."""
    table = pl.DataFrame({"text": [f"text {i}" for i in range(len(cells))], "label": cells})
    corpus = load(put("x.csv", table.write_csv()), ReadOptions(label_sep=mark if asked else "auto"))
    assert corpus.labels == sets
    assert corpus.label_sep == mark
    assert corpus.fingerprint == load([(f"text {i}", list(names)) for i, names in enumerate(sets)]).fingerprint


def test_a_bad_row_does_not_hide_what_parts_labels(put: Put) -> None:
    """The separator is found in all the labels of a block, though its rows are checked one by one where one of them is bad."""
    path = put("x.csv", "text,label\n,food\na,money\nb,food; money\n")
    corpus = load(path, ReadOptions(label_sep="auto", bad_rows="skip"))
    assert corpus.labels == [("money",), ("food", "money")]
    assert (corpus.label_sep, corpus.skipped) == (";", 1)


def test_all_sources_are_parted_alike(put: Put, tmp_path: Path) -> None:
    """Of several files the first one's separator is that of the rest, whose labels may hold other marks."""
    first = put("a.csv", 'text,label\na,"Smith, J.; Doe, K."\nb,"Smith, J.; Roe, L."\n')
    second = put("b.csv", 'text,label\nc,"Doe, K."\n')
    with load_all([(first, None), (second, 2)], ReadOptions(label_sep=";"), tmp_path) as told:
        wanted = [corpus.labels for corpus in told]
    first.write_text(first.read_text().replace("Smith, J.", "Smith").replace("Doe, K.; ", "").replace("Roe, L.", "Roe"))
    with load_all([(first, None), (second, 2)], ReadOptions(label_sep="auto"), tmp_path) as found:
        assert [corpus.label_sep for corpus in found] == [";", ";"]
        assert found[1].labels == wanted[1] == [("Doe, K.",)]


def test_bad_cells(put: Put) -> None:
    """A cell that is no list among lists is named; so is a separator of nothing."""
    path = put("x.csv", 'text,label\na,"[""x""]"\nb,x\n')
    with pytest.raises(DataError, match=r"line 3: the labels are 'x'; wanted a list"):
        load(path, ReadOptions(label_sep="list"))
    with pytest.raises(UsageError, match="--label-sep"):
        ReadOptions(label_sep="")


def test_separators_are_the_commonest() -> None:
    """What stands in most cells parts them, whatever stands in one."""
    assert find_separator(["Smith, J.|Doe, K.", "Doe, K.", "x|y", "z"]) == "|"
    assert find_separator(["a,b", "a,c", "d|e"]) == ","


@pytest.mark.parametrize(
    ("labels", "found"),
    [
        (["food", "money", "food; money"], ("food; money", ";")),
        (["a|b", "b|c"], ("a|b", "|")),
        (["Books, Music", "Home, Garden", "Sports"], None),
        (["pos", "neg"], None),
    ],
)
def test_joined(labels: list[str], found: tuple[str, str] | None) -> None:
    """A class that is several others in one is noticed; names with commas in them are names."""
    assert joined(labels) == found


@pytest.mark.parametrize("nested", [False, True])
def test_class_label_names_of_parquet(tmp_path: Path, nested: bool) -> None:
    """The names that Hugging Face's datasets keep in the file's metadata stand in the place of the numbers; -1 is no label."""
    feature: dict[str, Any] = {"names": ["neg", "pos"], "_type": "ClassLabel"}
    feature = {"feature": feature, "_type": "List"} if nested else feature
    about = json.dumps({"info": {"features": {"text": {"dtype": "string", "_type": "Value"}, "label": feature}}})
    labels: list[Any] = [[0, 1], [1], []] if nested else [0, 1, -1]
    path = tmp_path / "x.parquet"
    pl.DataFrame({"text": list("abc"), "label": labels}).write_parquet(path, metadata={"huggingface": about})
    corpus = load(path, ReadOptions(unlabelled=True))
    assert corpus.labels == ([("neg", "pos"), ("pos",), ()] if nested else ["neg", "pos", None])
    assert corpus.label_type == "str"


def test_decimals_are_numbers(tmp_path: Path) -> None:
    """As databases write prices and ratings: from Python and from Parquet, as the same numbers written in floating point."""
    prices = [Decimal("1.50"), Decimal("2"), Decimal("-3.25")]
    pl.DataFrame({"text": list("abc"), "label": prices}, schema_overrides={"label": pl.Decimal(10, 2)}).write_parquet(
        tmp_path / "prices.parquet"
    )
    wanted = load(list(zip("abc", [1.5, 2.0, -3.25], strict=True)))
    for corpus in (load(list(zip("abc", prices, strict=True))), load(tmp_path / "prices.parquet")):
        assert (corpus.labels, corpus.label_type) == (wanted.labels, "float")
