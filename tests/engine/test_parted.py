"""Checkpoints of several processes: written by a, read by b, killed at any write, on a full disk, damaged."""

from __future__ import annotations

import io
import itertools
import os
import pickle
import resource
import signal
from pathlib import Path

import pytest
import torch

from engine import kills
from lossworks.core.errors import RecordError
from lossworks.engine import checkpoint, parted
from lossworks.engine.distributed import World
from lossworks.engine.saving import Saving


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    """Of the checkpoints."""
    (folder := tmp_path / "checkpoints").mkdir()
    return folder


def test_read_by_any_number(folder: Path) -> None:
    """Each of 1 to 3 processes reads what each of 1 to 3 has written, its part of it alone; what was before is removed."""
    order = [1, 1, 2, 1, 3, 2, 2, 3, 3, 1]
    assert len(set(itertools.pairwise(order))) == 9
    for step, size in enumerate(order, 1):
        kills.world(folder, size, 1, background=size == 3, victim=0, at=0)
        kept = sorted(path.name for path in folder.iterdir())
        assert kept == ([f"step-{step:012d}.safetensors"] if size == 1 else ["newest.json", f"step-{step:012d}-0"]), kept
        assert kills.loaded(folder, None, 0, 1) == step


def test_killed(folder: Path) -> None:
    """Whichever process is killed, at whichever write: the newest checkpoint is whole, and of no older a step."""
    found = kills.main(8, seed=3)
    assert (found["whole"], found["lost"], found["mixed"]) == (8, 0, 0), found
    assert found["background"], found


def test_full_disk(folder: Path) -> None:
    """Where a process cannot write, all say so; the checkpoint before is read, and nothing is left of the new one."""
    kills.world(folder, 2, 1, background=False, victim=0, at=0)
    before = sorted(folder.rglob("*"))
    for background in (False, True):
        child = os.fork()
        if not child:
            signal.signal(signal.SIGXFSZ, signal.SIG_IGN)
            resource.setrlimit(resource.RLIMIT_FSIZE, (2500, 2500))
            try:
                kills.world(folder, 2, 1, background=background, victim=0, at=0)
            finally:
                os._exit(0)
        os.waitpid(child, 0)
        for rank in range(2):
            said = (folder.parent / f"error-{rank}").read_text()
            assert f"RecordError: cannot write {folder}/step-000000000002-0: File too large. Free some space" in said, said
        assert sorted(folder.rglob("*")) == before
        assert kills.loaded(folder, None, 0, 1) == 1


def test_damaged(folder: Path) -> None:
    """A byte changed or a file missing is found before anything is read; a description runs no program."""
    kills.world(folder, 2, 1, background=False, victim=0, at=0)
    path = parted.newest(folder)
    assert path is not None
    for file in [*path.iterdir(), folder / "newest.json"]:
        whole = file.read_bytes()
        middle = len(whole) // 2
        for changed in (whole[:middle] + bytes([whole[middle] ^ 1]) + whole[middle + 1 :], None):
            file.write_bytes(changed) if changed else file.unlink()
            if changed or file.parent == path:
                with pytest.raises(RecordError, match="Remove it to start from the beginning"):
                    checkpoint.load_newest(folder)
        file.write_bytes(whole)
    assert kills.loaded(folder, None, 0, 1) == 1
    (path / ".metadata").write_bytes(pickle.dumps(os.getcwd))
    with pytest.raises(RecordError, match=r"names posix\.getcwd"):
        parted._Reader(path).read_metadata()
    checkpoint.remove(folder)
    assert not folder.exists()


def test_from_a_copy(folder: Path) -> None:
    """In the background the numbers are written as they stood; of one process too. What goes wrong is said by the next."""
    saving = Saving(World(), in_background=True)
    value = torch.zeros(1 << 20)
    saving.save(folder, 1, {"a": value}, {}, {})
    value += 1
    saving.wait()
    found = checkpoint.load_newest(folder)
    assert found is not None
    assert not found[0]["a"].any()
    saving.save(folder / "no" / "such", 2, {"a": value}, {}, {})
    with pytest.raises(RecordError, match="cannot write"):
        saving.save(folder, 3, {"a": value}, {}, {})


def test_paths_of_another_python() -> None:
    """What Python 3.13 calls a path is read by every version; a name beside it is not."""
    named = pickle.dumps(Path("a"), protocol=0).replace(b"pathlib._local", b"pathlib")
    for module in (b"pathlib", b"pathlib._local"):
        assert parted._Unpickler(io.BytesIO(named.replace(b"pathlib", module))).load() == Path("a")
    with pytest.raises(pickle.UnpicklingError, match=r"pathlib\._local\.Path,"):
        parted._Unpickler(io.BytesIO(b"cpathlib._local\nPath\n.")).load()
