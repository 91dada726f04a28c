"""How reliable is `lossworks compare`? Its verdicts when the truth is known: no difference, injected ones, and a wrong metric.

    bench/evidence.py made  [DRAWS]         synthetic numbers: how often a difference is shown although there is none
    bench/evidence.py null  [COMPARISONS]   an arm against itself with other seeds: how often called different
    bench/evidence.py power [COMPARISONS]   injected effects: how often they are shown, by number of seeds
    bench/evidence.py trap  [COMPARISONS]   losses ranked by their own value and by held-out nll: how often the order flips

Every comparison samples 1,500 movie reviews, splits them (a fifth for testing), and trains `bag:dim=8` for four epochs on one
thread. Nothing is tuned, so that thousands of runs take minutes.
"""

from __future__ import annotations

import random
import sys
import tempfile
from collections import Counter
from collections.abc import Callable, Mapping
from dataclasses import replace
from itertools import combinations
from math import sqrt
from pathlib import Path
from typing import Any

import _bench
import numpy as np
import torch
from numpy.typing import NDArray
from scipy import stats

from lossworks.data import TEST, TRAIN, VALID, load
from lossworks.engine import Callbacks
from lossworks.engine.distributed import World
from lossworks.evidence.label_trainings import ByEpochs
from lossworks.evidence.labels import LabelBenchmark
from lossworks.evidence.statistics import difference
from lossworks.training.examples import ExampleObjective

COMMON: dict[str, Any] = {
    "model": "bag:dim=8,vocabulary=3000", "optimizer": "adam:lr=0.01", "epochs": 4, "batch_size": 32, "schedule": "linear",
    "valid": 0.1, "test": 0.2,
}  # fmt: skip
ROWS, SEEDS = 1500, 5
Rows = NDArray[np.float64]


def benchmark(number: int, scratch: str) -> LabelBenchmark:
    """The data of comparison ``number``: sampled rows with their own split."""
    rows, rest = _bench.movie_reviews(0)
    drawn = random.Random(number).sample(rows + rest, ROWS)
    folder = Path(scratch) / str(random.getrandbits(60))
    folder.mkdir()
    return LabelBenchmark([load(drawn)], [None], COMMON | {"seed": number}, folder)


def trained(data: LabelBenchmark, own: Mapping[str, Any], seeds: range) -> Rows:
    """The nll of each test row with each seed [S, N]; ``own``: settings that differ from the common ones."""
    resolved = data.resolve(own)
    rows = [data.train(replace(resolved, seed=seed), "nll").rows for seed in seeds]
    return np.stack([data.prior("nll") if one is None else one for one in rows])


def ours(arm: Rows, baseline: Rows) -> bool:
    """The verdict of `compare` with two arms."""
    return difference(arm - baseline).shown


def single_run(arm: Rows, baseline: Rows) -> bool:
    """One run each, a paired t-test over the test rows."""
    return bool(stats.ttest_rel(arm[0], baseline[0]).pvalue <= 0.05)


def pooled(arm: Rows, baseline: Rows) -> bool:
    """All runs' rows in one paired t-test, as if S × N rows were independent."""
    return bool(stats.ttest_1samp((arm - baseline).ravel(), 0).pvalue <= 0.05)


def unpaired(arm: Rows, baseline: Rows) -> bool:
    """Every number of either arm independent: Welch's t-test over S × N against S × N."""
    return bool(stats.ttest_ind(arm.ravel(), baseline.ravel(), equal_var=False).pvalue <= 0.05)


def seeds_alone(arm: Rows, baseline: Rows) -> bool:
    """Welch's t-test over the runs' means, the test rows treated as the whole population."""
    return bool(stats.ttest_ind(arm.mean(1), baseline.mean(1), equal_var=False).pvalue <= 0.05)


TESTS: dict[str, Callable[[Rows, Rows], bool]] = {
    "compare": ours,
    "a single run each, paired over rows": single_run,
    "all rows of all runs as independent, paired": pooled,
    "all rows of all runs as independent, unpaired": unpaired,
    "means of the runs, unpaired": seeds_alone,
}


def made(draws: int) -> None:
    """How often a difference is shown between numbers that have none, by each test and by both as `compare` asks."""
    sources = {
        "all interaction": (0, 0, 1),
        "nearly all seeds": (1, 0, 0.1),
        "nearly all rows": (0, 1, 0.1),
        "a third each": (1, 1, 1),
    }
    rows, rng, examples = [], np.random.default_rng(0), 200
    for seeds in (2, 3, 5, 8):
        for name, shares in sources.items():
            a, b, e = (sqrt(share * size) for share, size in zip(shares, (seeds, examples, seeds * examples), strict=True))
            shapes = ((seeds, 1), (1, examples), (seeds, examples))
            found = [
                difference(np.asarray(sum(size * rng.standard_normal(s) for size, s in zip((a, b, e), shapes, strict=True))), k)
                for k in range(draws)
            ]
            alone = [one.p <= 0.05 for one in found], [one.p_flips <= 0.05 for one in found], [one.shown for one in found]
            rows.append((seeds, name, *(f"{np.mean(each):.1%}" for each in alone)))
    print(f"{draws} draws each, {examples} rows; binomial standard deviation {sqrt(0.05 * 0.95 / draws):.1%}\n")
    _bench.table(("seeds", "the variance of the mean", "interval alone", "sign flips alone", "both, as `compare` asks"), rows)


def null(comparisons: int) -> None:
    """How often an arm is called different from itself."""
    wrong: Counter[str] = Counter()
    for number in range(comparisons):
        with tempfile.TemporaryDirectory() as scratch:
            data = benchmark(number, scratch)
            baseline = trained(data, {}, range(1, 1 + SEEDS))
            arm = trained(data, {}, range(1001, 1001 + SEEDS))
            wrong.update(name for name, test in TESTS.items() if test(arm, baseline))
        _tell(number + 1, comparisons, wrong)
    allowed = 0.05 + 2 * sqrt(0.05 * 0.95 / comparisons)
    print(f"{comparisons} comparisons of an arm with itself, {SEEDS} seeds, {ROWS // 5} test rows.")
    print(f"5 % and two binomial standard deviations: {allowed:.1%}\n")
    _bench.table(("test", "called different"), [(name, f"{wrong[name] / comparisons:.1%}") for name in TESTS])


def power(comparisons: int) -> None:
    """How often injected effects are shown, by number of seeds; in brackets, how often in the wrong direction."""
    planted: dict[str, tuple[dict[str, Any], float]] = {
        "rate ÷ 10": ({"optimizer": "adam:lr=0.001"}, 0.0),
        "rate × 10": ({"optimizer": "adam:lr=0.1"}, 0.0),
        "2 % of labels flipped": ({}, 0.02),
        "5 % of labels flipped": ({}, 0.05),
        "10 % of labels flipped": ({}, 0.10),
    }
    counts = (2, 3, 5, 8)
    shown: Counter[tuple[str, int]] = Counter()
    wrongly: Counter[tuple[str, int]] = Counter()
    sizes: dict[str, list[float]] = {name: [] for name in planted}
    for number in range(comparisons):
        with tempfile.TemporaryDirectory() as scratch:
            baseline = trained(benchmark(number, scratch), {}, range(1, 1 + counts[-1]))
            for name, (own, share) in planted.items():
                data = benchmark(number, scratch)
                _flip(data, own, share, number)
                d = trained(data, own, range(1, 1 + counts[-1])) - baseline
                sizes[name].append(float(d.mean()))
                for seeds in counts:
                    found = difference(d[:seeds])
                    shown[name, seeds] += found.shown and found.value > 0
                    wrongly[name, seeds] += found.shown and found.value < 0
        _tell(number + 1, comparisons, shown)
    print(
        f"{comparisons} comparisons with {ROWS // 5} test rows: share of injected effects shown (shown in the wrong direction)\n"
    )
    rows = [
        (
            name,
            f"{np.mean(sizes[name]):+.4f}",
            *(f"{shown[name, s] / comparisons:.0%} ({wrongly[name, s] / comparisons:.0%})" for s in counts),
        )
        for name in planted
    ]
    _bench.table(("planted", "mean difference, nats", *(f"{seeds} seeds" for seeds in counts)), rows)


def trap(comparisons: int) -> None:
    """How often two losses' order by their own held-out values differs from that by held-out nll."""
    losses = ("cross_entropy", "cross_entropy:label_smoothing=0.1", "focal:gamma=2", "mse")
    flipped: Counter[tuple[str, str]] = Counter()
    for number in range(comparisons):
        with tempfile.TemporaryDirectory() as scratch:
            data = benchmark(number, scratch)
            values = {}
            for loss in losses:
                settings = data.resolve({"loss": loss})
                training = data.training(settings, Callbacks(), (VALID, TEST))
                assert isinstance(training, ByEpochs)
                training.run()
                objective = training.loop.objective
                assert isinstance(objective, ExampleObjective)
                tested = replace(objective, data=replace(objective.data, valid=objective.data.test))
                own = tested.held_out(World())
                assert own is not None
                values[loss] = own["loss"], data.scored(training.answers(), settings).rows["nll"].mean()
            for one, other in combinations(losses, 2):
                gap, nll = (values[one][k] - values[other][k] for k in (0, 1))
                flipped[one, other] += gap * nll < 0
        _tell(number + 1, comparisons, flipped)
    print(f"{comparisons} runs of each loss: how often the loss with the lower value of its own has the higher nll\n")
    rows = [(one, other, f"{flipped[one, other] / comparisons:.0%}") for one, other in combinations(losses, 2)]
    _bench.table(
        ("loss", "other loss", "order flips"), [*rows, ("all pairs", "", f"{flipped.total() / comparisons / len(rows):.0%}")]
    )


def _flip(data: LabelBenchmark, own: Mapping[str, Any], share: float, number: int) -> None:
    """Flip the labels of a share of the training rows."""
    ready = data.ready(data.resolve(own))
    rows = np.flatnonzero(ready.parts == TRAIN)
    chosen = np.random.default_rng(number).choice(rows, round(share * len(rows)), replace=False)
    ready.target[chosen] = 1 - ready.target[chosen]


def _tell(done: int, of: int, counts: Counter[Any]) -> None:
    """Print the counts so far."""
    if done % 10 == 0:
        print(f"{done} of {of}: {dict(counts)}", file=sys.stderr, flush=True)


def main() -> None:
    """Run what is named, or all."""
    _bench.machine()
    torch.set_num_threads(1)  # such small steps are slower when shared
    kinds = {"made": (made, 300), "null": (null, 200), "power": (power, 40), "trap": (trap, 40)}
    for kind in [sys.argv[1]] if len(sys.argv) > 1 else kinds:
        run, usual = kinds[kind]
        run(int(sys.argv[2]) if len(sys.argv) > 2 else usual)


if __name__ == "__main__":
    main()
