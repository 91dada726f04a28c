"""How fast and in what memory ``lossworks data prepare`` works, on one core: real text, and made text of growing size.

    bench/prepare.py [GB...]   sizes of the made text (default 0.25 1)

Made text: documents of 300 words on average, drawn by Zipf's law; one in ten is an earlier one, half of these
with some words changed. What should have gone is known, so what was missed is counted too.
"""

from __future__ import annotations

import json
import sys
import tempfile
from pathlib import Path

import numpy as np
from _bench import data, run, table
from numpy.typing import NDArray

PROGRAM = """
import json, resource, sys, time
from lossworks.api.prepare import prepare
from lossworks.engine import Callbacks
stages, last = {}, [time.process_time()]
def watch(event, fields):
    now = time.process_time()
    stages[fields["stage"]] = stages.get(fields["stage"], 0) + now - last[0]
    last[0] = now
begun, cpu = time.monotonic(), time.process_time()
made = prepare(json.loads(sys.argv[1]), sys.argv[2], callbacks=Callbacks(watch=watch))
cpu, wall = time.process_time() - cpu, time.monotonic() - begun
print(json.dumps({"wall": wall, "cpu": cpu, "stages": stages, "counts": made["counts"]}))
"""
FILE = 256 << 20


def make(folder: Path, size: int) -> tuple[list[str], int, int]:
    """Files of JSON lines with ``size`` bytes of text; how many documents equal, and how many are like, an earlier one."""
    chance = np.random.default_rng(0)
    letters = np.frombuffer(b"etaoinshrdlucmfwypvbgkjqxz", np.uint8)
    words = [letters[chance.integers(0, 26, chance.integers(2, 11))].tobytes() for _ in range(60_000)]
    weight = 1 / np.arange(10, 60_010)
    edges = np.cumsum(weight / weight.sum())
    files, documents = list[str](), list[NDArray[np.int64]]()
    equal = near = written = 0
    while written < size:
        path = folder / f"{len(files):03}.jsonl"
        files.append(str(path))
        with path.open("wb") as file:
            while file.tell() < FILE and written < size:
                lengths = chance.poisson(300, 2000)
                drawn = np.searchsorted(edges, chance.random(lengths.sum()))
                for ids in np.split(drawn, lengths.cumsum()[:-1]):
                    again = chance.random()
                    if again < 0.1 and documents:
                        ids = documents[chance.integers(len(documents))]
                        equal += again < 0.05
                        near += again >= 0.05
                        if again >= 0.05:
                            ids = ids.copy()
                            ids[chance.integers(0, len(ids), 6)] = chance.integers(0, 60_000, 6)
                    elif len(documents) < 20_000:
                        documents.append(ids)
                    line = b'{"text": "' + b" ".join([words[i] for i in ids]) + b'"}\n'
                    written += file.write(line)
    return files, equal, near


def main() -> None:
    """Print the table."""
    rows = []
    with tempfile.TemporaryDirectory() as scratch:
        for name, source in (("NTREX", data() / "ntrex/NTREX-128/*.txt"), ("poems", data() / "poetry.jsonl")):
            size = sum(path.stat().st_size for path in source.parent.glob(source.name))
            rows.append(_row(name, size, run(sys.executable, PROGRAM, json.dumps([str(source)]), f"{scratch}/{name}")))
        for given in sys.argv[1:] or ("0.25", "1"):
            total = float(given)
            folder = Path(scratch, "made")
            folder.mkdir()
            files, equal, near = make(folder, int(total * 1e9))
            found = run(sys.executable, PROGRAM, json.dumps(files), f"{scratch}/out")
            removed = found["counts"]["removed"]
            rows.append(
                [*_row(f"made, {total:g} GB", int(total * 1e9), found), f"{equal - removed['exact']} / {near - removed['near']}"]
            )
            for each in (folder, Path(scratch, "out")):
                for path in sorted(each.rglob("*"), reverse=True):
                    path.rmdir() if path.is_dir() else path.unlink()
                each.rmdir()
    table(
        ["text", "rows", "CPU s", "MB/s a core", "peak MB", "equal", "near", "missed equal / near"],
        [[*row, ""][:8] for row in rows],
        "prepare",
    )


def _row(name: str, size: int, found: dict[str, object]) -> list[object]:
    print(name, json.dumps(found))
    counts: dict[str, object] = found["counts"]  # type: ignore[assignment]
    removed: dict[str, int] = counts["removed"]  # type: ignore[assignment]
    cpu, memory = float(found["cpu"]), float(found["memory"])  # type: ignore[arg-type]
    return [name, counts["rows"], cpu, size / 1e6 / cpu, memory, removed.get("exact", 0), removed.get("near", 0)]


if __name__ == "__main__":
    main()
