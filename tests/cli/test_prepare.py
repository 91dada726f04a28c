"""``lossworks data prepare``, and what fit, evaluate and compare make of its directory."""

from __future__ import annotations

import json
import shutil
import subprocess
from pathlib import Path

import pytest

from .conftest import REVIEWS, SMALL, Command
from .test_disk import Disk, disk

__all__ = ["disk"]  # a fixture

FLAGS = ["--valid", "0.1", "--test", "0.2", "--quiet"]


def test_in_the_place_of_a_file(command: Command, tmp_path: Path) -> None:
    """Labelled reviews, one of them twice, by two processes: the parts are those that are trained on, chosen by and judged on."""
    rows = REVIEWS.read_text("utf-8")
    (tmp_path / "reviews.csv").write_text(rows + rows.split("\n", 2)[1] + "\n", "utf-8")
    done = command("data", "prepare", "reviews.csv", "--out", "made", "--workers", "2", "--rule", "words:min=1", *FLAGS)
    assert done.code == 0
    assert "1 source, 657 rows. 656 texts stay." in done.out
    assert "1  left out: equal an earlier text" in done.out
    made = command("data", "prepare", "reviews.csv", "--out", "made", "--rule", "words:min=1", "--json", *FLAGS).json
    sizes = {name: part["rows"] for name, part in made["parts"].items()}
    assert sum(sizes.values()) == 656
    assert command("fit", "made", "--out", "run", *SMALL, "--quiet").code == 0
    run = json.loads((tmp_path / "run/run.json").read_text("utf-8"))
    assert run["data"]["parts"] == sizes
    assert command("evaluate", "run", "made", "--json").json["source"] == "made/test"
    refused = command("fit", "made", "--text", "words", "--out", "other")
    assert "made/train has no column 'words'" in refused.err
    asked = command(
        "compare", "made", "--loss", "cross_entropy", "--loss", "mse", "--seeds", "3", "--trials", "0", *SMALL, "--plan"
    )
    assert asked.code == 0


def test_slurm(command: Command, tmp_path: Path) -> None:
    """The script has the same command without --slurm; what is wrong with it is said before any job is."""
    done = command("data", "prepare", "a b.txt", "--out", "made", "--slurm", "3", "--near", "0.8")
    assert "#SBATCH --array=1-3\n" in done.out
    assert "\nsrun lossworks data prepare 'a b.txt' --out made --near 0.8 --quiet\n" in done.out
    assert not (tmp_path / "made").exists()
    assert command("data", "prepare", "a.txt", "--out", "made", "--slurm=2", "--near", "0.1").code == 2
    assert command("data", "prepare", "a.txt", "--out", "made", "--rule", "word").code == 2


@pytest.mark.parametrize("kilobytes", [8, 100, 150, 250, 300])
def test_full_disk(command: Command, disk: Disk, kilobytes: int, tmp_path: Path) -> None:
    """However soon the disk is full, it is said, no file is half written, and given room the same command ends as ever."""
    out = disk(kilobytes) / "made"
    ended = command("data", "prepare", REVIEWS, "--out", out, "--tokenizer", "words", *FLAGS)
    assert ended.code == 2
    assert "No space left on device" in ended.err
    assert "Traceback" not in ended.err
    assert not list(out.rglob("*.part"))
    assert not (out / "manifest.json").exists()
    subprocess.run(["mount", "-o", "remount,size=20m", out.parent], check=True)
    assert command("data", "prepare", REVIEWS, "--out", out, "--tokenizer", "words", *FLAGS).code == 0
    assert not (out / "preparing").exists()
    shutil.rmtree(out)
