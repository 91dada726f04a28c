"""Why an n-gram model gives a token its probability: what each order says, and how much of the probability that is."""

from __future__ import annotations

from typing import Any

import numpy as np
from numpy.typing import NDArray

from .query import Places, Query


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
    uniform = (weight[1] * query.backoff(0, np.zeros(1, np.int64))[0] + floor) * query.uniform
    explained = []
    for column, orders in enumerate(_orders(query, tokens, places, predicted, weight)):
        token = int(tokens[predicted[column]])
        if token == start:  # never predicted
            orders.clear()
        if query.valued:
            _give_all_to_the_longest(orders)
        else:
            for order in orders:
                order["share"] = order["share"] * order["mass"] / max(order["total"], 1e-300)
            orders.insert(0, {"n": 0, "context": [], "share": float(uniform[column]) if token != start else 0.0})
        p = sum(order["share"] for order in orders)
        log10 = float(np.log10(p)) if p > 0 else -np.inf
        explained.append({"token": token, "probability": p, "log10": log10, "orders": orders})
    return explained


def _orders(
    query: Query, tokens: NDArray[np.uint32], places: Places, predicted: NDArray[np.int64], weight: NDArray[np.float64]
) -> list[list[dict[str, Any]]]:
    """For each predicted token the orders whose context is in the model; ``share`` is yet what each is multiplied by."""
    found: list[list[dict[str, Any]]] = [[] for _ in predicted]
    for n in range(1, query.order + 1):
        here = np.flatnonzero(places[n - 1][predicted - 1] >= 0)
        context, place = places[n - 1][predicted[here] - 1], places[n][predicted[here]]
        said = (_valued if query.valued else _counted)(query, n, context, place) | {"share": weight[n, here].tolist()}
        for column, *row in zip(here.tolist(), *said.values(), strict=True):
            at = int(predicted[column])
            head = {"n": n, "context": tokens[at - n + 1 : at].tolist()}
            found[column].append(head | dict(zip(said, row, strict=True)))
    return found


def _counted(query: Query, n: int, context: NDArray[np.int64], place: NDArray[np.int64]) -> dict[str, list[Any]]:
    """What counts say: of the n-grams at ``place`` (-1: not there) after their contexts."""

    def look(k: int, code: str, table: str, at: NDArray[np.int64]) -> list[Any]:
        values = query.look_up(k, code, table, at[at >= 0])
        found = np.zeros(len(at), values.dtype)
        found[at >= 0] = values
        return list(found.tolist())

    return {
        "count": look(n, "count", "counts", place),
        "context_count": look(n - 1, "count", "counts", context) if n > 1 else [None] * len(context),
        "mass": look(n, "count", "mass", place),
        "total": look(n - 1, "context", "total", context),
        "backoff": look(n - 1, "context", "backoff", context),
    }


def _valued(query: Query, n: int, context: NDArray[np.int64], place: NDArray[np.int64]) -> dict[str, list[Any]]:
    """What an ARPA file says of the same."""
    prob = query.levels[n].prob
    assert prob is not None
    own = [float(prob[at]) if at >= 0 else None for at in place.tolist()]
    return {"log10": own, "backoff": query.backoff(n - 1, context).tolist()}


def _give_all_to_the_longest(orders: list[dict[str, Any]]) -> None:
    """Of the n-grams that are there, the longest says all; what it is multiplied by stands in its ``share``."""
    longest = max((order["n"] for order in orders if order["log10"] is not None), default=0)
    for order in orders:
        order["share"] = float(order["share"] * 10.0 ** order["log10"]) if order["n"] == longest else 0.0
