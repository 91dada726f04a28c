"""Why an n-gram model gives a token its probability: what each order says, and how much of the probability that is."""

from __future__ import annotations

from typing import Any

import numpy as np
from numpy.typing import NDArray

from .query import Query


def explain(query: Query, tokens: NDArray[np.uint32], depth: NDArray[np.uint8], start: int) -> list[dict[str, Any]]:
    """One dict for each token of a sequence that is predicted (depth 1 and more).

    token: its number; ``probability``; ``log10`` of it.
    orders: one dict for each order whose context is in the model, the shortest first:
        n: the order; context: the n - 1 tokens looked back on.
        count: the n-gram's (adjusted) count, 0 where it was not seen; context_count: the context's, None for the empty one.
        mass: what discounting leaves of the count; total: what it is divided by; backoff: the weight of the next shorter context.
        share: the part of the probability that comes from this order. The shares add up to it.
    Order 0 is the uniform distribution. A model from an ARPA file has no counts, masses and totals, and no order 0: ``log10`` is
    each n-gram's own, None where it is not there, and all of the probability is the share of the longest that is.
    """
    places, _ = query.walk(tokens, depth, query.order)
    predicted = np.flatnonzero(depth)
    weight, floor = query.weights([place[predicted - 1] for place in places[: query.order]])
    explained = []
    for column, i in enumerate(predicted):
        orders = []
        for n in range(1, min(query.order, int(depth[i]) + 1) + 1):
            context, place = int(places[n - 1][i - 1]), int(places[n][i])
            if context >= 0:
                head = {"n": n, "context": tokens[i - n + 1 : i].tolist()}
                said = _valued if query.valued else _counted
                orders.append(head | said(query, n, context, place) | {"share": weight[n, column]})
        if tokens[i] == start:  # never predicted
            orders = []
        if query.valued:
            _give_all_to_the_longest(orders)
        else:
            for order in orders:
                order["share"] = float(order["share"] * order["mass"] / max(order["total"], 1e-300))
            rest = weight[1, column] * query.backoff(0, np.zeros(1, np.int64))[0] + floor[column]
            orders.insert(0, {"n": 0, "context": [], "share": float(rest * query.uniform if tokens[i] != start else 0.0)})
        p = sum(order["share"] for order in orders)
        log10 = float(np.log10(p)) if p > 0 else -np.inf
        explained.append({"token": int(tokens[i]), "probability": p, "log10": log10, "orders": orders})
    return explained


def _counted(query: Query, n: int, context: int, place: int) -> dict[str, Any]:
    """What counts say: of the n-gram at ``place`` (-1: not there) after its context."""

    def look(k: int, code: str, table: str, at: int) -> Any:
        return query.look_up(k, code, table, np.array([at]))[0].item() if at >= 0 else 0

    return {
        "count": look(n, "count", "counts", place),
        "context_count": look(n - 1, "count", "counts", context) if n > 1 else None,
        "mass": look(n, "count", "mass", place),
        "total": look(n - 1, "context", "total", context),
        "backoff": look(n - 1, "context", "backoff", context),
    }


def _valued(query: Query, n: int, context: int, place: int) -> dict[str, Any]:
    """What an ARPA file says of the same."""
    prob = query.levels[n].prob
    assert prob is not None
    return {
        "log10": float(prob[place]) if place >= 0 else None,
        "backoff": float(query.backoff(n - 1, np.array([context]))[0]),
    }


def _give_all_to_the_longest(orders: list[dict[str, Any]]) -> None:
    """Of the n-grams that are there, the longest says all; what it is multiplied by stands in its ``share``."""
    longest = max((order["n"] for order in orders if order["log10"] is not None), default=0)
    for order in orders:
        order["share"] = float(order["share"] * 10.0 ** order["log10"]) if order["n"] == longest else 0.0
