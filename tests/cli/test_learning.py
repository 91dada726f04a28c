"""When training rows were learned, as the terminal is told: a summary, a page, JSON, and a model that is not the run's own."""

from __future__ import annotations

import json
from pathlib import Path

import pytest
import torch
from safetensors.torch import load_file, save_file

from lossworks.cli.explain_learning import learn_and_tell


def test_told(fitted: Path, tmp_path: Path, capfd: pytest.CaptureFixture[str]) -> None:
    """A summary and the hardest rows, with the page in the run or where it is told; with ``json`` one object alone."""
    learn_and_tell(fitted, quiet=True)
    out, err = capfd.readouterr()
    assert "training rows" in out
    assert "Hardest to learn" in out
    assert "reviews.csv, line " in out
    assert out.rstrip().endswith(str(fitted / "learning.html"))
    assert err == ""
    assert (fitted / "learning.html").exists()
    learn_and_tell(fitted, html=tmp_path / "page.html", json=True)
    told = json.loads(capfd.readouterr().out)
    assert told["page"] == str(tmp_path / "page.html")
    assert told["exact"] is True
    assert [len(told[name]) for name in ("hard", "ambiguous", "easy")] == [50, 50, 50]


def test_another_model(fitted: Path, capfd: pytest.CaptureFixture[str]) -> None:
    """Where the training does not end in the saved weights, it is said."""
    record = json.loads((fitted / "run.json").read_text("utf-8"))
    (fitted / "run.json").write_text(json.dumps(record | {"files": {}}), "utf-8")
    tensors = load_file(fitted / "model.safetensors")
    tensors["network.bias"] = tensors["network.bias"] + torch.tensor(0.25)
    save_file(tensors, fitted / "model.safetensors")
    learn_and_tell(fitted, quiet=True)
    assert "did not end in the saved model's bits" in capfd.readouterr().err
    assert "Not the run&#39;s own training" in (fitted / "learning.html").read_text("utf-8")
