"""Kill -9 at a random write of a checkpoint of several processes: ours, and DCP in one folder. ``kills.py [OURS [THEIRS]]``."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from pathlib import Path

import _bench

TESTS = Path(__file__).resolve().parent.parent / "tests"


def main() -> None:
    """Print what was loaded after each."""
    _bench.machine()
    counts = [int(count) for count in sys.argv[1:]]
    ours, theirs = (counts + [1000, 200][len(counts) :])[:2]
    rows = []
    for name, kills, more in (("Lossworks", ours, ()), ("DCP in one folder", theirs, ("in_place",))):
        paths = {**os.environ, "PYTHONPATH": os.pathsep.join([str(TESTS), *filter(None, sys.path)])}
        call = [sys.executable, str(TESTS / "engine" / "kills.py"), str(kills), "11", *more]
        run = subprocess.run(call, stdout=subprocess.PIPE, text=True, check=True, env=paths)
        found = json.loads(run.stdout.splitlines()[-1])
        rows.append((name, kills, found["background"], found["whole"], found["lost"], found["mixed"]))
    _bench.table(("checkpoints", "kills", "in the background", "whole", "lost", "mixed"), rows)


if __name__ == "__main__":
    main()
