"""AdaGrad's steps on a linear model, forwards and backwards, compiled: what ``trajectory`` goes along a training by.

A step has B rows, C outputs and T touched features; D columns are followed back. ``place`` says which of the touched ones a
feature is. A row may name a feature several times: its values are then added up.
"""

from __future__ import annotations

import numpy as np
from numba import njit


@njit(cache=True, nogil=True)
def touch(ids, place):  # type: ignore[no-untyped-def]
    """The features that a step touches [T], each once; ``place`` of each is set (it is -1 before)."""
    touched, count = np.empty(len(ids), np.int64), 0
    for feature in ids:
        if place[feature] < 0:
            place[feature] = count
            touched[count] = feature
            count += 1
    return touched[:count]


@njit(cache=True, nogil=True)
def gradient(ids, offsets, values, pull, place, count):  # type: ignore[no-untyped-def]
    """The gradient of a step's touched weights [T, C]."""
    total = np.zeros((count, pull.shape[1]))
    for row in range(len(offsets) - 1):
        for at in range(offsets[row], offsets[row + 1]):
            for output in range(pull.shape[1]):
                total[place[ids[at]], output] += values[at] * pull[row, output]
    return total


@njit(cache=True, nogil=True)
def take_in(ids, offsets, values, pull, rest, place, touched, grad, sums, rows, starts, own):  # type: ignore[no-untyped-def]
    """Take a step: add to ``sums`` [F, C], and to ``own`` what each row alone adds to the sums of its features."""
    merged = np.zeros(len(touched))
    for row in range(len(offsets) - 1):
        for at in range(offsets[row], offsets[row + 1]):
            merged[place[ids[at]]] += values[at]
        for at in range(offsets[row], offsets[row + 1]):
            here = place[ids[at]]
            value, merged[here] = merged[here], 0.0
            for output in range(pull.shape[1]):
                of_all = grad[here, output]
                without = rest[row] * (of_all - value * pull[row, output])
                if value != 0:
                    own[starts[rows[row]] + at - offsets[row], output] += of_all**2 - without**2
    for here in range(len(touched)):
        for output in range(pull.shape[1]):
            sums[touched[here], output] += grad[here, output] ** 2


@njit(cache=True, nogil=True)
def back_to_gradient(rate, eps, initial, touched, grad, sums, by_weight, by_sum):  # type: ignore[no-untyped-def]
    """Take AdaGrad's rule back: what the step's gradient does to the columns [T, C, D].

    sums [F, C]: after the step, then before it. by_weight, by_sum [F, C, D]: what the weights and sums after the step do to the
    columns; ``by_sum`` then counts what they do in the step.
    """
    outputs, columns = by_weight.shape[1:]
    by_grad = np.empty((len(touched), outputs, columns), by_weight.dtype)
    for here in range(len(touched)):
        feature = touched[here]
        for output in range(outputs):
            of_all = grad[here, output]
            step, bend = _slopes(of_all, sums[feature, output], rate, eps)
            sums[feature, output] = max(sums[feature, output] - of_all**2, initial)
            later, squares = by_weight[feature, output], by_sum[feature, output]
            for column in range(columns):
                squares[column] += bend * later[column]
                by_grad[here, output, column] = 2 * of_all * squares[column] - step * later[column]
    return by_grad


@njit(cache=True, nogil=True)
def back_to_outputs(ids, offsets, values, place, by_grad):  # type: ignore[no-untyped-def]
    """What the gradients of the rows' outputs do to the columns [B, C, D]."""
    _, outputs, columns = by_grad.shape
    found = np.zeros((len(offsets) - 1, outputs, columns))
    for row in range(len(found)):
        for at in range(offsets[row], offsets[row + 1]):
            for output in range(outputs):
                for column in range(columns):
                    found[row, output, column] += values[at] * by_grad[place[ids[at]], output, column]
    return found


@njit(cache=True, nogil=True)
def take_out(  # type: ignore[no-untyped-def]
    ids, offsets, values, pull, rest, rate, eps, initial, place, grad, sums, rows, starts, own,
    by_weight, by_sum, by_grad, own_by_sum, answers, changes,
):  # fmt: skip
    """Add to ``changes`` [N, D] what each row of a step did to the columns in it: AdaGrad's step, less the one without the row.

    sums: before the step. own: of each row's features, how much of the sums is by the row; then before the step.
    by_weight, by_sum: as after ``back_to_gradient``; own_by_sum [., C, D]: how much of ``by_sum`` is through the row's own steps.
    answers [N, C, D]: the part of ``by_weight`` through the outputs of the row in its own later steps, for a value of 1.
    """
    outputs, columns = by_weight.shape[1:]
    merged = np.zeros(len(grad))
    for row in range(len(offsets) - 1):
        number, change = rows[row], changes[rows[row]]
        for at in range(offsets[row], offsets[row + 1]):
            merged[place[ids[at]]] += values[at]
        for at in range(offsets[row], offsets[row + 1]):
            here, feature, mine = place[ids[at]], ids[at], starts[number] + at - offsets[row]
            value, merged[here] = merged[here], 0.0
            if value == 0:
                continue
            for output in range(outputs):
                of_all = grad[here, output]
                without = rest[row] * (of_all - value * pull[row, output])
                more = of_all**2 - without**2
                own[mine, output] -= more
                before = sums[feature, output]
                step, bend = _slopes(of_all, before + of_all**2, rate, eps)
                step_without, _ = _slopes(without, max(before - own[mine, output], initial) + without**2, rate, eps)
                moved = step_without * without - step * of_all
                counted = (1 - rest[row]) * of_all  # for all features, by the caller
                later, squares, through = by_weight[feature, output], by_sum[feature, output], own_by_sum[mine, output]
                answer = answers[number, output]
                for column in range(columns):
                    now = bend * later[column]
                    change[column] += (later[column] - value * answer[column]) * moved
                    change[column] += (squares[column] - now - through[column]) * more - counted * by_grad[here, output, column]
                    through[column] += now


@njit(cache=True, nogil=True)
def carry_on(ids, offsets, values, curvature, by_outputs, rows, by_weight, answers):  # type: ignore[no-untyped-def]
    """What the weights before the step do to the columns through the rows' outputs, added to ``by_weight`` and ``answers``."""
    outputs, columns = by_weight.shape[1:]
    for row in range(len(offsets) - 1):
        for output in range(outputs):
            answer = np.zeros(columns)
            for other in range(outputs):
                answer += curvature[row, output, other] * by_outputs[row, other]
            answers[rows[row], output] += answer
            for at in range(offsets[row], offsets[row + 1]):
                weight = by_weight[ids[at], output]
                for column in range(columns):
                    weight[column] += values[at] * answer[column]


@njit(cache=True, nogil=True)
def _slopes(grad, squares, rate, eps):  # type: ignore[no-untyped-def]
    """rate / (√s + eps), by which the gradient is multiplied, and how fast the weight rises with s."""
    root = np.sqrt(squares)
    if root == 0:
        return 0.0, 0.0
    step = rate / (root + eps)
    return step, step * grad / (2 * root * (root + eps))
