"""What the same lines cost in several languages: premiums against one of them, and how unequal they all are."""

from __future__ import annotations

import numpy as np

from .intervals import Floats, Interval, ratio


def premiums(amounts: Floats, reference: int) -> list[Interval]:
    """How many times the reference's amount each language's is, over lines that say the same, with intervals over these.

    Args:
        amounts: of each language in each line [L, N], such as tokens.
        reference: the number of the language that the others are compared with.
    """
    return [ratio(own, amounts[reference], low=0.0) for own in amounts]


def gini(amounts: Floats) -> Interval:
    """The Gini coefficient of the languages' sums: the mean difference of two languages by twice their mean. 0: all are equal.

    Its interval is over lines, the languages as they are.
    Source: Gini 1912; of tokens: Foroutan et al. 2025, arXiv:2508.04796.
    """
    count, order = len(amounts), np.argsort(amounts.sum(1), kind="stable")
    weights = 2.0 * np.arange(1, count + 1) - count - 1
    return ratio(weights @ amounts[order], count * amounts.sum(0), low=0.0, high=1.0)
