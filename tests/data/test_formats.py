"""Every format gives back the rows that were written in it."""

from __future__ import annotations

import io
from pathlib import Path

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from lossworks.core.errors import DataError
from lossworks.data import ReadOptions, load

ROWS = [("I love it", "good"), ("it broke, twice", "bad"), ('the "best" 產品', "good"), ("meh", "bad")]
FORMATS = ["csv", "tsv", "jsonl", "parquet", "fasttext"]
PACKINGS = ["", ".gz", ".zst"]

# no control characters but those that real text holds; NEL and U+2028 end no line
letters = st.characters(codec="utf-8", exclude_categories=["Cc"]) | st.sampled_from("\t\x85\u2028\u2029\x0b\x1c")
line = st.text(letters, min_size=1, max_size=20).filter(lambda text: text.strip() and not text.startswith("__label__"))
paragraph = st.text(letters | st.sampled_from('\n\r",'), min_size=1, max_size=20).filter(str.strip)
label = st.text(st.characters(categories=["L", "N"]), min_size=1, max_size=5)


def rows_of(corpus):
    """Texts and labels, as pairs."""
    return list(zip(corpus.texts(range(len(corpus))), corpus.labels, strict=True))


@pytest.mark.parametrize("packing", PACKINGS)
@pytest.mark.parametrize("format", FORMATS)
def test_round_trip(write, format, packing):
    """Rows come back from every format, packed or not, with one fingerprint for all."""
    corpus = load(write(ROWS, format, packing))
    assert rows_of(corpus) == ROWS
    assert corpus.fingerprint == load(ROWS).fingerprint
    assert corpus.skipped == 0


@pytest.mark.parametrize("packing", PACKINGS)
@pytest.mark.parametrize("format", FORMATS)
def test_format_by_looking(write, format, packing):
    """A name that says nothing does not matter: the first bytes do."""
    assert rows_of(load(write(ROWS, format, packing, name="data"))) == ROWS


@pytest.mark.parametrize("format", FORMATS)
def test_stdin(write, format, monkeypatch):
    """The dash reads standard input in any format."""
    data = write(ROWS, format, ".gz").read_bytes()
    monkeypatch.setattr("sys.stdin", io.TextIOWrapper(io.BufferedReader(io.BytesIO(data))))
    corpus = load("-")
    assert rows_of(corpus) == ROWS
    assert corpus.source == "stdin"


@pytest.mark.parametrize("format", FORMATS)
@settings(suppress_health_check=[HealthCheck.function_scoped_fixture], max_examples=40, deadline=None)
@given(data=st.data())
def test_any_text_round_trips(write, format, data):
    """Odd characters, quotes, and line ends where the format can hold them, come back as they were."""
    text = line.filter(lambda text: text == text.lstrip(" \t")) if format == "fasttext" else paragraph
    rows = data.draw(st.lists(st.tuples(text, label), min_size=1, max_size=10))
    assert rows_of(load(write(rows, format), ReadOptions(text=None if format == "fasttext" else "text"))) == rows


@pytest.mark.parametrize("chunk", [1, 7, 64])
@pytest.mark.parametrize("format", ["csv", "tsv", "jsonl", "fasttext"])
def test_rows_across_chunks(write, format, chunk, monkeypatch):
    """Rows, quoted line ends and characters that straddle the chunks of a file stay whole, and keep their line."""
    rows = [(f"第{i}行 text" + ('\n續, "x"\n' if format in ("csv", "tsv") else "") + "!", "ab"[i % 2]) for i in range(40)]
    path = write(rows, format)
    monkeypatch.setattr("lossworks.data.sources.CHUNK", chunk)
    corpus = load(path)
    assert rows_of(corpus) == rows
    lines = path.read_text("utf-8").split("\n")
    assert all(f"第{i}行" in lines[int(corpus.place(i).rpartition(" ")[2]) - 1] for i in range(40))


def test_folder(put, tmp_path):
    """A folder per class, a file per text; hidden files are no texts."""
    for name, text in {
        "neg/2.txt": "bad\n",
        "neg/1.txt": "worse",
        "pos/a": "good\r\n",
        "pos/.DS_Store": "\xff",
    }.items():
        put(f"set/{name}", text)
    corpus = load(tmp_path / "set")
    assert rows_of(corpus) == [("worse", "neg"), ("bad", "neg"), ("good", "pos")]
    assert corpus.place(2) == str(tmp_path / "set/pos/a")


def test_python_rows():
    """Tuples, tuples with a weight, lists and dicts are rows as they are; generators too."""
    assert rows_of(load([("a", "x"), ("b", 2), ("c", ["z", "y", "y"])])) == [("a", "x"), ("b", 2.0), ("c", ("y", "z"))]
    assert load([("a", "x"), ("b", "y", 2)]).weights.tolist() == [1, 2]
    assert load(iter([("a", "x")])).weights is None
    corpus = load([{"review": "a", "stars": 1, "id": 7}, {"review": "b", "stars": 2, "id": 8}])
    assert rows_of(corpus) == [("a", 1.0), ("b", 2.0)]
    assert (corpus.text_column, corpus.label_column, corpus.place(1)) == ("review", "stars", "the rows, row 2")


def test_fasttext_labels(put):
    """Several labels make a set; tabs and runs of spaces part them as well; blank lines are no rows."""
    corpus = load(put("x.txt", "__label__b __label__a  two words\r\n\n__label__a\tone\n"))
    assert rows_of(corpus) == [("two words", ("a", "b")), ("one", "a")]
    assert corpus.place(1).endswith("line 3")


def test_json_labels(put):
    """JSON labels may be text, numbers, booleans and lists."""
    labels = ['"a"', "1", "2.5", "true", '["b", "a"]', "[]"]
    path = put("x.jsonl", "".join(f'{{"text": "t", "label": {label}}}\n\n' for label in labels))
    assert load(path).labels == ["a", 1.0, 2.5, "true", ("a", "b"), ()]


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


@pytest.mark.parametrize(
    ("table", "row"),
    [
        ("well, good;pos\nno, bad;neg\n", ("well, good", "pos")),
        ('"good; well, so";"pos"\n"bad; no, so";"neg"\n', ("good; well, so", "pos")),
        ('"text, full";label\ngood;pos\nbad;neg\n', ("good", "pos")),
        ("good; fine,pos\nbad; poor,neg\n", ("good; fine", "pos")),
        ("text|label\ngood, fine|pos\nbad|neg\n", ("good, fine", "pos")),
    ],
)
def test_delimiters_inside_texts(put, table, row):
    """What parts the fields is what all rows agree on, whatever else stands in the texts."""
    assert rows_of(load(put("x.csv", table)))[0] == row


def test_a_header_that_stands_again(put):
    """Files joined by ``cat`` repeat their header: that is no row, and is said."""
    table = "text,label\ngood,pos\nbad,neg\ntext,label\nfine,pos\n"
    with pytest.raises(DataError, match=r"line 4.*header stands here again"):
        load(put("x.csv", table))
    assert len(load(put("x.csv", table), ReadOptions(bad_rows="skip"))) == 3


def test_tabs_in_texts_to_predict_on(put):
    """A tab is a part of the text, unless the file names its columns or is told which to read."""
    options = ReadOptions(unlabelled=True)
    assert rows_of(load(put("x", "good\tbad\n"), options)) == [("good\tbad", None)]
    assert rows_of(load(put("y", "label\ttext\n\tbad\n"), options)) == [("bad", None)]
    assert rows_of(load(put("z", "good\tbad\n"), ReadOptions(unlabelled=True, text=2))) == [("bad", None)]


def test_unlabelled_text(put):
    """Text to predict on needs no labels: plain lines, one column, bare strings; commas and tabs are just text."""
    options = ReadOptions(unlabelled=True)
    for source in (put("x.txt", "Hello, you\n{not} a\ttable\n"), ["Hello, you", "{not} a\ttable"]):
        assert rows_of(load(source, options)) == [("Hello, you", None), ("{not} a\ttable", None)]
    assert rows_of(load(put("x.csv", "text\nfine\n"), options)) == [("fine", None)]
    assert rows_of(load(put("x.jsonl", '{"text": "a", "id": 3}\n'), options)) == [("a", None)]
    assert rows_of(load(put("y.csv", "text,label\na,x\nb,\n"), options)) == [("a", "x"), ("b", None)]


@pytest.mark.parametrize("format", ["csv", "jsonl"])
def test_weights(put, format):
    """Weights are read from the column asked for."""
    table = "text,label,w\na,x,0.5\nb,y,2\n"
    lines = '{"text":"a","label":"x","w":0.5}\n{"text":"b","label":"y","w":2}\n'
    path = put(f"x.{format}", table if format == "csv" else lines)
    assert load(path, ReadOptions(weight="w")).weights.tolist() == [0.5, 2]
    assert load(path).weights is None


def test_parquet_columns(tmp_path: Path):
    """Lists, categories and numbers in Parquet are labels like any other; a text column of numbers is refused."""
    import polars as pl

    frame = pl.DataFrame({"text": ["a", "b"], "tags": [["y", "x"], []], "kind": ["u", "v"], "n": [1.5, 2]})
    frame.with_columns(pl.col("kind").cast(pl.Categorical)).write_parquet(tmp_path / "x.parquet")
    for column, labels in {"tags": [("x", "y"), ()], "kind": ["u", "v"], "n": [1.5, 2.0]}.items():
        assert load(tmp_path / "x.parquet", ReadOptions(label=column)).labels == labels
    with pytest.raises(DataError, match="column 'n' holds Float64, not text"):
        load(tmp_path / "x.parquet", ReadOptions(text="n", label="kind"))


@pytest.mark.parametrize("format", ["csv", "jsonl", "fasttext"])
def test_ten_megabyte_line(write, format):
    """A very long text is just a long text."""
    rows = [("word " * 2_000_000 + "end", "a"), ("short", "b")]
    assert rows_of(load(write(rows, format))) == rows
