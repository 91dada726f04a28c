"""``lossworks landscape``: a page, points, and what is wrong with what it was given."""

from __future__ import annotations

import json
import shutil
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
import torch
from safetensors.torch import load_file, save_file

import lossworks

from .conftest import SMALL, STARS, TOPICS, Command

FEW = ["--resolution", "3", "--rows", "50"]


def changed(run: Path, change: Callable[[dict[str, Any]], object]) -> None:
    """Change the record of a run."""
    record = json.loads((run / "run.json").read_text("utf-8"))
    change(record)
    (run / "run.json").write_text(json.dumps(record), "utf-8")


def test_page_and_points(command: Command, fitted: Path, tmp_path: Path) -> None:
    """A page in the run or where it is told, its path on stdout; with --json the grid and the trajectory."""
    assert command("landscape", fitted, *FEW, "--quiet").out == ""
    assert "own trajectory" in (fitted / "landscape.html").read_text("utf-8")
    assert command("landscape", fitted, *FEW, "--out", tmp_path / "l.html").out == f"{tmp_path / 'l.html'}\n"
    told = command("landscape", fitted, *FEW, "--plane", "random", "--span", "0.5", "--json").json
    assert told["exact"] is True
    assert told["x"] == pytest.approx([-0.5, 0, 0.5])
    assert [len(told["loss"]), len(told["loss"][0]), len(told["held_out"])] == [3, 3, 3]
    assert told["trajectory"][0]["step"] == 0
    along = lossworks.landscape(fitted, resolution=3, rows=50).found.trajectory
    assert [spot["loss"] for spot in told["trajectory"]] == pytest.approx([spot.loss for spot in along])


def test_data_that_has_moved_and_files_held_out(command: Command, tmp_path: Path) -> None:
    """The data and the held-out files are found where the record says, or where they are told to be now."""
    data, test = (Path(shutil.copy(STARS, tmp_path / name)) for name in ("data.csv", "test.csv"))
    assert command("fit", data, "--test", test, "--out", tmp_path / "run", *SMALL, "--quiet").code == 0
    assert command("landscape", tmp_path / "run", *FEW, "--json").json["exact"] is True
    moved = data.rename(tmp_path / "moved.csv")
    ended = command("landscape", tmp_path / "run", *FEW)
    assert ended.code == 2
    assert "is not here. Give it: lossworks landscape" in ended.err
    assert command("landscape", tmp_path / "run", moved, *FEW, "--json").json["exact"] is True
    test.unlink()
    assert "--test FILE" in command("landscape", tmp_path / "run", moved, *FEW).err
    assert command("landscape", tmp_path / "run", moved, "--test", moved, *FEW, "--json").json["exact"] is True
    assert "Leave valid out" in command("landscape", tmp_path / "run", moved, "--test", moved, "--valid", moved, *FEW).err


def test_other_data_is_refused(command: Command, fitted: Path) -> None:
    """Rows that are not those of the record are an error, whatever they are."""
    for other in (TOPICS, STARS):
        ended = command("landscape", fitted, other, *FEW)
        assert (ended.code, ended.out) == (2, "")
        assert "not those that the run was trained on" in ended.err


def test_a_model_that_is_not_where_training_ends(command: Command, fitted: Path) -> None:
    """Said on stderr, in the JSON and on the page, and shown all the same; of a run without checksums, which would tell first."""
    record = json.loads((fitted / "run.json").read_text("utf-8"))
    (fitted / "run.json").write_text(json.dumps(record | {"files": {}}), "utf-8")
    tensors = load_file(fitted / "model.safetensors")
    tensors["network.bias"] = tensors["network.bias"] + torch.tensor(0.25)
    save_file(tensors, fitted / "model.safetensors")
    ended = command("landscape", fitted, *FEW, "--json")
    assert ended.json["exact"] is False
    assert ended.json["off"] == pytest.approx(0.25, rel=1e-5)
    assert "differ from the saved model's by up to 0.25" in ended.err
    page = (fitted / "landscape.html").read_text("utf-8")
    assert "Not the run&#39;s own trajectory" in page
    assert "not of the run" in page


@pytest.mark.parametrize(
    ("flags", "said"),
    [
        (["--resolution", "1"], "resolution is 1; wanted 2 to 401"),
        (["--rows", "0"], "rows is 0"),
        (["--plane", "randm"], "Did you mean 'random'?"),
        (["--span", "2"], "span is for the random plane"),
        (["--plane", "random", "--span", "-1"], "span is -1"),
        (["--device", "abacus"], "abacus"),
    ],
)
def test_wrong_arguments(command: Command, fitted: Path, flags: list[str], said: str) -> None:
    """Each an error of usage that says what is wanted; no page is written."""
    ended = command("landscape", fitted, *flags)
    assert ended.code == 2
    assert said in ended.err
    assert not (fitted / "landscape.html").exists()


@pytest.mark.parametrize(
    ("change", "said"),
    [
        (lambda record: record.update(status="interrupted"), "is interrupted, so it has no trained weights"),
        (lambda record: record.pop("result"), "is damaged"),
        (lambda record: record["result"].update(epochs="many"), "is damaged"),
        (lambda record: record.update(config=None), "is damaged"),
        (lambda record: record.update(data=[]), "is damaged"),
        (lambda record: record["config"].update(warp=9), "cannot train the same again"),
        (lambda record: record["config"].update(optimizer="warp:lr=1"), "cannot train the same again"),
        (lambda record: record.update(format=2), "has format 2"),
    ],
)
def test_records_that_cannot_be_followed(command: Command, fitted: Path, change: Any, said: str) -> None:
    """Unfinished, damaged, or by a version that knows more: one line that says so."""
    changed(fitted, change)
    ended = command("landscape", fitted, *FEW)
    assert (ended.code, ended.out) == (2, "")
    assert said in ended.err
    assert "Traceback" not in ended.err


def test_no_run_and_a_damaged_model(command: Command, fitted: Path, tmp_path: Path) -> None:
    """Neither is trained on in vain."""
    assert "no run directory" in command("landscape", tmp_path / "nowhere").err
    (fitted / "model.safetensors").write_bytes(b"xx")
    assert "model.safetensors is damaged" in command("landscape", fitted).err
    assert "cannot write" not in command("landscape", fitted).err


def test_rows_from_python(tmp_path: Path) -> None:
    """A run that was given rows must be given them again."""
    rows = [(f"{'good' if n % 2 else 'bad'} number {n}", f"label {n % 2}") for n in range(60)]
    lossworks.fit(rows, out=tmp_path / "run", model="linear:bits=10", epochs=2)
    with pytest.raises(lossworks.core.errors.UsageError, match="is not here"):
        lossworks.landscape(tmp_path / "run")
    found = lossworks.landscape(tmp_path / "run", rows, resolution=2)
    assert "bit for bit" in repr(found)
