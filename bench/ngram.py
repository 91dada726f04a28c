"""n-gram models of the characters of 301,828 poems, compared with KenLM: time, memory, disk, queries; texts larger than memory.

    LOSSWORKS_KENLM   the folder with KenLM's programs lmplz, build_binary and query; its Python module is the peers'

python bench/ngram.py          fit and query, both sides in turn
python bench/ngram.py large    0.1, 0.3 and 1 GB of text within 2 GB of memory
"""

from __future__ import annotations

import json
import math
import os
import random
import re
import subprocess
import sys
import tempfile
import time
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import _bench

ORDER, ROUNDS, HELD_OUT = 5, 2, 10_000

FIT = """
import json, sys, time
start = time.perf_counter()
import lossworks
memory = {"memory": sys.argv[3]} if len(sys.argv) > 3 else {}
how = {"task": "lm", "model": "ngram:order=5", "tokenizer": "chars", "valid": 0, "test": 0, **memory}
model = lossworks.fit(sys.argv[1], out=sys.argv[2], **how)
model.next("")
print(json.dumps({"seconds": time.perf_counter() - start}))
"""
QUERY = """
import json, sys, time
import numpy as np
import lossworks
from lossworks.data import Ragged
language = lossworks.load(sys.argv[1])
lines = open(sys.argv[2], encoding="utf-8").read().splitlines()
best = {}
for _ in range(5):
    start = time.perf_counter()
    ids = Ragged(*language.tokenizer.encode(lines))
    encoded = time.perf_counter()
    logp = language.model.logp(ids)
    done = time.perf_counter()
    for key, seconds in (("scoring", done - encoded), ("with encoding", done - start)):
        best[key] = min(best.get(key, 1e9), seconds)
rates = {key: len(logp) / seconds / 1e6 for key, seconds in best.items()}
print(json.dumps({**rates, "perplexity": float(np.exp(-logp.mean()))}))
"""
BINDING = """
import json, sys, time
import kenlm
model = kenlm.Model(sys.argv[1])
lines = open(sys.argv[2], encoding="utf-8").read().splitlines()
tokens = sum(len(line.split()) + 1 for line in lines)
best = {}
for _ in range(3):
    for key, score in (("sums", model.score), ("scoring", lambda line: list(model.full_scores(line)))):
        start = time.perf_counter()
        for line in lines:
            score(line)
        best[key] = min(best.get(key, 1e9), time.perf_counter() - start)
print(json.dumps({key: tokens / seconds / 1e6 for key, seconds in best.items()}))
"""


def kenlm() -> Path:
    """The folder with KenLM's programs; exits with a reason if it is not set."""
    folder = os.environ.get("LOSSWORKS_KENLM")
    if not folder:
        sys.exit("skipped: LOSSWORKS_KENLM names no folder with KenLM's programs")
    return Path(folder)


def timed(command: Sequence[str | Path], **files: Any) -> dict[str, float]:
    """Seconds and peak MB of a program."""
    start = time.perf_counter()
    process = subprocess.Popen(command, stderr=subprocess.DEVNULL, **files)
    _, status, usage = os.wait4(process.pid, 0)
    if status:
        sys.exit(f"{command} ended with {status}")
    return {"seconds": time.perf_counter() - start, "memory": usage.ru_maxrss / 1024}


def spaced(text: str) -> str:
    """Characters as KenLM's words."""
    return " ".join(text.replace(" ", "▁").replace("\u3000", "▂"))


def write(folder: Path) -> None:
    """The poems, one per line, for us and for KenLM; the last of a seeded shuffle are held out."""
    poems = [" ".join(json.loads(line)["text"].split("\n")) for line in (_bench.data() / "poetry.jsonl").open(encoding="utf-8")]
    random.Random(0).shuffle(poems)
    for name, part in (("train", poems[:-HELD_OUT]), ("held-out", poems[-HELD_OUT:]), ("held-out-10", poems[-HELD_OUT:] * 10)):
        (folder / f"{name}.txt").write_text("\n".join(part) + "\n", "utf-8")
        (folder / f"{name}.spaced").write_text("\n".join(map(spaced, part)) + "\n", "utf-8")


def fit(folder: Path) -> None:
    """Text file → ready to query, of both sides in turn."""
    train, runs = folder / "train.txt", iter(range(100))

    def ours() -> dict[str, float]:
        run = folder / f"run-{next(runs)}"
        made = _bench.run(sys.executable, FIT, str(train), str(run))
        (folder / "run").unlink(missing_ok=True)
        (folder / "run").symlink_to(run)
        return made | {"size": (run / "model.safetensors").stat().st_size / 1e6}

    def theirs(kind: str) -> dict[str, float]:
        with (folder / "train.spaced").open("rb") as text, (folder / "model.arpa").open("wb") as arpa:
            counted = timed([kenlm() / "lmplz", "-o", str(ORDER), "-S", "2G", "-T", folder], stdin=text, stdout=arpa)
        built = timed([kenlm() / "build_binary", kind, folder / "model.arpa", folder / kind], stdout=subprocess.DEVNULL)
        size = (folder / kind).stat().st_size / 1e6
        return {
            "seconds": counted["seconds"] + built["seconds"],
            "lmplz": counted["seconds"],
            "memory": counted["memory"],
            "size": size,
        }

    found = _bench.in_turn({"lossworks": ours, "probing": lambda: theirs("probing"), "trie": lambda: theirs("trie")}, ROUNDS)
    mine = found["lossworks"]["seconds"]
    rows = [(name, f["seconds"], f["seconds"] / mine, f.get("lmplz", ""), f["memory"], f["size"]) for name, f in found.items()]
    _bench.table(("", "text to ready, s", "times ours", "of it lmplz, s", "peak MB", "model on disk, MB"), rows)


def query(folder: Path) -> None:
    """Held-out characters scored per second."""

    def program(kind: str) -> dict[str, float]:
        seconds, said = {}, ""
        for name in ("held-out", "held-out-10"):
            with (folder / f"{name}.spaced").open("rb") as text:
                start = time.perf_counter()
                done = subprocess.run(
                    [kenlm() / "query", "-v", "summary", folder / kind], stdin=text, capture_output=True, check=True
                )
                seconds[name], said = time.perf_counter() - start, done.stdout.decode()
        tokens = sum(len(line.split()) + 1 for line in (folder / "held-out.spaced").open(encoding="utf-8"))
        perplexity = float(re.findall(r"including OOVs:\s+(\S+)", said)[0])
        return {"with encoding": 9 * tokens / (seconds["held-out-10"] - seconds["held-out"]) / 1e6, "perplexity": perplexity}

    def ours(threads: str) -> dict[str, float]:
        os.environ["LOSSWORKS_THREADS"] = threads
        return _bench.run(sys.executable, QUERY, str(folder / "run"), str(folder / "held-out-10.txt"))

    sides = {
        "lossworks, 1 thread": lambda: ours("1"),
        "lossworks, 2 threads": lambda: ours("2"),
        "query, probing": lambda: program("probing"),
        "query, trie": lambda: program("trie"),
        "KenLM's Python, probing": lambda: _bench.run(
            _bench.peers(), BINDING, str(folder / "probing"), str(folder / "held-out.spaced")
        ),
    }
    found = _bench.in_turn(sides, ROUNDS)
    rows = [(name, *(f.get(key, "") for key in ("scoring", "with encoding", "sums", "perplexity"))) for name, f in found.items()]
    _bench.table(("million queries a second", "each token's", "with encoding", "a text's sum alone", "perplexity"), rows)


def large(folder: Path) -> None:
    """Larger and larger text: halves of poems joined in new pairs, within 2 GB of memory."""
    poems = [json.loads(line)["text"].replace("\n", " ") for line in (_bench.data() / "poetry.jsonl").open(encoding="utf-8")]
    rows: list[tuple[Any, ...]] = []
    for size in (0.1, 0.3, 1.0):
        path, draw, written = folder / "large.txt", random.Random(0), 0
        with path.open("w", encoding="utf-8") as file:
            while written < size * 1e9:
                one, other = draw.choice(poems), draw.choice(poems)
                text = one[: len(one) // 2] + other[len(other) // 2 :] + "\n"
                written += len(text.encode())
                file.write(text)
        made = _bench.run(sys.executable, FIT, str(path), str(folder / f"large-{size}"), "2G")
        n = size * 1e9
        per = made["seconds"] / (n * math.log(n)) * 1e9
        rows.append(
            (
                f"{size} GB",
                made["seconds"],
                per,
                made["memory"],
                sum(f.stat().st_size for f in (folder / f"large-{size}").iterdir()) / 1e6,
            )
        )
        _bench.table(("text", "s", "ns per n log n", "peak MB", "run on disk, MB"), rows[-1:])


def main() -> None:
    """Print the tables."""
    _bench.machine()
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        if sys.argv[1:] == ["large"]:
            large(folder)
            return
        kenlm()
        write(folder)
        fit(folder)
        query(folder)


if __name__ == "__main__":
    main()
