"""Shared by the benchmarks: locations of data and peers, fresh processes, medians, tables.

    LOSSWORKS_DATA   folder with the data sets
    LOSSWORKS_PEERS  a Python interpreter that has the peers (fasttext, scikit-learn, …) installed
    LOSSWORKS_PAGE   a page whose marked tables are written anew (`make explain-docs`)

Both sides run in turn, each in a fresh process, in one session; ratios are of medians.
"""

from __future__ import annotations

import csv
import json
import os
import platform
import random
import statistics
import subprocess
import sys
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import Any
from unittest import mock

import numpy as np
from numpy.typing import NDArray

import lossworks

Pairs = list[tuple[str, str]]


def data() -> Path:
    """The folder with the data sets; exits with a reason if it is not set."""
    folder = os.environ.get("LOSSWORKS_DATA")
    if not folder:
        sys.exit("skipped: LOSSWORKS_DATA names no folder with the texts")
    return Path(folder)


def peers() -> str:
    """The interpreter that has the peers; exits with a reason if it is not set."""
    python = os.environ.get("LOSSWORKS_PEERS")
    if not python:
        sys.exit("skipped: LOSSWORKS_PEERS names no interpreter with the peers")
    return python


def run(python: str, program: str, *arguments: str) -> dict[str, Any]:
    """The JSON on the last line that ``program`` prints, in a fresh process, and its peak memory in MB."""
    wrapped = f"{program}\nimport resource as _r; print('\\n' + str(_r.getrusage(_r.RUSAGE_SELF).ru_maxrss / 1024))"
    done = subprocess.run([python, "-c", wrapped, *arguments], capture_output=True, text=True, check=False)
    if done.returncode:
        sys.exit(f"{program}\nended with {done.returncode}:\n{done.stderr}")
    *_, answer, _, memory = done.stdout.strip().split("\n")
    return {**json.loads(answer), "memory": float(memory)}


def in_turn(sides: Mapping[str, Callable[..., dict[str, Any]]], rounds: int) -> dict[str, dict[str, Any]]:
    """Run the sides in turn; the median of each number."""
    seen: dict[str, list[dict[str, Any]]] = {name: [] for name in sides}
    for _ in range(rounds):
        for name, side in sides.items():
            seen[name].append(side())
    return {name: {key: statistics.median(r[key] for r in results) for key in results[0]} for name, results in seen.items()}


def paired(ours: Sequence[float], theirs: Sequence[float]) -> str:
    """The mean difference of results on the same draws, and its 95 % interval by Student's t."""
    from scipy import stats  # slow to load, and few benchmarks need it

    gaps = [one - other for one, other in zip(ours, theirs, strict=True)]
    mean = statistics.mean(gaps)
    low, high = stats.t.interval(0.95, len(gaps) - 1, mean, max(stats.sem(gaps), 1e-12))
    return f"{mean:+.4f} ({low:+.4f} to {high:+.4f})"


def table(head: Sequence[str], rows: Sequence[Sequence[Any]], mark: str | None = None) -> None:
    """Print a Markdown table; also into the page, with command and machine, where ``<!-- bench:mark -->`` stands in it."""
    cells = [head, ["---"] * len(head), *([f"{c:.4g}" if isinstance(c, float) else str(c) for c in row] for row in rows)]
    lines = ["| " + " | ".join(row) + " |" for row in cells]
    print("\n".join(lines) + "\n")
    if mark and (page := os.environ.get("LOSSWORKS_PAGE")):
        path, command = Path(page), " ".join(["bench/" + Path(sys.argv[0]).name, *sys.argv[1:]])
        path.write_text(marked(path.read_text("utf-8"), mark, "\n".join([*lines, "", f"(`{command}`; {host()})"])), "utf-8")


def marked(page: str, mark: str, text: str) -> str:
    """The page with this text between ``<!-- bench:mark -->`` and the next ``<!-- end -->``; ValueError if they are not there."""
    before, begin, rest = page.partition(f"<!-- bench:{mark} -->\n")
    _, end, after = rest.partition("<!-- end -->")
    if not end:
        raise ValueError(f"the page has no place for {mark}")
    return f"{before}{begin}{text}\n{end}{after}"


def host() -> str:
    """The machine in words, and how busy it is with others' work: processes that want to run, on average."""
    lines = Path("/proc/cpuinfo").read_text("utf-8").split("\n")
    name = next((line.partition(":")[2].strip() for line in lines if line.startswith("model name")), platform.machine())
    cores, busy = len(os.sched_getaffinity(0)), os.getloadavg()[2]
    return f"{name}, {cores} cores, load {busy:.1f}, Python {platform.python_version()}"


def machine() -> None:
    """Print the machine."""
    print(host() + "\n")


@contextmanager
def looked_up(spec: str, texts: Iterable[str]) -> Iterator[dict[str, NDArray[np.float32]]]:
    """The states that a frozen model has of these texts, read once; fits meanwhile look them up."""
    from lossworks.models import build  # not above: most benchmarks time fresh processes, and import nothing of it themselves

    features: Any = build(spec).features()
    each = list(dict.fromkeys(texts))
    features.prepare([each])
    known = dict(zip(each, features.states(each), strict=True))
    with mock.patch.object(type(features), "states", lambda self, texts: np.stack([known[text] for text in texts])):
        yield known


def movie_reviews(seed: int) -> tuple[Pairs, Pairs]:
    """10,662 sentences, pos and neg; the last 1,062 of a seeded shuffle are the test."""
    rows = []
    for label in ("pos", "neg"):
        text = (data() / "movie-reviews" / f"rt-polarity.{label}").read_text("latin-1")
        rows += [(line.strip(), label) for line in text.split("\n") if line.strip()]
    return _shuffled(rows, seed, 1062)


def trec(seed: int) -> tuple[Pairs, Pairs]:
    """5,452 and 500 questions in six classes, with their official split."""
    parts = []
    for name in ("train", "test"):
        lines = (data() / "trec" / f"TREC.{name}").read_text("latin-1").split("\n")
        pairs = [line.partition(" ")[::2] for line in lines if line.strip()]
        parts.append([(text.strip(), label.partition(":")[0]) for label, text in pairs])
    return parts[0], parts[1]


def ag_news(seed: int) -> tuple[Pairs, Pairs]:
    """7,600 news items in four classes; the last 1,520 of a seeded shuffle are the test."""
    with (data() / "ag-news" / "ag_news_test.csv").open(encoding="utf-8", newline="") as file:
        rows = [(f"{title} {body}", label) for label, title, body in csv.reader(file)]
    return _shuffled(rows, seed, 1520)


def poems(seed: int) -> tuple[Pairs, Pairs]:
    """Poems and their dynasty, 5,000 of a seeded draw for training and 5,000 others as the test."""
    with (data() / "poetry.jsonl").open(encoding="utf-8") as file:
        lines = random.Random(seed).sample(list(file), 10_000)
    return _shuffled([(row["text"], row["dynasty"]) for row in map(json.loads, lines)], seed, 5000)


def reviews(seed: int) -> tuple[Pairs, Pairs]:
    """The 656 reviews that come with the package; the last 131 of a seeded shuffle are the test."""
    with (Path(lossworks.__file__).parent / "data" / "reviews.csv").open(encoding="utf-8", newline="") as file:
        rows = [(row["text"], row["label"]) for row in csv.DictReader(file)]
    return _shuffled(rows, seed, 131)


def poetry(folder: Path) -> tuple[Path, Path]:
    """Poems and their dynasty as JSON lines, 10,000 of a seeded shuffle as the test; also in fastText's format."""
    lines = [json.loads(line) for line in (data() / "poetry.jsonl").open(encoding="utf-8")]
    random.Random(0).shuffle(lines)
    paths = folder / "train.jsonl", folder / "test.jsonl"
    for path, rows in zip(paths, (lines[:-10_000], lines[-10_000:]), strict=True):
        with path.open("w", encoding="utf-8") as ours, path.with_suffix(".txt").open("w", encoding="utf-8") as theirs:
            for row in rows:
                ours.write(json.dumps({"text": row["text"], "dynasty": row["dynasty"]}, ensure_ascii=False) + "\n")
                theirs.write(f"__label__{row['dynasty']} {' '.join(''.join(row['text'].split()))}\n")
    return paths


def write_csv(path: Path, rows: Pairs) -> None:
    """Rows as a file with the columns text and label."""
    with path.open("w", encoding="utf-8", newline="") as file:
        csv.writer(file).writerows([("text", "label"), *rows])


def _shuffled(rows: Pairs, seed: int, test: int) -> tuple[Pairs, Pairs]:
    random.Random(seed).shuffle(rows)
    return rows[:-test], rows[-test:]
