"""Training a network that predicts tokens, with any loss over outcomes and any optimiser, in one process or several.

The rows of a step are a function of (seed, epoch, step), random numbers of (seed, step). A step's loss is the sum over its
tokens, of all micro-batches and all processes, divided once by their number.
"""

from __future__ import annotations

import math
import time
from dataclasses import dataclass, field, replace
from typing import Any

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

from ..core.errors import Diverged, Interrupted
from ..data import Ragged
from ..engine import checkpoint
from ..engine.callbacks import Callbacks, TrainState
from ..engine.config import TrainConfig
from ..engine.denormals import flushed
from ..engine.monitors import Since, Spikes
from ..engine.overfitting import Turning
from ..losses import CategoricalLoss
from ..models import SequenceNetwork
from ..optim import Stepper
from ..optim import build as optimizer_of
from ..schedules import Clock, Schedule
from ..schedules import build as schedule_of
from ..tasks import Task
from ..tokens import Vocabulary
from .held_out import HeldOut
from .layouts import Positions, lay_out
from .objective import fitting_loss
from .token_gradients import SCORES, TokenGradients

_TELL_EVERY = 0.2  # seconds between notes on progress


def train_sequences(
    network: SequenceNetwork,
    texts: Ragged,
    vocabulary: Vocabulary,
    *,
    ends: bool = True,
    valid: Ragged | None = None,
    seed: int = 0,
    control: Callbacks | None = None,
    resume: bool = False,
    recipe: TrainConfig | None = None,
    **choices: Any,
) -> TrainState:
    """Train ``network`` in place; it ends with the weights of the best held-out score, those to evaluate with.

    Args:
        texts, vocabulary, ends: as ``LanguageSpec.fit`` takes them.
        valid: texts to judge by, in nats a token whatever the loss; None: training goes to its end.
        control: how to watch and stop the training, where checkpoints go, which processes share the steps. Its ``watch`` is
            told of "train" (loss, lr, tokens_per_second), of "valid" (nll) after each judgement, and of what goes wrong.
        resume: take up the newest of the control's checkpoints; training then ends in the bits of one that was never stopped.
        recipe: how; or single ``choices`` of it.

    Returns:
        where training ended: epochs, steps, the best score and its epoch, all scores, seconds, why it stopped.

    Raises:
        UsageError: the loss is not one over outcomes alone, or settings do not go together.
        DataError: there are no tokens.
        Diverged: a loss was not finite; the weights are those before that step.
        Interrupted: ``control.stop`` was set; a checkpoint was written.
    """
    recipe = recipe or TrainConfig(**choices)
    held_out = None
    if valid is not None and (len(valid.ids) or (ends and len(valid))):
        held_out = HeldOut.of(Positions.of(valid, vocabulary, ends), recipe, seed)
    control = control or Callbacks()
    loop = sequence_loop(network, texts, vocabulary, recipe, ends=ends, held_out=held_out, seed=seed, control=control)
    if resume:
        loop.resume()
        loop.tell("resume")
    return loop.run()


def sequence_loop(
    network: SequenceNetwork,
    texts: Ragged,
    vocabulary: Vocabulary,
    recipe: TrainConfig,
    *,
    ends: bool,
    held_out: HeldOut | None,
    seed: int,
    control: Callbacks,
) -> SequenceLoop:
    """A training that is not begun; arguments and errors as of ``train_sequences``."""
    positions = Positions.of(texts, vocabulary, ends)
    counts = positions.counts(vocabulary.size) + 1.0  # for losses that ask how often: no token occurs never
    task = Task("classify", tuple(map(str, range(vocabulary.size))))
    loss = fitting_loss(recipe.loss, task).with_counts(tuple(counts.tolist()))
    assert isinstance(loss, CategoricalLoss)
    stepper = Stepper(optimizer_of(recipe.optimizer), network, clip=recipe.clip, ema=recipe.ema)
    layout = lay_out(network, positions, recipe, seed)
    tokens = len(layout) * recipe.window if stepper.optimizer.full_batch else recipe.batch_tokens
    per_epoch = len(layout.steps(tokens, 0))
    steps = min(recipe.epochs * per_epoch, recipe.steps or recipe.epochs * per_epoch)
    clock = Clock(steps, per_epoch, int(layout.lengths.sum()) / per_epoch)
    gradients = TokenGradients(network, loss, stepper, layout, seed, control.world, SCORES // vocabulary.size)
    return SequenceLoop(network, gradients, held_out, recipe, schedule_of(recipe.schedule), clock, tokens, control)


@dataclass(slots=True)
class SequenceLoop:
    """Trains ``network`` on the rows of ``layout``. ``run`` leaves the best weights in it.

    keeps_best: whether those are of the best score, or the last.
    most_steps: steps after which it ends, sooner than the schedule plans for.
    """

    network: SequenceNetwork
    gradients: TokenGradients
    held_out: HeldOut | None
    recipe: TrainConfig
    schedule: Schedule
    clock: Clock
    tokens: int
    control: Callbacks
    keeps_best: bool = True
    most_steps: int | None = None
    progress: TrainState = field(default_factory=TrainState)
    best: dict[str, Tensor] = field(default_factory=dict)
    since: Since = field(default_factory=Since)
    spikes: Spikes = field(default_factory=Spikes)
    turning: Turning = field(default_factory=Turning)
    _saved: float = 0.0
    _asked: tuple[bool, bool] = (False, False)  # to stop, to write a checkpoint

    def run(self) -> TrainState:
        """Train to the end."""
        progress = self.progress
        self.gradients.told = self._tell_memory
        self.gradients.room = progress.micro or self.gradients.room
        self._saved = start = time.monotonic() - progress.seconds
        progress.stopped = "all epochs done" if self.recipe.steps is None else "all steps done"
        with torch.random.fork_rng(devices=[]), flushed():
            while not self._is_over:
                self._epoch(start)
        if progress.stale >= self.recipe.patience:
            after = "epochs" if self.recipe.judged is None else "scores"
            progress.stopped = f"early: nll had not fallen for {self.recipe.patience} {after}"
        self.gradients.stepper.eval_weights()
        if self.best:
            checkpoint.fill(self.network, self.best)
        self.network.load_carry([])
        self.network.eval()
        progress.seconds = time.monotonic() - start
        return progress

    def resume(self) -> None:
        """Take up the newest checkpoint, if there is one.

        Raises:
            RecordError: it is damaged, or of another run.
        """
        checkpoint.take_up(self.control.checkpoints, self._take_up)

    def save(self) -> None:
        """Write a checkpoint now; with several processes all of them take part, and the first writes."""
        memory = {str(number): each for number, each in enumerate(self.gradients.world.lanes(self.network.carry()))}
        if self.gradients.world.is_first and self.control.checkpoints is not None:
            parts = checkpoint.weights_of(self.network), self.gradients.stepper.tensors(), self.best, memory
            named = zip(("network.", "stepper.", "best.", "memory."), parts, strict=True)
            tensors = {prefix + name: value for prefix, part in named for name, value in part.items()}
            checkpoint.save(self.control.checkpoints, self.progress.step, tensors, checkpoint.state(self.progress))
        self._saved = time.monotonic()
        self.tell("checkpoint")

    def _take_up(self, tensors: dict[str, Tensor], state: dict[str, Any]) -> None:
        checkpoint.fill(self.network, checkpoint.under(tensors, "network."))
        self.gradients.stepper.load(checkpoint.under(tensors, "stepper."))
        self.best = checkpoint.under(tensors, "best.")
        memory = checkpoint.under(tensors, "memory.")
        self.network.load_carry([memory[str(number)] for number in range(len(memory))])
        self.progress = checkpoint.progress(state)
        self.clock = replace(self.clock, steps=self.progress.steps or self.clock.steps)

    def _epoch(self, start: float) -> None:
        progress, every = self.progress, self.every
        self.network.train()
        if not progress.done:
            self.network.load_carry([])
        steps = self.gradients.layout.steps(self.tokens, progress.epoch)
        while progress.done < len(steps) and not self._is_over:
            self._between_steps()  # before a step: the judgement of the last one is then behind its checkpoint
            self.step(steps[progress.done])
            progress.done, progress.step = progress.done + 1, progress.step + 1
            progress.seconds = time.monotonic() - start
            self.control.stepped()
            if every and (progress.step % every == 0 or progress.step == self._last):
                self.judge()
                self.network.train()
        if progress.done == len(steps):
            progress.epoch, progress.done = progress.epoch + 1, 0
        self.tell_train()
        if not every:
            self.judge()

    def step(self, rows: NDArray[np.int64]) -> None:
        """One update: the gradient of the mean loss of all the tokens of ``rows``."""
        gradients, stepper, made = self.gradients, self.gradients.stepper, list[float]()
        total = float(gradients.layout.lengths[rows].sum())
        mine, at = gradients.world.share(rows), (self.progress.epoch, self.progress.step)
        if stepper.wants_curvature:
            gradients.curvature(mine, total, *at)

        def make() -> float:
            made.append(self._agreed(gradients.make(mine, total, *at)) / total)
            if not math.isfinite(made[0]):  # before anything is updated; later ones are trials, which may be beyond all numbers
                raise Diverged(
                    f"the loss was not finite at step {self.progress.step + 1:,} (epoch {self.progress.epoch + 1}). "
                    f"The weights were not updated with it. Try a lower learning rate than {stepper.optimizer.lr:g}."
                )
            return made[-1]

        searches = stepper.optimizer.needs_closure
        if not searches:
            make()
        factor = self.schedule.factor(self.progress.step, self.clock, self.progress.scores)
        began = time.monotonic()
        health = stepper.step(factor, make if searches else None, examine=self.since.is_due)
        self.since.add(made[0] * total, total, int(total), health, time.monotonic() - began)
        self.turning.add(made[0] * total, total)
        usual = self.spikes.usual(made[0])
        if usual is not None:
            self.tell("spike", loss=made[0], usual=usual)

    def _agreed(self, amount: float) -> float:
        """The sum over processes; on the way they agree on whether to stop, and whether to write a checkpoint."""
        world = self.gradients.world
        due = world.is_first and time.monotonic() - self._saved >= self.control.checkpoint_every
        amount, *asked = world.sum(amount, self.control.stop.is_set(), due, device=self.gradients.device)
        self._asked = bool(asked[0]), bool(asked[1])
        return amount

    def judge(self) -> None:
        """Score the held-out rows; keep the weights if they are the best so far; say where the score has turned."""
        self.gradients.stepper.eval_weights()
        if self.held_out is None:
            return
        progress, score = self.progress, self._held_out(self.held_out)
        if not math.isfinite(score):
            raise Diverged(f"the held-out nll after step {progress.step:,} is {score}. Try a lower learning rate.")
        progress.stale += 1
        progress.scores.append(score)
        if score < progress.best:
            progress.best, progress.best_epoch, progress.stale = score, progress.epoch, 0
            if self.keeps_best:
                self.best = checkpoint.copied(self.network)
        self.tell("valid", nll=score)
        turned = self.turning.judged(progress.scores, progress.stale)
        if turned is not None:
            self.control.watch("note", {"text": turned})
        if self.recipe.seconds is not None and progress.step < self._last:
            self._keep_to(self.recipe.seconds)

    def _keep_to(self, seconds: float) -> None:
        """Plan for as many steps as fit into the time, at the pace so far: others on the machine may have come or gone."""
        progress, world = self.progress, self.gradients.world
        spent = world.sum(progress.seconds if world.is_first else 0.0, device=self.gradients.device)[0]  # the same for all
        progress.steps = progress.step + max(1, int((seconds - spent) / spent * progress.step))
        if not 0.9 < progress.steps / self.clock.steps < 1.1:
            text = f"steps take {spent / progress.step * 1e3:.3g} ms now: {progress.steps:,} in the place of {self.clock.steps:,}"
            self.control.watch("note", {"text": text})
        self.clock = replace(self.clock, steps=progress.steps)

    @torch.no_grad()
    def _held_out(self, held_out: HeldOut) -> float:
        self.network.eval()
        gradients = self.gradients
        rows = gradients.world.share(held_out.rows)
        summed = math.fsum(float(-s.logp.double().sum()) for s in gradients.scores(held_out.layout, rows, 0, training=False))
        return gradients.world.sum(summed, device=gradients.device)[0] / held_out.tokens

    def _between_steps(self) -> None:
        if time.monotonic() - self.since.told >= _TELL_EVERY:
            self.tell_train()
        stop, due = self._asked
        if (due or stop) and self.control.checkpoints is not None:
            self.save()
        if stop:
            raise Interrupted(f"stopped after step {self.progress.step:,}. The same command with --resume goes on from there.")

    def _tell_memory(self, room: int) -> None:
        self.progress.micro = room
        self.tell("memory", micro_batch=room, was=2 * room)

    def tell_train(self) -> None:
        if self.since.weight:
            line = self.since.fields(self.gradients.stepper.lr, self.gradients.stepper.clipped)
            speed = line.pop("examples_per_second")
            self.tell("train", **line, tokens_per_second=speed, of=self.clock.steps)
        self.since = self.since.next(self.gradients.stepper.clipped)

    def tell(self, event: str, **fields: Any) -> None:
        epoch = self.progress.epoch + self.progress.done / self.clock.per_epoch
        self.control.watch(event, {"step": self.progress.step, "epoch": round(epoch, 4), **fields})

    @property
    def _is_over(self) -> bool:
        progress = self.progress
        return progress.step >= self._last or progress.stale >= self.recipe.patience

    @property
    def _last(self) -> int:
        return min(self.clock.steps, self.most_steps or self.clock.steps)

    @property
    def every(self) -> int | None:
        """Steps between judgements; None: after each epoch."""
        planned = self.clock.steps if self.recipe.seconds is None else self.recipe.steps or self.clock.steps
        return None if self.recipe.judged is None else max(1, math.ceil(planned / self.recipe.judged))
