"""``lossworks doctor``: what is found here, and what is said of machines that lack something."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest

from lossworks.api import doctor as module
from lossworks.api.doctor import Finding, doctor
from lossworks.cli import doctor as verb

NAMES = ["versions", "cores", "memory", "instructions", "dtype", "GPU", "disk of runs", "temporary disk", "compiled code"]


def test_all_is_said(capsys: pytest.CaptureFixture[str], tmp_path: Path) -> None:
    """Each finding has a name and what was found; the terminal and JSON have the same, ``--quiet`` only what is slow."""
    verb.command(tmp_path, json=True)
    found = json.loads(capsys.readouterr().out)["findings"]
    assert [each["name"] for each in found] == NAMES
    assert all(each["found"] for each in found)
    verb.command(tmp_path)
    told = capsys.readouterr().out
    assert all(each["name"] in told and each["advice"] in told for each in found)
    verb.command(tmp_path, quiet=True)
    assert "versions" not in capsys.readouterr().out


def _group(name: str, most: str, taken: str, sums: str = "") -> dict[str, str]:
    """The files of a control group that may take 3 GiB and took 1, a half of that for files that it holds in the cache."""
    cached = f"inactive_file 0\nactive_file 0\n{sums}inactive_file {1 << 28}\n{sums}active_file {1 << 28}"
    files = {most: str(3 << 30), taken: str(1 << 30), "memory.stat": cached}
    return {f"{name}/{file}": text for file, text in files.items()}


CASES: list[tuple[str, dict[str, Any], str, str]] = [
    ("cores", {"LOSSWORKS_THREADS": "1", "machine": 8}, "1 thread on 8 of 8 cores", "7 cores idle: LOSSWORKS_THREADS"),
    ("cores", {"cpu.max": "150000 100000", "machine": 8}, "limited to the time of 1.5", "Set LOSSWORKS_THREADS=1."),
    ("cores", {"cpu.max": "max 100000", "machine": 8}, "8 threads on 8 of 8 cores", ""),
    ("memory", {"memory.max": str(3 << 30), "memory.current": str(1 << 30)}, "2.0 GiB free", "--memory 1G"),
    ("memory", {"memory.max": "max", "memory.current": "1"}, "9.0 GiB free", ""),
    (
        "memory",
        _group("job", "memory.max", "memory.current") | {"own": "1:name=systemd:/x\n0::/job/mine"},
        "2.5 GiB free",
        "--memory",
    ),
    (
        "memory",
        _group("memory/job", "memory.limit_in_bytes", "memory.usage_in_bytes", "total_")
        | {"own": "4:cpu,memory:/job/mine\n0::/"},
        "2.5 GiB free",
        "--memory",
    ),
    ("memory", {"meminfo": "nothing of this"}, "inf GiB free", ""),
    ("instructions", {"capability": "DEFAULT"}, "DEFAULT", "no wide vectors"),
    ("instructions", {"capability": "AVX512", "able": {"amx_bf16": True}}, "AVX512, AMX BF16", ""),
    ("dtype", {"able": {"amx_bf16": True}}, "bfloat16 on the processor", ""),
    ("dtype", {"able": {}}, "float32 on the processor", "this one is not"),
    ("GPU", {}, "none: ", "linear, bag and ngram need no GPU"),
    ("disk of runs", {"free": 1 << 30}, "1.0 GiB free", "--out"),
    ("disk of runs", {"free": 9 << 30}, "9.0 GiB free", ""),
    ("temporary disk", {"free": 1 << 30}, "1.0 GiB free", "TMPDIR"),
    ("compiled code", {"NUMBA_CACHE_DIR": ""}, "0 functions kept", "compiles at its first use"),
]


@pytest.mark.parametrize(("name", "machine", "found", "advice"), CASES)
def test_machines(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path, name: str, machine: dict[str, Any], found: str, advice: str
) -> None:
    """Of each machine that lacks something, what, why and what to do; and nothing is advised of one that does not."""
    told = _on(monkeypatch, tmp_path, machine)[name]
    assert found in told.found
    assert advice in told.advice
    assert bool(told.advice) == bool(advice)


def _on(monkeypatch: pytest.MonkeyPatch, tmp_path: Path, machine: dict[str, Any]) -> dict[str, Finding]:
    """The findings on a made-up machine."""
    cores = machine.get("machine", 8)
    monkeypatch.setattr(module, "machine", lambda: {"cpu": "a processor", "cores": cores})
    monkeypatch.setattr("os.cpu_count", lambda: cores)
    monkeypatch.setattr(module.threads, "available", lambda: int(machine.get("LOSSWORKS_THREADS", cores)))
    made = {"meminfo": f"MemAvailable: {9 << 20} kB", "own": "0::/", "memory.stat": "inactive_file 0\nactive_file 0"} | machine
    for name, file in (("CGROUPS", ""), ("_SYSTEM", "meminfo"), ("_GROUPS", "own")):
        monkeypatch.setattr(module.memory, name, tmp_path / file)
    for file, text in made.items():
        if "." in file or file in ("meminfo", "own"):
            (tmp_path / file).parent.mkdir(parents=True, exist_ok=True)
            (tmp_path / file).write_text(text, "utf-8")
    monkeypatch.setattr("torch.backends.cpu.get_cpu_capability", lambda: machine.get("capability", "AVX512"))
    monkeypatch.setattr("torch.cpu.get_capabilities", lambda: machine.get("able", {}), raising=False)
    monkeypatch.setattr("torch.cuda.is_available", lambda: False)
    usage = type("Usage", (), {"free": machine.get("free", 9 << 30)})
    monkeypatch.setattr("shutil.disk_usage", lambda _: usage)
    if "NUMBA_CACHE_DIR" in machine:
        monkeypatch.setattr("numba.config.CACHE_DIR", str(tmp_path / "kept"))
    return {each.name: each for each in doctor(tmp_path)}
