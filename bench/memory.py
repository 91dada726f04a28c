"""Peak memory and time of a fit on larger and larger files: 0.1, 0.3 and 1 GB of text."""

from __future__ import annotations

import json
import random
import sys
import tempfile
from pathlib import Path

import _bench

FIT = """
import json, sys, time
import lossworks
start = time.perf_counter()
model = lossworks.fit(sys.argv[1], out=sys.argv[2], epochs=1, read=lossworks.ReadOptions(text="text", label="dynasty"))
seconds, accuracy = time.perf_counter() - start, model.metrics["accuracy"]["value"]
print(json.dumps({"seconds": seconds, "rows": model.record["data"]["rows"], "accuracy": accuracy}))
"""


def main() -> None:
    """Print the curve. Texts are poems joined in random pairs, so that all differ."""
    _bench.machine()
    rows = []
    with tempfile.TemporaryDirectory() as folder:
        for size in (0.1, 0.3, 1.0):
            path = Path(folder) / f"{size}.jsonl"
            _write(path, int(size * 1e9))
            result = _bench.run(sys.executable, FIT, str(path), f"{folder}/run-{size}")
            rows.append((f"{size} GB", int(result["rows"]), result["seconds"], result["memory"], result["accuracy"]))
            path.unlink()
    _bench.table(("file", "rows", "seconds, 1 epoch", "peak MB", "test accuracy"), rows)


def _write(path: Path, size: int) -> None:
    poems: dict[str, list[str]] = {}
    for line in (_bench.data() / "poetry.jsonl").open(encoding="utf-8"):
        row = json.loads(line)
        poems.setdefault(row["dynasty"], []).append(row["text"])
    draw, written = random.Random(0), 0
    with path.open("w", encoding="utf-8") as file:
        while written < size:
            dynasty = draw.choice(("tang", "song"))
            text = draw.choice(poems[dynasty]) + draw.choice(poems[dynasty])
            line = json.dumps({"text": text, "dynasty": dynasty}, ensure_ascii=False) + "\n"
            written += len(line.encode())
            file.write(line)


if __name__ == "__main__":
    main()
