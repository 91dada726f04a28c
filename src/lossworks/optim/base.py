"""What an optimiser is here: a frozen dataclass of its hyperparameters, which makes a PyTorch optimiser.

``build("muon:lr=0.02").over(model)`` is an ordinary ``torch.optim.Optimizer`` for anybody's own loop; ``Stepper`` adds what
training needs around it. One that can work on a table's touched rows alone, with the same result as on the whole table,
says so by ``row_state`` and ``update_rows``; the work is then in proportion to the rows seen.
"""

from __future__ import annotations

import math
from abc import ABC, abstractmethod
from collections.abc import Callable
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING, Any, ClassVar, Literal, Self

from numpy.typing import NDArray

from ..core import domains
from ..core.errors import UsageError
from ..core.registry import Registry
from ..core.threads import share
from ..data import RowGradient

if TYPE_CHECKING:
    import torch
    from jaxtyping import Float
    from torch import Tensor

    from .roles import Model

    TorchOptimizer = torch.optim.Optimizer

Group = dict[str, Any]
"""Parameters that are stepped alike: ``params``, their ``role``, their ``weight_decay``."""


@dataclass(frozen=True, kw_only=True)
class Optimizer(ABC):
    """The root of every optimiser.

    lr: the learning rate.
    weight_decay: w ← w (1 - lr · weight_decay) at each step, for matrices and the head.
    coupled: add weight_decay · w to the gradient instead.
    decay_all: embeddings, biases and norms decay too.
    """

    lr: float
    weight_decay: float = 0.0
    coupled: bool = False
    decay_all: bool = False

    full_batch: ClassVar[bool] = False
    """One step an epoch, on all examples at once."""
    decays: ClassVar[Literal["coupled", "decoupled"]] = "decoupled"
    """What its PyTorch optimiser does by itself with the ``weight_decay`` of a group; the other is done for it."""
    averages: ClassVar[bool] = False
    """It keeps an average of the weights itself, which is what is evaluated and saved."""
    takes_sparse: ClassVar[bool] = False
    """Its PyTorch optimizer takes sparse gradients as they are, as long as no weight decays."""
    divides: ClassVar[bool] = False
    """Processes may each step a part of every weight (``optim/parts.py``), with the result of one that steps them whole."""
    row_state: ClassVar[tuple[str, ...] | None] = None
    """Names of what is kept for each weight of a table; None: the optimiser needs the whole table's gradient."""
    weights_kept: ClassVar[tuple[str, ...]] = ()
    """Names of what is kept for a parameter that are weights themselves; other state is of zeros at first."""
    positive: ClassVar[tuple[str, ...]] = ()
    """Its own fields that must be finite and above 0, besides ``eps``."""
    nonnegative: ClassVar[tuple[str, ...]] = ()
    """Those that must be finite, 0 or more."""
    shares: ClassVar[tuple[str, ...]] = ()
    """Those that say what share of a memory is kept, in [0, 1)."""
    counts: ClassVar[tuple[str, ...]] = ()
    """Those that must be 1 or more."""

    def __post_init__(self) -> None:
        domains.positive(self, "lr", *(["eps"] if hasattr(self, "eps") else []), *self.positive)
        domains.nonnegative(self, "weight_decay", *self.nonnegative)
        domains.share(self, *self.shares)
        domains.count(self, *self.counts)
        if self.needs_closure and self.weight_decay:
            raise UsageError(f"{type(self).__name__} searches along the loss alone, without weight_decay. Add a penalty instead.")

    @abstractmethod
    def torch(self, groups: list[Group]) -> torch.optim.Optimizer:
        """PyTorch's optimiser over ``groups``."""

    def over(self, model: Model) -> TorchOptimizer:
        """A PyTorch optimiser of a module's parameters, grouped by their roles, or of parameters without a module.

        A state dict of it is refused by another optimiser's.

        Raises:
            UsageError: there is nothing to train.
        """
        from .over import optimizer_over  # PyTorch, which not every optimiser's use needs

        return optimizer_over(self, model)

    def for_batches(self, times: float) -> Self:
        """The same for batches ``times`` as large: adaptive steps grow with the root (Malladi et al. 2022, arXiv:2205.10287)."""
        return replace(self, lr=float(f"{self.lr * math.sqrt(times):.4g}"))

    def divisor(self, state: dict[str, Any]) -> Float[Tensor, "*shape"] | float:
        """What the step of each weight is divided by besides ``1/lr``, from its state: 1 where all weights step alike."""
        return 1.0

    def penalise(self, weight: Tensor, state: dict[str, Any], group: Group, prox: Callable[..., Tensor]) -> None:
        """Let a penalty's ``prox`` take a weight on after its step, for a time equal to the step size of each of its elements."""
        weight.copy_(prox(weight, group["lr"] / self.divisor(state)))

    @property
    def needs_closure(self) -> bool:
        """Whether a step evaluates the loss again, at other weights."""
        return False

    @property
    def works_on_rows(self) -> bool:
        """Whether touched rows alone need work at a step, as these hyperparameters stand."""
        return self.row_state is not None and not self.weight_decay

    def update_rows(
        self, weight: NDArray[Any], state: dict[str, NDArray[Any]], gradient: RowGradient, step: int, lr: float
    ) -> None:
        """Step number ``step`` (from 1) on the touched rows of a table, in place, at the rate ``lr``."""
        raise UsageError(f"{type(self).__name__} works on whole tables only.")


optimizers: Registry[Optimizer] = Registry(
    "optimizer", "lossworks.optim.rules", Optimizer, "Give a spec such as 'adam:lr=0.001'."
)


def name(optimizer: Optimizer) -> str:
    """What it is registered as, or what the class is that it extends."""
    return next(filter(None, map(optimizers.known, type(optimizer).__mro__)), type(optimizer).__name__)


def each_row(kernel: Callable[..., Any], gradient: RowGradient, *arguments: Any) -> None:
    """Run ``kernel(part, parts, touched, counts, total, *arguments)`` over the groups of touched rows."""
    work = int(gradient.counts.sum()) * gradient.total.shape[1]
    number = gradient.total.dtype.type  # a plain float would have all of a float32 table worked on in float64
    plain = (number(argument) if isinstance(argument, float) else argument for argument in arguments)
    share(kernel, work, gradient.touched, gradient.counts, gradient.total, *plain)


def check_state(saved_by: str, own: str) -> None:
    """Raise UsageError where a state was saved by another optimiser than the one that is to go on with it."""
    if saved_by != own:
        raise UsageError(
            f"this state was saved by {saved_by!r}; {own!r} cannot go on with it. Build {saved_by!r}, or start anew."
        )
