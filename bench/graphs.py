"""Knowledge graphs with descriptions of their entities, beside the same permuted among the entities, and without any.

    LOSSWORKS_DATA=… python bench/graphs.py [umls] [WN18RR]

Reads kg/umls and kg/WN18RR of the data folder; SEEDS (1) trainings of each kind. WN18RR takes some 10 minutes of one core.
"""

from __future__ import annotations

import os
import sys
import tempfile
import time
from pathlib import Path
from typing import Any

import _bench

import lossworks

GRAPHS: dict[str, tuple[str, dict[str, Any]]] = {
    "umls": ("entity2textlong.txt", {"model": "complex:dim=64", "epochs": 15}),
    "WN18RR": (
        "entity2text.txt",
        {"model": "complex:dim=64,negatives=1000,n3=0.05,scale=0.01", "batch_size": 256, "epochs": 5, "patience": 5},
    ),
}


def main(names: list[str]) -> None:
    """One row for each kind of descriptions of each graph."""
    rows = []
    for name in names:
        glosses, how = GRAPHS[name]
        folder = _bench.data() / "kg" / name
        with tempfile.TemporaryDirectory() as place:
            run, began = Path(place) / "run", time.process_time()
            parts: dict[str, Any] = {part: folder / f"{file}.tsv" for part, file in (("valid", "dev"), ("test", "test"))}
            lossworks.fit(folder / "train.tsv", task="graph", glosses=folder / glosses, out=run, **parts, **how)
            took = time.process_time() - began
            found = lossworks.check_glosses(run, seeds=int(os.environ.get("SEEDS", "1")))
        beside = {gain.than: f"{gain.value:+.4f} ({gain.low:+.4f} to {gain.high:+.4f})" for gain in found.gains}
        for arm in found.arms:
            unseen = "" if arm.unseen is None else f"{arm.unseen:.4f}"
            first = arm is found.arms[0]
            rows.append(
                [
                    name,
                    arm.glosses,
                    arm.mrr,
                    unseen,
                    beside.get(arm.glosses, ""),
                    found.word if first else "",
                    f"{took:.0f} s" if first else "",
                ]
            )
    _bench.table(["graph", "descriptions", "MRR", "of untrained entities", "gain beside them", "verdict", "processor time"], rows)
    _bench.machine()


if __name__ == "__main__":
    main(sys.argv[1:] or list(GRAPHS))
