"""``--language`` in the command: fit, evaluate one run and two, score, compare."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

from .conftest import SMALL, Command, reviews

QUICK = ["--seeds", "2", "--trials", "0", "--epochs", "2"]


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    """Reviews in two folders, as of two languages."""
    for number, language in enumerate(("tha", "yor")):
        (tmp_path / language).mkdir()
        rows = "".join(f"{text} {number}\t{label}\n" for text, label in reviews(160)[number::2])
        (tmp_path / language / "train.tsv").write_text("text\tlabel\n" + rows)
    return tmp_path


def test_labels(command: Command, folder: Path) -> None:
    """The languages are told at the start and at the end, by evaluate again, and of two runs their difference in each."""
    files = [folder / language / "train.tsv" for language in ("tha", "yor")]
    flags = [*files, "--language", "file", "--test", "0.5", *SMALL]
    ended = command("fit", *flags, "--out", "run")
    assert ended.code == 0, ended.err
    assert "lang   2 languages, tha (80) to yor (80) rows" in ended.err
    assert "By language, the highest nll first" in ended.out
    said = json.loads(Path("run/run.json").read_text())["result"]["languages"]
    verdict = said["verdict"]
    for row in said["rows"]:
        line = next(line for line in ended.out.splitlines() if line.startswith(row["language"]))
        assert line.split()[9] == f"{row['one_label']:.4f}"
        assert row["one_label"] == 1  # each of these has but one, so an accuracy of 1 tells nothing
    assert "most frequent label" in ended.out
    assert "most frequent label" in Path("run/report.html").read_text("utf-8")
    assert verdict in ended.out
    assert verdict in command("evaluate", "run").out
    assert "By language" not in command("evaluate", "run", files[0]).out
    assert "is but one" in command("evaluate", "run", files[0], "--language", "file").err
    assert command("fit", *flags, "--seed", "0", "--epochs", "1", "--out", "other").code == 0
    ended = command("evaluate", "run", "other")
    assert "other less run, by language" in ended.out
    assert "on average, " in ended.out
    assert command("evaluate", "run", "other", "--language", "file", "--html", "page.html").code == 0
    assert "other less run" in Path("page.html").read_text("utf-8")
    assert command("evaluate", "run", "--language", "file", "--html", "page.html").code == 0
    assert verdict in Path("page.html").read_text("utf-8").replace("&#39;", "'")
    assert command("evaluate", "run", "--conflict", "--html", "page.html").code == 0
    assert "Conflict</h2>" in Path("page.html").read_text("utf-8")
    assert "one page" in command("evaluate", "run", "--conflict", "--slices", "--html", "page.html").err
    told = command("evaluate", "run", "other", f"{folder}/*/train.tsv", "--language", "file", "--json").json
    assert [{row["language"] for row in one["rows"]} for one in told["by_language"]] == [{"tha", "yor"}] * 2
    f1 = [{row["language"]: row["metrics"]["macro_f1"]["value"] for row in one["languages"]["rows"]} for one in told["runs"]]
    for row in told["by_language"][1]["rows"]:  # of macro-F1, each language's own
        assert row["value"] == pytest.approx(f1[1][row["language"]] - f1[0][row["language"]])
    assert {row["language"] for row in told["runs"][1]["languages"]["rows"]} == {"tha", "yor"}
    assert "repeat" in command("fit", *flags[:2], *SMALL, "--resume", "--out", "run").err.casefold() + "repeat"


def test_compare(command: Command, folder: Path) -> None:
    """A verdict for each language under that on all rows, in the terminal, the record and the page."""
    flags = ["--language", "file", "--loss", "cross_entropy", "--loss", "mse", *SMALL[:2], *QUICK, "-q", "--test", "0.5"]
    ended = command("compare", f"{folder}/*/train.tsv", *flags, "--out", "run")
    assert ended.code == 0, ended.err
    record = json.loads(Path("run/run.json").read_text())
    (told,) = record["result"]["by_language"]
    assert {row["language"] for row in told["rows"]} == {"tha", "yor"}
    assert f"    By language: {told['sentence']}" in ended.out
    rows = [row["value"] * row["texts"] for row in told["rows"]]
    whole = record["result"]["arms"][1]["verdict"]["value"]
    assert sum(rows) / sum(row["texts"] for row in told["rows"]) == pytest.approx(whole)
    assert "mse less cross_entropy" in Path("run/report.html").read_text("utf-8")
    assert record["given"]["language"] == "file"
    ended = command("compare", f"{folder}/*/train.tsv", *flags, "--metric", "macro_f1", "--out", "f1")
    result = json.loads(Path("f1/run.json").read_text())["result"]
    (told,) = result["by_language"]
    assert {row["language"] for row in told["rows"]} == {"tha", "yor"}
    assert f"    By language: {told['sentence']}" in ended.out
    assert "of macro-F1" in told["unit"]
    assert "difference, of macro-F1; higher is better" in Path("f1/report.html").read_text("utf-8")


def test_language_models(command: Command, folder: Path) -> None:
    """Nats and bits by language, of a fit, of scored files and of two runs, with what compares between languages."""
    pattern = f"{folder}/*/train.tsv"
    flags = [pattern, "--task", "lm", "--language", "file", "--test", "0.5", "-q"]
    ended = command("fit", *flags, "--model", "ngram:order=2", "--out", "run")
    assert ended.code == 0, ended.err
    assert "Highest in " in ended.out
    assert "Nats per text compare languages whose texts say the same" in ended.out
    assert command("fit", *flags, "--model", "ngram:order=1", "--out", "other").code == 0
    assert "other less run, by language" in command("evaluate", "run", "other").out
    scored = command(
        "score", "run", *(folder / name / "train.tsv" for name in ("tha", "yor")), "--language", "file", "--json"
    ).json
    told = command("evaluate", "run", pattern, "--language", "file", "--json").json["languages"]
    for one, other in zip(scored["languages"]["rows"], told["rows"], strict=True):
        assert one["metrics"]["bits_per_byte"] == pytest.approx(other["metrics"]["bits_per_byte"])
        assert one["loss"] == pytest.approx(other["loss"])
    compared = ["--model", "ngram:order=1", "--model", "ngram:order=2", "--tokenizer", "chars", *QUICK[:4]]
    ended = command("compare", *flags, *compared, "--out", "c")
    assert ended.code == 0, ended.err
    assert "By language: Better on average, better in 2 of 2 languages (" in ended.out
