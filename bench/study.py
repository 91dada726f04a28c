"""The study of docs/EVIDENCE.md: losses by optimizers on three labelled data sets and one text, by `lossworks compare`.

    bench/study.py OUT [DATASET …]      plans, or continues, the named data sets (all four if none is named)
        --plan                          only estimates how long it takes
        --minutes M                     starts no run after M minutes per data set; the same command continues
        --jobs N

Each data set has its own directory in OUT, with a report. Run it again until every one is finished.
"""

from __future__ import annotations

import argparse
import sys
from pathlib import Path
from typing import Any

import _bench

import lossworks
from lossworks.api.compare import plan_of
from lossworks.core.errors import UsageError
from lossworks.engine import Callbacks
from lossworks.report.comparison_rows import MARKS, grid

LOSSES = [
    "cross_entropy", "cross_entropy:label_smoothing=0.1", "focal:gamma=2", "poly1", "generalized_cross_entropy",
    "symmetric_cross_entropy", "mse", "hinge",
]  # fmt: skip
OPTIMIZERS = ["adam", "sgd", "adagrad", "rmsprop", "adamw", "adgd", "lion", "muon"]
CHOICES: dict[str, Any] = {
    "loss": LOSSES, "optimizer": OPTIMIZERS, "model": "bag:dim=32,hidden=32", "epochs": 5, "batch_size": 64,
    "seeds": 5, "trials": 6,
}  # fmt: skip
SETS = {"movie-reviews": _bench.movie_reviews, "trec": _bench.trec, "ag-news": _bench.ag_news}
TEXT, CHARACTERS = "tiny-shakespeare", 300_000  # its beginning: scoring all of it would take longer than such short training
OF_TEXT: dict[str, Any] = {
    "task": "lm", "document_unit": "file", "tokenizer": "chars", "model": "transformer:layers=2,heads=2,dim=64,context=64",
    "steps": 120, "batch_tokens": 768,
    "loss": [loss for loss in LOSSES if loss != "hinge"], "seeds": 3, "trials": 4,
    "optimizer": ["sophia" if name == "adgd" else name for name in OPTIMIZERS],
}  # fmt: skip
"""Fewer seeds and trials than the others, because a run takes longer; no hinge loss, whose scores are not probabilities; and no
adgd, which passes over the whole text in each step, so that equal steps would not be equal training."""


def main() -> None:
    """Continue the study."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("out", type=Path)
    parser.add_argument("datasets", nargs="*", metavar="DATASET")
    parser.add_argument("--plan", action="store_true")
    parser.add_argument("--minutes", type=float)
    parser.add_argument("--jobs", type=int, default=1)
    asked = parser.parse_args()
    for name in asked.datasets or [*SETS, TEXT]:
        train, choices = _choices(asked.out, name)
        if asked.plan:
            planned = plan_of(train, jobs=asked.jobs, **choices)
            print(f"{name}: {planned.trainings} runs, about {planned.seconds / 60:.0f} minutes")
            continue
        try:
            found = lossworks.compare(
                train, out=asked.out / name, resume=True, jobs=asked.jobs, minutes=asked.minutes,
                callbacks=Callbacks(watch=_tell), command=f"bench/study.py {asked.out} {name}", **choices,
            )  # fmt: skip
        except UsageError as error:
            if "is finished" not in str(error):
                raise
            found = lossworks.Comparison.load(asked.out / name)
        _show(name, found)


def _choices(out: Path, name: str) -> tuple[Path, dict[str, Any]]:
    """The data set, and the settings of its comparison."""
    out.mkdir(parents=True, exist_ok=True)
    if name == TEXT:
        text = out / f"{TEXT}.txt"
        text.write_text((_bench.data() / f"{TEXT}.txt").read_text()[:CHARACTERS])
        return text, OF_TEXT
    train, test = _files(out, name)
    return train, {**CHOICES, "test": test}


def _files(out: Path, name: str) -> tuple[Path, Path]:
    """The data set as two CSV files, split as the benchmarks split it."""
    paths = out / f"{name}-train.csv", out / f"{name}-test.csv"
    for path, rows in zip(paths, SETS[name](0), strict=True):
        _bench.write_csv(path, rows)
    return paths


def _show(name: str, found: lossworks.Comparison) -> None:
    """The means over the seeds, losses by row, optimizers by column."""
    result = found.record["result"]
    print(f"\n### {name}: {found.record['status']}, {result['done']} of {result['of']} runs\n")
    arms = grid(result)
    assert arms is not None
    for metric in (result["metric"], *({"accuracy"} & result["arms"][0]["metrics"].keys())):
        judged = metric == result["metric"]
        print(f"Test {metric}{' (▲ better, ▼ worse than the baseline, the first; † some seeds diverged)' if judged else ''}\n")
        rows = [
            (row, *(_cell(arm, metric, judged) for arm in cells)) for row, cells in zip(arms["rows"], arms["cells"], strict=True)
        ]
        _bench.table((arms["of"][0], *arms["columns"]), rows)


def _cell(arm: dict[str, Any], metric: str, judged: bool) -> str:
    value = arm["value"] if judged else arm["metrics"].get(metric)
    verdict = arm["verdict"]
    marks = MARKS.get(verdict["word"], "") + ("†" if verdict["diverged"] else "") if judged else ""
    return "–" if value is None else f"{value:.3f} {marks}".strip()


def _tell(event: str, fields: dict[str, object]) -> None:
    if event == "training":
        print(f"{fields['stage']} {fields['arm']} {fields['number']}: {fields['score']}", file=sys.stderr, flush=True)


if __name__ == "__main__":
    main()
