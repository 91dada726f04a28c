"""The loss of each example of a batch, by the kind of task. Also the one proper score that training is judged by."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

from ..core.errors import UsageError
from ..losses import BinaryLoss, CategoricalLoss, Loss, RegressionLoss, build, losses, render
from ..scores import Dense, binary, dense
from ..tasks import Task

if TYPE_CHECKING:
    from jaxtyping import Float


def loss_for(spec: str, task: Task, target: NDArray[Any]) -> Loss:
    """The loss that ``spec`` spells, told how often each class occurs in the training rows' ``target`` where it asks for that.

    Raises:
        UsageError: it is not for this kind of task.
    """
    loss = fitting_loss(spec, task)
    counts = np.bincount(target, minlength=len(task.labels)) if task.kind == "classify" else np.empty(0)
    return loss.with_counts(tuple(counts.astype(float).tolist()))


def fitting_loss(spec: str, task: Task) -> Loss:
    """The loss that ``spec`` spells, not yet told any counts.

    Raises:
        UsageError: it is not for this kind of task.
    """
    loss = build(spec)
    if reason := _misfit(loss, task):
        fitting = [entry.name for entry in losses if not _misfit(entry.thing(), task)]
        raise UsageError(
            f"the loss {render(loss)!r} is not for {_described(task)}: {reason}. Losses that are: {', '.join(fitting)}."
        )
    return loss


def _misfit(loss: Loss, task: Task) -> str:
    """Why it cannot say, of this task's outputs and targets alone, how wrong they are; nothing where it can."""
    if task.kind == "regress":
        return "" if isinstance(loss, RegressionLoss) else "it is not between numbers"
    if not isinstance(loss, CategoricalLoss):
        return "it is not over outcomes"
    if loss.needs:
        return f"it needs a {loss.needs.removesuffix('s')} at each position"
    if not loss.looks_at_target:
        return f"it does not look at the target. Add it to a loss that does: cross_entropy+0.001*{render(loss)}"
    if task.kind == "multilabel":  # each label has counts of its own: there is no one pair of them
        return "" if loss.with_counts((1.0, 1.0)) == loss else "it asks for one count a class"
    if isinstance(loss, BinaryLoss) and not task.is_binary:
        return "it is for two outcomes"
    return "its positions are the labels of one example" if loss.positions_interact else ""


def _described(task: Task) -> str:
    return f"the task {task.kind}" + (f" with {len(task.labels)} classes" if task.kind == "classify" else "")


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


def sampled_losses(task: Task, outputs: Float[Tensor, "N outputs"]) -> Float[Tensor, "N"]:
    """-log p of a target that the outputs themselves give each example at random, numbers with deviation 1: the mean of its
    gradients' squares is the Gauss-Newton curvature (Liu et al. 2023, arXiv:2305.14342, section 2.3).
    """
    if task.kind == "regress":
        drawn = outputs.detach() + torch.randn_like(outputs)
        return (outputs - drawn).square()[:, 0] / 2
    if task.kind == "multilabel" or task.is_binary:
        target = torch.bernoulli(outputs.detach().sigmoid()).long()
        return (
            -scores(task, outputs, target if task.kind == "multilabel" else target[:, 0]).logp.reshape(len(outputs), -1).sum(-1)
        )
    return -scores(task, outputs, torch.multinomial(outputs.detach().softmax(-1), 1)[:, 0]).logp


def proper_score(task: Task, outputs: Float[Tensor, "N outputs"], target: Tensor) -> Float[Tensor, "N"]:
    """What decides between epochs whatever the loss is: -log p of the truth in nats, or the squared error in the data's units."""
    if task.kind == "regress":
        return (outputs[:, 0] - target).double().square() * task.spread**2  # large targets leave what float32 can hold
    nll = -scores(task, outputs, target).logp
    return nll.sum(-1) if task.kind == "multilabel" else nll
