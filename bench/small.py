"""Small labelled files from command to report, in seconds: `lossworks fit`, fastText, and TF-IDF + logistic regression."""

from __future__ import annotations

import itertools
import json
import subprocess
import sys
import tempfile
import time
from pathlib import Path
from typing import Any

import _bench

import lossworks

FASTTEXT = """
import csv, sys
import fasttext
rows = [(" ".join(text.split()), label) for text, label in list(csv.reader(open(sys.argv[1], encoding="utf-8")))[1:]]
with open(sys.argv[2], "w", encoding="utf-8") as file:
    file.writelines(f"__label__{label} {text}\\n" for text, label in rows)
model = fasttext.train_supervised(sys.argv[2], epoch=25, lr=0.5, wordNgrams=2, thread=2, verbose=0)
model.predict([text for text, _ in rows[:600]])
"""
LOGISTIC = """
import csv, sys
from sklearn.feature_extraction.text import TfidfVectorizer
from sklearn.linear_model import LogisticRegression
rows = list(csv.reader(open(sys.argv[1], encoding="utf-8")))[1:]
words = TfidfVectorizer(ngram_range=(1, 2))
model = LogisticRegression(C=10, max_iter=1000).fit(words.fit_transform(text for text, _ in rows), [label for _, label in rows])
model.predict(words.transform(text for text, _ in rows[:600]))
"""


def main() -> None:
    """Print the table: medians of three rounds, the sides in turn; ours also by what the record says of training alone."""
    _bench.machine()
    wanted, rows = sys.argv[1:], []
    with tempfile.TemporaryDirectory() as folder:
        for name, path in _files(Path(folder)).items():
            if wanted and name not in wanted:
                continue
            _ours(path, folder)  # compiles, once
            sides = {
                "ours": lambda path=path: _ours(path, folder),
                "fastText": lambda path=path: _seconds([_bench.peers(), "-c", FASTTEXT, str(path), f"{folder}/rows.txt"]),
                "TF-IDF + LR": lambda path=path: _seconds([_bench.peers(), "-c", LOGISTIC, str(path)]),
            }
            found = _bench.in_turn(sides, rounds=3)
            ours, fast, logistic = (found[side]["seconds"] for side in sides)
            rows.append((name, ours, found["ours"]["training"], fast, ours / fast, logistic, ours / logistic))
    _bench.table(("", "lossworks fit, s", "of it training", "fastText, s", "ratio", "TF-IDF + LR, s", "ratio"), rows)


def _files(folder: Path) -> dict[str, Path]:
    """Each data set as a CSV of texts and labels."""
    movies, trec, news = (load(0)[0] for load in (_bench.movie_reviews, _bench.trec, _bench.ag_news))
    with (_bench.data() / "poetry.jsonl").open(encoding="utf-8") as file:
        poems = [(row["text"], row["dynasty"]) for row in map(json.loads, itertools.islice(file, 0, 300_000, 60))]
    found = {"reviews": Path(lossworks.__file__).parent / "data" / "reviews.csv"}
    for name, pairs in {"movie-reviews": movies[:6920], "trec": trec, "ag-news": news, "poems": poems}.items():
        found[name] = folder / f"{name}.csv"
        _bench.write_csv(found[name], pairs)
    return found


def _ours(path: Path, folder: str) -> dict[str, Any]:
    out = Path(tempfile.mkdtemp(dir=folder)) / "run"
    took = _seconds([sys.executable, "-m", "lossworks", "fit", str(path), "--out", str(out), "--quiet"])
    return {**took, "training": json.loads((out / "run.json").read_text("utf-8"))["result"]["seconds"]}


def _seconds(command: list[str]) -> dict[str, Any]:
    began = time.perf_counter()
    subprocess.run(command, check=True, capture_output=True)
    return {"seconds": time.perf_counter() - began}


if __name__ == "__main__":
    main()
