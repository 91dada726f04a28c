"""Many small steps of a linear model in one compiled call, which would otherwise take several times as long in Python.

Sums, gradient and update are the code of the general way, on one thread, in the same order; between them the loss is played from
its tape, in float64.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from itertools import takewhile
from typing import Any

import numpy as np
from numpy.typing import NDArray

from ..core.kernels import kernel
from ..core.threads import WORTH_SHARING
from ..data import Bags
from ..losses import Loss
from ..optim.array_rows import ArrayRows
from ..optim.base import Optimizer
from ..optim.rules.adagrad import AdaGrad, adapt_each
from ..optim.rules.sgd import SGD, descend_each
from . import compact
from .compact import add, gather, number, scatter, sums
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
    _slots: NDArray[np.uint32] = field(default_factory=lambda: np.empty(0, np.uint32))
    _rows: NDArray[np.uint32] = field(default_factory=lambda: np.empty(0, np.uint32))

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
        dtype, width = table.scalars.dtype.type, outputs.shape[1]
        states = [(each.scalars, each.state.get("sum", np.empty((0, 0), dtype))) for each in (table, bias)]
        longest, room = int((bags.offsets[bounds[1:]] - bags.offsets[bounds[:-1]]).max()), compact.room(width)
        slopes_of = np.zeros((most, room), dtype)
        if not len(self._slots):
            self._slots = np.zeros(len(table.scalars), np.uint32)
        if longest > len(self._rows):  # slots point into it, those of steps long ago too
            self._rows = np.empty(longest, np.uint32)
        taken = np.zeros(1, np.int64)
        _steps(
            bounds,
            (bags.ids, bags.offsets, bags.values),
            target.astype(np.float64).reshape(len(bags), -1),
            weight,
            self.played.link,
            tuple(self.played.tape),
            self.played.registers(most * outputs.shape[1]),
            (np.empty(most), np.empty((most, width)), np.empty((most, width)), slopes_of),
            (self._slots, self._rows, np.empty(longest, np.uint32), room),
            np.zeros((3, longest * room), dtype),
            *states,
            bias.gradient.total,
            rates[: len(chosen)].astype(dtype),
            dtype(getattr(table.optimizer, "eps", 0)),
            outputs,
            amounts,
            weights,
            taken,
        )
        done = int(taken[0])
        if done:
            first, last = bounds[done - 1], bounds[done]
            bias.gradient.fill(bias.gradient.total)
            table.gradient.clear()
            own = np.ascontiguousarray(slopes_of[: last - first, :width])
            table.gradient.add(Bags(bags.ids, bags.offsets[first : last + 1], bags.values), own)
        self.said(outputs[: bounds[done]])
        return amounts[:done], weights[:done]


@kernel(error_model="numpy")
def _steps(  # type: ignore[no-untyped-def]
    bounds, rows, target, weight, link, tape, registers, space, table_space, flat, of_table, of_bias, bias_total, rates, eps,
    outputs, amounts, weights, taken,
):  # fmt: skip
    ids, offsets, values = rows
    operations, constants, ends = tape
    (table, squares), (bias, bias_squares) = of_table, of_bias
    losses, exact, by_outputs, gradient = space  # for one step
    slots, row_space, place_space, room = table_space
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
        count = number(ids, given[0], given[size], slots, row_space, place_space)
        touched, places, n = row_space[:count], place_space[: given[size] - given[0]], count * room
        weight_of, squares_of, total = flat[0, :n], flat[1, :n], flat[2, :n]
        gather(touched, table, weight_of, room)
        sums(places, given, values, weight_of, room, said)
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
        finite = True
        for column in range(width):
            of_column = 0.0
            for row in range(size):
                slope = by_outputs[row, column] * own[row] / weighs
                gradient[row, column] = slope
                of_column += slope
            bias_total[column, 0] = of_column
            finite &= abs(of_column) < np.inf
        for place in range(len(total)):
            total[place] = -0.0
        add(places, given, values, gradient[:size], room, total)
        for place in range(len(total)):
            finite &= abs(total[place]) < np.inf
        if not finite:
            return
        if len(squares):
            gather(touched, squares, squares_of, room)
            adapt_each(total, weight_of, squares_of, rates[step], eps)
            scatter(touched, squares_of, room, squares)
            adapt_each(bias_total[:, 0], bias[:, 0], bias_squares[:, 0], rates[step], eps)
        else:
            descend_each(total, weight_of, rates[step])
            descend_each(bias_total[:, 0], bias[:, 0], rates[step])
        scatter(touched, weight_of, room, table)
    taken[0] = len(rates)
