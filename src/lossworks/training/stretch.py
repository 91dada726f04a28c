"""Many small steps of a linear model in one compiled call, which would otherwise take several times as long in Python.

Sums, gradient and update are the code of the general way, on one thread, in the same order; between them the loss is played from
its tape, in float64.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from itertools import takewhile
from typing import TYPE_CHECKING

import numpy as np
import torch
from numba import njit
from numpy.typing import NDArray

from ..core.threads import WORTH_SHARING
from ..data.row_gradient import add, clear, sum_rows
from ..losses import CategoricalLoss, Loss, RegressionLoss
from ..models.linear_network import Linear
from ..optim import Stepper
from ..optim.rules.adagrad import AdaGrad, adapt
from ..optim.rules.sgd import SGD, descend
from ..tasks import LabelTask
from . import loss_tape
from .loss_tape import Tape, play

if TYPE_CHECKING:
    from .examples import ExampleObjective, Rows

_LINKS = ("softmax", "sigmoid", "identity")
_SOFTMAX, _SIGMOID, _IDENTITY = range(len(_LINKS))
_TRIED = 5  # rows of random outputs that the tape must say the same of as the loss itself


def stretch(objective: ExampleObjective, stepper: Stepper) -> Stretch | None:
    """What makes many steps of a training at once: of a linear model by AdaGrad or plain SGD, by a loss that has a tape, in steps
    that are not worth dividing among threads. None: it is another.
    """
    network, optimizer = objective.network, stepper.optimizer
    if type(network) is not Linear or type(optimizer) not in (AdaGrad, SGD) or objective.data.teacher is not None:
        return None
    if objective.batch_size is None or objective.ids_a_step * objective.data.task.outputs > WORTH_SHARING:
        return None
    played = Played.of(objective.data.task, objective.loss)
    return None if played is None else Stretch(objective, stepper, network, played)


@dataclass(frozen=True, slots=True)
class Played:
    """A loss of a task as compiled code makes it from a network's outputs, and its derivative by them."""

    link: int
    tape: Tape

    @classmethod
    def of(cls, task: LabelTask, loss: Loss) -> Played | None:
        """None: the loss has no tape."""
        tape: Tape | None = None
        if task.link == "identity":
            tape = loss_tape.of_numbers(loss) if isinstance(loss, RegressionLoss) else None
        elif isinstance(loss, CategoricalLoss):
            labels = task.link == "sigmoid"
            tape = loss_tape.of_labels(loss, task.positions) if labels else loss_tape.of_outcomes(loss, task.outputs)
        made = None if tape is None else cls(_LINKS.index(task.link), tape)
        return made if made is not None and made._agrees(task, loss) else None

    def __call__(self, outputs: NDArray[np.float64], target: NDArray[np.float64]) -> tuple[NDArray[np.float64], ...]:
        """The loss of each row, and its derivative by the outputs [N, outputs]; target [N, 1] or [N, labels]."""
        values, slopes = np.empty(len(outputs)), np.empty_like(outputs)
        _slopes(self.link, *self.tape, outputs, target, _registers(self.tape, outputs.size), values, slopes)
        return values, slopes

    def _agrees(self, task: LabelTask, loss: Loss) -> bool:
        """Whether it says what the loss says: one that looks at numbers in Python may go another way than on its tape."""
        draw = np.random.default_rng(0)
        outputs = draw.normal(scale=2, size=(_TRIED, task.outputs))
        target = draw.normal(size=_TRIED) if task.link == "identity" else draw.integers(0, 2, (_TRIED, *task.positions))
        if task.link == "softmax":
            target = draw.integers(0, task.outputs, _TRIED)
        given = torch.from_numpy(outputs).requires_grad_()
        values = task.losses(loss, given, torch.from_numpy(target))
        (slopes,) = torch.autograd.grad(values.sum(), given)
        found = self(outputs, target.astype(np.float64).reshape(_TRIED, -1))
        both = zip(found, (values, slopes), strict=True)
        return all(np.allclose(own, its.detach().numpy(), rtol=1e-6, atol=1e-9) for own, its in both)


@dataclass(slots=True)
class Stretch:
    """Steps of a training, from the weights as they stand."""

    objective: ExampleObjective
    stepper: Stepper
    network: Linear
    played: Played

    def __call__(self, steps: Sequence[Rows], rates: NDArray[np.float64]) -> tuple[NDArray[np.float64], NDArray[np.float64]]:
        """Take ``steps`` at these rates, up to the first that is not for here: of another piece, without weight, not finite.

        Returns: of each step that was taken, Σ weight · loss and Σ weight. The last one's gradient still stands.
        """
        objective, (table, bias) = self.objective, map(self.stepper.rows, (self.network.table.weight, self.network.bias))
        piece = steps[0][0][0]
        chosen = [rows for ((_, rows),) in takewhile(lambda step: step[0][0] == piece, steps)]
        batch = objective.batch(piece, np.concatenate(chosen))
        bounds = np.cumsum([0, *map(len, chosen)])
        most = int(np.diff(bounds).max())
        outputs = np.zeros((len(batch), table.scalars.shape[1]), table.scalars.dtype)
        amounts, weights = np.zeros((2, len(chosen)))
        bias.gradient.fill(bias.gradient.total)  # all of its rows are touched
        number = table.scalars.dtype.type
        states = [
            (each.scalars, each.state.get("sum", np.empty((0, 0), number)), *each.gradient.arrays) for each in (table, bias)
        ]
        done = _steps(  # type: ignore[call-arg]
            bounds,
            (batch.ids, batch.offsets, batch.values),
            batch.target.numpy().astype(np.float64).reshape(len(batch), -1),
            batch.weight.numpy(),
            self.played.link,
            tuple(self.played.tape),
            _registers(self.played.tape, most * outputs.shape[1]),
            (
                np.empty(most),
                np.empty((most, outputs.shape[1])),
                np.empty((most, outputs.shape[1])),
                np.empty_like(outputs[:most]),
            ),
            *states,
            rates[: len(chosen)].astype(number),
            number(getattr(self.stepper.optimizer, "eps", 0)),
            outputs,
            amounts,
            weights,
        )
        objective.said(torch.from_numpy(outputs[: bounds[done]]))
        return amounts[:done], weights[:done]


def _registers(tape: Tape, positions: int) -> NDArray[np.float64]:
    return np.empty((2 + tape.constants.shape[1] + len(tape.operations), positions))


@njit(cache=True, nogil=True, error_model="numpy")
def _steps(bounds, rows, target, weight, link, tape, registers, space, of_table, of_bias, rates, eps, outputs, amounts, weights):  # type: ignore[no-untyped-def]
    ids, offsets, values = rows
    operations, constants, ends = tape
    table, squares, total, touched, counts, is_touched, is_finite = of_table
    bias, bias_squares, bias_total, bias_touched, bias_counts, _, _ = of_bias
    losses, exact, slopes, gradient = space  # for one step; numba takes seconds to compile what makes arrays
    width = outputs.shape[1]
    for step in range(len(rates)):
        first, size = bounds[step], bounds[step + 1] - bounds[step]
        own, given, said = weight[first : first + size], offsets[first : first + size + 1], outputs[first : first + size]
        weighs = 0.0
        for row in range(size):
            weighs += own[row]
        if not weighs > 0:
            return step
        sum_rows(0, 1, ids, given, values, table, said)
        for row in range(size):
            for column in range(width):
                said[row, column] += bias[column, 0]
                exact[row, column] = said[row, column]
        _slopes(link, operations, constants, ends, exact[:size], target[first : first + size], registers, losses, slopes)
        amount = 0.0
        for row in range(size):
            amount += own[row] * losses[row]
        if not abs(amount) < np.inf:
            return step
        for column in range(width):
            of_column = 0.0
            for row in range(size):
                slope = slopes[row, column] * own[row] / weighs
                gradient[row, column] = slope
                of_column += slope
            bias_total[column, 0] = of_column
            is_finite[0] &= abs(of_column) < np.inf
        clear(0, 1, touched, counts, is_touched)
        add(0, 1, ids, given, values, gradient[:size], total, touched, counts, is_touched, is_finite)
        if not is_finite[0]:
            return step
        if len(squares):
            adapt(0, 1, touched, counts, total, table, squares, rates[step], eps)
            adapt(0, 1, bias_touched, bias_counts, bias_total, bias, bias_squares, rates[step], eps)
        else:
            descend(0, 1, touched, counts, total, table, rates[step])
            descend(0, 1, bias_touched, bias_counts, bias_total, bias, rates[step])
        amounts[step], weights[step] = amount, weighs
    return len(rates)


@njit(cache=True, nogil=True, error_model="numpy")
def _slopes(link, operations, constants, ends, outputs, target, registers, values, slopes):  # type: ignore[no-untyped-def]
    rows, width = outputs.shape
    labels = 1 if link == _SOFTMAX else width
    for row in range(rows):
        for label in range(labels):
            at, cell = row * labels + label, 0
            if link == _IDENTITY:
                registers[0, at], registers[1, at] = outputs[row, label], target[row, label]
            elif link == _SIGMOID:
                cell = int(target[row, label]) * labels + label
                registers[0, at], registers[1, at] = _binary(
                    outputs[row, label], target[row, label], slopes[row, label : label + 1]
                )
            else:
                cell = int(target[row, 0])
                registers[0, at], registers[1, at] = _dense(outputs[row], cell, slopes[row])
            for number in range(constants.shape[1]):
                registers[2 + number, at] = constants[cell, number]
    play(operations, registers, rows * labels)
    for row in range(rows):
        values[row] = 0
        for label in range(labels):
            at = row * labels + label
            values[row] += registers[ends[0], at] / labels
            if link == _IDENTITY:
                slopes[row, label] = registers[ends[1], at] / labels
                continue
            by_own, by_mean = registers[ends[1], at], registers[ends[2], at]
            if link == _SIGMOID:
                p = slopes[row, label]
                slopes[row, label] = (by_own * (target[row, label] - p) + by_mean * (0.5 - p)) / labels
                continue
            for outcome in range(width):
                slopes[row, outcome] = by_mean / width - (by_own + by_mean) * slopes[row, outcome]
            slopes[row, int(target[row, 0])] += by_own


@njit(cache=True, nogil=True, error_model="numpy")
def _dense(outputs, target, p):  # type: ignore[no-untyped-def]
    """log p of the target, the mean log p, and the probabilities into ``p``; the gradient of a log p is e - p."""
    peak, rest, mean = 0, 0.0, 0.0
    for outcome in range(len(outputs)):
        peak = outcome if outputs[outcome] > outputs[peak] else peak
    for outcome in range(len(outputs)):
        p[outcome] = np.exp(outputs[outcome] - outputs[peak])
        rest += p[outcome] if outcome != peak else 0.0
        mean += (outputs[outcome] - outputs[peak]) / len(outputs)
    for outcome in range(len(outputs)):
        p[outcome] /= 1 + rest
    log_sum = np.log1p(rest)
    return outputs[target] - outputs[peak] - log_sum, mean - log_sum


@njit(cache=True, nogil=True, error_model="numpy")
def _binary(output, target, p):  # type: ignore[no-untyped-def]
    """The same of two outcomes with the logits 0 and ``output``; the probability of 1 into ``p``."""
    log_sum = max(output, 0.0) + np.log1p(np.exp(-abs(output)))
    p[0] = np.exp(output - log_sum)
    return target * output - log_sum, output / 2 - log_sum
