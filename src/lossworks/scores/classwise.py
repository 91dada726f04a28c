"""One value a class, as a tensor: made once, for it is asked for at every tile."""

from __future__ import annotations

import threading
from collections import deque

import torch
from torch import Tensor


class _Recent(threading.local):
    """The calling thread's latest tensors, with the tuples they were made of: tables can be large, so only a few."""

    def __init__(self) -> None:
        self.made: deque[tuple[tuple[float, ...], Tensor]] = deque(maxlen=16)


_RECENT = _Recent()


def classwise(values: tuple[float, ...], like: Tensor) -> Tensor:
    """``values`` in the dtype and on the device of ``like``. A tuple is known by identity: to compare its items takes longer."""
    if torch.compiler.is_compiling():
        return torch.tensor(values, dtype=like.dtype, device=like.device)
    for known, made in _RECENT.made:
        if known is values and made.dtype == like.dtype and made.device == like.device:
            return made
    with torch.inference_mode(False):  # what evaluation makes, training must be able to use
        made = torch.tensor(values, dtype=like.dtype, device=like.device)
    _RECENT.made.append((values, made))
    return made
