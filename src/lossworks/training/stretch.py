"""Many small steps of a linear model in one compiled call, which would otherwise take several times as long in Python.

Sums, gradient and update are the code of the general way, on one thread, in the same order; between them the loss is played from
its tape, in float64.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from itertools import takewhile
from typing import Any

import numpy as np
from numpy.typing import NDArray

from ..core.kernels import kernel
from ..core.threads import WORTH_SHARING
from ..data.row_gradient import add, clear, sum_rows
from ..losses import Loss
from ..optim.array_rows import ArrayRows
from ..optim.base import Optimizer
from ..optim.rules.adagrad import AdaGrad, adapt
from ..optim.rules.sgd import SGD, descend
from .drawing import Drawing, Rows
from .played import Played, slopes


def played_in(drawing: Drawing, optimizer: Optimizer, loss: Loss) -> Played | None:
    """The loss, where many steps of ``linear`` can be taken at once: by AdaGrad or plain SGD, if it has a tape, in steps that are
    not worth dividing among threads. None: they cannot.
    """
    if type(optimizer) not in (AdaGrad, SGD) or drawing.data.teacher is not None:
        return None
    if drawing.batch_size is None or drawing.ids_a_step * drawing.data.task.outputs > WORTH_SHARING:
        return None
    return Played.of(drawing.data.task, loss)


@dataclass(slots=True)
class Stretch:
    """Steps of a training, from the weights as they stand. said: told the outputs of the rows of the steps."""

    drawing: Drawing
    played: Played
    table: ArrayRows
    bias: ArrayRows
    said: Callable[[NDArray[Any]], None] = lambda outputs: None

    def __call__(self, steps: Sequence[Rows], rates: NDArray[np.float64]) -> tuple[NDArray[np.float64], NDArray[np.float64]]:
        """Take ``steps`` at these rates, up to the first that is not for here: of another piece, without weight, not finite.

        Returns: of each step that was taken, Σ weight · loss and Σ weight. The last one's gradient still stands.
        """
        table, bias = self.table, self.bias
        piece = steps[0][0][0]
        chosen = [rows for ((_, rows),) in takewhile(lambda step: step[0][0] == piece, steps)]
        bags, target, weight = self.drawing.read(piece, np.concatenate(chosen))
        bounds = np.cumsum([0, *map(len, chosen)])
        most = int(np.diff(bounds).max())
        outputs = np.zeros((len(bags), table.scalars.shape[1]), table.scalars.dtype)
        amounts, weights = np.zeros(len(chosen), outputs.dtype), np.zeros(len(chosen))
        bias.gradient.fill(bias.gradient.total)  # all of its rows are touched
        number = table.scalars.dtype.type
        states = [
            (each.scalars, each.state.get("sum", np.empty((0, 0), number)), *each.gradient.arrays) for each in (table, bias)
        ]
        taken = np.zeros(1, np.int64)
        _steps(
            bounds,
            (bags.ids, bags.offsets, bags.values),
            target.astype(np.float64).reshape(len(bags), -1),
            weight,
            self.played.link,
            tuple(self.played.tape),
            self.played.registers(most * outputs.shape[1]),
            (
                np.empty(most),
                np.empty((most, outputs.shape[1])),
                np.empty((most, outputs.shape[1])),
                np.empty_like(outputs[:most]),
            ),
            *states,
            rates[: len(chosen)].astype(number),
            number(getattr(table.optimizer, "eps", 0)),
            outputs,
            amounts,
            weights,
            taken,
        )
        done = int(taken[0])
        self.said(outputs[: bounds[done]])
        return amounts[:done], weights[:done]


@kernel(error_model="numpy")
def _steps(bounds, rows, target, weight, link, tape, registers, space, of_table, of_bias, rates, eps, outputs, amounts, weights, taken):  # type: ignore[no-untyped-def]
    ids, offsets, values = rows
    operations, constants, ends = tape
    table, squares, total, touched, counts, is_touched, is_finite = of_table
    bias, bias_squares, bias_total, bias_touched, bias_counts, _, _ = of_bias
    losses, exact, by_outputs, gradient = space  # for one step; numba takes seconds to compile what makes arrays
    width = outputs.shape[1]
    for step in range(len(rates)):
        taken[0] = step
        first, size = bounds[step], bounds[step + 1] - bounds[step]
        own, given, said = weight[first : first + size], offsets[first : first + size + 1], outputs[first : first + size]
        weighs = 0.0
        for row in range(size):
            weighs += own[row]
        if not weighs > 0:
            return
        sum_rows(0, 1, ids, given, values, table, said)
        for row in range(size):
            for column in range(width):
                said[row, column] += bias[column, 0]
                exact[row, column] = said[row, column]
        slopes(link, operations, constants, ends, exact[:size], target[first : first + size], registers, losses, by_outputs)
        amount = 0.0
        for row in range(size):
            amount += own[row] * losses[row]
        amounts[step], weights[step] = amount, weighs
        if not abs(amounts[step]) < np.inf:  # as large as the weights' own numbers go, which is how far the general way goes
            return
        for column in range(width):
            of_column = 0.0
            for row in range(size):
                slope = by_outputs[row, column] * own[row] / weighs
                gradient[row, column] = slope
                of_column += slope
            bias_total[column, 0] = of_column
            is_finite[0] &= abs(of_column) < np.inf
        clear(0, 1, touched, counts, is_touched)
        add(0, 1, ids, given, values, gradient[:size], total, touched, counts, is_touched, is_finite)
        if not is_finite[0]:
            return
        if len(squares):
            adapt(0, 1, touched, counts, total, table, squares, rates[step], eps)
            adapt(0, 1, bias_touched, bias_counts, bias_total, bias, bias_squares, rates[step], eps)
        else:
            descend(0, 1, touched, counts, total, table, rates[step])
            descend(0, 1, bias_touched, bias_counts, bias_total, bias, rates[step])
    taken[0] = len(rates)
