"""How long a step takes on this machine, and on how many of PyTorch's threads it is fastest: measured, by real steps.

Fewer of its threads can be faster: where compiled code of ours shares the work among its own, PyTorch's wait for one another
and get in their way.
"""

from __future__ import annotations

import statistics
import time
from collections.abc import Callable
from dataclasses import dataclass

import torch
from numpy.typing import NDArray

from ..core.seeds import torch_generator_kept, torch_seeded
from ..core.torch_threads import torch_threads
from ..data import Ragged
from ..data.layouts import Layout, Positions
from ..engine.denormals import flushed
from ..models import SequenceNetwork
from ..optim import Stepper
from ..optim import build as optimizer_of
from ..tokens import Vocabulary
from .config import TrainConfig
from .sequences import lay_out

ROUNDS = 3
_BEHIND = 1.5  # times as slow as the fastest


@dataclass(frozen=True, slots=True)
class StepTime:
    """The seconds of a step on some of PyTorch's threads."""

    threads: int
    seconds: float


def step_time(
    network: SequenceNetwork,
    texts: Ragged,
    vocabulary: Vocabulary,
    config: TrainConfig,
    *,
    ends: bool,
    rounds: int = ROUNDS,
    clock: Callable[[], float] = time.perf_counter,
) -> StepTime:
    """The fastest number of threads, one or all: ``rounds`` steps of each in turn, but for what is far behind after the first.

    Args:
        network: is used up. texts, vocabulary, ends: as of ``train_sequences``.
        config: what a step is. rounds: steps timed of each number of threads.
        clock: seconds, from any point.
    """
    network.train()
    layout = lay_out(network, Positions.of(texts, vocabulary, ends), config, 0)
    stepper = Stepper(optimizer_of(config.optimizer), network, clip=config.clip)
    many = torch.get_num_threads()
    ways = sorted({many, 1 if next(network.parameters()).device.type == "cpu" else many})
    steps = layout.steps(config.batch_tokens, 0)
    seen: dict[int, list[float]] = {threads: [] for threads in ways}
    with torch.inference_mode(False), torch.enable_grad(), torch_generator_kept(), flushed():
        for number in range(rounds + 1):  # the first finds its kernels
            for threads in ways if number < 2 else [way for way in ways if seen[way][0] < _BEHIND * min(seen.values())[0]]:
                with torch_threads(threads), torch_seeded(number):
                    seconds = _step(network, stepper, layout, steps[number % len(steps)], clock)
                if number:
                    seen[threads].append(seconds)
    return min((StepTime(way, statistics.median(times)) for way, times in seen.items()), key=lambda one: one.seconds)


def _step(network: SequenceNetwork, stepper: Stepper, layout: Layout, rows: NDArray, clock: Callable[[], float]) -> float:  # type: ignore[type-arg]
    """The seconds of one step, by -log p whatever the loss is."""
    device = next(network.parameters()).device

    def loss() -> float:
        mean = -network.scores(layout.take(rows, 0).to(device)).logp.mean()
        mean.backward()  # type: ignore[no-untyped-call]
        return mean.item()

    start = clock()
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
    return clock() - start
