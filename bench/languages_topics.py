"""Topics in 205 languages: one classifier taught all of them, beside each language's own.

LOSSWORKS_DATA=… python bench/languages_topics.py [LANGUAGES]

Learns from the training parts of SIB-200 and stops by the dev parts; each language's test part is asked once. LANGUAGES: how
many are given a classifier of their own, drawn with seed 0 (all). "Worse" is an exact McNemar test over a language's 204
sentences, corrected over languages by Holm's method.
"""

from __future__ import annotations

import csv
import sys
import time
from pathlib import Path
from typing import Any

import _bench
import numpy as np
from numpy.typing import NDArray
from scipy import stats

import lossworks
from lossworks.evidence.statistics import holm

OWN = "linear:share=0.25,idf=1.0,words=4"
POOLED = OWN + ",bits=24"  # millions of n-grams
Rows = list[tuple[str, str]]


def part(folder: Path, name: str) -> Rows:
    """The texts of a part with their topics."""
    with (folder / f"{name}.tsv").open(encoding="utf-8", newline="") as file:
        return [(row["text"], row["category"]) for row in csv.DictReader(file, delimiter="\t", quoting=csv.QUOTE_NONE)]


def fitted(folders: list[Path], spec: str, **settings: Any) -> lossworks.Model:
    """A classifier of the languages in ``folders``."""
    train, valid = ([row for folder in folders for row in part(folder, name)] for name in ("train", "dev"))
    model = lossworks.fit(train, valid=valid, test=0, model=spec, **settings)
    assert isinstance(model, lossworks.Model)
    return model


def right(model: lossworks.Model, folder: Path) -> NDArray[np.bool_]:
    """Which of a language's test sentences the classifier gets right."""
    test = part(folder, "test")
    said = model.predict([text for text, _ in test])
    return np.array([one == topic for one, (_, topic) in zip(said, test, strict=True)])


def worse(pooled: NDArray[np.bool_], own: NDArray[np.bool_]) -> float:
    """The probability of as many sentences, or more, that only the language's own gets right, were both as good; two-sided."""
    lost, gained = int((own & ~pooled).sum()), int((pooled & ~own).sum())
    return float(stats.binomtest(lost, max(lost + gained, 1)).pvalue) if lost + gained else 1.0


def main() -> None:
    """Print mean, 5th percentile and minimum over languages, what the training took, and who is shown worse or better."""
    _bench.machine()
    folders = sorted(found.parent for found in (_bench.data() / "sib-200").glob("*/train.tsv"))
    began = time.perf_counter(), time.process_time()
    model = fitted(folders, POOLED, epochs=5, batch_size=64)
    print(f"pooled: {time.perf_counter() - began[0]:.0f} s, {time.process_time() - began[1]:.0f} s of CPU time")
    pooled = {folder: right(model, folder) for folder in folders}
    print(f"pooled, all {len(folders)}: mean accuracy {np.mean(list(pooled.values())):.4f}", flush=True)
    asked = int(sys.argv[1]) if len(sys.argv) > 1 else len(folders)
    drawn = [folders[place] for place in np.random.default_rng(0).permutation(len(folders))[:asked]]
    own = {folder: right(fitted([folder], OWN), folder) for folder in drawn}
    rows = []
    for name, some in (("pooled", pooled), (f"pooled, the {asked}", {f: pooled[f] for f in drawn}), (f"own, the {asked}", own)):
        means = np.array([values.mean() for values in some.values()])
        rows.append((name, float(means.mean()), float(np.percentile(means, 5)), float(means.min())))
    _bench.table(("", "mean", "5th percentile", "lowest"), rows, "languages-topics")
    p = holm([worse(pooled[folder], own[folder]) for folder in drawn])
    for word, sign in (("worse", -1), ("better", 1)):
        shown = [f for f, one in zip(drawn, p, strict=True) if one <= 0.05 and sign * (pooled[f].mean() - own[f].mean()) > 0]
        print(f"pooled shown {word} than the language's own in {len(shown)} of {asked}: {' '.join(f.name for f in shown)}")


if __name__ == "__main__":
    main()
