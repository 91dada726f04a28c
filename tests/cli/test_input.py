"""Every way in: formats, packings, columns, files for the parts, several scripts; from the file to the figures."""

from __future__ import annotations

import gzip
import io
import json
from collections.abc import Callable
from pathlib import Path

import polars as pl
import pytest
import zstandard

from .conftest import SMALL, STARS, TOPICS, Command, Rows, csv_of, reviews

Put = Callable[[str, str | bytes], Path]


def _parquet(rows: Rows) -> bytes:
    out = io.BytesIO()
    pl.DataFrame(rows, schema=["text", "label"], orient="row").write_parquet(out)
    return out.getvalue()


WRITERS: dict[str, Callable[[Rows], bytes]] = {
    "csv": lambda rows: csv_of(rows).encode(),
    "tsv": lambda rows: ("text\tlabel\n" + "".join(f"{text}\t{label}\n" for text, label in rows)).encode(),
    "jsonl": lambda rows: "".join(json.dumps({"text": text, "label": label}) + "\n" for text, label in rows).encode(),
    "parquet": _parquet,
    "txt": lambda rows: "".join(f"__label__{label} {text}\n" for text, label in rows).encode(),
    "two": lambda rows: "".join(f"{label}\t{text}\n" for text, label in rows).encode(),
}
PACK: dict[str, Callable[[bytes], bytes]] = {"": bytes, ".gz": gzip.compress, ".zst": zstandard.ZstdCompressor().compress}


def _fingerprint(command: Command, run: Path, *arguments: object, stdin: bytes = b"") -> str:
    ended = command("fit", *arguments, "--out", run, *SMALL, "--json", "-q", stdin=stdin)
    assert ended.code == 0, ended.err
    data = ended.json["data"]
    assert (data["rows"], data["skipped"], data["label_counts"]) == (60, 0, {"bad": 30, "good": 30})
    return str(data["fingerprint"])


def test_formats(command: Command, put: Put, tmp_path: Path) -> None:
    """The same rows in any format, packed or not, from a file or from stdin, are the same data."""
    prints = set()
    for name, writer in WRITERS.items():
        for suffix, pack in PACK.items():
            path = put(f"rows.{name}{suffix}", pack(writer(reviews())))
            prints.add(_fingerprint(command, tmp_path / f"run-{name}{suffix}", path))
    prints.add(_fingerprint(command, tmp_path / "stdin", "-", stdin=WRITERS["jsonl"](reviews())))
    prints.add(_fingerprint(command, tmp_path / "stdin-gz", "-", stdin=gzip.compress(WRITERS["csv"](reviews()))))
    assert len(prints) == 1


def test_class_folders(command: Command, put: Put, tmp_path: Path) -> None:
    """A folder with a sub-folder per class is data."""
    for number, (text, label) in enumerate(reviews()):
        put(f"corpus/{label}/{number:03}.txt", text)
    _fingerprint(command, tmp_path / "run", tmp_path / "corpus")


def test_byte_order_mark(command: Command, put: Put, tmp_path: Path) -> None:
    """A byte-order mark is no part of the first column's name; UTF-16 is read when named."""
    rows = csv_of(reviews())
    plain = _fingerprint(command, tmp_path / "plain", put("plain.csv", rows))
    assert _fingerprint(command, tmp_path / "bom", put("bom.csv", rows.encode("utf-8-sig"))) == plain
    wide = put("wide.csv", rows.encode("utf-16"))
    assert _fingerprint(command, tmp_path / "wide", wide, "--encoding", "utf-16") == plain


def test_text_columns(command: Command, put: Put, tmp_path: Path) -> None:
    """Several text columns are one text; the label is found by its number too."""
    lines = "".join(f"{label},{text[:6]},{text[6:]}\n" for text, label in ((t.replace(",", ""), la) for t, la in reviews()))
    path = put("split.csv", "verdict,headline,more\n" + lines)
    ended = command(
        "fit", path, "--text", "headline", "--text", "more", "--label", "1", "--out", tmp_path / "run", *SMALL, "--json"
    )
    assert (ended.json["data"]["text_column"], ended.json["data"]["label_column"]) == ("headline,more", "verdict")
    assert "text from 'headline,more', label from 'verdict'" in ended.err


def test_weights(command: Command, put: Put, tmp_path: Path) -> None:
    """A weight column counts, in training and in the figures: rows of weight 0 might hold anything."""
    lies = "".join(f'"{text}",{"good" if label == "bad" else "bad"},0\n' for text, label in reviews())
    truth = "".join(f'"well, {text}",{label},1\n' for text, label in reviews())
    path = put("weighted.csv", "text,label,importance\n" + lies + truth)
    ended = command("fit", path, "--weight", "importance", "--out", tmp_path / "run", *SMALL, "--epochs", "20", "--json", "-q")
    metrics = ended.json["result"]["metrics"]
    assert metrics["accuracy"]["value"] == 1
    ended = command("evaluate", tmp_path / "run", path, "--weight", "importance", "--json")
    assert ended.json["metrics"]["accuracy"]["value"] == 1
    assert command("evaluate", tmp_path / "run", path, "--json").json["metrics"]["accuracy"]["value"] == 0.5


def test_files_for_the_parts(command: Command, put: Put, tmp_path: Path) -> None:
    """Given files are the parts; what stands in training too is told."""
    rows = reviews(120)
    train, valid, test = (put(f"{n}.csv", csv_of(p)) for n, p in (("a", rows[:60]), ("b", rows[60:90]), ("c", rows[58:])))
    ended = command("fit", train, "--valid", valid, "--test", test, "--out", tmp_path / "run", *SMALL, "--json")
    assert ended.json["data"]["parts"] == {"train": 60, "valid": 30, "test": 62}
    assert ended.json["data"]["leaked"] == {"valid": 0, "test": 2}
    assert "2 of the 62 test rows stand word for word among the training rows" in ended.err


def test_shares_for_the_parts(command: Command, put: Put, tmp_path: Path) -> None:
    """Shares can be set; without test rows the record says that nothing is known."""
    path = put("a.csv", csv_of(reviews(100)))
    ended = command("fit", path, "--valid", "0.3", "--test", "0", "--out", tmp_path / "run", *SMALL)
    assert "70 train, 30 valid, 0 test" in ended.err
    assert "nothing was held out to test on, so nothing is known of how good this is" in ended.out
    ended = command("fit", path, "--test", "1.5", "--out", tmp_path / "other")
    assert (ended.code, "wanted a share, 0 or more and below 1, or a file" in ended.err) == (2, True)
    assert not (tmp_path / "other").exists()


def test_few_rows(command: Command, put: Put, tmp_path: Path) -> None:
    """Below 40 rows nothing is held out, and that is said."""
    ended = command("fit", put("a.csv", csv_of(reviews(39))), "--out", tmp_path / "run", *SMALL)
    assert ended.code == 0
    assert "39 train, 0 valid, 0 test" in ended.err
    assert "no rows are held out" in ended.err
    assert "that takes 40 rows" in ended.out


def test_task_is_told_and_set(command: Command, put: Put, tmp_path: Path) -> None:
    """The inferred task is said with its reason, and can be overruled."""
    path = put("n.csv", "text,stars\n" + "".join(f'"{text}",{i % 5 + 1}\n' for i, (text, _) in enumerate(reviews())))
    ended = command("fit", path, "--out", tmp_path / "inferred", *SMALL)
    assert "task   classify: 5 labels, few different numbers" in ended.err
    ended = command("fit", path, "--task", "regress", "--out", tmp_path / "set", *SMALL)
    assert "task   regress, as asked for" in ended.err


@pytest.mark.parametrize(("data", "task", "metric"), [(TOPICS, "multilabel", "micro_f1"), (STARS, "regress", "rmse")])
def test_other_tasks(command: Command, tmp_path: Path, data: Path, task: str, metric: str) -> None:
    """Label sets and numeric targets go the whole way."""
    run = tmp_path / "run"
    ended = command("fit", data, "--out", run, "--epochs", "3")
    assert ended.code == 0
    assert f"task   {task}" in ended.err
    assert metric in ended.out
    assert metric in command("evaluate", run, data).out
    heads, said = (line.split("\t") for line in command("predict", run, "电池鼓包了。").out.splitlines())
    assert heads == ["predicted", *["probabilities"] * (task == "multilabel"), "text"]
    assert said[0] if task == "multilabel" else 0 < float(said[0]) < 6
    assert command("report", run).out.strip() == str(run / "report.html")


@pytest.mark.parametrize(
    ("good", "bad", "question"),
    [
        ("服务很好，我非常满意，第{}次来", "质量太差，我很失望，第{}次退货", "质量差，失望"),
        ("とても良い商品です。{}回目の購入", "すぐに壊れました。{}回も返品した", "また壊れました"),
        ("ดีมากชอบที่สุดซื้อครั้งที่{}", "แย่มากผิดหวังคืนของครั้งที่{}", "ผิดหวังแย่มาก"),
    ],
)
@pytest.mark.parametrize("model", ["linear:bits=14", "bag:dim=8,bits=14"])
def test_scripts_without_spaces(
    command: Command, put: Put, tmp_path: Path, model: str, good: str, bad: str, question: str
) -> None:
    """Chinese, Japanese and Thai are learnt by both models."""
    rows = [((good, bad)[i % 2].format(i), ("good", "bad")[i % 2]) for i in range(60)]
    ended = command("fit", put("a.csv", csv_of(rows)), "--model", model, "--out", tmp_path / "run", "--epochs", "12", "-q")
    assert ended.code == 0, ended.err
    assert command("predict", tmp_path / "run", question).out.startswith("predicted\tprobability\ttext\nbad\t")


def test_predict_input(command: Command, fitted: Path, put: Put) -> None:
    """Texts come as arguments, as files (of one text a line, or tables), and on stdin; the order is kept."""
    long = "good " * 100  # too long for a file's name
    lines = put("lines.txt", "first of all\nthen, this\n")
    table = put("table.csv", "text,other\na table's,1\n")
    ended = command("predict", fitted, lines, long, table, "-", "", "--json", stdin="最后\n".encode())
    said = [row["text"] for row in ended.json["predictions"]]
    assert said == ["first of all", "then, this", long, "a table's", "最后", ""]
    names, *answers = command("predict", fitted, "--top", 2, stdin=b"one\ntwo\n").out.splitlines()
    assert (names, len(answers)) == ("predicted\tprobabilities\ttext", 2)
    assert command("predict", fitted, "no.csv").out == ""  # an error stands alone


def test_missing_labels_to_predict(command: Command, fitted: Path, put: Put) -> None:
    """Text to predict on may be a labelled file; its labels are not needed."""
    assert len(command("predict", fitted, put("a.csv", csv_of(reviews(7)))).out.splitlines()) == 1 + 7
