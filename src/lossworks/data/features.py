"""What every reading of text owes: from texts to ids that can be kept, and from those to the batches of a network.

What is learnt here is learnt from training texts alone.
"""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any, ClassVar, Protocol

import numpy as np
from numpy.typing import NDArray

from ..core.kernels import kernel
from ..core.threads import share
from .batch import Bags, Batch
from .ragged import Ragged

if TYPE_CHECKING:
    from torch import Tensor


@dataclass(slots=True)
class Selected:
    """What a network is given of N texts: text i's ids are ``ids[starts[i]:starts[i] + lengths[i]]``, their ``values`` likewise.

    Tokens in their order have no values: the array is empty.
    """

    ids: NDArray[np.uint32]
    values: NDArray[np.float32]
    starts: NDArray[np.int64]
    lengths: NDArray[np.int64]

    def __len__(self) -> int:
        return len(self.starts)

    def bags(self, rows: NDArray[np.int64]) -> Bags:
        """The texts ``rows`` as a network reads them; one by itself where it lies, not to be written over."""
        if len(rows) == 1:  # who asks for one waits for little else
            first, length = int(self.starts[rows[0]]), int(self.lengths[rows[0]])
            own = slice(first, first + length)
            return Bags(self.ids[own], np.array([0, length]), self.values[own])
        offsets = np.zeros(len(rows) + 1, np.int64)
        self.lengths[rows].cumsum(out=offsets[1:])
        ids = np.empty(offsets[-1], np.uint32)
        values = np.empty(offsets[-1] if len(self.values) else 0, np.float32)
        share(_gather, len(ids), self.ids, self.values, self.starts, rows, offsets, ids, values)
        return Bags(ids, offsets, values)

    def batch(self, rows: NDArray[np.int64], target: Tensor, weight: Tensor) -> Batch:
        """The batch of the texts ``rows``."""
        bags = self.bags(rows)
        return Batch(bags.ids, bags.offsets, bags.values, target, weight)


class Tally(Protocol):
    """What ``Features.learn`` wants to know of the texts that were read."""

    def add(self, read: Ragged, use: NDArray[np.bool_]) -> None:
        """Look at some texts; those marked in ``use`` are training texts."""


class Features(ABC):
    """A reading of text: ``prepare``, ``read`` all texts, ``learn``, and then ``select`` what a network is given.

    notes: what was odd about the texts, in words.
    """

    notes: tuple[str, ...] = ()
    at_once: ClassVar[int | None] = None
    """Texts that ``read`` is given at a time while a fit reads them, so that progress is seen; None: any number."""

    by_labels: ClassVar[bool] = False
    """Whether what reads the texts is trained before, on the labels of the training rows."""

    def to(self, device: str) -> None:  # noqa: B027  # most read on the CPU, whatever the device
        """Work there from now on."""

    def follow(self, before: Features) -> None:  # noqa: B027  # most read anew as fast
        """Take over from a reading of the same texts what does not depend on which of them are trained on."""

    @abstractmethod
    def __len__(self) -> int:
        """How many different ids there are."""

    @abstractmethod
    def prepare(self, training: Iterable[Sequence[str]]) -> None:
        """Learn what is needed before any text can be read, from blocks of training texts; nothing, where nothing is.

        Raises:
            DataError: the texts hold nothing to learn from.
        """

    @abstractmethod
    def read(self, texts: Sequence[str]) -> Ragged:
        """Texts in the form in which they are kept."""

    @abstractmethod
    def counter(self) -> Any:
        """A new ``Tally``, to be shown all texts before ``learn``."""

    @abstractmethod
    def learn(self, counter: Any) -> None:
        """Learn the rest.

        Raises:
            DataError: the texts hold nothing to learn from.
        """

    def extend(self, counter: Any) -> None:  # noqa: B027  # most read any text by what they know
        """Learn what is new in the texts that a training goes on with, behind what is known already, which stays as it is."""

    @abstractmethod
    def select(self, read: Ragged) -> Selected:
        """What a network is given of texts as ``read`` gave them. Uses them up: their memory may be written over."""

    def remarks(self, blocks: Iterable[Sequence[str]]) -> list[str]:
        """What is odd about blocks of texts to be answered, in words."""
        return []

    @abstractmethod
    def save(self, folder: Path) -> dict[str, NDArray[Any]]:
        """What was learnt: the arrays that are to stand in the model's file, the rest written into files of its own."""

    @abstractmethod
    def load(self, folder: Path, arrays: Mapping[str, NDArray[Any]]) -> None:
        """Take up what ``save`` left.

        Raises:
            RecordError, KeyError: a file or an array is missing or damaged.
        """


# In the kernel a text's part of an array is sliced first, so that the compiler checks no index.


@kernel
def _gather(part, parts, ids, values, starts, rows, offsets, to_ids, to_values):  # type: ignore[no-untyped-def]
    count = len(rows)
    for row in range(count * part // parts, count * (part + 1) // parts):
        first, size = starts[rows[row]], offsets[row + 1] - offsets[row]
        id_, value = ids[first : first + size], values[first : first + size]
        to_id, to_value = to_ids[offsets[row] : offsets[row + 1]], to_values[offsets[row] : offsets[row + 1]]
        for place in range(len(to_id)):  # plain loops become block copies; slices assigned do not
            to_id[place] = id_[place]
        for place in range(len(to_value)):
            to_value[place] = value[place]
