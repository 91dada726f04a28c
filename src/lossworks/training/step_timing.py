"""How long a step takes on this machine, in which numbers and on how many of PyTorch's threads: measured, by real steps.

Fewer of its threads can be faster: where compiled code of ours shares the work among its own, PyTorch's wait for one another
and get in their way.
"""

from __future__ import annotations

import statistics
import time
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass

import numpy as np
import torch
from numpy.typing import NDArray

from ..data import Ragged
from ..engine.config import TrainConfig
from ..engine.denormals import flushed
from ..models import SequenceNetwork
from ..optim import Stepper
from ..optim import build as optimizer_of
from ..tokens import Vocabulary
from .layouts import Layout, Positions, lay_out

ROUNDS = 3
_BEHIND = 1.5  # times as slow as the fastest
_WORTH = 0.9  # bfloat16 has to take less than this part of float32's time, for it costs precision


@dataclass(frozen=True, slots=True)
class Pace:
    """A way to go: the type of the products' numbers, PyTorch's threads; and the seconds of a step."""

    dtype: str
    threads: int
    seconds: float

    @property
    def said(self) -> str:
        """It in words."""
        return f"{1e3 * self.seconds:.3g} ms in {self.dtype}"


def paces(
    network: SequenceNetwork,
    texts: Ragged,
    vocabulary: Vocabulary,
    recipe: TrainConfig,
    *,
    ends: bool,
    dtypes: Sequence[str],
    rounds: int = ROUNDS,
) -> list[Pace]:
    """The fastest way for each of some types of numbers: all in turn, ``rounds`` steps each, but for those that are far behind
    after the first. The network is used up.
    """
    network.train()
    layout = lay_out(network, Positions.of(texts, vocabulary, ends), recipe, 0)
    stepper = Stepper(optimizer_of(recipe.optimizer), network, clip=recipe.clip)
    many = torch.get_num_threads()
    ways = [(dtype, threads) for dtype in dtypes for threads in sorted({many, 1 if _on_processor(network) else many})]
    steps = layout.steps(recipe.batch_tokens, 0)
    seen: dict[tuple[str, int], list[float]] = {way: [] for way in ways}
    with torch.random.fork_rng(devices=[]), flushed():
        for number in range(rounds + 1):  # the first finds its kernels
            for way in ways if number < 2 else [way for way in ways if seen[way][0] < _BEHIND * min(seen.values())[0]]:
                with torch_threads(way[1]):
                    network.dtype = getattr(torch, way[0])
                    seconds = _step(network, stepper, layout, steps[number % len(steps)])
                if number:
                    seen[way].append(seconds)
    found = [Pace(*way, statistics.median(times)) for way, times in seen.items()]
    return [min((pace for pace in found if pace.dtype == dtype), key=lambda pace: pace.seconds) for dtype in dtypes]


def fastest(found: Sequence[Pace]) -> Pace:
    """The one to go by; a narrower type only where it is clearly faster."""
    wide, *narrow = found
    best = min(narrow, key=lambda pace: pace.seconds, default=wide)
    return best if best.seconds < _WORTH * wide.seconds else wide


@contextmanager
def torch_threads(count: int) -> Iterator[None]:
    """PyTorch's threads for a while."""
    before = torch.get_num_threads()
    torch.set_num_threads(count)
    try:
        yield
    finally:
        torch.set_num_threads(before)


def _step(network: SequenceNetwork, stepper: Stepper, layout: Layout, rows: NDArray[np.int64]) -> float:
    """The seconds of one step, by -log p whatever the loss is."""
    device = next(network.parameters()).device

    def loss() -> float:
        mean = -network.scores(layout.take(rows, 0).to(device)).logp.mean()
        mean.backward()  # type: ignore[no-untyped-call]
        return mean.item()

    start = time.perf_counter()
    stepper.zero_grad()
    stepper.train_weights()
    searches = stepper.optimizer.needs_closure
    if not searches:
        loss()
    if stepper.wants_curvature:
        stepper.observe_curvature(1)
        loss()
    stepper.step(1.0, loss if searches else None)
    if device.type == "cuda":
        torch.cuda.synchronize()
    return time.perf_counter() - start


def _on_processor(network: SequenceNetwork) -> bool:
    return next(network.parameters()).device.type == "cpu"
