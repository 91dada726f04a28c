"""A PyTorch optimiser's state dict as named tensors alone, and back, exactly."""

from __future__ import annotations

import json
from typing import Any

import torch
from torch import Tensor

_TREE = "tree"


def pack(state: dict[str, Any]) -> dict[str, Tensor]:
    """Every tensor in ``state`` by its place, "state.0.exp_avg", and what holds them as JSON in a tensor of bytes."""
    tensors: dict[str, Tensor] = {}

    def outline(value: Any, place: str) -> Any:
        if isinstance(value, Tensor):
            tensors[place] = value
            return {"tensor": place}
        within = f"{place}." if place else ""
        if isinstance(value, dict):
            return {"pairs": [[key, outline(inner, f"{within}{key}")] for key, inner in value.items()]}
        if isinstance(value, list | tuple):
            return {type(value).__name__: [outline(inner, f"{within}{at}") for at, inner in enumerate(value)]}
        return value

    tree = outline(state, "")
    return {_TREE: text(json.dumps(tree)), **tensors}


def unpack(tensors: dict[str, Tensor]) -> dict[str, Any]:
    """What ``pack`` was given."""

    def fill(value: Any) -> Any:
        if not isinstance(value, dict):
            return value
        ((kind, held),) = value.items()
        if kind == "tensor":
            return tensors[str(held)].clone()  # a number, where an earlier version packed them
        if kind == "pairs":
            return {key: fill(inner) for key, inner in held}
        return {"list": list, "tuple": tuple}[kind](map(fill, held))

    state: dict[str, Any] = fill(json.loads(read(tensors[_TREE])))
    return state


def text(words: str) -> Tensor:
    """Words as a tensor of bytes."""
    return torch.tensor(list(words.encode()), dtype=torch.uint8)


def read(words: Tensor) -> str:
    """The words that ``text`` was given."""
    return bytes(words.tolist()).decode()
