"""What the engine asks of whatever it trains: rows in steps, their losses, and a score to judge by. It knows no task."""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import torch
from torch import Tensor, nn

from ..data import Batch
from ..optim import Stepper
from .contracts import Rows, Stretch
from .distributed import World

if TYPE_CHECKING:
    from jaxtyping import Float, Int


@dataclass(frozen=True, slots=True)
class Losses:
    """The losses of a micro-batch.

    values, weight [N]: of each position. groups [N]: what a risk that compares groups goes by; None: there are none.
    """

    values: Float[Tensor, "N"]
    weight: Float[Tensor, "N"]
    groups: Int[Tensor, "N"] | None = None


class Objective(ABC):
    """A network on its data.

    network: what has the parameters.
    metric: the name of the held-out score that training is judged by. unit: what a step's size counts, "examples" or "tokens".
    seed: of the order of rows and of all that is random.
    """

    network: nn.Module
    metric: str
    unit: str
    seed: int

    @property
    def device(self) -> torch.device:
        """Where the network is."""
        return next(self.network.parameters()).device

    @abstractmethod
    def steps(self, epoch: int) -> Iterator[Rows] | Sequence[Rows]:
        """The rows of each step of an epoch, a function of (seed, epoch)."""

    @abstractmethod
    def share(self, rows: Rows, world: World, shard: int) -> Rows:
        """Those of a step's rows that are in a shard, which may be none; the shards one after another are the rows."""

    @abstractmethod
    def weight(self, rows: Rows) -> float:
        """What all of a step's rows weigh together: the sum of their losses is divided by it."""

    @abstractmethod
    def size(self, rows: Rows) -> int:
        """How many examples or tokens they are."""

    @abstractmethod
    def micro_batches(self, rows: Rows, epoch: int, size: int) -> Iterator[Any]:
        """Some rows in parts of at most ``size`` examples, or tokens with their padding; of a single row at least."""

    @abstractmethod
    def smallest(self, rows: Rows) -> int:
        """The smallest size that micro-batches of these rows can have."""

    @abstractmethod
    def largest(self, rows: Rows) -> int:
        """The size of a micro-batch that holds them all."""

    @abstractmethod
    def losses(self, batch: Any) -> Losses:
        """The losses of a micro-batch, with their graph."""

    @abstractmethod
    def sampled_losses(self, batch: Any) -> Tensor:
        """-log p of targets that the network itself draws at random, one for each target."""

    def stretch(self, stepper: Stepper) -> Stretch | None:
        """What takes many of its steps at once, where the mean of their losses is descended plainly; None: nothing does.

        Which it is follows from data and settings alone, for the bits that a training ends in do.
        """
        return None

    def read_by(self, batch: Any) -> Batch | None:
        """What a step by rows must know beforehand of a micro-batch: the sparse batch, if it is one."""
        return None

    def place(self, batch: Any, values: Tensor) -> str:
        """Where the first value that is not finite came from, in words; empty where nobody knows."""
        return ""

    @abstractmethod
    def longest(self, count: int) -> Rows:
        """The rows that take the most memory, ``count`` at most, to measure a micro-batch by."""

    @abstractmethod
    def ids(self, rows: Rows) -> int:
        """How many token or feature numbers some rows are read as."""

    @abstractmethod
    def held_out(self, world: World) -> dict[str, float] | None:
        """The held-out score, by the name of the metric, and what else is known of the validation part; None: there is none."""

    def carry(self) -> list[Tensor]:
        """What is carried from step to step besides the weights."""
        return []

    def load_carry(self, carry: list[Tensor]) -> None:  # most carry nothing
        """Go on from what ``carry`` gave; of an empty list, from nothing."""
        assert not carry
