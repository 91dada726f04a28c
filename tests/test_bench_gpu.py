"""``bench/gpu.py``, whose figures come from a GPU: its small mode on the CPU, so that it does not rot meanwhile."""

from __future__ import annotations

import json
from pathlib import Path
from types import ModuleType
from typing import Any

import pytest

ROOT = Path(__file__).parents[1]


@pytest.fixture
def gpu(monkeypatch: pytest.MonkeyPatch) -> ModuleType:
    """The program."""
    monkeypatch.syspath_prepend(ROOT / "bench")
    import gpu

    return gpu


def test_small_mode(gpu: ModuleType, tmp_path: Path) -> None:
    """All that can be had on a CPU passes, nothing fails, and each section is there; transformers takes too long to import."""
    sections = {*gpu.CHECKS, *gpu.TIMES} - {"pretrained"}
    kept = tmp_path / "found.json"
    assert gpu.main(["--tiny", "--minutes", "600", "--json", str(kept), "--only", *sections]) == 0
    found = json.loads(kept.read_text("utf-8"))
    rows = [*found["checks"], *found["times"]]
    assert {row["section"] for row in rows} == sections
    assert {row["name"] for row in rows if row["state"] == "skipped"} <= {"micro-batches halved", "Liger", "CCE"}
    assert found["failed"] == 0
    assert found["passed"] > 40
    assert all(row["ms"] > 0 for row in found["times"] if row["state"] == "measured")


def test_failures_are_told(gpu: ModuleType, monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    """A wrong result, nan and an error each fail by themselves and leave status 1; after the time nothing begins."""

    def broken() -> float:
        raise RuntimeError("no kernel")

    def three(on: Any) -> Any:
        checks = {"wrong": lambda: 0.2, "nan": lambda: float("nan"), "broken": broken, "right": lambda: 0.1}
        return (gpu.Check(name, 0.1, error) for name, error in checks.items())

    monkeypatch.setattr(gpu, "CHECKS", {"three": three})
    monkeypatch.setattr(gpu, "TIMES", {"none": lambda on: iter([gpu.Timing("none", "side", lambda: 1 / 0)])})
    monkeypatch.setattr(gpu.traceback, "print_exc", lambda: None)
    kept, only = tmp_path / "found.json", ["--only", "three", "none"]
    assert gpu.main(["--tiny", "--json", str(kept), *only]) == 1
    found = json.loads(kept.read_text("utf-8"))
    assert [row["state"] for row in found["checks"]] == ["failed", "failed", "failed", "passed"]
    assert found["checks"][2]["note"] == "RuntimeError: no kernel"
    assert [row["state"] for row in found["times"]] == ["failed"]
    assert gpu.main(["--tiny", "--minutes", "0", "--json", str(kept), *only]) == 0
    assert json.loads(kept.read_text("utf-8"))["skipped"] == 5


def test_errors_are_shares_of_the_largest(gpu: ModuleType) -> None:
    """What is compared: the largest error over the largest number; other shapes, nan and infinity never pass."""
    import _gpu
    import torch

    right = torch.tensor([1.0, -4.0])
    assert _gpu.worst([torch.tensor([1.0, -3.0]), right], [right, right]) == 0.25
    for wrong in (torch.tensor([1.0, float("nan")]), torch.tensor([1.0]), torch.tensor([1.0, float("inf")])):
        assert _gpu.worst([wrong], [right]) == float("inf")
