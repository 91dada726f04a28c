"""Tables: what parts their fields, what is a row of them and what is not."""

from __future__ import annotations

import pytest

from lossworks.core.errors import DataError
from lossworks.data import ReadOptions, load


def rows_of(corpus):
    """Texts and labels, as pairs."""
    return list(zip(corpus.texts(range(len(corpus))), corpus.labels, strict=True))


def test_blank_and_crlf_lines_in_tables(put):
    """Blank lines are no rows, and a carriage return before a newline is no text."""
    corpus = load(put("x.csv", "\r\ntext,label\r\nfine,a\r\n\r\npoor,b\r\n"))
    assert rows_of(corpus) == [("fine", "a"), ("poor", "b")]
    assert corpus.place(1).endswith("line 5")


def test_tsv_without_quoting(put):
    """A quote that begins a sentence in plain TSV is a letter like any other."""
    rows = [('"Great" film', "good"), ('"so', "bad"), ("dull", "bad")]
    assert rows_of(load(put("x.tsv", "".join(f"{label}\t{text}\n" for text, label in rows)))) == rows


def test_semicolons(put):
    """A CSV file of the semicolon kind is read by its semicolons."""
    assert rows_of(load(put("x.csv", "text;label\nfine, really;a\nno;b\n"))) == [("fine, really", "a"), ("no", "b")]


@pytest.mark.parametrize("mark", [";", "\t", "|"])
@pytest.mark.parametrize("quote", ["", '"'])
@pytest.mark.parametrize("name", ["x.csv", "x"])
@pytest.mark.parametrize("head", [[], [("text", "label")]])
def test_commas_inside_texts(put, mark, quote, name, head):
    """Semicolons, tabs and bars part the fields, however many commas the texts hold, with and without quotes and header."""
    rows = [("well, good", "pos"), ("no, bad, poor", "neg"), ("well, fine", "pos")] * 3
    table = "".join(mark.join(f"{quote}{cell}{quote}" for cell in row) + "\n" for row in head + rows)
    assert rows_of(load(put(name, table))) == rows


@pytest.mark.parametrize("line", ["sep={}\n", "SEP={}\r\n", '"sep={}"\n', "\nsep={}\n"])
@pytest.mark.parametrize("mark", ";,\t|^")
@pytest.mark.parametrize("name", ["x.csv", "x"])
def test_excels_first_line(put, line, mark, name):
    """Excel's first line says what parts the fields, and is no row."""
    line = line.format(mark)
    corpus = load(put(name, f"{line}text{mark}label\ngood{mark}pos\nbad{mark}neg\n"))
    assert rows_of(corpus) == [("good", "pos"), ("bad", "neg")]
    assert corpus.place(0).endswith(f"line {line.count(chr(10)) + 2}")


@pytest.mark.parametrize(
    ("table", "row"),
    [
        ("well, good;pos\nno, bad;neg\n", ("well, good", "pos")),
        ('"good; well, so";"pos"\n"bad; no, so";"neg"\n', ("good; well, so", "pos")),
        ('"text, full";label\ngood;pos\nbad;neg\n', ("good", "pos")),
        ("good; fine,pos\nbad; poor,neg\n", ("good; fine", "pos")),
        ("text|label\ngood, fine|pos\nbad|neg\n", ("good, fine", "pos")),
        ("one; two, x;pos\ngood, x;pos\nbad, y;neg\nso, so;neg\n", ("good, x", "pos")),
        ('said,"hello;pos\n' + "no;neg\n" * 4, ('said,"hello', "pos")),
        ('so,so;pos\nsaid,"well;neg\n' + "ja,ja;pos\n" * 4, ("so,so", "pos")),
        ("\r\ntext;label\r\ngood, x;pos\r\n", ("good, x", "pos")),
    ],
)
def test_delimiters_inside_texts(put, table, row):
    """What parts the fields is what most rows agree on, whatever else stands in the texts, and in the first of all."""
    assert rows_of(load(put("x.csv", table), ReadOptions(bad_rows="skip")))[0] == row
    assert load(put("x.tsv", "text,label\ngood,pos\n")).labels == ["pos"]


def test_a_header_that_stands_again(put):
    """Files joined by ``cat`` repeat their header: that is no row, and is said."""
    table = "text,label\ngood,pos\nbad,neg\ntext,label\nfine,pos\n"
    with pytest.raises(DataError, match=r"line 4.*header stands here again"):
        load(put("x.csv", table))
    assert len(load(put("x.csv", table), ReadOptions(bad_rows="skip"))) == 3
