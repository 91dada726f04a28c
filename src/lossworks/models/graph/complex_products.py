"""Complex vectors as real ones: the real parts, and after them the imaginary parts."""

from __future__ import annotations

import torch
from torch import Tensor


def times(a: Tensor, b: Tensor) -> Tensor:
    """a ∘ b, coordinate by coordinate, of vectors [*, 2 dim]."""
    (re, im), (other_re, other_im) = a.chunk(2, -1), b.chunk(2, -1)
    return torch.cat([re * other_re - im * other_im, re * other_im + im * other_re], -1)


def squared_moduli(a: Tensor) -> Tensor:
    """|a|², coordinate by coordinate: [*, dim]."""
    re, im = a.chunk(2, -1)
    return re.square() + im.square()
