"""Duplicates and filters: how fast each step of preparing text is, and near doubles beside datasketch, gaoya and rensa.

LOSSWORKS_DATA=… LOSSWORKS_PEERS=… python bench/data.py

CPU time on one thread. The planted doubles are NTREX's sentences of 60 characters or more in eight scripts, and poems of 20 or
more, with 3 % of the characters replaced, left out or added. The peers are given characters' 4-grams in lower case and a
threshold of .7. A pair that was not planted counts as right where difflib's ratio of the two texts is .8 or more.
"""

from __future__ import annotations

import difflib
import json
import os
import random
import sys
import tempfile
import time
from collections.abc import Iterator
from contextlib import contextmanager
from functools import partial
from pathlib import Path
from typing import Any

import _bench
import numpy as np

ROUNDS = 3
LANGUAGES = ("eng-US", "rus", "arb", "hin", "tha", "kor", "jpn", "amh")
_TIMED = """
import json, sys, time
texts = json.load(open(sys.argv[1], encoding="utf-8"))
grams = lambda text: [text[i : i + 4] for i in range(max(len(text) - 3, 1))]
def finish(began, pairs):
    seconds = time.process_time() - began
    json.dump([[int(a), int(b)] for a, b in pairs], open(sys.argv[2], "w"))
    print(json.dumps({"seconds": seconds}))
"""
OURS = """
import os
os.environ["LOSSWORKS_THREADS"] = "1"
from lossworks.preparation import Texts, near_pairs, normalise
near_pairs(normalise(Texts.of(texts[:100])).texts)  # compiled code is loaded
began = time.process_time()
found = near_pairs(normalise(Texts.of(texts)).texts)
finish(began, zip(found.rows, found.of))
"""
DATASKETCH = """
from datasketch import MinHash, MinHashLSH
began, index, pairs = time.process_time(), MinHashLSH(threshold=0.7, num_perm=128), []
for row, text in enumerate(texts):
    signature = MinHash(num_perm=128)
    signature.update_batch([gram.encode() for gram in grams(text.lower())])
    pairs += [(row, other) for other in index.query(signature)]
    index.insert(row, signature)
finish(began, pairs)
"""
GAOYA = """
from gaoya.minhash import MinHashStringIndex
began = time.process_time()
index, pairs = MinHashStringIndex(32, 0.7, 25, 5, None, "char", True, (4, 4)), []
for row, text in enumerate(texts):
    pairs += [(row, other) for other in index.query(text)]
    index.insert_document(row, text)
finish(began, pairs)
"""
RENSA = """
from rensa import RMinHash, RMinHashLSH
began, index, kept, pairs = time.process_time(), RMinHashLSH(threshold=0.7, num_perm=128, num_bands=32), [], []
for row, text in enumerate(texts):
    signature = RMinHash(num_perm=128, seed=42)
    signature.update(grams(text.lower()))
    pairs += [(row, other) for other in index.query(signature) if signature.jaccard(kept[other]) >= 0.7]
    index.insert(row, signature)
    kept.append(signature)
finish(began, pairs)
"""


def main() -> None:
    """Print a table of the steps, and one of the sides, medians of ``ROUNDS``."""
    _bench.machine()
    os.environ["LOSSWORKS_THREADS"] = "1"
    _bench.table(["", "NTREX, MB/s", "poems, MB/s"], _steps(), "steps")
    with tempfile.TemporaryDirectory() as folder:
        _bench.table(["", "MB/s", "recall", "precision"], _sides(Path(folder)), "near-doubles")


def _steps() -> list[list[Any]]:
    from lossworks.preparation import NEAR, Texts, bands, candidates, digests, leaks, normalise, removed, repeats, rules, verified

    poems = Texts.of(json.loads(line)["text"] for line in (_bench.data() / "poetry.jsonl").open(encoding="utf-8"))
    files = sorted((_bench.data() / "ntrex" / "NTREX-128").glob("*.txt"))
    ntrex = Texts.of(line for file in files for line in file.read_text("utf-8").split("\n"))
    ruled = [rules.build(spec) for spec in (*rules.GOPHER, *rules.C4)]
    columns = []
    for texts in (ntrex, poems):
        for _ in range(2):  # compiled code is loaded by the first
            took: dict[str, float] = {}
            with _timed(took, "normal form"):
                own = normalise(texts).texts
            with _timed(took, "all 15 rules of Gopher and C4"):
                rules.screen(own, ruled)
            with _timed(took, "exact doubles"):
                kept = own.take(np.flatnonzero(repeats(digests(own)) == np.arange(len(own))))
            with _timed(took, "signatures"):
                signed = bands(kept)
            with _timed(took, "near doubles: candidates"):
                pairs = candidates(signed)
            with _timed(took, "near doubles: true similarity"):
                near = removed(verified(kept, kept, pairs, NEAR))
            held = kept.take(range(0, len(kept), 20))
            with _timed(took, "leaks of 5 % of the texts"):
                leaks(kept, held, NEAR, signed)
        took["all"] = sum(took.values())
        columns.append({name: len(texts.bytes) / 1e6 / seconds for name, seconds in took.items()})
        print(
            f"{len(texts):,} texts, {len(kept):,} different, {len(pairs):,} candidates, {len(near):,} near doubles",
            file=sys.stderr,
        )
    return [[name, *(column[name] for column in columns)] for name in columns[0]]


@contextmanager
def _timed(took: dict[str, float], name: str) -> Iterator[None]:
    began = time.process_time()
    yield
    took[name] = time.process_time() - began


def _sides(folder: Path) -> list[list[Any]]:
    texts, planted = _planted()
    (folder / "texts.json").write_text(json.dumps(texts), "utf-8")
    size = sum(len(text.encode()) for text in texts) / 1e6
    names = {"Lossworks": OURS, "datasketch": DATASKETCH, "gaoya": GAOYA, "rensa": RENSA}
    sides = {name: partial(_side, name, program, folder) for name, program in names.items()}
    found, rows = _bench.in_turn(sides, ROUNDS), []
    for name in names:
        pairs = {(max(pair), min(pair)) for pair in json.loads((folder / name).read_text())}
        recall = sum(planted.get(row) == of for row, of in pairs) / len(planted)
        others = sorted(pair for pair in pairs if planted.get(pair[0]) != pair[1])
        tried = random.Random(0).sample(others, min(len(others), 300))
        wrong = sum(difflib.SequenceMatcher(None, texts[a], texts[b], autojunk=False).ratio() < 0.8 for a, b in tried)
        precision = 1 - wrong / max(len(tried), 1) * len(others) / max(len(pairs), 1)
        rows.append([name, size / found[name]["seconds"], f"{recall:.3f}", f"{precision:.4f}"])
    return rows


def _side(name: str, program: str, folder: Path) -> dict[str, Any]:
    python = sys.executable if program is OURS else _bench.peers()
    return _bench.run(python, _TIMED + program, str(folder / "texts.json"), str(folder / name))


def _planted() -> tuple[list[str], dict[int, int]]:
    """Texts, every second one's edited double behind them, and which row is whose."""
    rng, sources = random.Random(0), []
    for language in LANGUAGES:
        lines = (_bench.data() / f"ntrex/NTREX-128/newstest2019-ref.{language}.txt").read_text("utf-8").split("\n")
        sources.append([line for line in dict.fromkeys(lines) if len(line) >= 60])
    poems = [json.loads(line)["text"] for line in (_bench.data() / "poetry.jsonl").open(encoding="utf-8")][::80]
    sources.append([poem for poem in dict.fromkeys(poems) if len(poem) >= 20])
    texts = [text for source in sources for text in source]
    edited = [_edited(text, "".join(source), rng) for source in sources for text in source[::2]]
    chosen = [row for row, first in _numbered(sources) if first % 2 == 0]
    return texts + edited, {len(texts) + number: row for number, row in enumerate(chosen)}


def _numbered(sources: list[list[str]]) -> list[tuple[int, int]]:
    """Each text's number in all, and in its source."""
    return list(enumerate(number for source in sources for number in range(len(source))))


def _edited(text: str, alphabet: str, rng: random.Random) -> str:
    letters = list(text)
    for place in sorted(rng.sample(range(len(letters)), max(1, round(0.03 * len(letters)))), reverse=True):
        kind, letter = rng.random(), rng.choice(alphabet)
        if kind < 0.2:
            del letters[place]
        else:
            letters[place : place + (kind < 0.8)] = letter
    return "".join(letters)


if __name__ == "__main__":
    main()
