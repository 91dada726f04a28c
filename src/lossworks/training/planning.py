"""What is chosen before the first step of a network over tokens: its size, its dtype, how many steps; and said.

What was chosen stands beside the checkpoints, so a run that is resumed goes on by the same plan, on whatever machine. What is
not told in minutes is decided by the texts and the kind of processor alone, so that it is the same at each fit.
"""

from __future__ import annotations

import math
import time
from collections.abc import Callable
from dataclasses import asdict, dataclass, field, replace
from typing import Any

import numpy as np
import torch

from .. import optim
from ..core.machine import fast_dtype
from ..core.wording import counted, duration
from ..data import Ragged
from ..data.layouts import Positions
from ..models import LanguageSpec, build_language, render
from ..models.hf import HfSpec
from ..models.neural import NeuralSpec
from ..models.transformer import TransformerSpec
from ..tokens import Vocabulary
from .applicable import BY_STEPS, OF_TOKENS
from .config import TrainConfig
from .settings import Settings
from .sizing import MOST_PASSES, Probe, Sized, named, sized, smallest

MINUTES = 5.0
"""How long a network is trained where nothing else is said."""
SCHEDULE, CLIP, BATCH_TOKENS = "linear:warmup=5%", 1.0, 2048
"""How, likewise; ``BATCH_TOKENS`` a step at least."""
_LONGEST = 256  # tokens of a row where nothing else is said
EVALS, _TRAINING, _EVALUATING = 12, 0.88, 0.07  # how often held-out texts are scored; the time's shares for steps and for that
_TESTING = 0.15  # the share of the time, at most, for scoring the test part
_FASTER = 3  # scoring is, than training
_FEWEST_BETWEEN = 3  # steps between two scores
_MANY = 1_000_000  # epochs, where steps say how long training is

_NARROW = 256
"""Dimensions below which PyTorch's other threads wait beside ours, which share a Transformer's work, longer than they help."""


@dataclass(frozen=True, slots=True)
class Plan:
    """What a training goes by.

    threads: of PyTorch's own. said: what was chosen and why, in words. tokenizer: of the texts, as the settings say it.
    tested: the share of the test part that is scored at the end.
    """

    model: str
    config: TrainConfig
    dtype: str
    threads: int
    said: tuple[str, ...] = field(default=())
    tokenizer: str | None = None
    tested: float = 1.0

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
        return cls(
            saved["model"],
            config,
            saved["dtype"],
            int(saved["threads"]),
            tuple(saved["said"]),
            saved["tokenizer"],
            saved["tested"],
        )


def plan(
    texts: Ragged,
    vocabulary: Vocabulary,
    settings: Settings,
    *,
    ends: bool,
    began: float | None = None,
    test_tokens: int = 0,
    clock: Callable[[], float] = time.monotonic,
) -> Plan:
    """Everything that ``settings`` leave open, for these training texts on this machine.

    Args:
        texts, vocabulary, ends: as of ``train_sequences``.
        settings: of a network, resolved.
        began: when the fit did, whose minutes are counted; None: now. test_tokens: of the test part that was drawn.
        clock: seconds, from any point.

    Raises:
        DataError: there are no texts. UsageError: the settings do not fit together.
    """
    began = clock() if began is None else began
    spec, config = by_texts(texts, vocabulary, settings, ends=ends)
    timed, said, tested = settings.steps is None and settings.epochs is None, list[str](), 1.0
    dtype = settings.dtype or fast_dtype(settings.device)
    probe = Probe(texts, vocabulary, ends, settings.device, dtype)
    narrow = isinstance(spec, TransformerSpec) and spec.dim < _NARROW and settings.device == "cpu"
    threads = 1 if narrow else torch.get_num_threads()
    if timed:
        seconds = time_of(settings)
        if isinstance(spec, Sized) and not named(settings.model) & {"layers", "dim", "heads"}:
            spec, why = sized(spec, config, probe, _TRAINING * (seconds - (clock() - began)))
            said.append(why)
        measured = probe.step_time(spec, config)
        threads, a_step = measured.threads, measured.seconds
        left = seconds - (clock() - began)  # for reading, tokenizing and measuring take their time too
        testing = test_tokens / (_FASTER * config.batch_tokens) * a_step
        tested = min(1.0, _TESTING * max(left, 0.0) / testing) if testing else 1.0
        left -= tested * testing
        positions = len(Positions.of(texts, vocabulary, ends))
        a_pass = max(1.0, positions / config.batch_tokens)  # steps: none has more than all texts
        fit, most = max(1, int(_TRAINING * left / a_step)), math.ceil(MOST_PASSES * a_pass)
        steps = min(fit, most)
        enough = max((_TRAINING + _EVALUATING) * left, a_step)  # where all else took it all, a step still
        evals = max(1, min(EVALS, steps // _FEWEST_BETWEEN))
        config = replace(config, steps=steps, seconds=enough, epochs=MOST_PASSES, evals=evals)
        said.append(
            f"{counted(fit, 'step')} of {config.batch_tokens:,} tokens at {duration(a_step, ' ')} each in {dtype} fill the "
            f"{duration(max(left, 0), ' ')} left of {duration(seconds, ' ')}: {fit / a_pass:.3g} passes over the texts. "
            "--minutes, --steps or --epochs say otherwise."
        )
        if most < fit:
            few = few_tokens(spec, vocabulary, len(texts.ids))  # which is then told by itself
            counting = "" if few else "An n-gram model (--model ngram) makes more of few texts; "
            said.append(
                f"{counted(most, 'step')} are taken, {MOST_PASSES} passes: with more a network learns {positions:,} tokens by "
                f"heart. {counting}--epochs says otherwise."
            )
        if tested < 1:
            said.append(
                f"{tested:.2g} of the test part is scored at the end, drawn at random; lossworks evaluate RUN scores all of it."
            )
    if config.steps is not None:
        scored = int(_EVALUATING * config.steps * _FASTER * config.batch_tokens / EVALS)
        config = replace(config, eval_tokens=max(scored, (1 if timed else 4) * config.batch_tokens))
    return Plan(render(spec), config, dtype, threads, tuple(said), settings.tokenizer, tested)


def few_tokens(spec: LanguageSpec, vocabulary: Vocabulary, tokens: int) -> str:
    """What to say where a network is to learn from fewer ``tokens`` than a small one has weights; empty of others, and of
    pretrained ones. From so few counting learned more in every case that was tried (docs/LOG.md), of small networks all: so the
    weights of a larger one do not count.
    """
    if not isinstance(spec, Sized):
        return ""
    weights = min(each.parameters(vocabulary.size) for each in (spec, smallest(spec)))
    if tokens >= weights:
        return ""
    return (
        f"{tokens:,} training tokens are few for a network, of which even a small one has {weights:,} weights. From so few, "
        "counting (--model ngram) or a hidden Markov model (--model hmm) usually learns more."
    )


def is_timed(settings: Settings) -> bool:
    """Whether the time decides how long a network is trained, and how large it and its vocabulary are where nothing is said."""
    return isinstance(settings.spec, Sized) and settings.steps is None and settings.epochs is None


def time_of(settings: Settings) -> float:
    """The seconds that a fit may take, where time decides."""
    return 60 * (settings.minutes or MINUTES)


def by_texts(texts: Ragged, vocabulary: Vocabulary, settings: Settings, *, ends: bool) -> tuple[NeuralSpec, TrainConfig]:
    """What the texts decide of what is left open, and the settings: the same on every machine.

    Raises:
        DataError: there are no texts. UsageError: the settings do not fit together.
    """
    spec = build_language(settings.model or "")
    assert isinstance(spec, NeuralSpec)
    told = named(settings.model)
    window = _window(spec, settings, Positions.of(texts, vocabulary, ends), told)
    if isinstance(spec, TransformerSpec) and "context" not in told:
        spec = replace(spec, context=window)
    return spec, _config(spec, settings, window)


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
