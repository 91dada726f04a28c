"""What is chosen before the first step of a network over tokens: its size, its numbers, how many steps; measured, and said aloud.

What was chosen stands beside the checkpoints, so a run that is resumed goes on by the same plan, on whatever machine.
"""

from __future__ import annotations

import math
import time
from dataclasses import asdict, dataclass, field, replace
from itertools import takewhile
from typing import Any

import numpy as np

from .. import optim
from ..data import Ragged
from ..engine.config import TrainConfig
from ..models import build_language, render
from ..models.hf import HfSpec
from ..models.neural import NeuralSpec
from ..models.rnn import RnnSpec
from ..models.transformer import TransformerSpec
from ..tokens import Vocabulary
from .language_settings import LanguageSettings
from .layouts import Positions
from .step_timing import ROUNDS, Pace, fastest, paces

MINUTES = 5.0
"""How long a network is trained where nothing else is said."""
SCHEDULE, CLIP, BATCH_TOKENS = "linear:warmup=5%", 1.0, 2048
"""How, likewise; ``BATCH_TOKENS`` a step at least."""
_LADDER = ((2, 64, 2), (4, 128, 4), (6, 192, 6), (6, 256, 8), (6, 384, 6), (8, 512, 8), (12, 768, 12))  # layers, dim, heads
_TOKENS_A_WEIGHT = 4.0
"""Tokens seen in training for each weight, at least: docs/LOG.md has what more and fewer gave."""
_LONGEST = 256  # tokens of a row where nothing else is said
_JUDGED, _TRAINING, _JUDGING = 12, 0.88, 0.07  # how often held-out texts are scored; the time's shares for steps and for that
_FASTER = 3  # scoring is, than training
_MANY = 1_000_000  # epochs, where steps say how long training is
Sized = TransformerSpec | RnnSpec


@dataclass(frozen=True, slots=True)
class Plan:
    """What a training goes by. ``threads``: of PyTorch's own. ``said``: what was chosen and why, in words."""

    model: str
    recipe: TrainConfig
    dtype: str
    threads: int
    said: tuple[str, ...] = field(default=())

    def to_json(self) -> dict[str, Any]:
        """Plain values, for the file beside the checkpoints."""
        return {
            "model": self.model,
            "recipe": asdict(self.recipe),
            "dtype": self.dtype,
            "threads": self.threads,
            "said": list(self.said),
        }

    @classmethod
    def read(cls, saved: dict[str, Any]) -> Plan:
        """What ``to_json`` gave.

        Raises:
            KeyError, TypeError, UsageError: it is damaged.
        """
        return cls(saved["model"], TrainConfig(**saved["recipe"]), saved["dtype"], int(saved["threads"]), tuple(saved["said"]))


def plan(texts: Ragged, vocabulary: Vocabulary, settings: LanguageSettings, *, ends: bool) -> Plan:
    """Everything that ``settings`` leave open, for these training texts on this machine.

    Raises:
        DataError: there are no texts. UsageError: the settings do not fit together.
    """
    began = time.monotonic()
    spec, recipe = by_texts(texts, vocabulary, settings, ends=ends)
    seconds = 60 * (settings.minutes or MINUTES)
    timed = settings.steps is None and settings.epochs is None
    said = []
    if timed and isinstance(spec, Sized) and not _told(settings) & {"layers", "dim", "heads"}:
        spec, why = _sized(spec, recipe, texts, vocabulary, ends, seconds, settings)
        said.append(why)
    pace, why = _pace(spec, recipe, texts, vocabulary, ends, settings)
    said.append(why)
    if timed:
        a_step = pace.seconds
        left = seconds - (time.monotonic() - began)  # for measuring takes its time too
        steps = max(_JUDGED, int(_TRAINING * left / a_step))
        epochs = steps * recipe.batch_tokens / len(Positions.of(texts, vocabulary, ends))
        enough = max((_TRAINING + _JUDGING) * left, steps * a_step)  # where measuring took it all, the fewest steps still
        recipe = replace(recipe, steps=steps, seconds=enough, epochs=math.ceil(epochs) + 1)
        said.append(
            f"{steps:,} steps of {recipe.batch_tokens:,} tokens fill {seconds / 60:g} minutes at {a_step * 1e3:.3g} ms each: "
            f"{epochs:.3g} passes over the texts. --minutes, --steps or --epochs say otherwise."
        )
    if recipe.steps is not None:
        judged = int(_JUDGING * recipe.steps * _FASTER * recipe.batch_tokens / _JUDGED)
        recipe = replace(recipe, judged_tokens=max(judged, 4 * recipe.batch_tokens))
    return Plan(render(spec), recipe, pace.dtype, pace.threads, tuple(said))


def by_texts(texts: Ragged, vocabulary: Vocabulary, settings: LanguageSettings, *, ends: bool) -> tuple[NeuralSpec, TrainConfig]:
    """What the texts decide of what is left open, and the settings: the same on every machine.

    Raises:
        DataError: there are no texts. UsageError: the settings do not fit together.
    """
    spec = build_language(settings.model)
    assert isinstance(spec, NeuralSpec)
    told = _told(settings)
    window = _window(spec, settings, Positions.of(texts, vocabulary, ends), told)
    if isinstance(spec, TransformerSpec) and "context" not in told:
        spec = replace(spec, context=window)
    return spec, _recipe(spec, settings, window)


def _told(settings: LanguageSettings) -> set[str]:
    """The keys of the model that were said."""
    return {pair.partition("=")[0].strip() for pair in settings.model.partition(":")[2].split(",")}


def _window(spec: NeuralSpec, settings: LanguageSettings, positions: Positions, told: set[str]) -> int:
    """Tokens of a row: the model's context where it is given, else as long as nearly all texts are, within a limit."""
    if isinstance(spec, TransformerSpec) and "context" in told:
        return spec.context
    if settings.pack:
        return _LONGEST
    if isinstance(spec, HfSpec):
        return min(_LONGEST, spec.network(0).context or _LONGEST)
    usual = int(np.quantile(np.diff(positions.bounds), 0.999))
    longest = _LONGEST if isinstance(spec, TransformerSpec) else _LONGEST // 2
    return int(min(longest, max(16, 16 * math.ceil(usual / 16))))


def _recipe(spec: NeuralSpec, settings: LanguageSettings, window: int) -> TrainConfig:
    """What is told, and the defaults of the rest."""
    told = settings.of_gradients()
    optimizer = optim.build(told.pop("optimizer", None) or spec.optimizer)
    if "lr" in told:
        optimizer = replace(optimizer, lr=float(told.pop("lr")))
    defaults: dict[str, Any] = {
        "schedule": SCHEDULE,
        "clip": None if optimizer.needs_closure else CLIP,
        "judged": None if settings.epochs is not None and settings.steps is None else _JUDGED,
        "epochs": 1 if settings.steps is None else _MANY,
        "batch_tokens": max(BATCH_TOKENS, 8 * window),
        "patience": 4,
    }
    return TrainConfig(**{**defaults, **told, "optimizer": optim.render(optimizer), "window": window})


def _sized(
    spec: Sized,
    recipe: TrainConfig,
    texts: Ragged,
    vocabulary: Vocabulary,
    ends: bool,
    seconds: float,
    settings: LanguageSettings,
) -> tuple[Sized, str]:
    """The largest size of the ladder that sees enough tokens a weight in the time, and why."""
    smallest, probe, *larger = (_at(spec, *size) for size in _LADDER)
    probed, _ = _pace(probe, replace(recipe, optimizer="adamw"), texts, vocabulary, ends, settings, rounds=1)
    a_product = probed.seconds / (recipe.batch_tokens * _products(probe, vocabulary, recipe.window))

    def seen(at: Sized) -> float:
        return _TRAINING * seconds / (a_product * _products(at, vocabulary, recipe.window))

    def sees_enough(at: Sized) -> bool:
        return seen(at) >= _TOKENS_A_WEIGHT * at.parameters(vocabulary.size)

    *_, chosen = smallest, *takewhile(sees_enough, (probe, *larger))
    weights = chosen.parameters(vocabulary.size)
    return chosen, (
        f"{render(chosen)}: {weights:,} weights, the most that see {_TOKENS_A_WEIGHT:g} tokens each or more in {seconds / 60:g} "
        f"minutes on this machine (about {seen(chosen) / weights:.2g}). Name layers or dim to choose yourself."
    )


def _at(spec: Sized, layers: int, dim: int, heads: int) -> Sized:
    """The family at a size; of a recurrent one two layers, twice as wide."""
    if isinstance(spec, TransformerSpec):
        return replace(spec, layers=layers, dim=dim, heads=heads, kv_heads=None)
    return replace(spec, layers=2, dim=2 * dim)


def _products(spec: Sized, vocabulary: Vocabulary, window: int) -> float:
    """Multiplications a token, about: one a weight, and those of attention."""
    return spec.parameters(vocabulary.size) + (spec.layers * spec.dim * window if isinstance(spec, TransformerSpec) else 0)


def _pace(
    spec: NeuralSpec,
    recipe: TrainConfig,
    texts: Ragged,
    vocabulary: Vocabulary,
    ends: bool,
    settings: LanguageSettings,
    rounds: int = ROUNDS,
) -> tuple[Pace, str]:
    """In which numbers and on how many threads to go, and what was measured of it."""
    network = spec.sequence_network(texts, vocabulary, ends=ends).to(settings.device)
    dtypes = ["float32", "bfloat16"] if settings.dtype is None else [settings.dtype]
    found = paces(network, texts, vocabulary, recipe, ends=ends, dtypes=dtypes, rounds=rounds)
    best = fastest(found)
    measured = " and ".join(pace.said for pace in found)
    return best, f"a step takes {measured}: {best.dtype}, on {best.threads} of PyTorch's threads"
