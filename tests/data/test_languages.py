"""The language of each row: read, named by its file, kept by splits."""

from __future__ import annotations

import json
import os
from collections import Counter

import numpy as np
import polars as pl
import pytest

from lossworks.core.errors import DataError, UsageError
from lossworks.data import TEST, TRAIN, VALID, Languages, ReadOptions, k_folds, load, split
from lossworks.data.languages import of_files
from lossworks.data.sources import is_there, matching, together

ROWS = [
    {"id": i, "class": "xy"[i % 2], "lang": lang, "body": f"text {i}"} for i, lang in enumerate(["tha", " deu", "tha", "ibo "])
]


def names(corpus):
    """The language of each row, by name."""
    return [corpus.languages.names[number] for number in corpus.languages.of_row]


@pytest.mark.parametrize("format", ["csv", "jsonl", "parquet", "frame", "dicts"])
def test_column(tmp_path, format):
    """Any format gives the same languages, beside text and label that are found as ever; rows that are taken keep theirs."""
    path = tmp_path / f"x.{format}"
    frame = pl.DataFrame(ROWS)
    if format == "csv":
        frame.write_csv(path)
    elif format == "jsonl":
        path.write_text("".join(json.dumps(row) + "\n" for row in ROWS))
    elif format == "parquet":
        frame.write_parquet(path)
    source = {"frame": frame, "dicts": ROWS}.get(format, path)
    corpus = load(source, ReadOptions(language="lang"))
    assert names(corpus) == ["tha", "deu", "tha", "ibo"]
    assert corpus.languages.counts() == {"deu": 1, "ibo": 1, "tha": 2}
    assert (corpus.text_column, corpus.labels) == ("body", ["x", "y", "x", "y"])
    assert {name: rows.tolist() for name, rows in corpus.languages.rows().items()} == {"deu": [1], "ibo": [3], "tha": [0, 2]}
    assert corpus.languages.take(np.array([3, 2])).names == ("ibo", "tha")
    learned = load(source, ReadOptions(language="lang", label="lang"))  # the language may be what is learned
    assert (learned.labels, names(learned)) == (["tha", "deu", "tha", "ibo"], names(corpus))
    if format != "csv":  # whose rows would be parted by the tab of a header
        assert load(source, ReadOptions(language=3)).languages.names == ("deu", "ibo", "tha")


def test_weights_and_languages(tmp_path):
    """Columns are told apart wherever they stand, and corpora with other languages are numbered together."""
    path = tmp_path / "x.csv"
    path.write_text("lang,w,text,label\nyor,2,a,x\nibo,3,b,y\n")
    first = load(path, ReadOptions(weight="w", language="lang"))
    assert (first.weights.tolist(), names(first), first.labels) == ([2, 3], ["yor", "ibo"], ["x", "y"])
    both = Languages.together([first, load([{"text": "c", "label": "x", "lang": "swa"}], ReadOptions(language="lang"))])
    assert [both.names[i] for i in both.of_row] == ["yor", "ibo", "swa"]
    assert Languages.together([first, load([("a", "x")])]) is None


def test_files(tmp_path):
    """Several files are one corpus, each row of its file's language, and a bad row is named with its file."""
    for language in ("hau", "ibo"):
        (tmp_path / language).mkdir()
        (tmp_path / language / "train.tsv").write_text(f"tweet\tlabel\n{language} one\tgood\n{language} two\tbad\n")
    pattern = f"{tmp_path}/*/train.tsv"
    corpus = load(pattern, ReadOptions(language="file"))
    assert names(corpus) == ["hau", "hau", "ibo", "ibo"]
    assert (corpus.source, corpus.place(2)) == (pattern, f"{tmp_path}/ibo/train.tsv, line 2")
    spelled = together([f"{tmp_path}/{language}/train.tsv" for language in ("hau", "ibo")])
    assert spelled == f"{tmp_path}/{{hau,ibo}}/train.tsv"
    assert load(spelled).fingerprint == corpus.fingerprint
    assert matching(spelled) == matching(pattern)
    assert is_there(pattern)
    (tmp_path / "ibo" / "train.tsv").write_text("tweet\tlabel\n\tgood\nb\tbad\n")
    with pytest.raises(DataError, match=r"1 of 4 rows is bad:\n  .*/ibo/train.tsv, line 2: the text is empty"):
        load(pattern)
    with pytest.raises(DataError, match=r"no file that fits the pattern .*yor\*"):
        load(f"{tmp_path}/{{hau,yor*}}/train.tsv")
    with pytest.raises(DataError, match=r"there is no file .*yor/train.tsv"):
        load(f"{tmp_path}/{{hau,yor}}/train.tsv")
    assert not is_there(f"{tmp_path}/{{hau,yor}}/train.tsv")


def test_a_pipe_is_not_there_again(tmp_path: Path) -> None:
    """What a record names and is now a pipe, or a device, would be waited for: it is no file to read again."""
    os.mkfifo(tmp_path / "train.tsv")
    assert not is_there(str(tmp_path / "train.tsv"))
    assert not is_there(f"{tmp_path}/*.tsv")
    assert not is_there("/dev/null")
    (tmp_path / "test.tsv").write_text("a\tb\n")
    assert is_there(str(tmp_path / "test.tsv"))
    assert is_there(str(tmp_path))
    odd = tmp_path / "a[1].csv"
    odd.write_text("text,label\na,x\n")
    assert len(load(odd)) == 1  # a file that is there is meant as it is called
    with pytest.raises(UsageError, match="Name them by a pattern"):
        together(["a,b.csv", "c.csv"])


PATHS = [
    (["d/hau/train.tsv", "d/ibo/train.tsv"], ["hau", "ibo"]),
    (["d/hau/dev.tsv", "d/hau/train.tsv", "d/ibo/dev.tsv"], ["hau", "hau", "ibo"]),
    (["d/ref.afr.txt", "d/ref.zho-TW.txt"], ["afr", "zho-TW"]),
    (["zho_Hans.tsv.gz", "zho_Hant.tsv.gz"], ["zho_Hans", "zho_Hant"]),
    (["de.csv", "./th.jsonl"], ["de.csv", "th.jsonl"]),
    (["d/hau.tsv", "d/more/ibo.tsv"], ["hau.tsv", "more"]),
]


@pytest.mark.parametrize(("files", "languages"), PATHS)
def test_language_of_path(files, languages):
    """The first part of the paths that differs names the language."""
    assert of_files(files) == languages


def test_bad_columns(tmp_path):
    """A blank is a bad row, named or left out; what can be no languages, or is no column, is refused with what to do."""
    path = tmp_path / "x.csv"
    path.write_text("text,label,lang\na,x,tha\nb,y,\nc,x,  \nd,y,deu\n")
    with pytest.raises(DataError, match="2 of 4 rows are bad:\n  line 3: the language is missing\n  line 4: the language is"):
        load(path, ReadOptions(language="lang"))
    corpus = load(path, ReadOptions(language="lang", bad_rows="skip"))
    assert (names(corpus), corpus.skipped, corpus.texts([1])) == (["tha", "deu"], 2, ["d"])
    with pytest.raises(DataError, match=r"no column 'language' \(--language\)"):
        load(path, ReadOptions(language="language"))
    with pytest.raises(UsageError, match="--language text is the column of texts"):
        load(path, ReadOptions(text="text", language="text"))
    many = [{"text": f"t{i}", "label": "xy"[i % 2], "lang": f"l{i % 1001}"} for i in range(5000)]
    with pytest.raises(DataError, match=r"--language lang has more than 1,000 different values, such as 'l0', .*hardly be"):
        load(many, ReadOptions(language="lang"))
    assert len(load(many[:1000] * 2, ReadOptions(language="lang")).languages.names) == 1000
    with pytest.raises(DataError, match="21 different values in 41 rows"):
        load([{**row, "lang": f"l{i % 21}"} for i, row in enumerate(many[:41])], ReadOptions(language="lang"))
    (tmp_path / "x.txt").write_text("__label__a one\n__label__b two\n")
    with pytest.raises(DataError, match=r"x.txt has no columns, so none holds the language \(--language lang\)"):
        load(tmp_path / "x.txt", ReadOptions(language="lang"))
    with pytest.raises(UsageError, match=r"and .*x.csv is but one"):
        load(path, ReadOptions(language="file"))
    with pytest.raises(UsageError, match="rows come from none"):
        load(many, ReadOptions(language="file"))
    with pytest.raises(DataError, match="the language is the number 7; wanted text"):
        load([{"text": "a", "label": "x", "lang": 7}], ReadOptions(language="lang"))


@pytest.mark.parametrize("task", ["classify", "multilabel", "regress", None])
def test_split_keeps_languages(task):
    """Each part has its share of each language to within one row, and the classes of each theirs; folds likewise."""
    sizes = {"a": 300, "b": 61, "c": 24, "d": 1}
    rows = [
        {"text": f"{lang} {i}", "label": float(i) if task == "regress" else "xxy"[i % 3], "lang": lang}
        for lang, size in sizes.items()
        for i in range(size)
    ]
    corpus = load(rows, ReadOptions(language="lang"))
    for seed in range(3):
        parts = split(corpus, task, 0.1, 0.2, seed)
        found = Counter((row["lang"], part) for row, part in zip(rows, parts.tolist(), strict=True))
        within = Counter((row["lang"], row["label"], part) for row, part in zip(rows, parts.tolist(), strict=True))
        for lang, size in sizes.items():
            assert all(abs(found[lang, part] - share * size) <= 1 for part, share in ((VALID, 0.1), (TEST, 0.2)))
            assert found[lang, TRAIN] >= 1
            for label in "xy" if task in ("classify", "multilabel") else ():
                count = sum(row["lang"] == lang and row["label"] == label for row in rows)
                assert abs(within[lang, label, TEST] - 0.2 * count) <= 1
        assert abs((parts == TEST).sum() - 0.2 * len(rows)) <= 1
    folds = k_folds(corpus, task, 5)
    counts = np.array([np.bincount(folds[rows], minlength=5) for rows in corpus.languages.rows().values()])
    assert (counts.max(1) - counts.min(1) <= 2).all()
