"""The loop: epochs of steps, held-out scores, early stopping, checkpoints. It trains whatever has parameters.

The rows of a step are a function of (seed, epoch, step) and random numbers of (seed, step), so a resumed run needs the weights,
the optimizer's state and a few counts, and ends in the same bits as one that was never stopped.
"""

from __future__ import annotations

import math
from dataclasses import dataclass, field, replace
from itertools import islice
from typing import Any

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

from ..core.errors import Diverged, Interrupted
from ..core.seeds import torch_generator_kept
from ..core.threads import divided_among
from ..core.torch_threads import torch_threads
from ..core.wording import duration
from ..metrics import RISING, missed
from ..optim import Health, Stepper
from ..optim.parts import is_divided, whole_shape
from ..record.tensors import under
from ..schedules import Clock, Schedule
from . import checkpoint
from .callbacks import Callbacks
from .denormals import flushed
from .monitors import LogWindow, Overfitting, Spikes
from .objective import Objective, Rows, Stretch
from .reduction import Reduction
from .saving import Saving
from .state import TrainState
from .step import Gradient, Gradients

_LOG_EVERY = 0.2  # seconds between lines of the log
_STRETCH, _MOST = 0.05, 1024  # seconds that steps taken at once should take, and how many they are at most


@dataclass(slots=True)
class Loop:
    """Trains an objective's network. ``run`` leaves the best weights in it, those to evaluate with.

    micro_batch_size: examples or tokens whose outputs stand in memory at once, at most. fit_memory: find how many fit first.
    patience: held-out scores without a better one before training stops.
    eval_every: steps between held-out scores; None: one after each epoch.
    seconds: that training should take; after each score the steps left are planned again by how long those so far took.
    last_epoch, last_step: where training ends sooner than the clock, which the schedule goes by, says.
    followed: held-out scores of a training before, one an epoch, for a schedule to go by; None: by this one's own.
    keeps_best: whether the weights are those of the best score, or of the last step.
    threads: of PyTorch's own; None: as many as there are.
    """

    objective: Objective
    stepper: Stepper
    reduction: Reduction
    schedule: Schedule
    clock: Clock
    callbacks: Callbacks
    micro_batch_size: int
    patience: int
    fit_memory: bool = False
    eval_every: int | None = None
    seconds: float | None = None
    last_epoch: int | None = None
    last_step: int | None = None
    followed: tuple[float, ...] | None = None
    keeps_best: bool = True
    threads: int | None = None
    overfitting: Overfitting | None = None
    state: TrainState = field(default_factory=TrainState)
    gradients: Gradients = field(init=False)
    _saving: Saving = field(init=False)
    _best: dict[str, Tensor] = field(default_factory=dict)
    _window: LogWindow = field(init=False)
    _spikes: Spikes = field(default_factory=Spikes)
    _stretch: Stretch | None = None
    _at_once: int = 1  # steps that are taken in one go
    _saved: float = 0.0
    _asked: tuple[bool, ...] = (False, False, False)  # of several processes: to stop, to save, to look at what a step does

    def __post_init__(self) -> None:
        self.gradients = Gradients(self.objective, self.stepper, self.reduction, self.callbacks.world, self._sizes)
        self._saving = Saving(self.callbacks.world, in_background=self.callbacks.async_checkpoints)
        self._window = LogWindow(self.callbacks.clock(), clipped=self.stepper.clipped)

    def run(self) -> TrainState:
        """Train to the end.

        Raises:
            Diverged: a loss or a gradient was not finite; the weights are those before that step.
            Interrupted: ``callbacks.stop`` was set; a checkpoint was written.
            OutOfMemory: a single row does not fit into memory.
        """
        with self.callbacks.world.watched():
            return self._run()

    def _run(self) -> TrainState:
        state, network = self.state, self.objective.network
        self.gradients.sizes = self._sizes
        self._saved = start = self.callbacks.clock() - state.seconds
        fixed = self.callbacks.world.threads
        threads = torch_threads(fixed or self.threads), divided_among(fixed)
        with torch.inference_mode(False), torch.enable_grad(), torch_generator_kept(), threads[0], threads[1], flushed():
            self._fit_memory()
            self._stretch = self._find_stretch()
            while not self._is_over:
                self._epoch(start)
        if state.stale >= self.patience:
            after = "epochs" if self.eval_every is None else "scores"
            moved = "risen" if self.objective.metric in RISING else "fallen"
            state.stopped = f"early: {self.objective.metric} had not {moved} for {self.patience} {after}"
        self.stepper.eval_weights()
        if self.callbacks.ended is not None:
            self.callbacks.ended(self.stepper)
        self._saving.wait()
        if self._best and self.keeps_best:
            checkpoint.fill(network, self._best)
        self.objective.load_carry([])
        network.eval()
        self._check_same()
        finite = all(bool(weight.isfinite().all()) for weight in checkpoint.weights_of(network).values())
        told = self.callbacks.world.gather(finite, device=self.objective.device)
        if not all(each[0] for each in told):  # by the last step; none follows to notice
            raise Diverged(f"the weights were not finite after the last step. {self._remedy}")
        state.seconds, state.passes = self.callbacks.clock() - start, self._passes
        return state

    @property
    def last(self) -> int:
        """The step that training ends after, at the latest."""
        return min(self.clock.steps, self.last_step or self.clock.steps)

    def resume(self) -> None:
        """Go on from the newest checkpoint, if there is one.

        Raises:
            RecordError: it is damaged, or of another run.
        """
        with self.callbacks.world.watched():
            checkpoint.load(self.callbacks.checkpoints, self._load, self._saving.group, self._is_divided)

    def save(self) -> None:
        """Write a checkpoint now; with several processes all of them take part, and each writes a part."""
        world = self.callbacks.world
        self._check_same()
        carry = {str(number): each for number, each in enumerate(world.lanes(self.objective.carry()))}
        if self.callbacks.checkpoints is not None:
            parts = checkpoint.weights_of(self.objective.network), self.stepper.tensors(), self._best, carry
            named = zip(("network.", "stepper.", "best.", "carry."), parts, strict=True)
            tensors = {prefix + name: value for prefix, part in named for name, value in part.items()}
            tensors["risk.state"] = self.reduction.state
            sizes = {name: size for name, value in tensors.items() if (size := self._whole(name, value)) is not None}
            self._saving.save(self.callbacks.checkpoints, self.state.step, tensors, sizes, self.state.to_json())
        self._saved = self.callbacks.clock()
        self.log("checkpoint")

    def log(self, event: str, **fields: Any) -> None:
        """Tell whoever watches of an event, and where training stands."""
        self.callbacks.watch(event, {"step": self.state.step, "epoch": round(self._passes, 4), **fields})

    def _beside(self, name: str) -> Tensor | None:
        """The parameter that a checkpoint's tensor of this name stands beside; of a divided one, this process's part."""
        kind, _, place = name.partition(".")
        if kind == "stepper":
            return self.stepper.parameter(place)
        return checkpoint.parts_of(self.objective.network).get(place) if kind in ("network", "best") else None

    def _whole(self, name: str, value: Tensor) -> torch.Size | None:
        """The whole shape of a tensor of which this process has a part; None: it is not divided."""
        part = self._beside(name)
        return whole_shape(part) if part is not None and is_divided(part) and value.shape == part.shape else None

    def _is_divided(self, name: str, size: torch.Size) -> bool:
        part = self._beside(name)
        return part is not None and is_divided(part) and size == whole_shape(part)

    def _load(self, tensors: dict[str, Tensor], saved: dict[str, Any]) -> None:
        checkpoint.fill(self.objective.network, under(tensors, "network."))
        self.stepper.load(under(tensors, "stepper."))
        self._best = under(tensors, "best.")
        carry = under(tensors, "carry.")
        self.objective.load_carry([carry[str(number)] for number in range(len(carry))])
        self.reduction.state = tensors["risk.state"]
        self.state = TrainState.from_json(saved)
        self.clock = replace(self.clock, steps=self.state.steps or self.clock.steps)

    def _epoch(self, start: float) -> None:
        state, network = self.state, self.objective.network
        network.train()
        if not state.done:
            self.objective.load_carry([])
        steps = islice(self.objective.steps(state.epoch), state.done, None)
        while some := list(islice(steps, self._next)):
            if self._is_over:
                break
            self._between_steps()  # before a step: the score after the last one is then behind its checkpoint
            while some:
                taken = self._leap(some) or self._step(some[0])
                some = some[taken:]
            state.seconds = self.callbacks.clock() - start
            if self.callbacks.stepped is not None:
                self.callbacks.stepped()
            if self.eval_every and (state.step % self.eval_every == 0 or state.step == self.last):
                self._evaluate()
                network.train()
        else:
            state.epoch, state.done = state.epoch + 1, 0
        self._log_train()
        if not self.eval_every:
            if state.done:  # ended within an epoch
                state.epoch, state.done = state.epoch + 1, 0
            self._evaluate()

    @property
    def _next(self) -> int:
        """How many steps to take before anything else is looked at: no more than are left until training ends, or is scored."""
        if self._stretch is None or self.callbacks.stepped is not None:
            return 1
        left = self.last - self.state.step
        if self.eval_every:
            left = min(left, self.eval_every - self.state.step % self.eval_every)
        return max(1, min(self._at_once, left))

    def _find_stretch(self) -> Stretch | None:
        """What takes many steps at once, which is for the plain mean and a plain descent of a single process alone."""
        world, stepper = self.callbacks.world, self.stepper
        plain = world.size == world.shards == 1 and self.reduction.is_mean and stepper.by_rows
        return self.objective.stretch(stepper) if plain and stepper.penalty is None and stepper.clip is None else None

    def _leap(self, steps: list[Rows]) -> int:
        """Take as many of the steps as can be taken at once; says how many."""
        if self._stretch is None:
            return 0
        began, told = self.callbacks.clock(), np.empty((2, 0))
        if examine := self._window.is_due(began):
            steps = steps[:1]

        def take(rates: NDArray[np.float64]) -> int:
            nonlocal told
            assert self._stretch is not None
            told = np.array(self._stretch(steps, rates))
            return told.shape[1]

        health = self.stepper.leap(take, [self._factor(ahead) for ahead in range(len(steps))], examine=examine)
        now, each = self.callbacks.clock(), told.T.tolist()
        seconds = (now - began) / max(1, len(each))
        for rows, (amount, weight) in zip(steps, each, strict=False):
            self._note(rows, amount, weight, health, now, seconds)
        if not examine and len(each) == len(steps):  # looking takes longer than the step
            self._at_once = int(max(1, min(_MOST, 2 * len(steps), _STRETCH / max(seconds, 1e-9))))
        return len(each)

    def _step(self, rows: Rows) -> int:
        """One update: the gradient of the risk of all its rows."""
        objective, stepper, gradients = self.objective, self.stepper, self.gradients
        weight = objective.weight(rows)
        if weight == 0:
            self._count()
            return 1
        at = self.state.epoch, self.state.step
        if stepper.wants_curvature:
            gradients.curvature(rows, *at)
        remembered, found = self.reduction.state, list[Gradient]()

        def make() -> float:
            """The risk at the weights as they stand; what is random, and what a risk remembers, is the same at each."""
            if found:
                stepper.zero_grad()
                self.reduction.state = remembered
            found.append(gradients.make(rows, weight, *at, self._wishes))
            self._asked = found[-1].asked or self._asked
            self._check(found[0])  # before anything is updated; later ones are trials, which may be beyond all numbers
            return found[-1].risk

        searches = stepper.optimizer.needs_closure
        if not searches:
            make()
        began = self.callbacks.clock()
        examine = self._window.is_due(began) if self.callbacks.world.size == 1 else self._asked[2]
        health = stepper.step(self._factor(), make if searches else None, examine=examine)
        now = self.callbacks.clock()
        self._note_memory()
        self._note(rows, found[0].amount, weight, health, now, now - began)
        return 1

    def _note(self, rows: Rows, amount: float, weight: float, health: Health | None, now: float, seconds: float) -> None:
        """Take note of a step that was taken, of Σ weight · loss = ``amount``; ``seconds`` that it took until ``now``."""
        self._window.add(amount, weight, self.objective.size(rows), health, now, seconds)
        if self.overfitting is not None:
            self.overfitting.add(amount, weight)
        usual = self._spikes.usual(amount / weight)
        if usual is not None:
            self.log("spike", loss=amount / weight, usual=usual)
        self._count()

    def _count(self) -> None:
        self.state.done, self.state.step = self.state.done + 1, self.state.step + 1

    @property
    def _wishes(self) -> tuple[bool, ...]:
        """Of one of several processes: to stop, to save, to look at what the step does. All do what any of them asks for."""
        if self.callbacks.world.size == 1:
            return ()
        first = (self._is_due, self._window.is_due(self.callbacks.clock())) if self.callbacks.world.is_first else (False, False)
        return self.callbacks.stop.is_set(), *first

    def _check_same(self) -> None:
        """Raise Diverged where the processes' weights are not the same, as no machine that adds otherwise can keep them."""
        world, device = self.callbacks.world, self.objective.device
        if world.size == 1 or world.in_step:  # where each has a part, there is nothing twice
            return
        digests = world.texts(checkpoint.digest(self.objective.network), device)
        if strange := [rank for rank, digest in enumerate(digests) if digest != digests[0]]:
            raise Diverged(
                f"after step {self.state.step:,} the weights of process {strange[0]} are not those of process 0, to the bit. "
                "All must run on the same kind of machine, with the same versions; resume from the checkpoint before."
            )

    def _factor(self, ahead: int = 0) -> float:
        """What the schedule multiplies the learning rate with at the next step, or some ``ahead`` of it."""
        scores = self.state.scores if self.followed is None else self.followed[: self.state.epoch]
        return self.schedule.factor(self.state.step + ahead, self.clock, scores)

    def _evaluate(self) -> None:
        """Score the validation part; keep the weights if they are the best so far; say where the score has turned."""
        state, metric = self.state, self.objective.metric
        self.stepper.eval_weights()
        scores = self.objective.held_out(self.callbacks.world)
        if scores is None:
            return
        score = missed(metric, scores[metric])
        if not math.isfinite(score):
            raise Diverged(f"the held-out {metric} after step {state.step:,} is {scores[metric]}. {self._remedy}")
        state.stale += 1
        state.scores.append(score)
        if score < state.best:
            state.best, state.best_epoch, state.stale = score, state.epoch, 0
            if self.keeps_best:
                self._best = {}  # never two at once
                self._best = checkpoint.copied(self.objective.network)
        self.log("valid", **{name: value for name, value in scores.items() if math.isfinite(value)})
        turned = self.overfitting.after_score(state.scores, state.stale) if self.overfitting is not None else None
        if turned is not None:
            self.callbacks.watch("note", {"text": turned})
        if self.seconds is not None and state.step < self.last:
            self._keep_to(self.seconds)

    def _keep_to(self, seconds: float) -> None:
        """Plan for as many steps as fit into the time, at the pace so far: others on the machine may have come or gone."""
        state, world = self.state, self.callbacks.world
        spent = world.gather(state.seconds, device=self.objective.device)[0][0]  # the same for all
        state.steps = state.step + max(1, int((seconds - spent) / spent * state.step))
        if not 0.9 < state.steps / self.clock.steps < 1.1:
            text = f"steps take {duration(spent / state.step, ' ')} now: {state.steps:,} instead of {self.clock.steps:,}"
            self.callbacks.watch("note", {"text": text})
        self.clock = replace(self.clock, steps=state.steps)

    def _fit_memory(self) -> None:
        if self.fit_memory and not self.state.micro_batch_size:
            self.gradients.fit_memory()
            self.state.micro_batch_size = self.gradients.micro_batch_size
            self.log("memory", micro_batch=self.gradients.micro_batch_size)

    def _between_steps(self) -> None:
        if self.callbacks.clock() - self._window.since >= _LOG_EVERY:
            self._log_train()
        alone = self.callbacks.world.size == 1
        stop, due = (self.callbacks.stop.is_set(), self._is_due) if alone else self._asked[:2]
        if (due or stop) and self.callbacks.checkpoints is not None:
            self.save()
        if stop:
            self._saving.wait()
            raise Interrupted(f"stopped after step {self.state.step:,}. The same command with --resume goes on from there.")

    def _check(self, made: Gradient) -> None:
        """Raise Diverged where the loss of a step's rows was not finite."""
        if made.bad is None and math.isfinite(made.risk):
            return
        first = f", first at {made.bad}" if made.bad else ""
        raise Diverged(
            f"the loss was not finite at step {self.state.step + 1:,} (epoch {self.state.epoch + 1}, batch {self.state.done + 1}"
            f"{first}). The weights were not updated with it. {self._remedy}"
        )

    def _note_memory(self) -> None:
        """Where micro-batches became smaller in this step, remember and say so."""
        state, sizes = self.state, self.gradients.sizes
        before = self._sizes
        if sizes != before:
            state.micro_batch_sizes, state.micro_batch_size = list(sizes), min(sizes)
            self.log("memory", micro_batch=min(sizes), was=min(before))

    def _log_train(self) -> None:
        now = self.callbacks.clock()
        if self._window.weight:
            unit = self.objective.unit
            line = self._window.fields(now, self.stepper.lr, self.stepper.clipped, f"{unit}_per_second")
            self.log("train", **line, of=self.clock.steps)
        self._window = self._window.next(now, self.stepper.clipped)

    @property
    def _sizes(self) -> list[int]:
        """Of each shard's micro-batches; where as many shards were not kept, as where weights are divided, the least that was."""
        kept, shards = self.state.micro_batch_sizes, self.callbacks.world.shards
        return list(kept) if len(kept) == shards else [self.state.micro_batch_size or self.micro_batch_size] * shards

    @property
    def _passes(self) -> float:
        return self.state.epoch + self.state.done / max(self.clock.per_epoch, 1)

    @property
    def _remedy(self) -> str:
        return f"Try a lower --lr than {self.stepper.optimizer.lr:g}."

    @property
    def _is_due(self) -> bool:
        return self.callbacks.clock() - self._saved >= self.callbacks.checkpoint_every

    @property
    def _is_over(self) -> bool:
        state = self.state
        ended = self.last_epoch is not None and state.epoch >= self.last_epoch
        return ended or state.step >= self.last or state.stale >= self.patience
