"""One value a class, as a tensor: made once, for it is asked for at every tile."""

from __future__ import annotations

from threading import Lock

import torch
from torch import Tensor

_HELD: dict[tuple[int, torch.dtype, torch.device], tuple[tuple[float, ...], Tensor]] = {}
_MOST = 16
_LOCK = Lock()


def classwise(values: tuple[float, ...], like: Tensor) -> Tensor:
    """``values`` in the dtype and on the device of ``like``. A tuple is known by identity: hashing its numbers takes longer."""
    if torch.compiler.is_compiling():
        return torch.tensor(values, dtype=like.dtype, device=like.device)
    key = (id(values), like.dtype, like.device)
    with _LOCK, torch.inference_mode(False):  # what evaluation makes, training must be able to use
        held = _HELD.get(key)
        if held is None or held[0] is not values:
            held = (values, torch.tensor(values, dtype=like.dtype, device=like.device))
            while len(_HELD) >= _MOST:
                _HELD.pop(next(iter(_HELD)))
            _HELD[key] = held
        return held[1]
