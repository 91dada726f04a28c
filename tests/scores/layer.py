"""What the tests of fused scores share: a last layer, comparison, and a count of what PyTorch ran."""

from __future__ import annotations

from collections import Counter
from typing import Any

import torch
from torch import Tensor
from torch.utils._python_dispatch import TorchDispatchMode

from lossworks import losses

WIDTH, CLASSES = 6, 11
LOSS = losses.build("cross_entropy:label_smoothing=0.1+1e-3*z_loss")


def layer(*shape: int, dtype: torch.dtype = torch.float64) -> tuple[Tensor, Tensor, Tensor]:
    """Hidden states and a weight that ask for gradients, and targets."""
    hidden, weight = torch.randn(*shape, WIDTH, dtype=dtype), torch.randn(CLASSES, WIDTH, dtype=dtype)
    return hidden.requires_grad_(), weight.requires_grad_(), torch.randint(CLASSES, shape)


def close(got: Any, want: Any, tolerance: float = 1e-11) -> None:
    """Equal tensors, or sequences of them."""
    torch.testing.assert_close(got, want, rtol=tolerance, atol=tolerance)


class Counted(TorchDispatchMode):
    """Which operations ran, how large the largest tensor was that they made, and how many rows were multiplied."""

    def __init__(self) -> None:
        super().__init__()
        self.ran: Counter[str] = Counter()
        self.largest = 0
        self.rows = 0

    def __torch_dispatch__(self, func: Any, types: Any, args: Any = (), kwargs: Any = None) -> Any:
        out = func(*args, **(kwargs or {}))
        name = func.overloadpacket.__name__
        self.ran[name] += 1
        made = out if isinstance(out, tuple | list) else (out,)
        self.largest = max([self.largest, *(t.numel() for t in made if isinstance(t, Tensor))])
        if name == "mm" and args[1].shape[1] == CLASSES:
            self.rows += len(args[0])
        return out
