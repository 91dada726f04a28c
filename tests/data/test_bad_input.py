"""What cannot be read is named: where it stands, what is wrong, what to do."""

from __future__ import annotations

import re
from fractions import Fraction

import pytest

from lossworks.core.errors import DataError, UnknownName, UsageError
from lossworks.data import ReadOptions, load

BAD_ROWS = [
    ("x.csv", b"text,label\na,x\n,y\nb,x\n", "line 3: the text is empty"),
    ("x.csv", b"text,label\na,x\n  ,y\nb,x\n", "line 3: the text is empty"),
    ("x.csv", b"text,label\na,x\nb,\nc,y\n", "line 3: the label is missing"),
    ("x.csv", b"text,label\na,x\nb,y,z\nc,y\n", "line 3: expected 2 columns, found 3"),
    ("x.csv", b"text,label\na,x\nb\0c,y\nc,y\n", "line 3: the text holds a NUL byte"),
    ("x.csv", b"text,label\na,x\nb,y\0\nc,y\n", "line 3: the label holds a NUL byte"),
    ("x.csv", b'text,label\na,x\n"b" c,y\nd,y\n', "line 3: text follows a closing quote"),
    (
        "x.csv",
        b'text,label\na,x\n"b,y\n"c",y\nd,y\n',
        "line 3: text follows a closing quote; the row runs on to line 4",
    ),
    ("x.csv", b"text,label\na,x\nb\rc,y\nd,y\n", "line 3: a carriage return"),
    ("x.tsv", b"text\tlabel\na\tx\nb\nc\ty\n", "line 3: expected 2 columns, found 1"),
    ("x.jsonl", b'{"text":"a","label":"x"}\n\n{"text":"b"\n{"text":"c","label":"y"}\n', "line 3: not JSON"),
    ("x.jsonl", b'{"text":"a","label":"x"}\n{"text":"b"}\n{"text":"c","label":"y"}\n', "line 2: the label is missing"),
    ("x.jsonl", b'{"text":"a","label":"x"}\n{"label":"b"}\n{"text":"c","label":"y"}\n', "line 2: the text is missing"),
    ("x.jsonl", b'{"text":"a","label":"x"}\n{"text":7,"label":"y"}\n', "line 2: the text is the number 7, not text"),
    ("x.jsonl", b'{"text":"a","label":"x"}\n{"text":"b\\u0000","label":"y"}\n', "line 2: the text holds a NUL byte"),
    ("x.jsonl", b'{"text":"a","label":"x"}\n["b","y"]\n', "line 2: wanted a JSON object"),
    ("x.jsonl", b'{"text":"a","label":"x"}\n{"text":"\\ud800","label":"y"}\n', "line 2: not JSON: JSON is malformed"),
    ("x.jsonl", b'{"text":"a","label":"x"}\n{"text":"b","label":1e999}\n', "line 2: not JSON: Number out of range"),
    ("x.jsonl", b'{"text":"a","label":"x"}\n{"text":"b","label":' + b"9" * 5000 + b"}\n", "line 2: not JSON: Integer value"),
    ("x.jsonl", b'{"text":"a","label":"x"}\n{"text":' + b"[" * 100_000 + b"\n", "line 2: the JSON is nested too deep"),
    ("x.json", b'[{"text":"a","label":"x"},\n7]', "row 2: wanted a JSON object; expected"),
    ("x.csv", b'"a" b,c\ntext,label\na,x\n', "line 1: text follows a closing quote"),
    ("x.jsonl", b'{"text":"a","label":"x"}\n{"text":"b","label":{}}\n', "line 2: the label is an object"),
    (
        "x.jsonl",
        b'{"text":"a","label":"x"}\n{"text":"b","label":["y",""]}\n',
        "line 2: the list of labels holds an empty",
    ),
    ("x.ft", b"__label__x a\n__label__y\n", "line 2: the text is empty"),
    ("x.ft", b"__label__x a\nno label\n", "line 2: the label is missing"),
]


@pytest.mark.parametrize(("name", "content", "why"), BAD_ROWS)
def test_bad_row(put, name, content, why):
    """A bad row among few stops the reading by default, and is left out and counted where that is asked for."""
    path = put(name, content)
    with pytest.raises(DataError, match=rf"(?s){re.escape(name)}: 1 of . rows is bad:\n  {re.escape(why)}.*--bad-rows skip"):
        load(path)
    corpus = load(path, ReadOptions(bad_rows="skip"))
    assert corpus.skipped == 1
    assert corpus.bad[0].startswith(why)
    assert corpus.texts([0]) == ["a"]


@pytest.mark.parametrize(("bad", "policy", "reads"), [(3, "few", 1), (3, "error", 0), (4, "few", 0), (4, "skip", 1)])
def test_few_bad_rows(bad: int, policy: str, reads: int) -> None:
    """Up to 1 % of the rows are left out, counted, and the first is named, unless any bad row is to be an error."""
    rows = [(f"text {n}", "ab"[n % 2]) for n in range(297)]
    rows[7:7] = [("", "a")] * bad
    if not reads:
        with pytest.raises(DataError, match=rf"{bad} of {297 + bad} rows are bad"):
            load(rows, ReadOptions(bad_rows=policy))
        return
    corpus = load(rows, ReadOptions(bad_rows=policy))
    assert (len(corpus), corpus.skipped) == (297, bad)
    assert corpus.notes == (f"{bad} bad rows left out, the first: row 8: the text is empty",)
    assert ReadOptions().bad_rows == "few"


PYTHON_ROWS = [
    ("b", "a row is 'b'; wanted (text, label)"),
    (("b",), "a row is a tuple"),
    ((7, "y"), "the text is the number 7, not text"),
    ((None, "y"), "the text is missing"),
    (("b", None), "the label is missing"),
    (("\ud800", "y"), "the text holds a lone surrogate, U+D800"),
    (("b", "\ud800"), "the label holds a lone surrogate, U+D800"),
    (("b", "y", "heavy"), "the weight is 'heavy', not a number"),
    (("b", "y", -1), "the weight is -1"),
    (("b", "y", 10**400), "the weight is the number 1000"),
    (("b", "y", float("nan")), "the weight is nan"),
    (("b", Fraction(10**400)), "the label is a number too large"),
]


@pytest.mark.parametrize(("row", "why"), PYTHON_ROWS)
def test_bad_python_row(row, why):
    """Python rows are checked like those of files."""
    with pytest.raises(DataError, match=re.escape(f"row 2: {why}")):
        load([("a", "x"), row, ("c", "y")])


def test_first_five_are_named_and_all_counted(put):
    """The error reads on to the end, so that the count is the whole truth."""
    path = put("x.csv", "text,label\n" + "a,x\n,y\n" * 1200)
    with pytest.raises(DataError, match=r"1,200 of 2,400 rows are bad") as caught:
        load(path)
    assert re.findall(r"line \d+", str(caught.value)) == [f"line {n}" for n in (3, 5, 7, 9, 11)]


def test_no_good_row(put):
    """Skipping everything is no corpus, and why all is bad is said."""
    with pytest.raises(DataError, match="No good row is left"):
        load(put("x.csv", "text,label\n,x\n"), ReadOptions(bad_rows="skip"))
    for policy in ("error", "skip"):
        with pytest.raises(DataError, match=r"2 of 2 rows are bad:\n  line 1: text follows a closing quote"):
            load(put("x.csv", '"a"b,c\n"d"e,f\n'), ReadOptions(bad_rows=policy))


@pytest.mark.parametrize("policy", ["error", "skip"])
@pytest.mark.parametrize("lines", [3, 100_000])
def test_unclosed_quote(put, policy, lines):
    """A quote that swallows the rest is named where it opens, under either policy."""
    path = put("x.csv", 'text,label\n"two\nlines",x\n"oops,y\n' + "more text,x\n" * lines)
    with pytest.raises(DataError, match="line 4: a quote opens here and never closes"):
        load(path, ReadOptions(bad_rows=policy))


def test_unclosed_quote_is_bounded(put, monkeypatch):
    """The swallowed text is not gathered to the end of the file."""
    monkeypatch.setattr("lossworks.data.formats.delimited.LONGEST", 1 << 20)
    path = put("x.csv", 'text,label\n"oops,y\n' + "more text,x\n" * 300_000 + "\xff")
    with pytest.raises(DataError, match="line 2: a quote opens here"):
        load(path)


def test_no_rows_from_python():
    """An empty list, and things that are no rows at all."""
    with pytest.raises(DataError, match="are empty"):
        load([])
    with pytest.raises(UsageError, match="cannot read rows from int"):
        load(7)  # type: ignore[arg-type]


def test_bad_options():
    """Options are checked when they are made."""
    with pytest.raises(UnknownName, match="Did you mean 'skip'"):
        ReadOptions(bad_rows="skp")
    with pytest.raises(UnknownName, match="Did you mean 'jsonl'"):
        ReadOptions(format="json")
    with pytest.raises(UsageError, match="unknown encoding 'latin-one'"):
        ReadOptions(encoding="latin-one")
    with pytest.raises(UsageError, match="labels are needed"):
        ReadOptions(format="lines")
