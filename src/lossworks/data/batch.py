"""What a model is given at one step."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np
from numpy.typing import NDArray

if TYPE_CHECKING:
    import torch
    from jaxtyping import Float, Int
    from torch import Tensor


@dataclass(slots=True)
class Bags:
    """N texts, each a bag of weighted ids; compressed rows (CSR) in the CPU's memory.

    ``ids[offsets[i]:offsets[i + 1]]`` are text i's, ``values`` what each of them weighs.
    """

    ids: NDArray[np.uint32]
    offsets: NDArray[np.int64]
    values: NDArray[np.float32]

    def __len__(self) -> int:
        return len(self.offsets) - 1


@dataclass(slots=True)
class Batch(Bags):
    """N examples. ``target`` is class numbers, 0/1 per label, or numbers, as the task has it; ``weight`` is what each weighs."""

    target: Tensor
    weight: Float[Tensor, "N"]

    def tensors(self, device: torch.device) -> tuple[Int[Tensor, "nnz"], Int[Tensor, "N"], Float[Tensor, "nnz"]]:
        """Ids, the start of each row, and values, as tensors on ``device``."""
        import torch

        return (
            torch.from_numpy(self.ids.view(np.int32)).to(device),
            torch.from_numpy(self.offsets[:-1]).to(device),
            torch.from_numpy(self.values).to(device),
        )
