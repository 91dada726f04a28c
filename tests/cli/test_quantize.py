"""``export --quantize``: what is written and what is told of it, and which flags go together."""

from __future__ import annotations

from pathlib import Path

import pytest

import lossworks
from lossworks.core.errors import UsageError

from .conftest import SMALL, Command, csv_of, reviews


def test_labels(command: Command, fitted: Path, tmp_path: Path) -> None:
    """The size before and after, every metric of the test part, and a folder that answers; as JSON, the same."""
    said = command("export", fitted, tmp_path / "small", "--quantize")
    assert said.code == 0, said.err
    told = command("export", fitted, tmp_path / "small", "--quantize", "--json").json
    before, after = told["bytes"]
    assert f"{before:,} → {after:,} bytes" in said.out
    for name in told["held_out"]["metrics"]:
        assert name in said.out
    assert "Answers agree on" in said.out
    assert command("predict", tmp_path / "small", "a good film").code == 0


@pytest.mark.parametrize("name", ["page.html", "model.js", "model.mjs"])
def test_browsers(command: Command, fitted: Path, tmp_path: Path, name: str) -> None:
    """The end of a path names a page or a script; its size and what was lost are told, with ``--quantize`` too."""
    said = command("export", fitted, name)
    assert said.code == 0, said.err
    told = command("export", fitted, name, "--quantize", "--json").json
    before, after = told["bytes"]
    assert after == (tmp_path / name).stat().st_size < before
    assert f"{before:,} → {after:,} bytes" in said.out
    assert "Answers agree on" in said.out
    assert ("Next:  open page.html" in said.out) is (told["format"] == "html")
    lost = command("export", fitted, f"missing/{name}")
    assert (lost.code, "there is no folder missing. Make it" in lost.err) == (2, True)
    spaced = command("export", fitted, f"a {name}")
    assert ("Next:  open 'a page.html'" in spaced.out) is (told["format"] == "html")
    script = (tmp_path / name).read_text("utf-8")
    assert "export const { labels, predict } = await made(" in script
    assert ("<textarea" in script) is (told["format"] == "html")
    few = command("export", fitted, "other", "--to", told["format"], "--max-size", "22KB")
    assert few.code == 0, few.err
    assert 20 * 1024 < (tmp_path / "other").stat().st_size <= 22 * 1024


def test_what_has_no_page(command: Command, tmp_path: Path) -> None:
    """Other families, and sizes below the code's own, are refused by name, and nothing is written."""
    rows = tmp_path / "rows.csv"
    rows.write_text(csv_of(reviews(80)), "utf-8")
    assert command("fit", rows, "--model", "naive_bayes", "--out", "run", "--quiet").code == 0
    ended = command("export", "run", "page.html")
    assert ended.code == 2
    assert "only linear and bag answer in a browser by themselves, and run is naive_bayes. Fit one of those." in ended.err
    assert command("fit", rows, "--out", "words", *SMALL, "--quiet").code == 0
    small = command("export", "words", "page.html", "--max-size", "9KB")
    assert small.code == 2
    assert "--max-size is 9,216 bytes, and" in small.err
    assert not (tmp_path / "page.html").exists()
    with pytest.raises(UsageError, match=r"lossworks\.quantize\(model, 'page\.html'\) writes it"):
        lossworks.export(lossworks.load("words"), "page.html")


def test_numbers(command: Command, tmp_path: Path) -> None:
    """Of numbers it is told how many answers came nearer; once the data is gone, how to measure instead."""
    data = tmp_path / "stars.csv"
    data.write_text(csv_of([(text, str(len(text) % 7 / 2)) for text, _ in reviews(80)], "text,label"), "utf-8")
    fitted = command("fit", data, "--task", "regress", "--out", tmp_path / "run", *SMALL, "--quiet")
    assert fitted.code == 0, fitted.err
    said = command("export", tmp_path / "run", tmp_path / "small", "--quantize")
    assert said.code == 0, said.err
    assert "came nearer to the truth" in said.out
    data.unlink()
    gone = command("export", tmp_path / "run", tmp_path / "small", "--quantize")
    assert gone.code == 0
    assert "was not measured" in gone.out + gone.err
    assert f"lossworks evaluate {tmp_path / 'run'} {tmp_path / 'small'} DATA" in gone.out


@pytest.mark.parametrize(
    ("flags", "said"),
    [
        (["--max-size", "1MB"], "Say --quantize too"),
        (["--to", "run"], "Say --quantize too"),
        (["--quantize", "--to", "arpa"], "onnx"),
        (["--quantize", "--max-size", "much"], "much"),
        (["--quantize", "--to", "onnx"], "Name a folder, and no --to"),
    ],
)
def test_flags(command: Command, fitted: Path, tmp_path: Path, flags: list[str], said: str) -> None:
    """What does not go together is refused, with the remedy, and nothing is written."""
    ended = command("export", fitted, tmp_path / "small", *flags)
    assert ended.code == 2
    assert said in ended.err
    assert not (tmp_path / "small").exists()


def test_a_file_is_named(command: Command, fitted: Path) -> None:
    """Without one a name is proposed that fits the format."""
    for flags, name in (((), "page.html"), (("--to", "html"), "page.html"), (("--to", "hf"), "FOLDER")):
        assert command("export", fitted, *flags).err.endswith(f"Name it: lossworks export {fitted} {name}\n")
