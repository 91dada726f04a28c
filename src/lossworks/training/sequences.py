"""Networks over rows of tokens, trained: how texts are laid out for one, and the loop over them."""

from __future__ import annotations

import math
from collections.abc import Callable
from typing import Any

import torch

from ..core.errors import UsageError
from ..data import Ragged, TextLanguages
from ..data.layouts import Lanes, Layout, Packed, Positions, Windows
from ..engine import Callbacks, Loop, TrainState
from ..engine.monitors import Overfitting
from ..engine.reduction import Reduction
from ..engine.sharding import sharded
from ..losses import CategoricalLoss
from ..losses.sums import without_target
from ..models import LanguageModel, LanguageSpec, SequenceNetwork
from ..optim import Stepper
from ..optim import build as optimizer_of
from ..optim import render as optimizer_spec
from ..risks import Risk
from ..risks import build as risk_of
from ..risks.mean import Mean
from ..schedules import Clock
from ..schedules import build as schedule_of
from ..tasks import LanguageModeling
from ..tokens import Vocabulary
from .config import TrainConfig
from .token_teacher import TokenTeacher
from .tokens import HeldOut, TokenObjective

SCORES = 1 << 24
"""Scores of tokens that stand in memory at once."""


def train_sequences(
    network: SequenceNetwork,
    texts: Ragged,
    vocabulary: Vocabulary,
    *,
    ends: bool = True,
    valid: Ragged | None = None,
    seed: int = 0,
    callbacks: Callbacks | None = None,
    resume: bool = False,
    config: TrainConfig | None = None,
    threads: int | None = None,
    languages: TextLanguages | None = None,
    teacher: LanguageModel | None = None,
    sharding: str | None = None,
    begin: Callable[[Stepper], None] | None = None,
    **choices: Any,
) -> TrainState:
    """Train ``network`` in place; it ends with the weights of the best held-out score, those to evaluate with.

    Args:
        network: what is trained.
        texts, vocabulary, ends: as ``LanguageSpec.fit`` takes them.
        valid: texts to judge by, in nats a token whatever the loss; None: training goes to its end.
        seed: of the order of rows, and of all that is random.
        callbacks: how to watch and stop the training, where checkpoints go, which processes share the steps. Its ``watch`` is
            told of "train" (loss, lr, tokens_per_second), of "valid" (nll) after each score, and of what goes wrong.
        resume: go on from the newest checkpoint of the callbacks; training then ends in the bits of one that was never stopped.
        config: the hyperparameters; or single ``choices`` of them.
        threads: PyTorch's own; None: as they are.
        languages: of the texts, for a risk that compares them, or where those of some are drawn more often.
        sharding: "fsdp" divides weights and the optimiser's state among the callbacks' processes; ``network`` ends whole.
        begin: given what will make the steps, before the first one.
        teacher: a model of the same tokens, for losses that compare with one (``0.5*cross_entropy+0.5*forward_kl``).

    Returns:
        Where training ended: epochs, steps, the best score and its epoch, all scores, seconds, why it stopped.

    Raises:
        UsageError: the loss is not one over outcomes alone, or compares with no teacher where there is one, or settings do not go
            together.
        DataError: there are no tokens.
        Diverged: a loss or a gradient was not finite; the weights are those before that step.
        Interrupted: ``callbacks.stop`` was set; a checkpoint was written.
    """
    config = config or TrainConfig(**choices)
    held_out = None
    if valid is not None and (len(valid.ids) or (ends and len(valid))):
        held_out = HeldOut.of(Positions.of(valid, vocabulary, ends), config, seed)
    callbacks = callbacks or Callbacks()
    with torch.inference_mode(False), torch.enable_grad():
        how: dict[str, Any] = {"ends": ends, "held_out": held_out, "seed": seed, "teacher": teacher}
        with sharded(network, callbacks, sharding) as (trained, shared):
            loop = token_loop(trained, texts, vocabulary, config, languages=languages, callbacks=shared, **how)
            loop.threads = threads
            if begin is not None:
                begin(loop.stepper)
            if resume:
                loop.resume()
                loop.log("resume")
            return loop.run()


def token_loop(
    network: SequenceNetwork,
    texts: Ragged,
    vocabulary: Vocabulary,
    config: TrainConfig,
    *,
    ends: bool,
    held_out: HeldOut | None,
    seed: int,
    callbacks: Callbacks,
    languages: TextLanguages | None = None,
    teacher: LanguageModel | None = None,
) -> Loop:
    """A training that has not begun; arguments and errors as of ``train_sequences``."""
    positions = Positions.of(texts, vocabulary, ends)
    counts = positions.counts(vocabulary.size) + 1.0  # for losses that ask how often: no token occurs never
    loss = LanguageModeling().loss(config.loss, counts.tolist(), taught=teacher is not None)
    assert isinstance(loss, CategoricalLoss)
    if teacher is not None:
        without_target(loss)  # it compares with the teacher, or that would be for nothing
    stepper = Stepper(optimizer_of(config.optimizer), network, clip=config.clip, ema=config.ema)
    risk = _risk(config, callbacks, languages)
    layout = lay_out(network, positions, config, seed, languages)
    if languages is not None and languages.rates is not None and stepper.optimizer.full_batch:
        raise UsageError(
            f"a balance draws the texts of each step, and {optimizer_spec(stepper.optimizer)} makes one of all texts. "
            "Choose another --optimizer, or leave --balance out."
        )
    tokens = len(layout) * config.window if stepper.optimizer.full_batch else config.batch_tokens
    first = layout.steps(tokens, 0)
    per_epoch = len(first)
    steps = min(config.epochs * per_epoch, config.steps or config.epochs * per_epoch)
    micro_batch_size = SCORES // vocabulary.size
    taught = None if teacher is None else TokenTeacher(teacher, layout)
    loop = Loop(
        TokenObjective(network, loss, layout, held_out, tokens, micro_batch_size, seed, taught, config.stop_by),
        stepper,
        Reduction(risk, 0 if languages is None else languages.count),
        micro_batch_size,
        schedule=schedule_of(config.schedule),
        clock=Clock(steps, per_epoch, sum(int(layout.lengths[rows].sum()) for rows in first) / per_epoch),
        callbacks=callbacks,
        patience=config.patience,
        eval_every=_eval_every(config, steps),
        seconds=config.seconds,
        most=config.epochs * per_epoch,
        overfitting=None if config.stop_by == "accuracy" else Overfitting(),
    )
    loop.state.stopped = "all epochs done" if config.steps is None else "all steps done"
    return loop


def new_network(
    spec: LanguageSpec, texts: Ragged, vocabulary: Vocabulary, *, ends: bool, seed: int, device: str, dtype: str | None
) -> SequenceNetwork:
    """A network to be trained on ``texts``, on its device; ``dtype`` is that of its products, None the network's own."""
    network = spec.sequence_network(texts, vocabulary, ends=ends, seed=seed).to(device)
    if dtype is not None:
        network.dtype = getattr(torch, dtype)
    return network


def _risk(config: TrainConfig, callbacks: Callbacks, languages: TextLanguages | None) -> Risk:
    """The risk; UsageError where its groups are not known, or it must wait for losses while weights are gathered."""
    risk = risk_of(config.risk)
    if risk.grouped and languages is None:
        raise UsageError(
            f"the risk {config.risk!r} compares groups, which of a language model are languages, and they are not known. "
            "Say where each text's stands: --language COLUMN, or choose --risk mean or cvar."
        )
    if callbacks.world.in_step and not isinstance(risk, Mean):
        raise UsageError(f"the risk {config.risk!r} needs the losses of a step together. Leave --sharding out.")
    return risk


def lay_out(
    network: SequenceNetwork, positions: Positions, config: TrainConfig, seed: int, languages: TextLanguages | None = None
) -> Layout:
    """How training texts are laid out, as the network can read them.

    Raises:
        UsageError: it cannot read them as the configuration says.
    """
    if network.context is not None and config.window > network.context:
        raise UsageError(f"window is {config.window}, and the network reads {network.context} tokens at once. Lower it.")
    if config.pack:
        if not network.packs:
            raise UsageError("pack lays several texts in one row, which this network cannot keep apart. Leave it out.")
        return Packed(positions, config.window, seed, languages=languages)
    lanes = max(1, config.batch_tokens // config.window)
    if network.carries and Lanes.fit(positions, config.window, lanes):
        return Lanes(positions, config.window, lanes, seed)
    return Windows(positions, config.window, seed, languages=languages)


def _eval_every(config: TrainConfig, steps: int) -> int | None:
    """Steps between held-out scores; None: after each epoch."""
    planned = steps if config.seconds is None else config.steps or steps
    return None if config.evals is None else max(1, math.ceil(planned / config.evals))
