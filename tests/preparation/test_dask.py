"""The same preparation by a real Dask scheduler and workers."""

from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest

from lossworks.api.prepare import prepare, wanted
from lossworks.core.errors import NotInstalled, UsageError
from lossworks.preparation.pipeline import Job

from .test_pipeline import Sources, bytes_of

PROGRAM = """
import json, sys
from distributed import LocalCluster
from lossworks.api.prepare import prepare
if __name__ == "__main__":
    out, *files = sys.argv[1:]
    with LocalCluster(n_workers=1, threads_per_worker=2, processes=False, protocol="tcp", dashboard_address=None) as cluster:
        prepare(files, out, scheduler=cluster.scheduler_address, valid=0.1)
"""


@pytest.mark.usefixtures("small")
def test_same_bytes_by_dask(sources: Sources, tmp_path: Path) -> None:
    """A worker of a scheduler, two tasks at a time, makes the bytes that one process makes."""
    pytest.importorskip("distributed", reason="Dask distributed is not installed: pip install lossworks[dask]")
    files = sources[0][:3]
    prepare(files, tmp_path / "alone", valid=0.1)
    Job.begin(tmp_path / "dask", wanted(files, valid=0.1))  # with the small sizes, which the program would not have
    (tmp_path / "program.py").write_text(PROGRAM, "utf-8")
    path = os.pathsep.join(sys.path)
    command = [sys.executable, str(tmp_path / "program.py"), str(tmp_path / "dask"), *map(str, files)]
    done = subprocess.run(command, capture_output=True, text=True, check=False, env={**os.environ, "PYTHONPATH": path})
    assert done.returncode == 0, done.stderr
    assert bytes_of(tmp_path / "dask") == bytes_of(tmp_path / "alone")


def test_without_dask(monkeypatch: pytest.MonkeyPatch, sources: Sources, tmp_path: Path) -> None:
    """Where the package is missing, or no scheduler answers, it is said."""
    files: Any = sources[0]
    monkeypatch.setitem(sys.modules, "distributed", None)
    with pytest.raises(NotInstalled, match=r"lossworks\[dask\]"):
        prepare(files, tmp_path / "out", scheduler="tcp://127.0.0.1:1")
    monkeypatch.undo()
    pytest.importorskip("distributed", reason="Dask distributed is not installed: pip install lossworks[dask]")
    with pytest.raises(UsageError, match="no scheduler answers"):
        prepare(files, tmp_path / "out", scheduler="nonsense://")
