"""One stepper for every optimiser: it clips, applies schedule and penalty, averages weights, and saves and loads state."""

from __future__ import annotations

import math
from collections.abc import Callable

import torch
from torch import Tensor, nn

from ..core.errors import Diverged, UsageError
from ..data import Batch, SparseEmbedding
from .base import Optimizer, check_state, name
from .by_rows import ByRows
from .ema import MovingAverage
from .factory import Given, build, check_together, render
from .gradients import Gradients
from .health import Health, Watch
from .leaping import Leaping
from .parts import gathered, is_divided, part_of
from .roles import roles
from .rows import Penalty, Rows, has_rows
from .state_dict_io import read, text
from .whole import Suited, Whole

_DIVIDING = "adamw, muon, sgd, lion, adan, sophia"


class Stepper(Leaping):
    """Steps a model's parameters by an optimiser and a penalty.

    Use at each step, for each of its batches: ``train_weights(batch)``, then forward and backward; then once ``step()``.
    ``eval_weights()`` before the weights are read (evaluated, saved): they are then those to evaluate with, until
    ``train_weights``. On the CPU, an optimiser that can work on rows does so for every parameter of a model that
    has tables with gradients of rows; these then cost what their touched rows do.

    Args:
        optimizer: one of ours, or a ``torch.optim.Optimizer`` over the model's parameters.
        clip: the norm that the gradient of all parameters together is cut to.
        ema: the decay of an exponential moving average of the weights, which is then what ``eval_weights`` shows.

    Raises:
        UsageError: they do not go together.
    """

    def __init__(
        self,
        optimizer: Optimizer | torch.optim.Optimizer,
        model: nn.Module,
        penalty: Penalty | None = None,
        *,
        clip: float | None = None,
        ema: float | None = None,
    ) -> None:
        theirs = optimizer if isinstance(optimizer, torch.optim.Optimizer) else None
        self.optimizer = optimizer if isinstance(optimizer, Optimizer) else build(lambda _: optimizer)
        self.penalty, self.clip, self.clipped, self.steps = penalty, clip, 0, 0
        check_together(self.optimizer, penalty, clip, ema)
        self.roles = roles(model)
        parameters = list(self.roles)
        self._check_divided()
        tables: dict[Tensor, SparseEmbedding] = {m.weight: m for m in model.modules() if isinstance(m, SparseEmbedding)}
        self._tables = [m for m in model.modules() if isinstance(m, nn.Embedding | nn.EmbeddingBag)]
        by_rows = bool(tables) or any(table.sparse for table in self._tables)  # what has no such table is faster whole
        by_rows = by_rows and theirs is None and self.optimizer.works_on_rows
        by_rows = by_rows and ema is None and not any(map(is_divided, parameters))
        by_rows = by_rows and all(map(has_rows, parameters))
        # With a penalty the step size of a row at rest must stand still, or its prox could not be caught up with.
        by_rows = by_rows and (penalty is None or "seen" not in (self.optimizer.row_state or ()))
        for table in tables.values():
            table.gradient = None  # another stepper may have been here
        self._rows = [Rows(p, tables.get(p), self.optimizer, penalty) for p in parameters] if by_rows else []
        self._gradients = Gradients({part_of(p): at for at, p in model.named_parameters() if p.requires_grad}, self._rows)
        self._by: ByRows | Whole = ByRows(self._rows, self.optimizer)
        if not by_rows:
            self._by = Whole(theirs or self.optimizer.over(model), self.optimizer, penalty, parameters, self._gradients)
        self._average = None if ema is None else MovingAverage(parameters, ema)
        self.lr = self.optimizer.lr

    @property
    def by_rows(self) -> bool:
        """Whether parameters are stepped by rows, by code of ours; a PyTorch optimiser does it otherwise."""
        return isinstance(self._by, ByRows)

    @property
    def wants_curvature(self) -> bool:
        """Whether ``observe_curvature`` is due before the next step."""
        return self._by.wants_curvature

    def train_weights(self, batch: Batch | None = None) -> None:
        """Bring what ``batch`` reads up to date; the weights are those to train with."""
        self._to(training=True)
        self._by.catch_up(batch)

    def zero_grad(self) -> None:
        """Leave out the gradients gathered since the last step."""
        self._gradients.clear()

    @property
    def parameters(self) -> list[Tensor]:
        """What is stepped."""
        return self._gradients.parameters

    @property
    def sparse(self) -> list[bool]:
        """Of each of these whether its gradient is one of rows."""
        tables = {table.weight for table in self._tables if table.sparse}
        tables |= {rows.parameter for rows in self._rows if rows.table is not None}
        return [p in tables for p in self.parameters]

    def take_gradient(self) -> list[Tensor | None]:
        """The gradient gathered so far, of each of ``parameters``, which then stands nowhere."""
        return self._gradients.take()

    def give_gradient(self, gradient: list[Tensor | None]) -> None:
        """Have the sum of some that were taken stand, for ``step``."""
        self._gradients.give(gradient)

    def observe_curvature(self, examples: int) -> None:
        """Take the gradients that stand in the parameters for those of the mean loss of ``examples`` sampled targets."""
        assert isinstance(self._by, Whole)
        self._gradients.collect()
        self._check_finite()
        self._by.observe_curvature(examples)
        self.zero_grad()

    @torch.no_grad()
    def step(self, factor: float = 1.0, closure: Callable[[], float] | None = None, *, examine: bool = False) -> Health | None:
        """Update every parameter with the gradients gathered since ``train_weights``.

        Args:
            factor: what the schedule multiplies the learning rate with.
            closure: for an optimiser that evaluates the loss again: makes the gradients anew and returns the loss.
            examine: also look at what the step did, which takes a copy of the weights.

        Raises:
            Diverged: the gradient is not finite (where the optimizer evaluates the loss again: at the first evaluation); neither
                weights nor state were updated, and the gradients are left out.
        """
        self._gradients.collect()
        watch = self._watch() if examine else None
        searches = self.optimizer.needs_closure  # there are no gradients before it begins
        if not searches:
            self._check_finite()
        norm = self._norm() if self.clip is not None or (examine and not searches) else 0.0
        if not math.isfinite(norm):
            raise self._diverged("norm of the gradient", "")
        step = self.steps + 1
        if self.clip is not None and norm > self.clip:
            self.clipped += 1
            self._gradients.scale(self.clip / norm)
        self.lr = self.optimizer.lr * factor
        self._by.step(step, factor, closure, self._check_finite)
        self.zero_grad()
        if self._average is not None:
            self._average.update(step)
        self.steps = step
        return watch.seen(None if searches else norm) if watch is not None else None

    def rows(self, parameter: Tensor) -> Rows:
        """What steps a parameter by rows."""
        return next(rows for rows in self._rows if rows.parameter is parameter)

    def divisor(self, parameter: Tensor) -> Tensor | float:
        """What the latest step of a parameter was divided by besides 1 / lr, element by element."""
        return self._by.divisor(parameter)

    @torch.no_grad()
    def eval_weights(self) -> None:
        """Bring every row up to date; the weights are those to evaluate with, until ``train_weights``."""
        self._to(training=False)

    def tensors(self) -> dict[str, Tensor]:
        """All state, as named tensors; ``load`` takes them back exactly, over the weights as they stand now."""
        state = {"steps": torch.tensor(self.steps), "clipped": torch.tensor(self.clipped), "optimizer": text(self._name)}
        return state | self._by.tensors() | ({} if self._average is None else self._average.tensors())

    def whole_tensors(self) -> dict[str, Tensor]:
        """As of ``Leaping``: one tensor after another is gathered, and kept by the first process, in the processor's memory."""
        found = self.tensors()
        for held, value in found.items():
            part = self.parameter(held)
            if part is not None and is_divided(part) and value.shape == part.shape:
                found[held] = gathered(value, part)
        return found

    def load(self, state: dict[str, Tensor]) -> None:
        """Take up the state that ``tensors`` gave.

        Raises:
            UsageError: another optimiser saved it.
            KeyError: something is missing from it.
        """
        check_state(read(state["optimizer"]), self._name)
        self.steps, self.clipped = int(state["steps"]), int(state["clipped"])
        self._by.load(state)
        if self._average is not None:
            self._average.load(state)

    def go_on(self, state: dict[str, Tensor], suited: Suited) -> None:
        """Take up the state that another stepper of the same optimiser ended with, over the weights as they stand.

        Its penalty was up to date, and an average of weights is what stands in the parameters, so both begin anew.

        Args:
            state: what ``tensors`` gave, after ``eval_weights``.
            suited: makes what was kept of a parameter suit it as it is now.

        Raises:
            UsageError: another optimiser saved it. KeyError: it is of whole tables where this one works on rows, or the reverse.
        """
        check_state(read(state["optimizer"]), self._name)
        self._by.go_on(state, suited)
        if self._average is not None and "trained.0" in state:
            self._average.trained = [
                suited(p, {"trained": state[f"trained.{number}"]}, {"trained": p.detach()})["trained"].to(p)
                for number, p in enumerate(self._average.parameters)
            ]
        self.steps = int(state["steps"])

    def parameter(self, name: str) -> Tensor | None:
        """The parameter, or the part of one, whose state has this name in ``tensors``; None: it is none of a parameter."""
        kind, _, place = name.partition(".")
        return list(self.roles)[int(place)] if kind in ("average", "trained") else self._by.parameter(name)

    @property
    def _name(self) -> str:
        if isinstance(self.optimizer, Given) and isinstance(self._by, Whole):
            return type(self._by.inner).__qualname__
        return name(self.optimizer)

    def _watch(self) -> Watch:
        return Watch(self.roles.items())

    def _norm(self) -> float:
        return self._gradients.norm()

    def _check_divided(self) -> None:
        """Raise UsageError where parameters are divided among processes and the optimiser or the penalty needs them whole."""
        if any(map(is_divided, self.roles)) and not (self.optimizer.divides and self.penalty is None):
            whose = "a penalty" if self.optimizer.divides else repr(render(self.optimizer))
            raise UsageError(
                f"{whose} needs whole weights, and these are divided among processes. Choose {_DIVIDING}, without a penalty, "
                "or leave --sharding out."
            )

    def _check_finite(self) -> None:
        """Raise Diverged where the gradient that stands is not finite."""
        if bad := self._gradients.not_finite():
            raise self._diverged("gradient", f" (of {', '.join(bad)})")

    def _diverged(self, what: str, where: str) -> Diverged:
        self.zero_grad()
        return Diverged(
            f"the {what} was not finite at step {self.steps + 1:,}{where}. The weights were not updated with it. "
            f"Try a lower --lr than {self.optimizer.lr:g}."
        )

    def _to(self, *, training: bool) -> None:
        """Show the weights to train with, or to evaluate with, where these are not the same."""
        if self._average is not None:
            (self._average.hide if training else self._average.show)()
        self._by.to(training=training)
