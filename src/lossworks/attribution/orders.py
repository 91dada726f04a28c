"""A token's probability under an n-gram model, divided among the orders: exact, for it is the sum that the model makes."""

from __future__ import annotations

import numpy as np

from ..core.errors import UnknownName, UsageError
from ..inference import TextLanguage
from ..models.ngram import NgramModel
from .explaining import AUTO
from .explanation import Explanation
from .language_details import one_token

ORDER = "order"


def by_order(language: TextLanguage, text: str, number: int, part: int | None, method: str = AUTO) -> Explanation:
    """The shares of the orders in the probability of one token of a text, which they sum to.

    Args:
        number: of the text, for errors.
        part: the token's number, from 1, or back from -1.

    Raises:
        UsageError: the model is none of n-grams, or the text has no such token; UnknownName: there is one method, exact.
    """
    model = language.model
    if not isinstance(model, NgramModel):
        raise UsageError("only an n-gram model has orders. Divide the text by word, char or token.")
    if method not in (AUTO, "exact"):
        raise UnknownName("method for orders", method, [AUTO, "exact"])
    ids = language.encode([text]).ids.astype(np.int64).tolist()
    if part is None or not 1 <= abs(part) <= len(ids):
        raise UsageError(
            f"by order one token is told of, and text number {number + 1} has {len(ids):,}; part {part} is asked for. Count from "
            "1, or back from -1."
        )
    at = part - 1 if part > 0 else len(ids) + part
    first = max(0, at - model.order + 1)
    spans = language.tokenizer.spans(text)
    told = one_token(language, model.explain(ids[first : at + 1])[at - first], spans[at].tolist())  # it looks back no further
    orders = told["orders"]
    begins = [spans[max(0, at + 1 - max(each["n"], 1)), 0] for each in orders]
    return Explanation(
        text=text,
        quantity=f"probability of {told['token']!r}",
        unit="",
        value=told["probability"],
        baseline=0.0,
        spans=np.array([[begin, spans[at, 1]] for begin in begins], np.int64).reshape(-1, 2),
        shares=np.array([each["share"] for each in orders]),
        names=tuple(f"{each['n']}-gram" for each in orders),
        method="exact",
        how="exact: the model's own sum, in which each order adds what it leaves to no shorter one",
        details=(told,),
    )
