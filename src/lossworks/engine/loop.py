"""The loop: the course of a network of PyTorch, step by step, of one process or several. It trains whatever has parameters."""

from __future__ import annotations

import math
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field, replace
from typing import Any

import torch
from torch import Tensor, nn

from ..core.errors import Diverged
from ..core.seeds import torch_generator_kept
from ..core.threads import divided_among
from ..core.torch_threads import torch_threads
from ..core.wording import duration
from ..optim import Stepper
from ..optim.parts import is_divided, whole_shape
from ..record.tensors import under
from . import checkpoint
from .contracts import Rows, Stretch
from .course import Course
from .denormals import flushed
from .objective import Objective
from .reduction import Reduction
from .saving import Saving
from .state import TrainState
from .step import Gradient, Gradients


@dataclass(slots=True)
class Loop(Course):
    """Trains an objective's network. ``run`` leaves the best weights in it, those to evaluate with.

    micro_batch_size: examples or tokens whose outputs stand in memory at once, at most. fit_memory: find how many fit first.
    threads: of PyTorch's own; None: as many as there are.
    """

    objective: Objective
    stepper: Stepper
    reduction: Reduction
    micro_batch_size: int
    fit_memory: bool = False
    threads: int | None = None
    gradients: Gradients = field(init=False)
    _saving: Saving = field(init=False)
    _best: dict[str, Tensor] = field(default_factory=dict)
    _asked: tuple[bool, ...] = (False, False, False)  # of several processes: to stop, to save, to look at what a step does

    def __post_init__(self) -> None:
        Course.__post_init__(self)
        self.gradients = Gradients(self.objective, self.stepper, self.reduction, self.callbacks.world, self._sizes)
        self._saving = Saving(self.callbacks.world, in_background=self.callbacks.async_checkpoints)

    def run(self) -> TrainState:
        with self.callbacks.world.watched():
            return Course.run(self)

    @property
    def trained(self) -> nn.Module:
        return self.objective.network.eval()

    @property
    def micro_batch(self) -> int:
        return self.gradients.micro_batch_size

    @contextmanager
    def _working(self) -> Iterator[None]:
        self.gradients.sizes = self._sizes
        fixed = self.callbacks.world.threads
        threads = torch_threads(fixed or self.threads, ours=fixed), divided_among(fixed)
        with torch.inference_mode(False), torch.enable_grad(), torch_generator_kept(), threads[0], threads[1], flushed():
            self._fit_memory()
            self._stretch = self._find_stretch()
            yield

    def _to_training(self, *, fresh: bool) -> None:
        self.objective.network.train()
        if fresh:
            self.objective.load_carry([])

    def _keep(self) -> None:
        self._best = {}  # never two at once
        self._best = checkpoint.copied(self.objective.network)

    def _end(self) -> bool:
        network = self.objective.network
        self._settle()
        if self._best and self.keeps_best:
            checkpoint.fill(network, self._best)
        self.objective.load_carry([])
        network.eval()
        self._check_same()
        finite = all(bool(weight.isfinite().all()) for weight in checkpoint.weights_of(network).values())
        told = self.callbacks.world.gather(finite, device=self.objective.device)
        return all(each[0] for each in told)

    def _settle(self) -> None:
        self._saving.wait()

    @property
    def _wished(self) -> tuple[bool, bool]:
        if self.callbacks.world.size == 1:
            return self.callbacks.stop.is_set(), self._is_due
        return self._asked[0], self._asked[1]

    def resume(self) -> None:
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

    def _find_stretch(self) -> Stretch | None:
        """What takes many steps at once, which is for the plain mean and a plain descent of a single process alone."""
        world, stepper = self.callbacks.world, self.stepper
        plain = world.size == world.shards == 1 and self.reduction.is_mean and stepper.by_rows
        return self.objective.stretch(stepper) if plain and stepper.penalty is None and stepper.clip is None else None

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

    def _plan_again(self) -> None:
        """Plan for as many steps as fit into the time, at the pace so far: others on the machine may have come or gone."""
        state, world, seconds = self.state, self.callbacks.world, self.seconds
        if seconds is None or state.step >= self.last:
            return
        spent = world.gather(state.seconds, device=self.objective.device)[0][0]  # the same for all
        state.steps = state.step + max(1, int((seconds - spent) / spent * state.step))
        state.steps = state.steps if self.most is None else min(state.steps, self.most)
        if not 0.9 < state.steps / self.clock.steps < 1.1:
            text = f"steps take {duration(spent / state.step, ' ')} now: {state.steps:,} instead of {self.clock.steps:,}"
            self.callbacks.watch("note", {"text": text})
        self.clock = replace(self.clock, steps=state.steps)

    def _fit_memory(self) -> None:
        if self.fit_memory and not self.state.micro_batch_size:
            self.gradients.fit_memory()
            self.state.micro_batch_size = self.gradients.micro_batch_size
            self.log("memory", micro_batch=self.gradients.micro_batch_size)

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

    @property
    def _sizes(self) -> list[int]:
        """Of each shard's micro-batches; where as many shards were not kept, as where weights are divided, the least that was."""
        kept, shards = self.state.micro_batch_sizes, self.callbacks.world.shards
        return list(kept) if len(kept) == shards else [self.state.micro_batch_size or self.micro_batch_size] * shards
