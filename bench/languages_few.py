"""Few labels in three languages, many in five: one classifier of all, one for each language, and both as a pool (SIB-200).

LOSSWORKS_DATA=… python bench/languages_few.py [SEEDS] [TRIALS] [FEW] [SPEC]

FEW sentences, drawn at random, are labelled in the three, the same in all of them; the five have the other sentences of
`train`, so that no translation of the few is learned from. `dev` tunes and calibrates, `test` judges.
"""

from __future__ import annotations

import csv
import sys
import tempfile
from pathlib import Path
from typing import Any

import _bench
import numpy as np

import lossworks
from lossworks import ReadOptions

FEW = ("bel_Cyrl", "glg_Latn", "tha_Thai")
MANY = ("rus_Cyrl", "ukr_Cyrl", "spa_Latn", "por_Latn", "deu_Latn")
SPEC = "linear:share=0.25,idf=1.0,words=4"
HEAD = ("text", "label", "lang")


def rows(language: str, part: str) -> list[dict[str, str]]:
    """The sentences of a part."""
    path = _bench.data() / "sib-200" / language / f"{part}.tsv"
    with path.open(encoding="utf-8", newline="") as file:
        return list(csv.DictReader(file, delimiter="\t", quoting=csv.QUOTE_NONE))


def write(path: Path, found: list[tuple[str, dict[str, str]]]) -> str:
    """A table of sentences with their languages."""
    with path.open("w", encoding="utf-8", newline="") as file:
        table = csv.writer(file)
        table.writerow(HEAD)
        table.writerows((row["text"], row["category"], language) for language, row in found)
    return str(path)


def main(seeds: int, trials: int, few: int, spec: str) -> None:
    """Print what is shown in every language."""
    _bench.machine()
    ids = sorted(row["index_id"] for row in rows(FEW[0], "train"))
    drawn = {ids[place] for place in np.random.default_rng(0).permutation(len(ids))[:few]}
    train = [(name, row) for name in (*FEW, *MANY) for row in rows(name, "train") if (row["index_id"] in drawn) == (name in FEW)]
    with tempfile.TemporaryDirectory() as scratch:
        given: dict[str, Any] = {"data": write(Path(scratch) / "train.csv", train)}
        for part, name in (("valid", "dev"), ("test", "test")):
            held = [(language, row) for language in (*FEW, *MANY) for row in rows(language, name)]
            given[part] = write(Path(scratch) / f"{name}.csv", held)
        arms = [spec, f"each:{spec}", f"pool:{spec}+each:{spec}"]
        found = lossworks.compare(**given, read=ReadOptions(language="lang"), model=arms, seeds=seeds, trials=trials)
    for arm in found.arms:
        metrics = ", ".join(f"{name} {value:.4f}" for name, value in arm["metrics"].items())
        print(f"{arm['name']}: {metrics}; lr {arm['tuning']['lr']}, {arm['seconds']:.1f} s\n    {arm['verdict']['sentence']}")
    told = found.record["result"]["by_language"]
    for one in told:
        print(one["sentence"])
    for claim in found.knowledge:
        print(claim["sentence"])
    by = [{row["language"]: row for row in one["rows"]} for one in told]
    table = [(name, few if name in FEW else len(ids) - few, *(_said(one[name]) for one in by)) for name in (*FEW, *MANY)]
    _bench.table(("", "labels", "each", "pool"), table, "languages-few")


def _said(row: dict[str, float]) -> str:
    return f"{row['value']:+.3f} ({row['low']:+.3f} to {row['high']:+.3f}) {row['word']}".replace("no difference shown", "")


if __name__ == "__main__":
    given = sys.argv[1:] + ["4", "6", "50", SPEC][len(sys.argv) - 1 :]
    main(int(given[0]), int(given[1]), int(given[2]), given[3])
