"""How right "about … left" is: what commands said after a tenth, a quarter and half of their time, over what it then took.

    python bench/waiting.py [NAME …]    all, or those of the names below

Counted to the end of the whole command, since that is what is waited for. 1 is right; below 1 it took longer than was said.
What says nothing by then has no figure. The machine should do nothing else.
"""

from __future__ import annotations

import re
import subprocess
import sys
import tempfile
import time
from pathlib import Path

import _bench

import lossworks

SHARES = (0.1, 0.25, 0.5)
LEFT = re.compile(r"about (?:(\d+) h ?)?(?:(\d+) min ?)?(?:(\d+) s)? ?left")
UNITS = (3600, 60, 1)

COMMANDS = {
    "fit, linear": "fit {poems} --text text --label dynasty --out {out}",
    "fit, bag": "fit {poems} --text text --label dynasty --out {out} --model bag --epochs 3",
    "fit, naive_bayes": "fit {poems} --text text --label author --out {out} --model naive_bayes",
    "fit, transformer of labels": "fit {trec} --out {out} --model transformer --epochs 3",
    "fit, rnn": "fit {shakespeare} --task lm --out {out} --model rnn --tokenizer chars --steps 400",
    "fit, transformer": "fit {shakespeare} --task lm --out {out} --model transformer --tokenizer bpe:size=1000 --steps 60",
    "fit, hmm": "fit {shakespeare} --task lm --out {out} --model hmm --tokenizer chars",
    "fit, ngram": "fit {poems} --task lm --out {out} --model ngram",
    "fit --folds": "fit {trec} --out {out} --folds 20",
    "compare": "compare {reviews} --out {out} --loss cross_entropy --loss focal --seeds 10 --trials 10",
    "data prepare": "data prepare {poems} --out {out}",
}


def main() -> None:
    """Print a row for each command."""
    data = _bench.data()
    _bench.machine()
    rows = []
    with tempfile.TemporaryDirectory() as folder:
        places = {
            "reviews": Path(lossworks.__file__).parent / "data" / "reviews.csv",
            "shakespeare": data / "tiny-shakespeare.txt",
            "poems": data / "poetry.jsonl",
            "trec": Path(folder) / "trec.csv",
        }
        _bench.write_csv(places["trec"], _bench.trec(0)[0])
        for name in sys.argv[1:] or COMMANDS:
            out = Path(folder) / name.replace(" ", "")
            rows.append((name, *measured([part.format(**places, out=out) for part in COMMANDS[name].split()])))
    _bench.table(("command", "s", *(f"at {share:.0%}" for share in SHARES)), rows)


def measured(command: list[str]) -> tuple[str, ...]:
    """How long it took, and for each share of that what was then said to be left, over what was."""
    began = time.perf_counter()
    process = subprocess.Popen(
        [sys.executable, "-m", "lossworks", *command], stderr=subprocess.PIPE, stdout=subprocess.DEVNULL, text=True
    )
    assert process.stderr
    lines = [(time.perf_counter() - began, line) for line in process.stderr]
    if process.wait():
        sys.exit(f"{' '.join(command)}\n{''.join(line for _, line in lines)}")
    whole = time.perf_counter() - began
    return f"{whole:.1f}", *(_ratio(lines, share, whole) for share in SHARES)


def _ratio(lines: list[tuple[float, str]], share: float, whole: float) -> str:
    """Of the last line that stood on the screen when that share had gone by, less the time it had stood there."""
    said = [(when, found) for when, line in lines if when <= share * whole and (found := LEFT.search(line))]
    if not said:
        return ""
    when, found = said[-1]
    seconds = sum(unit * int(number or 0) for unit, number in zip(UNITS, found.groups(), strict=True))
    return f"{seconds / (whole - when):.2f}"


if __name__ == "__main__":
    main()
