"""What is explained: a logit, a probability, a surprisal, a predicted number, or any loss, as a function of a model's answer."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING, Any

import numpy as np
import torch
from numpy.typing import NDArray

from ..core.errors import UsageError
from ..data import named
from ..losses import Loss, render
from ..tasks import LabelTask
from ..tokens.graphemes import isolated

if TYPE_CHECKING:
    from jaxtyping import Float
    from torch import Tensor

_OF_LABELS = ("logit", "probability", "surprisal")
VALUE = "value"
_OTHERS = 8  # labels that a quantity is also told of


@dataclass(frozen=True, slots=True)
class Quantity:
    """A number for each row of scores (calibrated logits [N, labels], or predicted numbers [N]).

    name: "logit", "probability", "surprisal" (-log p in nats), "value", or the spec of a loss.
    label, against: numbers of labels. The logit is less that of ``against``; None: of the other label, of several their mean.
    loss: of ``truth``, a target as the task has it.
    """

    task: LabelTask
    name: str
    label: int | None = None
    against: int | None = None
    loss: Loss | None = None
    truth: Any = None

    def of(self, scores: Float[Tensor, "N labels"]) -> Float[Tensor, "N"]:
        """The quantity of each row, differentiable."""
        if self.loss is not None:
            target = torch.as_tensor(np.asarray(self.truth)).to(scores.device)
            return self.task.losses(self.loss, self.task.as_outputs(scores), target.expand(len(scores), *target.shape))
        if (weights := self.weights) is not None:
            return scores @ torch.from_numpy(weights).to(scores) if scores.ndim == 2 else scores * float(weights)
        logp = torch.nn.functional.logsigmoid(scores) if self.task.kind == "multilabel" else scores.log_softmax(-1)
        logp = logp[:, self.label]
        return logp.exp() if self.name == "probability" else -logp

    @property
    def weights(self) -> NDArray[np.float64] | None:
        """Where the quantity is linear in the scores, what each is multiplied by [labels], or the number alone []."""
        if self.loss is not None or self.name in ("probability", "surprisal"):
            return None
        if self.name == VALUE:
            return np.ones(())
        labels = len(self.task.labels)
        weights = np.zeros(labels)
        if self.task.kind == "classify":
            weights[:] = -1 / (labels - 1) if self.against is None else 0
            if self.against is not None:
                weights[self.against] = -1
        weights[self.label] = 1
        return weights

    @property
    def has_gradient(self) -> bool:
        """Whether it is what its gradient adds up to."""
        return self.loss is None or self.loss.descends_value

    def values(self, scores: NDArray[np.float64]) -> NDArray[np.float64]:
        """The quantity of each row [N]."""
        if len(scores) == 0:
            return np.empty(0)
        with torch.inference_mode():
            return np.asarray(self.of(torch.from_numpy(scores)).numpy(), np.float64)

    def others(self, scores: NDArray[np.float64]) -> dict[str, Quantity]:
        """The same of other labels, by name: of those that have the highest scores [N, labels], if it is of a label."""
        told = "label" if self.loss is None else "truth"
        own = getattr(self, told)
        if not isinstance(own, int):
            return {}
        ranked = (-scores.max(0, initial=-np.inf)).argsort(kind="stable").tolist()
        chosen = [label for label in ranked if label not in (own, self.against)][:_OTHERS]
        return {self.task.labels[label]: replace(self, **{told: label}) for label in chosen}

    def gradient(self, scores: NDArray[np.float64]) -> NDArray[np.float64]:
        """Of each row's quantity by its scores, of their shape."""
        with torch.enable_grad():
            leaf = torch.from_numpy(scores).requires_grad_()
            (found,) = torch.autograd.grad(self.of(leaf).sum(), leaf)
        return np.asarray(found.numpy())

    def __str__(self) -> str:
        """The quantity in words: "logit of positive less that of negative"."""
        names = list(map(isolated, map(str, self.task.labels)))
        if self.loss is not None:
            return f"{self.name} of {isolated(str(self.task.name_of(self.truth)))}"
        if self.name == VALUE:
            return "predicted number"
        if self.name != "logit" or self.task.kind != "classify":
            return f"{self.name} of {names[self.label or 0]}"
        against = self.against
        if against is None and len(names) == 2:
            against = 1 - (self.label or 0)
        less = "the mean of the others'" if against is None else f"that of {names[against]}"
        return f"logit of {names[self.label or 0]} less {less}"


def distinct(quantities: Sequence[Quantity]) -> tuple[list[Quantity], NDArray[np.int64]]:
    """Each quantity once, and for each of those given the number of its own."""
    each = {id(one): one for one in quantities}
    numbers = {key: number for number, key in enumerate(each)}
    return list(each.values()), np.array([numbers[id(one)] for one in quantities], np.int64)


def weights_of(quantities: Sequence[Quantity]) -> NDArray[np.float64] | None:
    """The weights of each quantity, or None where they are not linear in the scores."""
    found = [weights for one in quantities if (weights := one.weights) is not None]
    return np.stack(found) if found else None


def values_of(quantities: Sequence[Quantity], which: NDArray[np.int64], scores: NDArray[np.float64]) -> NDArray[np.float64]:
    """Of each row of scores its own quantity, the one of the number in ``which`` [N]."""
    found = np.empty(len(scores))
    for number, one in enumerate(quantities):
        found[which == number] = one.values(scores[which == number])
    return found


def gradients_of(quantities: Sequence[Quantity], which: NDArray[np.int64], scores: NDArray[np.float64]) -> NDArray[np.float64]:
    """The gradients of the same by the scores, of their shape."""
    found = np.empty_like(scores)
    for number, one in enumerate(quantities):
        if (own := which == number).any():
            found[own] = one.gradient(scores[own])
    return found


def quantity(task: LabelTask, name: str | None, answer: Any, label: Any = None, against: Any = None) -> Quantity:
    """The quantity that a user asks for.

    Args:
        name: as of ``Quantity``; None: the logit, of numbers the value.
        answer: the number of the label that the model answers with (of label sets the most probable one), or its number. It is
            what is explained where no label is given.
        label: the label explained, and of a loss what is true: a label, a list of labels, or a number.
        against: a label that the logit is told against.

    Raises:
        UsageError: the task has no such quantity or label; UnknownName: nothing is called so.
    """
    numbers = not task.has_probabilities
    name = name or (VALUE if numbers else "logit")
    if against is not None and (name != "logit" or task.kind != "classify"):
        raise UsageError(f"--against is for the logit of a class, and the {name} of {task.described} is asked for. Leave it out.")
    if numbers and name in _OF_LABELS:
        raise UsageError(f"the model predicts numbers, which have no {name}. Ask for the value, or a loss such as mse.")
    if name == VALUE:
        if not numbers:
            raise UsageError("the model predicts labels. Ask for the logit, the probability, the surprisal or a loss.")
        if label is not None:
            raise UsageError("the predicted number is explained whatever is true. Leave the label out, or ask for a loss: mse.")
        return Quantity(task, name)
    if name in _OF_LABELS:
        number = answer if label is None else _number(task, label)
        other = None if against is None else _number(task, against)
        if other == number:
            raise UsageError(f"the label {task.labels[number]!r} is told against itself. Give another label.")
        return Quantity(task, name, number, other)
    loss = task.loss(name)
    return Quantity(task, render(loss), loss=loss, truth=_truth(task, answer, label))


def _truth(task: LabelTask, answer: Any, label: Any) -> Any:
    """What a loss compares with, as the task has targets."""
    if not task.has_probabilities:
        try:
            return float(answer if label is None else label)
        except (TypeError, ValueError):
            raise UsageError(f"the model predicts numbers, and {label!r} is none.") from None
    if task.kind != "multilabel":
        return answer if label is None else _number(task, label)
    chosen = [answer] if label is None else [_number(task, each) for each in ([label] if isinstance(label, str) else label)]
    return np.isin(np.arange(len(task.labels)), chosen).astype(np.float32)


def _number(task: LabelTask, label: Any) -> int:
    name = named(label)
    if name not in task.labels:
        shown = ", ".join(task.labels[:12]) + (", …" if len(task.labels) > 12 else "")
        raise UsageError(f"the model knows no label {name!r}. Labels: {shown}.")
    return task.labels.index(name)
