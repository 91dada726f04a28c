"""The steps between the matrix products of a stack of Transformer blocks, compiled: each one pass over memory.

What stands between two products is in float32 or in bfloat16, which NumPy does not know: there its bits are uint16, and ``wide``
and ``narrow`` read and write them; sums, norms and exponentials are in float32 in any case. Rows are whole rows of a batch,
and each is worked on by itself, so nothing depends on how they are divided.
"""

from __future__ import annotations

from typing import Any

import numpy as np
from numba import njit, types
from numba.extending import overload, register_jitable

_SUM = {"reassoc", "contract", "nsz"}  # sums may be reordered at compilation, so that they fill the vector units
_LANES = 16  # numbers of a vector
_compiled = njit(cache=True, nogil=True, error_model="numpy", fastmath=_SUM)


def wide(x: Any) -> Any:
    """A number of an array, in float32."""
    raise NotImplementedError


def narrow(x: Any, like: Any) -> Any:
    """A float32 as what the array ``like`` holds; bfloat16 rounds to the nearest, ties to even."""
    raise NotImplementedError


@overload(wide)
def _wide(x):  # type: ignore[no-untyped-def]
    if x == types.uint16:
        return lambda x: np.uint32(np.uint32(x) << np.uint32(16)).view(np.float32)
    return lambda x: x


@overload(narrow)
def _narrow(x, like):  # type: ignore[no-untyped-def]
    if like.dtype == types.uint16:

        def rounded(x, like):  # type: ignore[no-untyped-def]
            bits = np.float32(x).view(np.uint32)
            return np.uint16((bits + np.uint32(0x7FFF) + ((bits >> np.uint32(16)) & np.uint32(1))) >> np.uint32(16))

        return rounded
    return lambda x, like: x


@register_jitable(fastmath=_SUM)
def _exp(x: Any) -> Any:
    """e**x to about one unit in the last place, in operations that the vector units have (Cephes' expf)."""
    x = min(max(x, np.float32(-87)), np.float32(88))
    whole = np.floor(x * np.float32(1.44269504088896341) + np.float32(0.5))
    x = x - whole * np.float32(0.693359375)
    x = x + whole * np.float32(2.12194440e-4)
    y = np.float32(1.9875691500e-4)
    y = y * x + np.float32(1.3981999507e-3)
    y = y * x + np.float32(8.3334519073e-3)
    y = y * x + np.float32(4.1665795894e-2)
    y = y * x + np.float32(1.6666665459e-1)
    y = y * x + np.float32(5.0000001201e-1)
    y = y * x * x + x + np.float32(1)
    return y * np.int32((np.int32(whole) + np.int32(127)) << np.int32(23)).view(np.float32)


@njit(nogil=True, fastmath={*_SUM, "nnan"})
def _largest(x):  # type: ignore[no-untyped-def]
    found = x[0]
    for i in range(len(x)):
        found = x[i] if x[i] > found else found
    return found


@_compiled
def add_norm(x, added, weight, eps, summed, scales, normed):  # type: ignore[no-untyped-def]
    """summed = x + added (which may have no rows: nothing), normed = summed · scales · weight, its root mean square being 1."""
    rows, width = x.shape
    for row in range(rows):
        own, out, given = x[row], summed[row], normed[row]
        square = np.float32(0)
        if len(added):
            more = added[row]
            for i in range(width):
                out[i] = own[i] + wide(more[i])
        else:
            for i in range(width):
                out[i] = own[i]
        for i in range(width):
            square += out[i] * out[i]
        scale = np.float32(1 / np.sqrt(square / width + eps))
        scales[row] = scale
        for i in range(width):
            given[i] = narrow(out[i] * scale * weight[i], given)


@_compiled
def norm_slope(x, weight, scales, outer, slope, copied, by_text):  # type: ignore[no-untyped-def]
    """Add the slope of x to ``slope``, and copy it; by_text[b] = Σ outer · x · scale over a text, for the slope of the weight."""
    rows, width = x.shape
    size = rows // len(by_text)
    for text in range(len(by_text)):
        summed = by_text[text]
        summed[:] = 0
        for row in range(text * size, (text + 1) * size):
            own, of, found, copy = x[row], outer[row], slope[row], copied[row]
            scale, along = scales[row], np.float32(0)
            for i in range(width):
                along += wide(of[i]) * weight[i] * own[i]
            along *= scale * scale * scale / np.float32(width)
            for i in range(width):
                given = wide(of[i])
                found[i] += given * weight[i] * scale - own[i] * along
                summed[i] += given * own[i] * scale
            for i in range(width):
                copy[i] = narrow(found[i], copy)


@_compiled
def turn(every, cosines, sines, queries, keys, values):  # type: ignore[no-untyped-def]
    """The numbers of all heads side by side [B·T, many·h], as queries and keys [B, heads, T, h], turned, and values."""
    texts, heads, size, width = queries.shape
    shared, half = keys.shape[1], width // 2
    for text in range(texts):
        for place in range(size):
            row, cosine, sine = every[text * size + place], cosines[place], sines[place]
            for head in range(heads + shared):
                own = row[head * width : (head + 1) * width]
                found = queries[text, head, place] if head < heads else keys[text, head - heads, place]
                for i in range(half):
                    found[i] = narrow(wide(own[i]) * cosine[i] + wide(own[half + i]) * sine[i], found)
                for i in range(half):
                    found[half + i] = narrow(wide(own[half + i]) * cosine[half + i] + wide(own[i]) * sine[half + i], found)
            for head in range(shared):
                values[text, head, place] = row[(heads + shared + head) * width : (heads + shared + head + 1) * width]


@_compiled
def turn_back(queries, keys, values, cosines, sines, every):  # type: ignore[no-untyped-def]
    """The slope of what ``turn`` was given, from those of what it made."""
    texts, heads, size, width = queries.shape
    shared, half = keys.shape[1], width // 2
    for text in range(texts):
        for place in range(size):
            row, cosine, sine = every[text * size + place], cosines[place], sines[place]
            for head in range(heads + shared):
                own = queries[text, head, place] if head < heads else keys[text, head - heads, place]
                found = row[head * width : (head + 1) * width]
                for i in range(half):
                    found[i] = narrow(wide(own[i]) * cosine[i] - wide(own[half + i]) * sine[i], found)
                for i in range(half):
                    found[half + i] = narrow(wide(own[half + i]) * cosine[half + i] - wide(own[i]) * sine[half + i], found)
            for head in range(shared):
                row[(heads + shared + head) * width : (heads + shared + head + 1) * width] = values[text, head, place]


@_compiled
def merge(apart, together):  # type: ignore[no-untyped-def]
    """Heads [B, heads, T, h] side by side [B·T, heads·h]."""
    texts, heads, size, width = apart.shape
    for text in range(texts):
        for place in range(size):
            row = together[text * size + place]
            for head in range(heads):
                row[head * width : (head + 1) * width] = apart[text, head, place]


@_compiled
def split(together, apart):  # type: ignore[no-untyped-def]
    """The other way round."""
    texts, heads, size, width = apart.shape
    for text in range(texts):
        for place in range(size):
            row = together[text * size + place]
            for head in range(heads):
                apart[text, head, place] = row[head * width : (head + 1) * width]


@_compiled
def softmax(scores, scale, room):  # type: ignore[no-untyped-def]
    """Softmax, in place, of [B·heads, T, T] · scale, each query over the keys up to itself; ``room`` has T numbers."""
    many, size, _ = scores.shape
    for head in range(many):
        for place in range(size):
            row, stop = scores[head, place], min(size, (place // _LANES + 1) * _LANES)  # whole vectors
            total = np.float32(0)
            for i in range(stop):
                room[i] = wide(row[i]) * scale
            for i in range(place + 1, stop):
                room[i] = -np.inf
            largest = _largest(room[:stop])
            for i in range(stop):
                room[i] = _exp(room[i] - largest)
            for i in range(place + 1, stop):
                room[i] = 0
            for i in range(stop):
                total += room[i]
            part = np.float32(1) / total
            for i in range(stop):
                row[i] = narrow(room[i] * part, row)
            row[stop:] = 0


@_compiled
def softmax_slope(shares, scale, slope):  # type: ignore[no-untyped-def]
    """The slope of the scores, in place of that of their softmax ``shares``."""
    many, size, _ = shares.shape
    for head in range(many):
        for place in range(size):
            own, row = shares[head, place], slope[head, place]
            stop, along = min(size, (place // _LANES + 1) * _LANES), np.float32(0)
            for i in range(stop):  # beyond its place a share is 0, and so is the slope
                along += wide(own[i]) * wide(row[i])
            for i in range(stop):
                row[i] = narrow(wide(own[i]) * (wide(row[i]) - along) * scale, row)
            row[stop:] = 0


@_compiled
def gate(both, found):  # type: ignore[no-untyped-def]
    """silu(gate) · up, of gate and up side by side."""
    rows, width = found.shape
    for row in range(rows):
        gates, ups, out = both[row, :width], both[row, width:], found[row]
        for i in range(width):
            opening = wide(gates[i])
            out[i] = narrow(opening / (np.float32(1) + _exp(-opening)) * wide(ups[i]), out)


@_compiled
def gate_slope(both, outer, slope):  # type: ignore[no-untyped-def]
    """The slope of gate and up from that of silu(gate) · up."""
    rows, width = outer.shape
    for row in range(rows):
        gates, ups, of = both[row, :width], both[row, width:], outer[row]
        of_gates, of_ups = slope[row, :width], slope[row, width:]
        for i in range(width):
            opening, given = wide(gates[i]), wide(of[i])
            sigmoid = np.float32(1) / (np.float32(1) + _exp(-opening))
            of_gates[i] = narrow(given * wide(ups[i]) * sigmoid * (np.float32(1) + opening * (np.float32(1) - sigmoid)), of_gates)
            of_ups[i] = narrow(given * opening * sigmoid, of_ups)
