"""Every optimizer on three tasks, with tuned learning rates: steps and seconds to a target held-out loss, three seeds.

    bench/optimizers.py [NAME …]      a table of all, or of these; every run's results go to runs/optimizers.json, and
                                      what is in it is not run again

The tasks: a small Transformer on the characters of tiny-shakespeare, `linear` on the dynasties of 20,000 poems, `bag` on
movie reviews. The rates tried are a factor of √10 apart, at least two on either side of the best; each is run once, by seed 0,
and judged by the lowest held-out loss in the run (diverged: infinite). The best is run by three seeds. Full-batch optimizers
are not tried on the characters.
"""

from __future__ import annotations

import json
import math
import statistics
import sys
import time
from collections.abc import Callable, Iterator
from dataclasses import dataclass, replace
from functools import cache
from pathlib import Path
from typing import Any

import _bench
import numpy as np
import torch
from torch import Tensor, nn
from torch.nn import functional as F  # noqa: N812

from lossworks.core.errors import Diverged
from lossworks.data import Batch
from lossworks.models import bag, linear
from lossworks.optim import Optimizer, Stepper, build, optimizers
from lossworks.tasks import LabelTask, label_task

SEEDS = 3
KEPT = Path("runs/optimizers.json")


@dataclass(frozen=True)
class Trial:
    """A model in training: the mean loss of step ``n``'s examples, one drawn by the model itself, and the held-out loss."""

    model: nn.Module
    loss: Callable[[int, Stepper], Tensor]
    sampled: Callable[[int, Stepper], tuple[Tensor, int]]
    held_out: Callable[[], float]


@dataclass(frozen=True)
class Setting:
    """A task: what makes a trial from a seed, how many steps it has, and the held-out loss to reach."""

    make: Callable[[int, bool], Trial]
    steps: int
    every: int
    target: float
    whole: int = 0  # steps for optimisers that take all examples at once; 0: not tried


class Block(nn.Module):
    """Attention and a wide layer, each after a norm, added to what comes in."""

    def __init__(self, width: int, heads: int) -> None:
        super().__init__()
        self.heads = heads
        self.first, self.second = nn.LayerNorm(width), nn.LayerNorm(width)
        self.qkv, self.merge = nn.Linear(width, 3 * width, bias=False), nn.Linear(width, width, bias=False)
        self.up, self.down = nn.Linear(width, 4 * width, bias=False), nn.Linear(4 * width, width, bias=False)

    def forward(self, x: Tensor) -> Tensor:
        q, k, v = self.qkv(self.first(x)).unflatten(-1, (3, self.heads, -1)).permute(2, 0, 3, 1, 4)
        x = x + self.merge(F.scaled_dot_product_attention(q, k, v, is_causal=True).transpose(1, 2).flatten(2))
        return x + self.down(F.gelu(self.up(self.second(x))))


class Characters(nn.Module):
    """Two blocks of width 64 over 64 characters."""

    def __init__(self, vocabulary: int, width: int = 64, context: int = 64) -> None:
        super().__init__()
        self.token, self.place = nn.Embedding(vocabulary, width), nn.Embedding(context, width)
        self.blocks = nn.Sequential(Block(width, 4), Block(width, 4))
        self.norm, self.head = nn.LayerNorm(width), nn.Linear(width, vocabulary, bias=False)
        for embedding in (self.token, self.place):
            nn.init.normal_(embedding.weight, std=0.02)

    def forward(self, ids: Tensor) -> Tensor:
        return self.head(self.norm(self.blocks(self.token(ids) + self.place.weight[: ids.shape[1]])))


@cache
def _characters() -> tuple[Tensor, Tensor, int]:
    text = (_bench.data() / "tiny-shakespeare.txt").read_text("utf-8")
    number = {c: n for n, c in enumerate(sorted(set(text)))}
    ids = torch.tensor([number[c] for c in text])
    cut = int(0.9 * len(ids))
    return ids[:cut], ids[cut:], len(number)


def characters(seed: int, whole: bool) -> Trial:
    """The language model: 12 windows of 64 characters a step; held out, the last tenth of the text, whole."""
    train, rest, vocabulary = _characters()
    torch.manual_seed(seed)
    model = Characters(vocabulary)
    windows = torch.stack([rest[at : at + 65] for at in range(0, len(rest) - 65, 64)])

    def batch(number: int) -> Tensor:
        rng = torch.Generator().manual_seed(1000 * seed + number)
        return torch.stack([train[at : at + 65] for at in torch.randint(len(train) - 65, (12,), generator=rng).tolist()])

    def outputs(ids: Tensor) -> tuple[Tensor, Tensor]:
        return model(ids[:, :-1]).flatten(0, 1), ids[:, 1:].flatten()

    def sampled(number: int, stepper: Stepper) -> tuple[Tensor, int]:
        logits, _ = outputs(batch(number))
        drawn = torch.multinomial(logits.detach().softmax(-1), 1)[:, 0]
        return F.cross_entropy(logits, drawn), len(drawn)

    @torch.no_grad()
    def held_out() -> float:
        parts = [F.cross_entropy(*outputs(part), reduction="sum") for part in windows.split(128)]
        return float(sum(parts)) / (64 * len(windows))

    return Trial(model, lambda number, stepper: F.cross_entropy(*outputs(batch(number))), sampled, held_out)


@cache
def _texts(which: str) -> tuple[Any, LabelTask, Callable[[str, np.ndarray], Batch], dict[str, int]]:
    """A model's spec, the task, the batch of rows of a part, and how many rows the parts have."""
    if which == "poems":
        spec: Any = linear.LinearSpec(bits=18)
        lines = (_bench.data() / "poetry.jsonl").read_text("utf-8").splitlines()
        chosen = np.random.default_rng(0).choice(len(lines), 24_000, replace=False)
        rows = [json.loads(lines[n]) for n in chosen]
        pairs = [(row["text"], row["dynasty"]) for row in rows]
        parts = {"train": pairs[:20_000], "held out": pairs[20_000:]}
    else:
        spec = bag.BagSpec()
        train, test = _bench.movie_reviews(0)
        parts = {"train": train, "held out": test}
    features = spec.features()
    read = {part: features.read([text for text, _ in pairs]) for part, pairs in parts.items()}
    counter = features.counter()
    counter.add(read["train"], np.ones(len(parts["train"]), bool))
    features.learn(counter)
    labels = tuple(sorted({label for _, label in parts["train"]}))
    selected = {part: features.select(of) for part, of in read.items()}
    target = {part: torch.tensor([labels.index(label) for _, label in pairs]) for part, pairs in parts.items()}

    def batch(part: str, rows: np.ndarray) -> Batch:
        return selected[part].batch(rows, target[part][rows], torch.ones(len(rows)))

    return (spec, len(features)), label_task("classify", labels), batch, {part: len(pairs) for part, pairs in parts.items()}


def classifier(which: str) -> Callable[[int, bool], Trial]:
    """A trial of a classifier: 64 texts a step, or all of them."""

    def make(seed: int, whole: bool) -> Trial:
        (spec, features), task, batch, sizes = _texts(which)
        model = spec.network(features, task.outputs, seed)

        def rows(number: int) -> np.ndarray:
            if whole:
                return np.arange(sizes["train"])
            return np.random.default_rng((seed, number)).choice(sizes["train"], 64, replace=False)

        def loss_of(part: Batch) -> Tensor:
            return F.binary_cross_entropy_with_logits(model(part)[:, 0], part.target.float())

        def loss(number: int, stepper: Stepper) -> Tensor:
            part = batch("train", rows(number))
            stepper.train_weights(part)
            return loss_of(part)

        def sampled(number: int, stepper: Stepper) -> tuple[Tensor, int]:
            part = batch("train", rows(number))
            return task.sampled_losses(model(part)).mean(), len(part)

        @torch.no_grad()
        def held_out() -> float:
            return loss_of(batch("held out", np.arange(sizes["held out"]))).item()

        return Trial(model, loss, sampled, held_out)

    return make


SETTINGS = {
    "characters": Setting(characters, steps=400, every=40, target=2.35),
    "poems": Setting(classifier("poems"), steps=600, every=30, target=0.3, whole=60),
    "reviews": Setting(classifier("reviews"), steps=450, every=30, target=0.52, whole=60),
}


def run(setting: Setting, optimizer: Optimizer, seed: int) -> dict[str, Any]:
    """One run: the ``best`` held-out loss, and the ``steps`` to the target, None where it was not reached."""
    trial = setting.make(seed, optimizer.full_batch)
    stepper = Stepper(optimizer, trial.model)
    torch.manual_seed(seed)
    steps, every = (setting.whole, 2) if optimizer.full_batch else (setting.steps, setting.every)
    best, reached = math.inf, None
    for number in range(steps):
        try:
            _step(trial, stepper, number)
        except Diverged:
            break
        if (number + 1) % every == 0:
            stepper.eval_weights()
            score = trial.held_out()
            if not score < 20:
                break
            best = min(best, score)
            if reached is None and score <= setting.target:
                reached = number + 1
    return {"best": best, "steps": reached}


def step_time(setting: Setting, optimizer: Optimizer) -> float:
    """Seconds of a step, gradient and update: the median of 15."""
    trial = setting.make(0, optimizer.full_batch)
    stepper, seen = Stepper(optimizer, trial.model), []
    for number in range(20):
        start = time.perf_counter()
        _step(trial, stepper, number)
        seen.append(time.perf_counter() - start)
    return statistics.median(seen[5:])


def _step(trial: Trial, stepper: Stepper, number: int) -> None:
    if stepper.wants_curvature:
        loss, examples = trial.sampled(number, stepper)
        loss.backward()
        stepper.observe_curvature(examples)

    def make() -> float:
        stepper.zero_grad()
        loss = trial.loss(number, stepper)
        loss.backward()
        return loss.item()

    closure = make if stepper.optimizer.needs_closure else None
    if closure is None and not math.isfinite(make()):
        raise Diverged("the loss is not finite")
    stepper.step(closure=closure)


def tuned(setting: Setting, optimizer: Optimizer) -> dict[str, Any]:
    """The best rate, the curve of rates, and three seeds at the best."""
    curve: dict[float, float] = {}
    power: dict[float, int] = {}

    def wanted() -> Iterator[int]:
        best = min(power, key=lambda lr: curve[lr]) if curve else optimizer.lr
        at = power.get(best, 0)
        yield from (p for p in (at, at - 1, at + 1, at - 2, at + 2) if p not in power.values())

    while (p := next(wanted(), None)) is not None and len(curve) < 14:
        lr = float(f"{optimizer.lr * 10 ** (p / 2):.3g}")
        power[lr] = p
        curve[lr] = run(setting, replace(optimizer, lr=lr), 0)["best"]
    lr = min(curve, key=curve.__getitem__)
    return {"lr": lr, "curve": curve, "runs": [run(setting, replace(optimizer, lr=lr), seed) for seed in range(SEEDS)]}


def show(kept: dict[str, Any]) -> None:
    """A table per task: learning rate, lowest loss (mean of the seeds), steps to the target (median), and their seconds."""
    for task, setting in SETTINGS.items():
        rows = []
        for name, found in kept.items():
            if task in found:
                lr, runs = found[task]["lr"], found[task]["runs"]
                best = statistics.mean(r["best"] for r in runs)
                steps = [r["steps"] for r in runs]
                median = None if None in steps else statistics.median(steps)
                each = step_time(setting, replace(build(name), lr=lr))
                rows.append((name, lr, best, median or "–", 1e3 * each, median * each if median else "–"))
        print(f"{task}: to a held-out loss of {setting.target}\n")
        _bench.table(("", "lr", "lowest loss", "steps", "ms per step", "seconds"), sorted(rows, key=lambda row: row[2]))


def main() -> None:
    """Run what is missing, and print the tables."""
    torch.set_num_threads(1)
    _bench.machine()
    kept: dict[str, Any] = json.loads(KEPT.read_text("utf-8")) if KEPT.exists() else {}
    for name in sys.argv[1:] or [entry.name for entry in optimizers]:
        for task, setting in SETTINGS.items():
            optimizer = build(name)
            if task in kept.get(name, {}) or (optimizer.full_batch and not setting.whole):
                continue
            found = tuned(setting, optimizer)
            kept.setdefault(name, {})[task] = found
            KEPT.parent.mkdir(exist_ok=True)
            KEPT.write_text(json.dumps(kept), "utf-8")
            print(f"{name} {task}: lr {found['lr']:g}, {found['runs'][0]['best']:.4f}", file=sys.stderr)
    show(kept)


if __name__ == "__main__":
    main()
