"""Very many classes: `lossworks fit` and fastText's two losses for them, in a fresh process each.

    LOSSWORKS_PEERS=… python bench/classes.py [SIDE …]           10,000 classes of 36,000 rows; 4,000 tested
    LOSSWORKS_DATA=… … python bench/classes.py authors [SIDE …]  2,673 authors of 29,431 poems; 6,753 tested

Sides: ours; hs of fastText, 25 epochs at a rate of .5; its ova, 5 epochs at .1, for .5 ends in NaN. Clock and CPU
seconds are of training alone for fastText; of a whole fit, report and calibration with it, for ours.
"""

from __future__ import annotations

import json
import random
import sys
import tempfile
from collections import defaultdict
from pathlib import Path
from typing import Any

import _bench

CLASSES = 10_000
TIMED = """
import json, sys, time
import numpy as np
train, test = sys.argv[1:3]
rows = json.load(open(test, encoding="utf-8"))
def told(seconds, found):  # labels of each row, the likeliest first
    right = np.array([[label == wanted for label in labels] for labels, (_, wanted) in zip(found, rows)])
    at = [float(right[:, :k].any(1).mean()) for k in (1, 5)]
    print(json.dumps({"clock": seconds[0], "cpu": seconds[1], "at 1": at[0], "at 5": at[1] / 5}))
began = time.perf_counter(), time.process_time()
took = lambda: [time.perf_counter() - began[0], time.process_time() - began[1]]
"""
OURS = """
import lossworks
model = lossworks.fit(train, test=0, out=sys.argv[3])
seconds, found = took(), []
for first in range(0, len(rows), 500):
    likely = np.argsort(-np.asarray(model.predict_proba([text for text, _ in rows[first : first + 500]])), axis=1)[:, :5]
    found += [[model.labels[at] for at in each] for each in likely]
told(seconds, found)
"""
THEIRS = """
import fasttext
loss, rate, epochs = sys.argv[3:]
began = time.perf_counter(), time.process_time()
model = fasttext.train_supervised(train, loss=loss, lr=float(rate), epoch=int(epochs), thread=2, verbose=0)
seconds = took()
told(seconds, [[label[9:] for label in labels] for labels in model.predict([text for text, _ in rows], k=5)[0]])
"""


def made() -> tuple[_bench.Pairs, _bench.Pairs]:
    """Four rows of three words for each class, of which one tells the class."""
    draw = random.Random(0)
    rows = [(f"c{i % CLASSES} x{draw.randrange(50)} y", f"label{i % CLASSES:05}") for i in range(4 * CLASSES)]
    random.Random(1).shuffle(rows)
    return rows[4000:], rows[:4000]


def authors() -> tuple[_bench.Pairs, _bench.Pairs]:
    """Poems, characters apart, of whoever wrote five or more; a fifth of at most twenty of each is the test."""
    of: dict[str, list[str]] = defaultdict(list)
    with (_bench.data() / "poetry.jsonl").open(encoding="utf-8") as file:
        for row in map(json.loads, file):
            of[row["author"].replace(" ", "_")].append(" ".join("".join(row["text"].split())))
    draw, train, test = random.Random(0), [], []
    for author, poems in sorted(of.items()):
        if len(own := list(dict.fromkeys(poems))) >= 5:
            own = draw.sample(own, min(len(own), 20))
            test += [(poem, author) for poem in own[: len(own) // 5]]
            train += [(poem, author) for poem in own[len(own) // 5 :]]
    draw.shuffle(train)
    return train, test


def main() -> None:
    """Print a row for each side."""
    _bench.machine()
    what = sys.argv[1:]
    of_authors = what[:1] == ["authors"]
    train, test = authors() if of_authors else made()
    with tempfile.TemporaryDirectory() as folder:
        rows, words, tested = (Path(folder, name) for name in ("rows.jsonl", "rows.txt", "test.json"))
        rows.write_text("".join(json.dumps({"text": text, "label": label}) + "\n" for text, label in train), "utf-8")
        words.write_text("".join(f"__label__{label} {text}\n" for text, label in train), "utf-8")
        tested.write_text(json.dumps(test), "utf-8")
        sides: dict[str, tuple[str, str, Path, str]] = {
            "ours": (sys.executable, OURS, rows, f"{folder}/run"),
            "hs": (_bench.peers(), THEIRS, words, "hs 0.5 25"),
            "ova": (_bench.peers(), THEIRS, words, "ova 0.1 5"),
        }
        for name in what[of_authors:] or sides:
            python, program, path, more = sides[name]
            found: dict[str, Any] = _bench.run(python, TIMED + program, str(path), str(tested), *more.split())
            cells = (found[key] for key in ("at 1", "at 5", "clock", "cpu"))
            head = (f"{len({label for _, label in train}):,} classes", "precision@1", "@5", "clock, s", "CPU s", "peak GB")
            _bench.table(head, [(name, *cells, found["memory"] / 1000)])
            sys.stdout.flush()


if __name__ == "__main__":
    main()
