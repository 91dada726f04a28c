"""Whether languages pull the weights of a model in opposite directions: cosines of the gradients of their losses, pair by pair.

A gradient of few texts is mostly noise, in a million dimensions: cosines of such lie near 0 whatever the languages want. So each
language's texts are divided at random into blocks. Products of different blocks' gradients have no bias from noise: over two
languages they give the inner product, within one the squared length (U-statistics, Hoeffding 1948), and deleting block after
block gives their errors (the jackknife, Efron & Stein 1981). Pair by pair conflict is that of Yu et al. 2020 (arXiv:2001.06782).

Of a large model each block's gradient is kept as a sketch (Charikar et al. 2002), which has the same inner products but for an
error that is unbiased, so memory is that of one gradient and the sketches.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray
from scipy.special import stdtr, stdtrit
from torch import Tensor

from ..core.seeds import generator
from ..data import Languages
from ..metrics.contrast import FEWEST, LEVEL, holm
from ..tokens.graphemes import isolated

Floats = NDArray[np.float64]
Gradient = Callable[[NDArray[np.int64]], tuple[Sequence[Tensor], float]]
"""The gradient of the summed losses of some rows, by parameter, and their size: rows or tokens."""
BLOCKS = 8
CONFLICT, AGREE, NOT_SHOWN = "conflict", "agree", "not shown"
_MEMORY = 1 << 28  # bytes of all sketches together
_AT_ONCE = 1 << 20  # weights sketched at once


@dataclass(frozen=True, slots=True)
class _Pair:
    """Two languages by number: the cosine of their gradients with its interval (None: too noisy to have one), and the p of their
    inner product being 0.
    """

    one: int
    other: int
    inner: float
    cosine: float | None
    low: float | None
    high: float | None
    p: float


def conflict(languages: Languages, keys: NDArray[np.uint64], weights: int, gradient: Gradient) -> dict[str, Any]:
    """Which pairs of languages conflict, the worst first.

    Args:
        languages, keys: of N rows; keys are equal for equal texts, which are of one block.
        weights: how many the model has. gradient: of the losses of some rows.

    Returns:
        "pairs", of each the two "languages", "cosine" with its 95 % interval "low" to "high", "p_holm" and a "word": conflict,
        agree or not shown; "languages": of each its "texts" and the "norm" of its mean gradient (None: not above the noise);
        "few": those with too few texts to be looked at; "sketch": numbers kept of a gradient, None: all; and a "verdict".
    """
    rows = {name: each for name, each in languages.rows().items() if len(np.unique(keys[each])) >= FEWEST}
    size = _MEMORY // (4 * BLOCKS * max(len(rows), 1))
    kept = [_block(chosen, weights, size, gradient) for each in rows.values() for chosen in _blocks(each, keys)]
    stacked = np.stack(kept).astype(np.float64) if kept else np.zeros((0, 1))
    products = (stacked @ stacked.T).reshape(len(rows), BLOCKS, len(rows), BLOCKS)
    found = [_pair(products, one, other) for one in range(len(rows)) for other in range(one)]
    names, corrected = list(rows), holm([pair.p for pair in found])
    pairs: list[dict[str, Any]] = [
        {
            "languages": sorted((names[pair.one], names[pair.other])),
            "cosine": pair.cosine, "low": pair.low, "high": pair.high, "p_holm": p,
            "word": NOT_SHOWN if p > LEVEL else AGREE if pair.inner > 0 else CONFLICT,
        }
        for pair, p in zip(found, corrected, strict=True)
    ]  # fmt: skip
    order = {CONFLICT: 0, NOT_SHOWN: 1, AGREE: 2}
    pairs.sort(key=lambda row: (order[row["word"]], row["cosine"] is None, row["cosine"] or 0.0, row["languages"]))
    lengths = [_square(products[number, :, number]) for number in range(len(rows))]
    told: dict[str, Any] = {
        "pairs": pairs,
        "languages": {
            name: {"texts": len(np.unique(keys[each])), "norm": math.sqrt(square) if square > 0 else None}
            for (name, each), square in zip(rows.items(), lengths, strict=True)
        },
        "few": sorted(set(languages.names) - set(rows)),
        "sketch": size if size < weights else None,
    }
    return told | {"verdict": sentence(told)}


def sentence(found: dict[str, Any]) -> str:
    """Whether any two languages conflict, and the pair that does so most."""
    pairs, few = found["pairs"], ", ".join(map(isolated, found["few"]))
    rest = f" Too few texts ({FEWEST} are needed) of {few}." if few else ""
    if not pairs:
        return f"There are no two languages with enough texts to compare.{rest}"
    worst, many = pairs[0], sum(pair["word"] == CONFLICT for pair in pairs)
    if not many:
        noise = sum(pair["cosine"] is None for pair in pairs)
        unclear = f" In {noise} of {len(pairs)} pairs a gradient is not above the noise." if noise else ""
        return f"No two of {len(found['languages'])} languages are shown to conflict, after Holm's correction.{unclear}{rest}"
    ends = "" if worst["cosine"] is None else f": cosine {worst['cosine']:.2f} ({worst['low']:.2f} to {worst['high']:.2f})"
    return (
        f"{many} of {len(pairs)} pairs of languages are shown to conflict, after Holm's correction; most "
        f"{' and '.join(map(isolated, worst['languages']))}{ends}. "
        f"At the minimum of a pooled loss the gradients sum to 0, so that some must.{rest}"
    )


def _blocks(rows: NDArray[np.int64], keys: NDArray[np.uint64]) -> list[NDArray[np.int64]]:
    """The rows in blocks of about as many texts, drawn at random."""
    texts, number = np.unique(keys[rows], return_inverse=True)
    block = (generator(0, "blocks").permutation(len(texts)) % BLOCKS)[number]
    return [rows[block == each] for each in range(BLOCKS)]


def _block(rows: NDArray[np.int64], weights: int, size: int, gradient: Gradient) -> NDArray[np.float32]:
    """The mean gradient of some rows, or a sketch of it in ``size`` numbers."""
    found, total = gradient(rows)
    parts = [np.asarray(each.detach().cpu().reshape(-1).numpy()) for each in found]
    if weights <= size:
        return np.asarray(np.concatenate(parts) / total, np.float32)
    sketch = np.zeros(size)
    for number, part in enumerate(parts):
        for first in range(0, len(part), _AT_ONCE):
            some, draw = part[first : first + _AT_ONCE], generator(0, "sketch", number, first)
            place, sign = draw.integers(0, size, len(some)), draw.integers(0, 2, len(some)) * 2 - 1
            sketch += np.bincount(place, some * sign, size)
    return np.asarray(sketch / total, np.float32)


def _square(products: Floats) -> float:
    """The squared length of a mean gradient, without noise, from the products of its blocks [K, K]."""
    count = len(products)
    return float((products.sum() - np.trace(products)) / (count * (count - 1)))


def _cosine(inner: float, square: float, other: float) -> float:
    return inner / math.sqrt(square * other) if min(square, other) > 0 else math.nan


def _pair(products: Floats, one: int, other: int) -> _Pair:
    """Two languages, by the products of all languages' blocks [L, K, L, K]."""
    across, within = products[one, :, other], (products[one, :, one], products[other, :, other])
    squares, inner = [_square(each) for each in within], float(across.mean())
    variances = [float(across.mean(axis).var(ddof=1)) / BLOCKS for axis in (1, 0)]
    error, freedom = math.sqrt(sum(variances)), (BLOCKS - 1) * sum(variances) ** 2 / max(sum(v * v for v in variances), 1e-300)
    p = 2 * float(stdtr(max(freedom, 1.0), -abs(inner) / error)) if error > 0 else float(inner == 0)
    value, spread = _cosine(inner, *squares), 0.0
    for axis in (0, 1):
        left = []
        for block in range(BLOCKS):
            rest = np.delete(np.arange(BLOCKS), block)
            squares_left = list(squares)
            squares_left[axis] = _square(within[axis][np.ix_(rest, rest)])
            left.append(_cosine(float(np.delete(across, block, axis).mean()), *squares_left))
        spread += (BLOCKS - 1) * float(np.var(left))
    half = abs(float(stdtrit(max(freedom, 1.0), LEVEL / 2))) * math.sqrt(spread)
    if not math.isfinite(value + half):
        return _Pair(one, other, inner, None, None, None, p)
    cosine, low, high = (max(-1.0, min(1.0, each)) for each in (value, value - half, value + half))
    return _Pair(one, other, inner, cosine, low, high, p)
