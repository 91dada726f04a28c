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
FORMATS = ["csv", "tsv", "jsonl", "json", "parquet", "fasttext"]
PACKINGS = ["", ".gz", ".bz2", ".xz", ".zst"]

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
    assert (
        rows_of(load(write(rows, format), ReadOptions(text=None if format == "fasttext" else "text", normalize="none"))) == rows
    )


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


FASTTEXT = [
    ("__label__b __label__a  two words\r\n\n__label__a\tone\n", [("two words", ("a", "b")), ("one", "a")]),
    ("__label__pos good __label__new one\nbad one __label__neg \n", [("good one", ("new", "pos")), ("bad one", "neg")]),
    ("good\tfilm __label__pos __label__new\n", [("good\tfilm", ("new", "pos"))]),
    ("__label__a __label__a good\n__label__b bad __label__b\n", [("good", "a"), ("bad", "b")]),
    ("__label__a x__label__b __LABEL__c\n", [("x__label__b __LABEL__c", "a")]),
]


@pytest.mark.parametrize(("lines", "rows"), FASTTEXT)
def test_fasttext_labels(put, lines, rows):
    """Labels stand anywhere, parted by spaces and tabs, and leave the text; several make a set, one said twice is one."""
    corpus = load(put("x.txt", lines))
    assert rows_of(corpus) == rows
    if "\n\n" in lines:  # a blank line is no row
        assert corpus.place(1).endswith("line 3")


def test_json_labels(put):
    """JSON labels may be text, numbers, booleans and lists."""
    labels = ['"a"', "1", "2.5", "true", '["b", "a"]', "[]"]
    path = put("x.jsonl", "".join(f'{{"text": "t", "label": {label}}}\n\n' for label in labels))
    assert load(path).labels == ["a", 1.0, 2.5, "true", ("a", "b"), ()]


@pytest.mark.parametrize("chunk", [1, 1 << 18])
@pytest.mark.parametrize("format", ["csv", "tsv", "jsonl", "json", "fasttext"])
def test_old_macs(write, format, chunk, monkeypatch):
    """Carriage returns end the lines of a file that holds no newline."""
    path = write([("good", "pos"), ("bad", "neg")], format)
    path.write_bytes(path.read_bytes().replace(b"\n", b"\r"))
    monkeypatch.setattr("lossworks.data.sources.CHUNK", chunk)
    corpus = load(path)
    assert rows_of(corpus) == [("good", "pos"), ("bad", "neg")]
    assert format == "json" or corpus.place(1).endswith(f"line {2 + (format in ('csv', 'tsv'))}")


@pytest.mark.parametrize("format", ["jsonl", "json"])
@pytest.mark.parametrize("name", ["x.csv", "x.tsv", "x.txt", "x"])
def test_json_by_any_name(write, format, name):
    """What is plainly JSON, lines or an array, is read as JSON whatever the file is called."""
    assert rows_of(load(write(ROWS, format, name=name))) == ROWS


def test_parquet_by_any_name(write):
    """So is Parquet."""
    assert rows_of(load(write(ROWS, "parquet", name="x.csv"))) == ROWS


def test_rows_of_a_json_array(write):
    """The rows of an array are counted by elements, and read in blocks like any other."""
    rows = [(f"text {i}", "ab"[i % 2]) for i in range(10_001)]
    corpus = load(write(rows, "json"))
    assert rows_of(corpus) == rows
    assert corpus.place(10_000).endswith("row 10001")


def test_tabs_in_texts_to_predict_on(put):
    """A tab is a part of the text, unless the file names its columns or is told which to read."""
    options = ReadOptions(unlabelled=True)
    assert rows_of(load(put("x", "good\tbad\n"), options)) == [("good\tbad", None)]
    assert len(load(put("w", "Chapter\tpage\none\t1\ntwo\t3\nsix\t5\n"), options)) == 4
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
