"""A teacher for the battery, made from the target alone so that the classes can be renamed."""

from __future__ import annotations

import torch
from torch import Tensor

from lossworks.scores import Dense, dense

NO_MASS = {"finite_where_possible": "the teacher finds every outcome possible, so one that the scores rule out costs infinity"}


def beside(target: Tensor, classes: int) -> dict[str, Dense]:
    """A teacher whose logits are 2 at the target and 0 elsewhere."""
    there = torch.arange(classes) == target.unsqueeze(-1)
    return {"teacher": dense(2.0 * there.double(), target)}


def taught(p: Tensor, y: Tensor, temperature: float = 1.0) -> tuple[Tensor, Tensor]:
    """Both distributions [N, V] at a temperature, from p and from the one-hot targets that the teacher was made from."""
    softened = p ** (1 / temperature)
    return softened / softened.sum(-1, keepdim=True), (2 * y / temperature).softmax(-1)
