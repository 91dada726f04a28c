"""Bad data, end to end: each ends with a message that names the place and the remedy, exit code 2, and nothing left."""

from __future__ import annotations

import json
import shutil
from collections.abc import Callable
from pathlib import Path

import pytest

from .conftest import SMALL, Command, csv_of, reviews

Put = Callable[[str, str | bytes], Path]
GOOD = csv_of(reviews())

BAD = {
    "empty": ("a.csv", b"", [], ["a.csv is empty."]),
    "only a header": ("a.csv", "text,label\n", [], ["a.csv holds no rows."]),
    "not there": ("b.csv", GOOD, [], ["there is no file a.csv. Did you mean b.csv?"]),
    "missing column": (
        "a.csv",
        GOOD,
        ["--label", "mood"],
        ["a.csv has no column 'mood' (--label).", "Its columns: text, label."],
    ),
    "column unclear": ("a.csv", "one,two,three\na,b,c\nd,e,f\n", ["--header"], ["which column holds the", "--text"]),
    "one class": ("a.csv", "text,label\nx,a\ny,a\n", [], ["all 2 rows have the label 'a'", "at least two"]),
    "ragged": ("a.csv", GOOD + "x,good,more\n", [], ["line 62: expected 2 columns, found 3", "--bad-rows skip"]),
    "bad UTF-8": ("a.csv", GOOD.encode() + b"na\xefve,good\n", [], ["line 62: byte 0xEF is not UTF-8", "--encoding cp1252"]),
    "UTF-16": ("a.csv", GOOD.encode("utf-16"), [], ["begins like UTF-16", "Read it with --encoding utf-16."]),
    "NUL bytes": ("a.csv", GOOD + "x\0y,good\n", [], ["line 62: the text holds a NUL byte"]),
    "empty text": ("a.csv", GOOD + " ,good\n", [], ["line 62: the text is empty", "1 of 61 rows is bad"]),
    "missing label": ("a.csv", GOOD + "fine,\n", [], ["line 62: the label is missing"]),
    "open quote": ("a.csv", GOOD + '"open,good\n' * 3, [], ["a quote opens here and never closes", "Close it"]),
    "number for text": (
        "a.jsonl",
        '{"text": 5, "label": "a"}\n{"text": "x", "label": "b"}\n',
        [],
        ["line 1: the text is the number 5"],
    ),
    "not JSON": ("a.jsonl", '{"text": "x", "label": "b"}\n{"text": "y"\n', [], ["line 2: not JSON"]),
    "bad weight": (
        "a.csv",
        "text,label,w\nx,a,1\ny,b,-2\n",
        ["--weight", "w"],
        ["line 3: the weight is -2; wanted a finite number"],
    ),
    "words for numbers": (
        "a.csv",
        "text,label\nx,1.5\ny,high\n",
        ["--task", "regress"],
        ["line 3: the label 'high' where a number"],
    ),
    "NaN targets": ("a.csv", "text,label\nx,1.5\ny,nan\nz,2\n", ["--task", "regress"], ["line 3: the target is nan", "Repair"]),
    "infinite targets": ("a.csv", "text,label\nx,1.5\ny,inf\nz,2\n", ["--task", "regress"], ["line 3: the target is inf"]),
    "no format": ("a.bin", "some words\n", [], ["cannot tell the format of a.bin; it begins 'some words'", "--format"]),
    "cut off": ("a.csv.gz", b"\x1f\x8b\x08\0\0\0\0\0\0\x03KL", [], ["its compression is damaged or cut off"]),
    "no Parquet": ("a.parquet", b"PAR1 and no more", [], ["not a Parquet file, or a damaged one"]),
    "no class folders": ("folder/file.txt", "x", [], ["folder without sub-folders", "one sub-folder per class"]),
    "nothing learnable": ("a.csv", "text,label\nx,a\ny,b\n", ["--model", "linear:min_count=9"], ["occurs in 9 training texts"]),
}


@pytest.mark.parametrize("case", BAD)
def test_bad_data(command: Command, put: Put, case: str) -> None:
    """The message names the place and the remedy; --out is left as it was."""
    name, content, flags, messages = BAD[case]
    put(name, content)
    source = {"not there": "a.csv", "no class folders": "folder"}.get(case, name)
    ended = command("fit", source, "--out", "run", *flags)
    assert ended.code == 2
    assert ended.out == ""
    assert "Traceback" not in ended.err
    for message in messages:
        assert message in ended.err
    assert not Path("run").exists()


def test_skipped_rows_are_counted(command: Command, put: Put) -> None:
    """Bad rows are left out only when asked, and then counted and named in the record and on the screen."""
    path = put("a.csv", GOOD + "x,good,more\n ,bad\n")
    assert command("fit", path, "--out", "run", *SMALL).code == 2
    ended = command("fit", path, "--out", "run", *SMALL, "--bad-rows", "skip", "--json")
    data = ended.json["data"]
    assert (data["rows"], data["skipped"]) == (60, 2)
    assert data["bad"] == ["line 62: expected 2 columns, found 3", "line 63: the text is empty"]
    assert "2 bad rows left out, the first: line 62" in ended.err
    put("text.csv", "text\na fine thing\n \n")
    for call in (
        ("evaluate", "run", path),
        ("evaluate", "run", path, "-q"),
        ("fit", path, "--out", "quiet", *SMALL, "-q"),
        ("compare", path, "--out", "both", *SMALL, "--trials", 0, "--seeds", 1, "--loss", "mse", "--loss", "focal", "-q"),
        ("predict", "run", "text.csv", "-q"),
        ("predict", "run", "text.csv", "-q", "--out", "out.csv"),
    ):  # rows that are lost are told in any case
        ended = command(*call, "--bad-rows", "skip")
        assert ended.code == 0, ended.err
        assert ended.err.count("bad row") == 1


def test_quiet_tells_what_is_lost_alone(command: Command, fitted: Path, put: Put, tmp_path: Path) -> None:
    """With -q rows left out are told and nothing else, of one run and of several; JSON has them in any case."""
    rows = [(text, {"good": "positive"}.get(label, "negative")) for text, label in reviews()]
    path = put("a.csv", csv_of([*rows, ("cafe\u0301", "positive"), (" ", "negative")]))
    shutil.copytree(fitted, tmp_path / "again")
    for runs in ([fitted], [fitted, "again"]):
        call = ("evaluate", *runs, path, "--bad-rows", "skip")
        loud, quiet = command(*call), command(*call, "-q")
        assert (loud.code, quiet.code) == (0, 0), loud.err
        assert "NFC: 1 of 61 texts changed" in loud.err
        assert quiet.err == "note   1 bad row left out, the first: line 63: the text is empty\n"
        assert command(*call, "--json").json["bad"] == ["line 63: the text is empty"]


def test_all_rows_bad(command: Command, put: Put) -> None:
    """Skipping every row is no way out."""
    ended = command("fit", put("a.csv", "text,label\n ,a\n ,b\n"), "--bad-rows", "skip", "--out", "run")
    assert (ended.code, "No good row is left." in ended.err) == (2, True)


def test_unseen_label(command: Command, fitted: Path, put: Put) -> None:
    """A label that training had not seen is named with its place when evaluating, and in a file for validation."""
    path = put("new.csv", "text,label\nnice,positive\nso so,neutral\n")
    ended = command("evaluate", fitted, path)
    assert ended.code == 2
    assert "line 3: the label 'neutral' was not seen in training" in ended.err
    assert "Known: 'negative', 'positive'." in ended.err
    ended = command("fit", put("a.csv", GOOD), "--valid", path, "--out", "run")
    assert (ended.code, "was not seen in training" in ended.err) == (2, True)


def test_long_line(command: Command, put: Put) -> None:
    """One line of 2 MB is a text like any other."""
    path = put("a.csv", GOOD + '"' + "long " * 400_000 + '",good\n')
    ended = command("fit", path, "--out", "run", *SMALL, "--json", "-q")
    assert (ended.code, ended.json["data"]["rows"]) == (0, 61)
    lines = put("long.txt", "long " * 400_000 + "\n")
    assert len(command("predict", "run", lines, "--json").json["predictions"]) == 1


def test_text_that_is_no_utf8_at_prediction(command: Command, fitted: Path, put: Put) -> None:
    """A file in another encoding is refused when predicting too."""
    ended = command("predict", fitted, put("latin.txt", "caf\xe9\n".encode("latin-1")))
    assert (ended.code, "line 1: byte 0xE9 is not UTF-8" in ended.err) == (2, True)
    assert command("predict", fitted, "latin.txt", "--encoding", "latin-1", "--json").json["predictions"][0]["text"] == "café"


def test_out_that_holds_a_run(command: Command, fitted: Path, put: Put) -> None:
    """A run is never written over."""
    before = {path: path.read_bytes() for path in fitted.rglob("*") if path.is_file()}
    ended = command("fit", put("a.csv", GOOD), "--out", fitted)
    assert ended.code == 2
    assert "already holds a run, which is finished. Remove the folder, or choose another --out." in ended.err
    assert {path: path.read_bytes() for path in fitted.rglob("*") if path.is_file()} == before


def test_out_that_is_a_file(command: Command, put: Put) -> None:
    """A file in the way is named."""
    ended = command("fit", put("a.csv", GOOD), "--out", "a.csv")
    assert (ended.code, "cannot write a.csv: File exists." in ended.err) == (2, True)


def test_no_run_there(command: Command) -> None:
    """What is no run directory is named, with how to make one."""
    Path("empty").mkdir()
    for verb in (["predict", "nowhere", "x"], ["evaluate", "nowhere", "x.csv"], ["report", "nowhere"]):
        ended = command(*verb)
        assert (ended.code, "no run directory at nowhere" in ended.err) == (2, True)
    ended = command("predict", "empty", "x")
    assert (ended.code, "run.json is missing" in ended.err) == (2, True)


@pytest.mark.parametrize("values", [("1e30", "-1e30"), ("5.5",), ("1e-30", "3e-30"), ("1e49", "2"), ("1e200", "2")])
def test_extreme_targets(command: Command, put: Put, values: tuple[str, ...]) -> None:
    """Targets of any size, and all alike, end in figures or in a message, and in JSON that is JSON."""
    rows = "".join(f"number {i},{values[i % len(values)]}\n" for i in range(60))
    flags = ("--task", "regress", "--out", "run", *SMALL, "--json", "-q")
    ended = command("fit", put("n.csv", "text,label\n" + rows), *flags)
    json.loads(ended.out, parse_constant=lambda name: pytest.fail(f"{name} is no JSON"))
    if values[0] == "1e200":
        assert (ended.code, "line 2: the target 1e+200 is too large to work with." in ended.err) == (2, True)
    else:
        assert ended.code == 0, ended.err


def test_a_link_to_nothing(command: Command, fitted: Path) -> None:
    """A text to predict on that is a link is no text, and what it leads to is named."""
    Path("texts").symlink_to("gone.txt")
    ended = command("predict", fitted, "texts")
    assert (ended.code, ended.out) == (2, "")
    assert "texts is a link to gone.txt, which is not there" in ended.err
