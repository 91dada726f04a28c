"""Training a network that predicts tokens, with any loss over outcomes and any optimiser.

The rows of a step are a function of (seed, epoch, step), random numbers of (seed, step). A step's loss is the sum over its
tokens divided once by their number, whatever micro-batches it was made in.
"""

from __future__ import annotations

import math
import time
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from typing import Any

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

from ..batches import Ragged
from ..core.errors import Diverged, UsageError
from ..core.seeds import derive
from ..losses import CategoricalLoss
from ..models import SequenceNetwork, Task
from ..optim import Optimizer, Shell
from ..optim import build as optimizer_of
from ..risks.mean import Mean
from ..schedules import Clock, Schedule
from ..schedules import build as schedule_of
from ..scores import Scores
from ..tokens import Vocabulary
from .control import Progress
from .health import Since
from .objective import loss_for
from .reduction import Reduction
from .windows import Windows, windows

Watch = Callable[[str, dict[str, Any]], None]
_SCORES = 1 << 24  # scores of tokens that stand in memory at once
_TELL_EVERY = 0.2  # seconds between notes on progress


def train_sequences(
    network: SequenceNetwork,
    texts: Ragged,
    vocabulary: Vocabulary,
    *,
    ends: bool = True,
    valid: Ragged | None = None,
    loss: str = "cross_entropy",
    optimizer: str | Optimizer = "adam",
    schedule: str | Schedule = "constant",
    epochs: int = 10,
    patience: int = 3,
    batch_tokens: int = 4096,
    window: int = 256,
    clip: float | None = None,
    ema: float | None = None,
    seed: int = 0,
    watch: Watch = lambda event, fields: None,
) -> Progress:
    """Train ``network`` in place; it ends with the weights of the best held-out score, those to evaluate with.

    Args:
        texts, vocabulary, ends: as ``LanguageSpec.fit`` takes them.
        valid: texts to judge each epoch by, in nats a token whatever the loss; None: all epochs are trained.
        patience: epochs without a better score before training ends.
        batch_tokens: tokens a step, with their padding.
        window: longer texts are cut into rows of so many tokens.
        watch: told of "train" (loss, lr, tokens as ``examples_per_second``) now and then, and of "valid" (nll) after each epoch.

    Returns:
        where training ended: epochs, steps, the best score and its epoch, all scores, seconds, why it stopped.

    Raises:
        UsageError: the loss is not one over outcomes alone, or settings do not go together.
        DataError: there are no tokens.
        Diverged: a loss was not finite; the weights are those before that step.
    """
    if epochs < 1 or patience < 1 or batch_tokens < 1:
        raise UsageError(f"got epochs={epochs}, patience={patience}, batch_tokens={batch_tokens}; wanted 1 or more of each.")
    end = vocabulary.end if ends else None
    rows = windows(texts, end, window)
    held_out = windows(valid, end, window) if valid is not None and (len(valid.ids) or (ends and len(valid))) else None
    seen = np.append(rows.ids, np.arange(vocabulary.size))  # for losses that ask how often: no token occurs never
    judged = loss_for(loss, Task("classify", tuple(map(str, range(vocabulary.size)))), seen)
    assert isinstance(judged, CategoricalLoss)
    shell = Shell(optimizer_of(optimizer), network, clip=clip, ema=ema)
    tokens = len(rows) * window if shell.optimizer.full_batch else batch_tokens
    steps = len(rows.batches(tokens, seed, 0))
    times = schedule_of(schedule), Clock(epochs * steps, steps, len(rows.ids) / steps)
    training = _Training(network, judged, shell, rows, held_out, *times, vocabulary.size, tokens, seed, watch)
    with torch.random.fork_rng(devices=[]):
        return training.run(epochs, patience)


@dataclass(slots=True)
class _Training:
    network: SequenceNetwork
    loss: CategoricalLoss
    shell: Shell
    rows: Windows
    held_out: Windows | None
    schedule: Schedule
    clock: Clock
    vocabulary: int
    tokens: int
    seed: int
    watch: Watch
    progress: Progress = field(default_factory=Progress)
    best: dict[str, Tensor] = field(default_factory=dict)
    since: Since = field(default_factory=Since)
    reduction: Reduction = field(default_factory=lambda: Reduction(Mean(), Task("regress")))

    def run(self, epochs: int, patience: int) -> Progress:
        progress, start = self.progress, time.monotonic()
        while progress.epoch < epochs and progress.stale < patience:
            self.network.train()
            for rows in self.rows.batches(self.tokens, self.seed, progress.epoch):
                self.step(rows)
                progress.done, progress.step = progress.done + 1, progress.step + 1
                progress.seconds = time.monotonic() - start
                if time.monotonic() - self.since.told >= _TELL_EVERY:
                    self.tell_train()
            self.tell_train()
            progress.epoch, progress.done = progress.epoch + 1, 0
            self.shell.settle()
            if self.held_out is not None:
                self.validate(self.held_out)
        if progress.stale >= patience:
            progress.stopped = f"early: nll had not fallen for {patience} epochs"
        if self.best:
            self.network.load_state_dict(self.best)
        self.network.eval()
        progress.seconds = time.monotonic() - start
        return progress

    def step(self, rows: NDArray[np.int64]) -> None:
        """One update: the gradient of the mean loss of all the tokens of ``rows``."""
        shell, total, made = self.shell, float(self.rows.lengths[rows].sum()), list[float]()
        if shell.wants_curvature:
            self.observe_curvature(rows, total)

        def make() -> float:
            made.append(self.gradient(rows, total))
            if not math.isfinite(made[0]):  # before anything is updated; later ones are trials, which may be beyond all numbers
                raise Diverged(
                    f"the loss was not finite at step {self.progress.step + 1:,} (epoch {self.progress.epoch + 1}). "
                    f"The weights were not updated with it. Try a lower learning rate than {shell.optimizer.lr:g}."
                )
            return made[-1]

        searches = shell.optimizer.needs_closure
        if not searches:
            make()
        factor = self.schedule.factor(self.progress.step, self.clock, self.progress.scores)
        began = time.monotonic()
        health = shell.step(factor, make if searches else None, examine=self.since.is_due)
        self.since.add(made[0] * total, total, int(total), health, time.monotonic() - began)

    def gradient(self, rows: NDArray[np.int64], total: float) -> float:
        """Make the gradient of the mean loss of the tokens of ``rows``, ``total`` of them, stand in the parameters."""
        self.shell.forget()
        torch.manual_seed(derive(self.seed, "step", self.progress.step))
        amount = 0.0
        for scores in self.scores(self.rows, rows):
            values = self.loss.values(scores)
            amount += self.reduction.add(values, torch.ones_like(values), scores.target, total)
        return amount / total

    def observe_curvature(self, rows: NDArray[np.int64], total: float) -> None:
        """Have the shell observe the curvature: the gradient of the mean -log p of tokens that the network itself draws."""
        torch.manual_seed(derive(self.seed, "curvature", self.progress.step))
        for scores in self.scores(self.rows, rows):
            drawn = torch.multinomial(scores.logits.detach().softmax(-1), 1)
            (-scores.logp_of(drawn).sum() / total).backward()  # type: ignore[no-untyped-call]
        self.shell.observe_curvature(int(total))

    def scores(self, of: Windows, rows: NDArray[np.int64], *, training: bool = True) -> Iterator[Scores]:
        """The scores of some rows, in as many parts as memory asks for."""
        for part in of.parts(rows, _SCORES // self.vocabulary):
            if training:
                self.shell.prepare()
            yield self.network.scores(*of.padded(part, self.device))

    @torch.no_grad()
    def validate(self, held_out: Windows) -> None:
        """Score the held-out rows; keep the weights if they are the best so far."""
        self.network.eval()
        progress = self.progress
        summed = [float(-s.logp.double().sum()) for s in self.scores(held_out, np.arange(len(held_out)), training=False)]
        score = math.fsum(summed) / len(held_out.ids)
        if not math.isfinite(score):
            raise Diverged(f"the held-out nll after epoch {progress.epoch} is {score}. Try a lower learning rate.")
        progress.stale += 1
        progress.scores.append(score)
        if score < progress.best:
            progress.best, progress.best_epoch, progress.stale = score, progress.epoch, 0
            self.best = {name: value.clone() for name, value in self.network.state_dict().items()}
        self.tell("valid", nll=score)

    def tell_train(self) -> None:
        if self.since.weight:
            self.tell("train", **self.since.fields(self.shell.lr, self.shell.clipped))
        self.since = self.since.next(self.shell.clipped)

    def tell(self, event: str, **fields: Any) -> None:
        epoch = self.progress.epoch + self.progress.done / self.clock.per_epoch
        self.watch(event, {"step": self.progress.step, "epoch": round(epoch, 4), **fields})

    @property
    def device(self) -> torch.device:
        return next(self.network.parameters()).device
