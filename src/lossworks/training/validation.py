"""What the held-out rows say after an epoch: the proper score that decides, and beside it the training loss and accuracy."""

from __future__ import annotations

from collections.abc import Iterator
from functools import partial
from typing import Any

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

from ..losses import Loss
from ..models import MICRO, TextModel
from ..tasks import Task
from .dataset import Dataset, Part
from .objective import example_losses, proper_score, scores


def metric_of(task: Task) -> str:
    """The name of the proper score that epochs are judged by."""
    return "mse" if task.kind == "regress" else "nll"


@torch.no_grad()
def held_out(data: Dataset, network: TextModel, loss: Loss, part: Part) -> dict[str, float]:
    """Weighted means over the part's rows: the proper score under its name, ``loss``, and ``accuracy`` (of label sets, the
    share of labels told right) where there are labels.
    """
    network.eval()
    task, total, sums = data.task, 0.0, np.zeros(3)
    measures = (partial(proper_score, task), partial(example_losses, task, loss), partial(_right, task))
    for rows, selected in part.pieces():
        for chosen in cut(np.arange(len(rows)), MICRO):
            batch = data.batch(selected, rows, chosen)
            outputs = network(batch)
            target = batch.target.to(outputs.device)
            weight = np.ones(len(chosen)) if data.weight is None else data.weight[rows[chosen]].astype(np.float64)
            found = (measure(outputs, target) for measure in measures)
            sums += [float(weight @ in_numpy(values)) for values in found]
            total += float(weight.sum())
    score, mean_loss, accuracy = (sums / max(total, 1e-12)).tolist()
    figures = {metric_of(task): score, "loss": mean_loss}
    return figures if task.kind == "regress" else figures | {"accuracy": accuracy}


def cut(order: NDArray[np.int64], size: int) -> Iterator[NDArray[np.int64]]:
    """``order`` in pieces of ``size``, the last one shorter."""
    return (order[start : start + size] for start in range(0, len(order), size))


def in_numpy(values: Tensor) -> NDArray[Any]:
    """A tensor's numbers in float64, on the processor."""
    return np.asarray(values.detach().double().cpu().numpy())


def _right(task: Task, outputs: Tensor, target: Tensor) -> Tensor:
    if task.kind == "regress":
        return torch.zeros(len(outputs))
    right = (scores(task, outputs, target).argmax == target).double()
    return right.mean(-1) if right.ndim > 1 else right
