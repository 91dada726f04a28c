"""Columns are found by name, by number, or by what is left."""

from __future__ import annotations

import pytest

from lossworks.core.errors import DataError, UsageError
from lossworks.data import ReadOptions, load

FOUND = [
    ("text,label\na,x\n", "text", "label"),
    ("id,Review Text,Rating\n1,a,x\n", "Review Text", "Rating"),
    ("sentiment,tweet,user\nx,a,u\n", "tweet", "sentiment"),
    ("title,text,class\nt,a,x\n", "text", "class"),
    ("poem,label\na,x\n", "poem", "label"),
    ("text,dynasty\na,x\n", "text", "dynasty"),
]


@pytest.mark.parametrize(("content", "text", "label"), FOUND)
def test_found_by_name(put, content, text, label):
    """Common names are known in any case; in two columns, the one that is left is the other."""
    corpus = load(put("x.csv", content))
    assert (corpus.text_column, corpus.label_column) == (text, label)
    assert (corpus.texts([0]), corpus.labels) == (["a"], ["x"])


@pytest.mark.parametrize("name", ["x.csv", "x.jsonl"])
def test_given(put, name):
    """Columns are given by name or by number, several texts are joined, and what was found finds the same again."""
    content = "a,b,c\nx,one,two\n" if name == "x.csv" else '{"a":"x","b":"one","c":"two"}\n'
    path = put(name, content)
    for text in (["b", "c"], "b,c", "B,C"):
        corpus = load(path, ReadOptions(text=text, label="a"))
        assert (corpus.texts([0]), corpus.labels, corpus.text_column) == (["one two"], ["x"], "b,c")
    for text, label in (((2, 3), 1), ("2,3", "1"), ("2, 3", " 1")):
        corpus = load(path, ReadOptions(text=text, label=label, header=True))
        assert corpus.texts([0]) == ["one two"]


@pytest.mark.parametrize("name", ["x.csv", "x.tsv", "x.txt"])
def test_two_columns_without_header(put, name):
    """The column that repeats its values is the label, on either side."""
    texts, labels = [f"text {i}" for i in range(9)], list("xyx" * 3)
    mark = "," if name == "x.csv" else "\t"
    for left, right, columns in ((texts, labels, ("1", "2")), (labels, texts, ("2", "1"))):
        rows = "".join(f"{a}{mark}{b}\n" for a, b in zip(left, right, strict=True))
        corpus = load(put(name, rows))
        assert (corpus.texts(range(9)), corpus.labels) == (texts, labels)
        assert (corpus.text_column, corpus.label_column) == columns
        again = load(put(name, rows), ReadOptions(text=corpus.text_column, label=corpus.label_column))
        assert again.fingerprint == corpus.fingerprint


def test_labels_that_are_column_names(put):
    """Classes named like columns make no header: a header's words do not come again below it."""
    corpus = load(put("x.csv", "question,hello\ncomment,it is\nquestion,who\n"))
    assert corpus.labels == ["question", "comment", "question"]
    assert load(put("x.csv", "question,How are you?\ncomment,Fine.\n"), ReadOptions(text=2, label=1)).labels[0] == "question"


FEW = [(f"a good day {i}", "pos") if i % 2 else (f"so bad {i}", "neg") for i in range(40)]
UNKNOWN = [
    ("statement,status", "{0},{1}", {}, ("statement", "status")),
    ("status\tstatement", "{1}\t{0}", {}, ("statement", "status")),
    (",phrase,kind", "7,{0},{1}", {"text": 2, "label": 3}, ("phrase", "kind")),
    ("text,text,label", "{0},x,{1}", {"text": 1, "label": 3}, ("text", "label")),
    ("text,text,label", "x,{0},{1}", {"text": "2", "label": 3}, ("2", "label")),
    (",,", "7,{0},{1}", {"text": 2, "label": 3, "header": True}, ("2", "3")),
]


@pytest.mark.parametrize(("head", "row", "given", "columns"), UNKNOWN)
def test_header_of_unknown_names(put, head, row, given, columns):
    """Names that nobody knows, or that stand twice, are no row either; columns without a name of their own have a number."""
    table = "".join(line + "\n" for line in [head, *(row.format(*pair) for pair in FEW)])
    corpus = load(put("x.csv", table), ReadOptions(**given))
    assert (corpus.text_column, corpus.label_column) == columns
    assert (corpus.texts([0]), corpus.labels[0], corpus.place(0).rpartition(" ")[2]) == ([FEW[0][0]], FEW[0][1], "2")


@pytest.mark.parametrize("head", ["text,label", "text,kind", "remark,kind"])
@pytest.mark.parametrize("again", [0, 1])
def test_name_in_the_body(put, head, again):
    """A cell below a header may hold what the header does."""
    last = ["x", "pos"]
    last[again] = head.split(",")[again]
    table = f"{head}\n" + "".join(f"{text},{label}\n" for text, label in FEW) + ",".join(last) + "\n"
    if again and head == "remark,kind":  # then the first row could be one of the class "kind"
        assert len(load(put("x.csv", table))) == 42
    else:
        assert load(put("x.csv", table)).texts([40]) == last[:1]


def test_numbers_under_a_word(put):
    """A word above numbers alone is a name."""
    assert load(put("x.csv", "statement,mark\ngood,4.5\nbad,1\nso,2\n")).labels == ["4.5", "1", "2"]


BODY = "".join(f"{text},{label}\n" for text, label in FEW)
FIRST_ROWS = [
    "a good day,pos\n" + BODY,
    "a very long sentence,rare\n" + BODY,
    "It is fine.,mixed\n" + BODY,
    "fine,pos\n" + BODY,
    "good,pos\nso bad,neg\nbad,neg\n",
    "fine,mixed\n" + "good film,pos\nbad film,neg\n" * 3,
    "text,4.5\ngood,1.5\nbad,2.5\n",
    "fine,mixed\n" + "".join(f"good {i},kind {i % 20}\n" for i in range(39)),
    "fine,mixed\n" + "it is bad,neg\n" * 20,
    "fine,n/a\ngood,4.5\nbad,1\nso,2\n",
    "fine,other\ngood,1\nbad,2\n",
    "5,nice\n6,nice one\n7,bad\n",
    "Adams,English\n" + "".join(f"Name{i},{'French' if i % 2 else 'German'}\n" for i in range(20)),
]


@pytest.mark.parametrize("table", FIRST_ROWS)
def test_first_row_of_data(put, table):
    """A row that might be one of the data is kept."""
    assert len(load(put("x.csv", table))) == table.count("\n")


def test_header_forced(put):
    """A header can be asked for and refused."""
    path = put("x.csv", "text,label\na,x\n")
    assert len(load(path, ReadOptions(header=True))) == 1
    assert load(path, ReadOptions(header=False, text=1, label=2)).labels == ["label", "x"]
    assert load(put("y.csv", "poem,dynasty\na,x\n"), ReadOptions(header=True, text=1)).labels == ["x"]


ERRORS = [
    ({"text": "txt"}, "no column 'txt' \\(--text\\). Did you mean 'text'\\? Its columns: text, label, id"),
    ({"label": "zzz"}, "no column 'zzz' \\(--label\\). Its columns: text, label, id"),
    ({"weight": "wait"}, "no column 'wait' \\(--weight\\)"),
    ({"text": 4}, "no column 4 \\(--text\\); it has 3"),
    ({"text": 0}, "no column 0 \\(--text\\); it has 3"),
]


@pytest.mark.parametrize(("given", "message"), ERRORS)
@pytest.mark.parametrize("name", ["x.csv", "x.jsonl"])
def test_not_there(put, name, given, message):
    """A column that is not there is an error with the columns that are."""
    path = put(name, "text,label,id\na,x,1\n" if name == "x.csv" else '{"text":"a","label":"x","id":1}\n')
    with pytest.raises(DataError, match=message):
        load(path, ReadOptions(**given))


def test_not_found(put):
    """Where nothing tells the columns apart, the error shows them."""
    with pytest.raises(DataError, match=r"which column holds the label\?.*--label.*text, author, year"):
        load(put("x.csv", "text,author,year\na,b,c\n"))
    with pytest.raises(DataError, match=r"which column holds the text\?.*1: '3', 2: 'One two three', 3: 'Four'"):
        load(put("x.csv", "3,One two three,Four\n"))


def test_numbers_in_words_make_no_header(put):
    """Columns numbered in a text with a space say nothing of a header."""
    assert load(put("x.csv", "a,b,x\nc,d,y\n"), ReadOptions(text="1, 2", label="3")).labels == ["x", "y"]
    with pytest.raises(DataError, match="no column '²'"):
        load(put("x.csv", "a,b,x\nc,d,y\n"), ReadOptions(text="²", label=3))


@pytest.mark.parametrize("name", [" text", "text ", ""])
def test_odd_keys(put, name):
    """Keys with spaces, and none at all, are read as they stand."""
    for source in (put("x.jsonl", f'{{"{name}": "a", "label": "b"}}\n'), [{name: "a", "label": "b"}]):
        assert load(source).texts([0]) == ["a"]
    with pytest.raises(DataError, match="name of a column holds a quote"):
        load(put("x.jsonl", '{"te\\"xt": "a", "label": "b"}\n'))


def test_one_column_twice(put):
    """Text and label must be two columns."""
    with pytest.raises(UsageError, match="asked for twice"):
        load(put("x.csv", "text,label\na,x\n"), ReadOptions(text="text", label=1))


AS_RUN = [
    ("id,saying,kind\n1,a,x\n", "saying", "kind"),
    ("saying,text,kind,label\na,b,x,y\n", "saying", "kind"),  # before what is usual
    ("text,label\na,x\n", "text", "label"),  # other data, whose names say it
    ("id,saying,label\n1,a,x\n", "saying", "label"),
    ("1,saying\nx,a\n", "saying", "1"),
]


@pytest.mark.parametrize(("content", "text", "label"), AS_RUN)
def test_as_of_a_run(put, content, text, label):
    """The columns that a run was given are read where the data has them, and those that are asked for come first."""
    corpus = load(put("x.csv", content), ReadOptions(as_run=("saying", "kind")))
    assert (corpus.text_column, corpus.label_column) == (text, label)


def test_as_of_a_run_but_for_what_is_asked(put):
    """What is named is no second time something else; numbers of columns are of one file alone."""
    path = put("x.csv", "saying,kind,other\na,x,c\n")
    for asked, text, label in (({"text": "kind", "label": 3}, "kind", "other"), ({"label": "other"}, "saying", "other")):
        corpus = load(path, ReadOptions(as_run=("saying", "kind"), **asked))
        assert (corpus.text_column, corpus.label_column) == (text, label)
    for names in ((None, None), ("1", "2"), ("saying,more", None)):
        with pytest.raises(DataError, match="which column holds the text"):
            load(path, ReadOptions(as_run=names))
    corpus = load(path, ReadOptions(as_run=("saying,other", "kind")))
    assert (corpus.text_column, corpus.label_column) == ("saying,other", "kind")


def test_two_of_one_name(put):
    """Which is meant is asked for, and said by a number; columns that are not read may be called alike."""
    content = "text,label,text,id,id\n" + "a,x,b,1,2\n" * 3
    with pytest.raises(DataError, match=r"columns 1 and 3 have one name, 'text'.* which holds the text: --text 1"):
        load(put("x.csv", content))
    for number, wanted in ((1, "a"), (3, "b")):
        assert load(put("x.csv", content), ReadOptions(text=number)).texts([0]) == [wanted]
    with pytest.raises(DataError, match=r"columns 2 and 3 have one name, 'label'.*--label 2"):
        load(put("y.csv", "text,label,label\n" + "a,x,y\n" * 3))
    assert load(put("y.csv", "text,label,label\n" + "a,x,y\n" * 3), ReadOptions(label=3)).labels == ["y"] * 3
