"""Steps of a linear model by AdaGrad, gone along forwards and backwards for some texts, with what a change of each weight and of
each sum of squares would do to the texts' outputs at the end. ``trajectory`` says what for.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from ..data import Batch
from ..optim.rules.adagrad import AdaGrad
from . import trajectory_kernels as kernels

Floats = NDArray[np.float64]


@dataclass(slots=True)
class Step:
    """Rows by their places among the training rows [B], their ids and values with the bias as one more, and of their outputs
    the gradient [B, C] and the curvature [B, C, C] of the step's loss. rest: what the mean is multiplied by without each row [B].
    """

    rows: NDArray[np.int64]
    ids: NDArray[np.int64]
    offsets: NDArray[np.int64]
    values: Floats
    pull: Floats
    curvature: Floats
    rest: Floats
    rate: float


class Back:
    """What stands while a training is gone along for some texts: see ``trajectory_kernels`` for the arrays."""

    def __init__(self, optimizer: AdaGrad, features: int, starts: NDArray[np.int64], texts: Batch, outputs: int) -> None:
        rows, columns = len(starts) - 1, len(texts) * outputs
        self.optimizer, self.starts = optimizer, starts
        self.place = np.full(features + 1, -1)
        self.sums = np.full((features + 1, outputs), optimizer.initial)
        self.own = np.zeros((starts[-1], outputs))
        self.by_weight, self.by_sum = np.zeros((2, features + 1, outputs, columns), np.float32)
        self.own_by_sum = np.zeros((starts[-1], outputs, columns), np.float32)
        self.answers = np.zeros((rows, outputs, columns))
        self.changes = np.zeros((rows, columns))
        for text in range(len(texts)):
            within = slice(*texts.offsets[text : text + 2])
            for output in range(outputs):
                column = text * outputs + output
                np.add.at(self.by_weight[:, output, column], texts.ids[within], texts.values[within])
                self.by_weight[features, output, column] = 1

    def forward(self, step: Step) -> None:
        """Take a step."""
        bags = step.ids, step.offsets, step.values
        touched = kernels.touch(step.ids, self.place)
        grad = kernels.gradient(*bags, step.pull, self.place, len(touched))
        kernels.take_in(*bags, step.pull, step.rest, self.place, touched, grad, self.sums, step.rows, self.starts, self.own)
        self.place[touched] = -1

    def backward(self, step: Step) -> None:
        """Take a step back."""
        bags, rule = (step.ids, step.offsets, step.values), (step.rate, self.optimizer.eps, self.optimizer.initial)
        touched = kernels.touch(step.ids, self.place)
        grad = kernels.gradient(*bags, step.pull, self.place, len(touched))
        by_grad = kernels.back_to_gradient(*rule, touched, grad, self.sums, self.by_weight, self.by_sum)
        by_outputs = kernels.back_to_outputs(*bags, self.place, by_grad)
        together = np.einsum("bc,bcd->d", step.pull, by_outputs)
        self.changes[step.rows] -= np.multiply.outer(step.rest - 1, together)  # the others weigh more in a mean of one row less
        kernels.take_out(
            *bags, step.pull, step.rest, *rule, self.place, grad, self.sums, step.rows, self.starts, self.own,
            self.by_weight, self.by_sum, by_grad, self.own_by_sum, self.answers, self.changes,
        )  # fmt: skip
        kernels.carry_on(*bags, step.curvature, by_outputs, step.rows, self.by_weight, self.answers)
        self.place[touched] = -1
