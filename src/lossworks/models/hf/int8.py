"""Linear layers that only read, in products of 8-bit integers: where a processor has them, three times as fast as in float32.

A token's inputs are divided by the largest among them, an output's weights by theirs, so that both go from −127 to 127; the sums
are exact in 32 bits. What a token becomes does not depend on the others, and the same bits come from any number of threads.
"""

from __future__ import annotations

import threading
from typing import TYPE_CHECKING, Any

import numpy as np
import torch
from torch import Tensor, nn

from ...core.kernels import kernel

if TYPE_CHECKING:
    from jaxtyping import Float

_MOST = 127
_room: Any = threading.local()


class Int8Linear(nn.Linear):
    """A linear layer in int8 where no gradient is wanted and it works on the processor; else as it is.

    What is kept of its weights [O, I] for that, [I, O] in int8 and what each output is multiplied by, is made anew once it was
    trained.
    """

    _rounded: tuple[Tensor, Any, Any] | None

    def train(self, mode: bool = True) -> Int8Linear:
        if mode:
            self._rounded = None
        super().train(mode)
        return self

    def forward(self, x: Float[Tensor, "... I"]) -> Float[Tensor, "... O"]:
        if torch.is_grad_enabled() or not x.is_cpu:
            return super().forward(x)
        if self._rounded is None:
            whole, scales = _rounded(self.weight)
            bias = np.zeros(self.out_features, np.float32)
            if self.bias is not None:
                bias = self.bias.detach().numpy()
            self._rounded = whole.t(), scales, bias
        weight, scales, bias = self._rounded
        whole, sizes = _rounded(x.reshape(-1, self.in_features))
        sums = _sums(len(whole) * self.out_features).view(-1, self.out_features)
        torch._int_mm(whole, weight, out=sums)
        found = torch.empty(sums.shape)
        _scale(sums.numpy(), sizes, scales, bias, found.numpy())
        return found.view(*x.shape[:-1], self.out_features)


def in_int8(model: nn.Module) -> None:
    """Have the linear layers of a model, which are in float32, read in int8."""
    for module in model.modules():
        if type(module) is nn.Linear:
            module.__class__ = Int8Linear
            module._rounded = None  # type: ignore[assignment]


def _sums(count: int) -> Tensor:
    """Room for so many of this thread, the same each time: the system takes longer to give new memory than they take."""
    room: Tensor | None = getattr(_room, "sums", None)
    if room is None or len(room) < count:
        room = _room.sums = torch.empty(count, dtype=torch.int32)
    return room[:count]


def _rounded(x: Tensor) -> tuple[Tensor, Any]:
    """Rows [N, D] as whole numbers, and what each is to be multiplied by [N]."""
    rows = x.detach().contiguous().numpy()
    whole, sizes = torch.empty(x.shape, dtype=torch.int8), np.empty(len(x), np.float32)
    _largest(rows.view(np.int32), sizes.view(np.int32))
    _round(rows, sizes, whole.numpy())
    return whole, sizes


@kernel
def _largest(bits: Any, found: Any) -> None:
    """Of each row, without signs. The bits of float32 have the same order, and as whole numbers they are compared in vectors."""
    for n in range(bits.shape[0]):
        most = np.int32(0)
        for d in range(bits.shape[1]):
            most = max(most, bits[n, d] & np.int32(0x7FFFFFFF))
        found[n] = most


@kernel(error_model="numpy")  # type: ignore[untyped-decorator]  # a look at each divisor would keep it from using vectors
def _round(x: Any, sizes: Any, whole: Any) -> None:
    """Row by row, by the largest of each, which is replaced by what the whole numbers are to be multiplied by."""
    whole_from = np.float32(1.5 * 2**23)  # float32 has no halves from there on, so adding it rounds, ties to even
    for n in range(x.shape[0]):
        inverse = np.float32(_MOST) / max(sizes[n], np.float32(1e-30))
        sizes[n] /= np.float32(_MOST)
        for d in range(x.shape[1]):
            whole[n, d] = np.int8(np.int32(x[n, d] * inverse + whole_from - whole_from))


@kernel
def _scale(sums: Any, sizes: Any, scales: Any, bias: Any, found: Any) -> None:
    for n in range(sums.shape[0]):
        size = sizes[n]
        for o in range(sums.shape[1]):
            found[n, o] = np.float32(sums[n, o]) * (size * scales[o]) + bias[o]
