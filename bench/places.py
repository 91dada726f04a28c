"""Every verb that writes, where it cannot: on a disk that is read-only, in another user's folder, in a folder that is removed.

``places.py [JOB…]``, as root, for it mounts file systems and becomes nobody.
"""

from __future__ import annotations

import json
import os
import random
import shutil
import subprocess
import sys
import tempfile
from collections import Counter
from pathlib import Path

import _bench
import _full
import _killed
import full  # noqa: F401  # what it imports is what the commands need

NOBODY = ["setpriv", "--reuid=65534", "--regid=65534", "--clear-groups"]
NOBODY += ["--inh-caps=+dac_read_search", "--ambient-caps=+dac_read_search"]  # Python itself may be another user's
REMOVALS = 6


def refused(job: str, folder: Path) -> str | None:
    """What was wrong with how a job ended whose output's place cannot be written; None: nothing."""
    ended = _killed.call(_full.JOBS[job], folder)
    said = ended.said.strip()
    if ended.code != 2 or "Traceback" in said or "choose another place" not in said or "disk" not in said:
        return f"{job}: {ended.code}, {said[-700:]!r}"
    return None


def read_only(job: str, folder: Path) -> str | None:
    """On a read-only disk."""
    with _full.disk(folder, _full.MANY, _full.MANY) as point:
        _full.given(job, folder, point)
        subprocess.run(["mount", "-o", "remount,ro", point], check=True)
        return refused(job, folder)


def removed(job: str, folder: Path, draw: random.Random) -> list[str]:
    """What was wrong where all was removed when a file in it was opened or renamed, at some of these moments but the last."""
    with _full.disk(folder, _full.MANY, _full.MANY) as point:
        _full.given(job, folder, point)
        events = _killed.call(_full.JOBS[job], folder).events
        wanted = _killed.bits(point)
    found = []
    for at in sorted(draw.sample(range(1, events), min(REMOVALS, events - 1))):
        with _full.disk(folder, _full.MANY, _full.MANY) as point:
            _full.given(job, folder, point)
            ended = _killed.call(_full.JOBS[job], folder, at=at, strike=lambda: _emptied(Path("disk")))
            whole = ended.code == 0 and _killed.bits(point) == wanted
            if not whole and (ended.code != 2 or "Traceback" in ended.said or "disk/" not in ended.said):
                found.append(f"{job}, event {at} of {events}: {ended.code}, {ended.said[-700:]!r}")
    return found


def _emptied(place: Path) -> None:
    for path in place.iterdir():
        shutil.rmtree(path, ignore_errors=True) if path.is_dir() else path.unlink()


def as_nobody(folder: Path, jobs: list[str]) -> list[str | None]:
    """What was wrong with each job in root's folder, by nobody."""
    shutil.copytree(folder / "L", folder / "disk/L")
    for name in ("said", "seen"):
        (folder / name).touch()
        (folder / name).chmod(0o666)
    (folder / "tmp").chmod(0o777)
    folder.chmod(0o755)
    env = {**os.environ, "HOME": "/nonexistent", "NUMBA_CACHE_DIR": str(folder / "tmp")}
    call = [*NOBODY, sys.executable, __file__, "--nobody", str(folder), *jobs]
    done = subprocess.run(call, check=True, capture_output=True, text=True, env=env)
    return list(json.loads(done.stdout.splitlines()[-1]))


def main() -> None:
    """Print a row for each job."""
    if sys.argv[1:2] == ["--nobody"]:
        tempfile.tempdir = f"{sys.argv[2]}/tmp"
        print(json.dumps([refused(job, Path(sys.argv[2])) for job in sys.argv[3:]]))
        return
    _bench.machine()
    jobs, counts = sys.argv[1:] or list(_full.JOBS), dict[str, Counter[str]]()
    with tempfile.TemporaryDirectory() as scratch:
        folder = Path(scratch)
        _full.write_inputs(folder)
        (folder / "tmp").mkdir()
        tempfile.tempdir = str(folder / "tmp")
        for job in jobs:
            counts[job] = Counter[str]()
            for kind, wrong in (("read-only", [read_only(job, folder)]), ("removed", removed(job, folder, random.Random(job)))):
                counts[job][kind] = sum(each is not None for each in wrong)
                for each in filter(None, wrong):
                    print(f"{kind}: {each}", file=sys.stderr, flush=True)
            print(job, dict(counts[job]), file=sys.stderr, flush=True)
        for job, said in zip(jobs, as_nobody(folder, jobs), strict=True):
            counts[job]["another user's"] = int(said is not None)
            print(f"another user's: {said}", file=sys.stderr, flush=True) if said else None
    kinds = ("read-only", "another user's", "removed")
    _bench.table(("wrongly ended", *kinds), [(job, *(counts[job][kind] for kind in kinds)) for job in jobs])


if __name__ == "__main__":
    main()
