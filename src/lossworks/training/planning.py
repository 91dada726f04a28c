"""What is chosen before the first step of a network over tokens: its size, its dtype, how many steps; and said.

What was chosen stands beside the checkpoints, so a run that is resumed goes on by the same plan, on whatever machine. What is
not told in minutes is decided by the texts and the kind of processor alone, so that it is the same at each fit.
"""

from __future__ import annotations

import math
import time
from collections.abc import Callable
from dataclasses import asdict, dataclass, field, replace
from itertools import takewhile
from typing import Any

import numpy as np
import torch

from .. import optim
from ..core.machine import fast_dtype
from ..data import Ragged
from ..data.layouts import Positions
from ..models import build_language, render
from ..models.hf import HfSpec
from ..models.neural import NeuralSpec
from ..models.rnn import RnnSpec
from ..models.transformer import TransformerSpec
from ..tokens import Vocabulary
from .config import TrainConfig
from .settings import BY_STEPS, OF_TOKENS, Settings
from .step_timing import ROUNDS, StepTime, step_time
from .tokens import new_network

MINUTES = 5.0
"""How long a network is trained where nothing else is said."""
SCHEDULE, CLIP, BATCH_TOKENS = "linear:warmup=5%", 1.0, 2048
"""How, likewise; ``BATCH_TOKENS`` a step at least."""
_LADDER = ((2, 64, 2), (4, 128, 4), (6, 192, 6), (6, 256, 8), (6, 384, 6), (8, 512, 8), (12, 768, 12))  # layers, dim, heads
_TOKENS_A_WEIGHT = 4.0
"""Tokens seen in training for each weight, at least: docs/LOG.md has what more and fewer gave."""
_LONGEST = 256  # tokens of a row where nothing else is said
EVALS, _TRAINING, _EVALUATING = 12, 0.88, 0.07  # how often held-out texts are scored; the time's shares for steps and for that
_FASTER = 3  # scoring is, than training
_MANY = 1_000_000  # epochs, where steps say how long training is
Sized = TransformerSpec | RnnSpec


@dataclass(frozen=True, slots=True)
class Plan:
    """What a training goes by. ``threads``: of PyTorch's own. ``said``: what was chosen and why, in words."""

    model: str
    config: TrainConfig
    dtype: str
    threads: int
    said: tuple[str, ...] = field(default=())

    def to_json(self) -> dict[str, Any]:
        """Plain values, for the file beside the checkpoints."""
        return asdict(self)

    @classmethod
    def from_json(cls, saved: dict[str, Any]) -> Plan:
        """What ``to_json`` gave.

        Raises:
            KeyError, TypeError, UsageError: it is damaged.
        """
        config = TrainConfig(**saved["config"])
        return cls(saved["model"], config, saved["dtype"], int(saved["threads"]), tuple(saved["said"]))


def plan(
    texts: Ragged, vocabulary: Vocabulary, settings: Settings, *, ends: bool, clock: Callable[[], float] = time.monotonic
) -> Plan:
    """Everything that ``settings`` leave open, for these training texts on this machine.

    Args:
        texts, vocabulary, ends: as of ``train_sequences``.
        settings: of a network, resolved.
        clock: seconds, from any point.

    Raises:
        DataError: there are no texts. UsageError: the settings do not fit together.
    """
    began = clock()
    spec, config = by_texts(texts, vocabulary, settings, ends=ends)
    timed, said = settings.steps is None and settings.epochs is None, list[str]()
    dtype = settings.dtype or fast_dtype(settings.device)
    probe = _Probe(texts, vocabulary, ends, settings.device, dtype)
    threads = torch.get_num_threads()
    if timed:
        seconds = 60 * (settings.minutes or MINUTES)
        if isinstance(spec, Sized) and not _named(settings) & {"layers", "dim", "heads"}:
            spec, why = _sized(spec, config, probe, seconds)
            said.append(why)
        measured = probe.step_time(spec, config)
        threads, a_step = measured.threads, measured.seconds
        left = seconds - (clock() - began)  # for measuring takes its time too
        steps = max(EVALS, int(_TRAINING * left / a_step))
        epochs = steps * config.batch_tokens / len(Positions.of(texts, vocabulary, ends))
        enough = max((_TRAINING + _EVALUATING) * left, steps * a_step)  # where measuring took it all, the fewest steps still
        config = replace(config, steps=steps, seconds=enough, epochs=math.ceil(epochs) + 1)
        said.append(
            f"{steps:,} steps of {config.batch_tokens:,} tokens fill {seconds / 60:g} minutes at {a_step * 1e3:.3g} ms each in "
            f"{dtype}: {epochs:.3g} passes over the texts. --minutes, --steps or --epochs say otherwise."
        )
    if config.steps is not None:
        scored = int(_EVALUATING * config.steps * _FASTER * config.batch_tokens / EVALS)
        config = replace(config, eval_tokens=max(scored, 4 * config.batch_tokens))
    return Plan(render(spec), config, dtype, threads, tuple(said))


def by_texts(texts: Ragged, vocabulary: Vocabulary, settings: Settings, *, ends: bool) -> tuple[NeuralSpec, TrainConfig]:
    """What the texts decide of what is left open, and the settings: the same on every machine.

    Raises:
        DataError: there are no texts. UsageError: the settings do not fit together.
    """
    spec = build_language(settings.model or "")
    assert isinstance(spec, NeuralSpec)
    named = _named(settings)
    window = _window(spec, settings, Positions.of(texts, vocabulary, ends), named)
    if isinstance(spec, TransformerSpec) and "context" not in named:
        spec = replace(spec, context=window)
    return spec, _config(spec, settings, window)


def _named(settings: Settings) -> set[str]:
    """The keys of the model that were said."""
    return {pair.partition("=")[0].strip() for pair in (settings.model or "").partition(":")[2].split(",")}


def _window(spec: NeuralSpec, settings: Settings, positions: Positions, named: set[str]) -> int:
    """Tokens of a row: the model's context where it is given, else as long as nearly all texts are, within a limit."""
    if isinstance(spec, TransformerSpec) and "context" in named:
        return spec.context
    if settings.pack:
        return _LONGEST
    if isinstance(spec, HfSpec):
        return min(_LONGEST, spec.window or _LONGEST)
    usual = int(np.quantile(np.diff(positions.bounds), 0.999))
    longest = _LONGEST if isinstance(spec, TransformerSpec) else _LONGEST // 2
    return int(min(longest, max(16, 16 * math.ceil(usual / 16))))


def _config(spec: NeuralSpec, settings: Settings, window: int) -> TrainConfig:
    """What is said, and the defaults of the rest."""
    said = settings.said(*BY_STEPS, *OF_TOKENS)
    said.pop("lr", None)
    optimizer = settings.optimizer_or(spec.optimizer)
    defaults: dict[str, Any] = {
        "schedule": SCHEDULE,
        "clip": None if optimizer.needs_closure else CLIP,
        "evals": None if settings.epochs is not None and settings.steps is None else EVALS,
        "epochs": 1 if settings.steps is None else _MANY,
        "batch_tokens": max(BATCH_TOKENS, 8 * window),
        "patience": 4,
    }
    return TrainConfig(**{**defaults, **said, "optimizer": optim.render(optimizer), "window": window})


def _sized(spec: Sized, config: TrainConfig, probe: _Probe, seconds: float) -> tuple[Sized, str]:
    """The largest size of the ladder that sees enough tokens a weight in the time, and why."""
    smallest, tried, *larger = (_at(spec, *size) for size in _LADDER)
    size = probe.vocabulary.size
    probed = probe.step_time(tried, replace(config, optimizer="adamw"), rounds=1)
    a_product = probed.seconds / (config.batch_tokens * _products(tried, size, config.window))

    def seen(at: Sized) -> float:
        return _TRAINING * seconds / (a_product * _products(at, size, config.window))

    def sees_enough(at: Sized) -> bool:
        return seen(at) >= _TOKENS_A_WEIGHT * at.parameters(size)

    *_, chosen = smallest, *takewhile(sees_enough, (tried, *larger))
    weights = chosen.parameters(size)
    return chosen, (
        f"{render(chosen)}: {weights:,} weights, the most that see {_TOKENS_A_WEIGHT:g} tokens each or more in {seconds / 60:g} "
        f"minutes on this machine (about {seen(chosen) / weights:.2g}). Name layers or dim to choose yourself."
    )


def _at(spec: Sized, layers: int, dim: int, heads: int) -> Sized:
    """The family at a size; of a recurrent one two layers, twice as wide."""
    if isinstance(spec, TransformerSpec):
        return replace(spec, layers=layers, dim=dim, heads=heads, kv_heads=None)
    return replace(spec, layers=2, dim=2 * dim)


def _products(spec: Sized, vocabulary: int, window: int) -> float:
    """Multiplications a token, about: one a weight, and those of attention."""
    return spec.parameters(vocabulary) + (spec.layers * spec.dim * window if isinstance(spec, TransformerSpec) else 0)


@dataclass(frozen=True, slots=True)
class _Probe:
    """Times steps of networks on the training texts."""

    texts: Ragged
    vocabulary: Vocabulary
    ends: bool
    device: str
    dtype: str

    def step_time(self, spec: NeuralSpec, config: TrainConfig, rounds: int = ROUNDS) -> StepTime:
        """The seconds of a step, on the number of threads that is fastest."""
        where = self.texts, self.vocabulary
        network = new_network(spec, *where, ends=self.ends, seed=0, device=self.device, dtype=self.dtype)
        return step_time(network, self.texts, self.vocabulary, config, ends=self.ends, rounds=rounds)
