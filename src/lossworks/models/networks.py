"""Networks over text: what the engine trains, made by the specs of families. A network never sees a loss or an optimiser."""

from __future__ import annotations

from abc import ABC, abstractmethod
from pathlib import Path
from typing import TYPE_CHECKING, ClassVar

import torch
from torch import Tensor, nn

from ..data import Batch, TokenRows
from .language import LanguageModel

if TYPE_CHECKING:
    from jaxtyping import Float

    from ..scores import Scores
    from ..scores.teacher import Teacher


class TextModel(nn.Module, ABC):
    """A network over batches of weighted ids."""

    threads: ClassVar[int | None] = None
    """PyTorch's own while it is trained; None: as many as there are."""

    @abstractmethod
    def forward(self, batch: Batch) -> Float[Tensor, "N outputs"]:
        """One row of outputs an example: logits, or predicted numbers."""

    def save_extra(self, folder: Path) -> None:  # most need no more than their spec says
        """Write what is needed, besides its spec and weights, to make the network again (``ModelSpec.restored``)."""


class SequenceNetwork(nn.Module, ABC):
    """A network over rows of tokens that says how probable each was."""

    carries: ClassVar[bool] = False
    """Whether rows with ``lanes`` go on from a state that is carried, without gradient, from step to step (``carried``)."""
    packs: ClassVar[bool] = False
    """Whether several documents may stand in one row (``TokenRows.starts``)."""
    context: int | None = None
    """How many tokens a row may have; None: any number."""
    dtype: torch.dtype = torch.float32
    """Of a neural network's products; weights, last layer and loss stay in their own."""

    @abstractmethod
    def scores(self, rows: TokenRows, teacher: Teacher | None = None) -> Scores:
        """Scores of every token of each row, given those before it in its row: positions row by row, without the padding.

        ``teacher``: of the same positions, for losses that compare with one.
        Rows are texts as they are to be predicted: without their ``start``, with their ``end`` where they have one.
        """

    @abstractmethod
    def model(self) -> LanguageModel:
        """The language model that the weights make now."""

    def carry(self) -> list[Tensor]:
        """What is carried from step to step besides the weights, for a checkpoint; nothing for most."""
        return []

    def load_carry(self, carry: list[Tensor]) -> None:  # most carry nothing
        """Take up what ``carry`` gave; of an empty list, begin anew."""
