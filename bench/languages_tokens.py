"""What 32,000 tokens charge 128 translations of the same lines: ours against Hugging Face's byte pairs, held-out lines counted.

LOSSWORKS_DATA=… python bench/languages_tokens.py
"""

from __future__ import annotations

import resource
import tempfile
import time
from pathlib import Path
from typing import Any

import _bench

from lossworks.api.tokens import build_tokenizer, report_tokens

SPECS = {
    "Hugging Face BPE, GPT-2's words": "bpe:size=32000",
    "BPE, our words": "parity_bpe:plain=1",
    "parity_bpe:plain=0.7": "parity_bpe:plain=0.7",
    "parity_bpe": "parity_bpe",
}
LINES = 1997


def main() -> None:
    """Print a table; every other line is learnt from, the rest is held out."""
    _bench.machine()
    with tempfile.TemporaryDirectory() as folder:
        learn, held = _halves(Path(folder))
        build_tokenizer(learn[:2], "parity_bpe:size=300,plain=0.5")  # compiled code is loaded now
        rows = [_row(name, spec, learn, held, Path(folder, "tokenizer.json")) for name, spec in SPECS.items()]
    first = rows[0][1]
    cells = [[row[0], f"{row[1]:,}", f"{row[1] / first - 1:+.1%}", *row[2:]] for row in rows]
    head = ["", "tokens", "more in all", "largest premium", "of", "median", "Gini", "learnt in, s", "CPU s"]
    _bench.table(head, cells, "tokens")


def _row(name: str, spec: str, learn: list[str], held: list[str], path: Path) -> list[Any]:
    began, cpu = time.perf_counter(), _cpu()
    build_tokenizer(learn, spec).save(path)
    took = time.perf_counter() - began, _cpu() - cpu
    found = report_tokens(held, str(path), reference="eng")
    premiums = [row["premium"]["value"] for row in found["languages"]]
    worst, middle = found["languages"][0]["language"], premiums[len(premiums) // 2]
    return [name, found["tokens"], premiums[0], worst, middle, found["gini"]["value"], *took]


def _halves(folder: Path) -> tuple[list[str], list[str]]:
    """Files of the odd and of the even lines of each language."""
    found: tuple[list[str], list[str]] = ([], [])
    for path in sorted((_bench.data() / "ntrex/NTREX-128").glob("*-[rs]*[fc].*.txt")):
        lines = path.read_text("utf-8").split("\n")[:LINES]
        for half, files in enumerate(found):
            place = folder / f"{half}.{path.name.removeprefix('newstest2019-')}"
            place.write_text("".join(f"{line}\n" for line in lines[half::2]), "utf-8")
            files.append(str(place))
    return found


def _cpu() -> float:
    used = resource.getrusage(resource.RUSAGE_SELF)
    return used.ru_utime + used.ru_stime


if __name__ == "__main__":
    main()
