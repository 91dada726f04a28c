"""The steps of a Transformer beside its large matrix products, compiled for the CPU: each one pass over memory.

``ops`` makes them differentiable one by one, ``stack`` all at once, ``decode`` builds its own of their inner parts. A kernel is
called with ``part, parts`` (``core.threads.share``): which rows, texts or heads it works on. No sum depends on ``parts``.

A view of a row can cost as much as working on it, so most kernels name elements by all their places.
Norms, sums, exponentials and what the gradients of the stream add up to are float32 in any case.
"""

from __future__ import annotations

import numpy as np

from .elements import compiled, downcast, exp, exponentials, scale_of, silu, upcast

BLOCK = 256
"""Rows over which a gradient is summed before the sums are added up, where there is no other reason for a number."""
_LANES = 16  # elements of a vector
_PLACE = np.uint64  # a place that is reckoned: below 0 it would count from the end, and be looked at one by one


@compiled
def add_norm(part, parts, x, added, weight, eps, summed, scales, normed):  # type: ignore[no-untyped-def]
    """summed = x + added, and normed = summed · scales · weight, its root mean square being 1.

    ``added`` may have no rows: then ``summed`` is to be x itself.
    """
    width = x.shape[1]
    for row in range(len(x) * part // parts, len(x) * (part + 1) // parts):
        if len(added):
            for i in range(width):
                summed[row, i] = x[row, i] + upcast(added[row, i])
        squares = np.float32(0)
        for i in range(width):
            squares += summed[row, i] * summed[row, i]
        scale = scale_of(squares, width, eps)
        scales[row] = scale
        for i in range(width):
            normed[row, i] = downcast(summed[row, i] * scale * weight[i], normed)


@compiled
def norm_backward(part, parts, x, weight, scales, grad_output, before, grad, copied, by_block):  # type: ignore[no-untyped-def]
    """grad = before + the gradient of x, copied to ``copied``; either of the two others may have no rows.

    by_block[b] = Σ grad_output · x · scale over one of as many blocks of rows: added up, the gradient of the weight.
    """
    rows, width, blocks = len(x), x.shape[1], len(by_block)
    size = (rows + blocks - 1) // blocks
    for block in range(blocks * part // parts, blocks * (part + 1) // parts):
        by_block[block] = 0
        for row in range(block * size, min(rows, (block + 1) * size)):
            scale, along = scales[row], np.float32(0)
            for i in range(width):
                along += upcast(grad_output[row, i]) * weight[i] * x[row, i]
            along *= scale * scale * scale / np.float32(width)
            if len(before):
                for i in range(width):
                    grad[row, i] = before[row, i] + (upcast(grad_output[row, i]) * weight[i] * scale - x[row, i] * along)
            else:
                for i in range(width):
                    grad[row, i] = upcast(grad_output[row, i]) * weight[i] * scale - x[row, i] * along
            for i in range(width):
                by_block[block, i] += upcast(grad_output[row, i]) * x[row, i] * scale
            if len(copied):
                for i in range(width):
                    copied[row, i] = downcast(grad[row, i], copied)


@compiled
def apply_rotary(part, parts, qkv, cosines, sines, queries, keys, values):  # type: ignore[no-untyped-def]
    """All heads side by side [B·T, many·h], as queries and keys [B, heads, T, h], rotated to their positions, and values."""
    _, heads, size, width = queries.shape
    shared, half = keys.shape[1], _PLACE(width // 2)
    for row in range(len(qkv) * part // parts, len(qkv) * (part + 1) // parts):
        text, place = row // size, row % size
        for head in range(heads):
            at = _PLACE(head * width)
            for i in range(half):
                low, high = upcast(qkv[row, at + i]), upcast(qkv[row, at + half + i])
                queries[text, head, place, i] = downcast(low * cosines[place, i] + high * sines[place, i], queries)
                turned = high * cosines[place, half + i] + low * sines[place, half + i]
                queries[text, head, place, half + i] = downcast(turned, queries)
        for head in range(shared):
            at = _PLACE((heads + head) * width)
            for i in range(half):
                low, high = upcast(qkv[row, at + i]), upcast(qkv[row, at + half + i])
                keys[text, head, place, i] = downcast(low * cosines[place, i] + high * sines[place, i], keys)
                turned = high * cosines[place, half + i] + low * sines[place, half + i]
                keys[text, head, place, half + i] = downcast(turned, keys)
            at = _PLACE((heads + shared + head) * width)
            for i in range(_PLACE(width)):
                values[text, head, place, i] = qkv[row, at + i]


@compiled
def rotary_backward(part, parts, queries, keys, values, cosines, sines, qkv):  # type: ignore[no-untyped-def]
    """The gradient of what ``apply_rotary`` was given, from those of what it made: rotated back."""
    _, heads, size, width = queries.shape
    shared, half = keys.shape[1], _PLACE(width // 2)
    for row in range(len(qkv) * part // parts, len(qkv) * (part + 1) // parts):
        text, place = row // size, row % size
        for head in range(heads):
            at = _PLACE(head * width)
            for i in range(half):
                low, high = upcast(queries[text, head, place, i]), upcast(queries[text, head, place, half + i])
                qkv[row, at + i] = downcast(low * cosines[place, i] - high * sines[place, i], qkv)
            for i in range(half):
                low, high = upcast(queries[text, head, place, i]), upcast(queries[text, head, place, half + i])
                turned = high * cosines[place, half + i] - low * sines[place, half + i]
                qkv[row, at + half + i] = downcast(turned, qkv)
        for head in range(shared):
            at = _PLACE((heads + head) * width)
            for i in range(half):
                low, high = upcast(keys[text, head, place, i]), upcast(keys[text, head, place, half + i])
                qkv[row, at + i] = downcast(low * cosines[place, i] - high * sines[place, i], qkv)
            for i in range(half):
                low, high = upcast(keys[text, head, place, i]), upcast(keys[text, head, place, half + i])
                turned = high * cosines[place, half + i] - low * sines[place, half + i]
                qkv[row, at + half + i] = downcast(turned, qkv)
            at = _PLACE((heads + shared + head) * width)
            for i in range(_PLACE(width)):
                qkv[row, at + i] = values[text, head, place, i]


@compiled
def merge_heads(part, parts, apart, together):  # type: ignore[no-untyped-def]
    """Heads [B, heads, T, h] side by side [B·T, heads·h]."""
    _, heads, size, width = apart.shape
    for row in range(len(together) * part // parts, len(together) * (part + 1) // parts):
        text, place = row // size, row % size
        for head in range(heads):
            at = head * width
            for i in range(width):
                together[row, at + i] = apart[text, head, place, i]


@compiled
def split_heads(part, parts, together, apart):  # type: ignore[no-untyped-def]
    """The other way round."""
    _, heads, size, width = apart.shape
    for row in range(len(together) * part // parts, len(together) * (part + 1) // parts):
        text, place = row // size, row % size
        for head in range(heads):
            at = head * width
            for i in range(width):
                apart[text, head, place, i] = together[row, at + i]


@compiled
def causal_softmax(part, parts, scores, scale, row_scores):  # type: ignore[no-untyped-def]
    """Softmax, in place, of [B·heads, T, T] · scale, each query over the keys up to itself; ``row_scores`` is memory for [T]."""
    many, size, _ = scores.shape
    for head in range(many * part // parts, many * (part + 1) // parts):
        for place in range(size):
            seen = row_scores[: place + 1]
            for i in range(place + 1):
                seen[i] = upcast(scores[head, place, i]) * scale
            share = exponentials(seen)
            for i in range(place + 1):
                scores[head, place, i] = downcast(seen[i] * share, scores)
            for i in range(place + 1, size):
                scores[head, place, i] = 0


@compiled
def softmax_backward(part, parts, attn_probs, scale, grad):  # type: ignore[no-untyped-def]
    """The gradient of the scores, in place of that of their softmax ``attn_probs``."""
    many, size, _ = attn_probs.shape
    for head in range(many * part // parts, many * (part + 1) // parts):
        for place in range(size):
            own, row = attn_probs[head, place], grad[head, place]
            stop, along = min(size, (place // _LANES + 1) * _LANES), np.float32(0)
            for i in range(stop):  # beyond its place a probability is 0, and so is the gradient
                along += upcast(own[i]) * upcast(row[i])
            for i in range(stop):
                row[i] = downcast(upcast(own[i]) * (upcast(row[i]) - along) * scale, row)
            row[stop:] = 0


@compiled
def swiglu(part, parts, gate_up, found):  # type: ignore[no-untyped-def]
    """silu(gate) · up, of gate and up side by side."""
    rows, width = found.shape
    for row in range(rows * part // parts, rows * (part + 1) // parts):
        gates, ups, out = gate_up[row, :width], gate_up[row, width:], found[row]
        for i in range(width):
            out[i] = downcast(silu(upcast(gates[i])) * upcast(ups[i]), out)


@compiled
def swiglu_backward(part, parts, gate_up, grad_output, grad):  # type: ignore[no-untyped-def]
    """The gradient of gate and up from that of silu(gate) · up."""
    rows, width = grad_output.shape
    for row in range(rows * part // parts, rows * (part + 1) // parts):
        gates, ups, of = gate_up[row, :width], gate_up[row, width:], grad_output[row]
        of_gates, of_ups = grad[row, :width], grad[row, width:]
        for i in range(width):
            gate, given = upcast(gates[i]), upcast(of[i])
            sigmoid = np.float32(1) / (np.float32(1) + exp(-gate))
            of_gates[i] = downcast(
                given * upcast(ups[i]) * sigmoid * (np.float32(1) + gate * (np.float32(1) - sigmoid)), of_gates
            )
            of_ups[i] = downcast(given * gate * sigmoid, of_ups)
