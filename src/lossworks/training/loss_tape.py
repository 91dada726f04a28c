"""A loss as a tape: what its own code does to one position, and what autograd then does for its derivative, operation by
operation, for compiled code to do again without PyTorch. The loss stays spelled once.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from itertools import zip_longest
from math import inf
from typing import Any

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor
from torch.utils._python_dispatch import TorchDispatchMode

from ..core.errors import UsageError
from ..losses import CategoricalLoss, Loss, RegressionLoss
from ..scores import binary, dense
from ..tasks import LabelTask
from .tape import NAMES, Tape

_SPELLED = {"clamp_min": "maximum", "clamp_max": "minimum", "sgn": "sign"}
_SAME = {"detach", "alias", "view", "lift_fresh"}
_SHAPES = {"zeros_like", "ones_like", "full_like", "new_zeros", "new_ones"}


class _Unknown(Exception):
    """What a tape cannot hold."""


def recorded(task: LabelTask, loss: Loss) -> Tape | None:
    """The tape of a loss of a task; None: it has none."""
    if task.link == "identity":
        return of_numbers(loss) if isinstance(loss, RegressionLoss) else None
    if not isinstance(loss, CategoricalLoss):
        return None
    return of_labels(loss, task.positions) if task.link == "sigmoid" else of_outcomes(loss, task.outputs)


def of_outcomes(loss: CategoricalLoss, classes: int) -> Tape | None:
    """The tape of a loss over so many outcomes; inputs: the target's log-probability and the mean one, cells: targets.

    None where it reads more than these, or does what no tape knows.
    """
    target = torch.arange(classes)
    scores = dense(torch.linspace(-1, 1, classes).expand(classes, classes).clone().requires_grad_(), target)
    return _recorded(lambda: loss.values(scores), [scores.logp, scores.mean_logp], 2)


def of_labels(loss: CategoricalLoss, shape: Sequence[int]) -> Tape | None:
    """The same for labels that are or are not: positions of this ``shape`` a row, cells: target · positions + place."""
    target = torch.tensor([0, 1]).reshape(2, *(1 for _ in shape)).expand(2, *shape)
    scores = binary(torch.linspace(-1, 1, target.numel()).reshape(target.shape).requires_grad_(), target)
    return _recorded(lambda: loss.values(scores), [scores.logp, scores.mean_logp], 2)


def of_numbers(loss: RegressionLoss) -> Tape | None:
    """The same of a loss between numbers; inputs: prediction and value, derivative by the first alone; one cell."""
    prediction, value = torch.tensor([0.5], requires_grad=True), torch.tensor([-0.25])
    return _recorded(lambda: loss.errors(prediction, value), [prediction, value], 1)


def _recorded(values: Callable[[], Tensor], inputs: list[Tensor], sought: int) -> Tape | None:
    recorder = _Recorder(inputs)
    try:
        with recorder:
            made = values()
        total = made.sum()  # autograd is quicker to load for a scalar
        with recorder:
            read: tuple[Tensor | None, ...] = torch.autograd.grad(total, inputs[:sought], allow_unused=True)
            nothing = torch.zeros_like(inputs[0])
            ends = [recorder.register(nothing if each is None else each) for each in (made, *read)]
    except (_Unknown, RuntimeError, UsageError):  # RuntimeError: it reads none of the inputs
        return None
    return recorder.tape(ends)


class _Recorder(TorchDispatchMode):  # type: ignore[no-untyped-call]
    """Writes down what is done to ``inputs``. What is done to anything else is done once, and gives constants."""

    def __init__(self, inputs: list[Tensor]) -> None:
        super().__init__()  # type: ignore[no-untyped-call]
        self.count, self.shape = inputs[0].numel(), inputs[0].shape
        self.alive = list(inputs)  # or an address could be given to another tensor
        self.registers = {each.data_ptr(): number for number, each in enumerate(inputs)}
        self.inputs, self.operations, self.constants = len(inputs), list[tuple[str, list[int]]](), list[NDArray[np.float64]]()

    @classmethod
    def _should_skip_dynamo(cls) -> bool:
        return False  # to have its compiler leave the mode alone PyTorch loads it, for seconds

    def __torch_dispatch__(self, func: Any, types: Any, args: tuple[Any, ...] = (), kwargs: Any = None) -> Any:
        out, name = func(*args, **(kwargs or {})), func.overloadpacket.__name__.rstrip("_")
        given = [each for each in args if isinstance(each, Tensor)]
        if name in _SHAPES or not any(each.data_ptr() in self.registers for each in given):
            if any(each.requires_grad for each in given) and name not in _SHAPES:
                raise _Unknown(f"{name} of another statistic")
            self.alive += [each for each in (out, *given) if isinstance(each, Tensor)]
            return out
        if not isinstance(out, Tensor) or out.shape != self.shape or kwargs:
            raise _Unknown(name)
        self.alive.append(out)
        if name == "clamp":
            args = args[0], *(end if bound is None else bound for bound, end in zip_longest(args[1:], (-inf, inf)))
        if name not in _SAME:
            self.registers[out.data_ptr()] = self._write(name, *map(self.register, args))
        elif out.data_ptr() not in self.registers:
            raise _Unknown(name)
        return out

    def register(self, value: Any) -> int:
        """Where an operand stands; of a constant from now on. Constants have negative numbers for the time being."""
        if isinstance(value, Tensor) and value.data_ptr() in self.registers:
            return self.registers[value.data_ptr()]
        if not isinstance(value, Tensor | int | float):
            raise _Unknown(f"a {type(value).__name__}")
        self.constants.append(torch.as_tensor(value).detach().double().expand(self.shape).flatten().numpy().copy())
        return -len(self.constants)

    def tape(self, ends: list[int]) -> Tape:
        """All that was written."""
        made = self.inputs + len(self.constants)
        places = {-1 - number: self.inputs + number for number in range(len(self.constants))}
        places |= {number: number for number in range(self.inputs)}
        places |= {self.inputs + number: made + number for number in range(len(self.operations))}
        rows = [[NAMES.index(name), *map(places.__getitem__, of), *[0] * (3 - len(of))] for name, of in self.operations]
        constants = np.array(self.constants).reshape(-1, self.count).T.copy()
        return Tape(np.array(rows, np.int64).reshape(-1, 4), constants, np.array([places[end] for end in ends]))

    def _write(self, name: str, *of: int) -> int:
        """An operation on registers, by those that there are; the register of what it makes."""
        if name == "clamp":
            return self._write("minimum", self._write("maximum", *of[:2]), of[2])
        if name == "rsub":
            return self._write("sub", of[1], of[0])
        if name == "threshold_backward":  # of a gradient, what it is of, and the threshold
            return self._write("where", self._write("gt", *of[1:]), of[0], self.register(0.0))
        if _SPELLED.get(name, name) not in NAMES:
            raise _Unknown(name)
        self.operations.append((_SPELLED.get(name, name), list(of)))
        return self.inputs + len(self.operations) - 1
