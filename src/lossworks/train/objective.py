"""The loss of each example of a batch, by the kind of task. Also the one proper score that training is judged by."""

from __future__ import annotations

from typing import TYPE_CHECKING

from torch import Tensor

from ..core.errors import UsageError
from ..losses import CategoricalLoss, Loss, RegressionLoss, losses, render
from ..models import Task
from ..scores import Dense, binary, dense

if TYPE_CHECKING:
    from jaxtyping import Float


def check_fit(loss: Loss, task: Task) -> None:
    """Raise UsageError where the loss is not for this kind of task."""
    needed = RegressionLoss if task.kind == "regress" else CategoricalLoss
    if not isinstance(loss, needed):
        fitting = [entry.name for entry in losses if issubclass(entry.thing, needed)]
        raise UsageError(f"the loss {render(loss)!r} is not for the task {task.kind}. Losses that are: {', '.join(fitting)}.")


def scores(task: Task, outputs: Float[Tensor, "N outputs"], target: Tensor) -> Dense:
    """The outputs as scores: over the classes [N], or over yes and no for each label [N, labels]."""
    if task.kind == "multilabel":
        return binary(outputs, target)
    return binary(outputs[:, 0], target) if task.is_binary else dense(outputs, target)


def example_losses(task: Task, loss: Loss, outputs: Float[Tensor, "N outputs"], target: Tensor) -> Float[Tensor, "N"]:
    """The loss of each example; of label sets, the mean over the labels."""
    if isinstance(loss, RegressionLoss) and task.kind == "regress":
        return loss.errors(outputs[:, 0], target.to(outputs.dtype))
    assert isinstance(loss, CategoricalLoss)
    values = loss.values(scores(task, outputs, target))
    return values.mean(-1) if task.kind == "multilabel" else values


def proper_score(task: Task, outputs: Float[Tensor, "N outputs"], target: Tensor) -> Float[Tensor, "N"]:
    """What decides between epochs whatever the loss is: -log p of the truth in nats, or the squared error in the data's units."""
    if task.kind == "regress":
        return (outputs[:, 0] - target).double().square() * task.spread**2  # large targets leave what float32 can hold
    nll = -scores(task, outputs, target).logp
    return nll.sum(-1) if task.kind == "multilabel" else nll
