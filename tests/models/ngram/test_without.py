"""Without a row a model says what it says when it is trained without the row."""

from __future__ import annotations

import itertools
from collections.abc import Sequence

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from numpy.typing import NDArray

from lossworks.core.errors import DataError, UsageError
from lossworks.models.ngram import NgramModel, NgramSpec, removal, without
from lossworks.models.ngram.smoothing import METHODS, smoothing
from lossworks.models.ngram.without import change_without_each
from models.ngram.tries import START, ragged, vocabulary

SIZE = 14
Rows = list[list[int]]
SMALL = st.lists(st.lists(st.sampled_from([0, 3, 4, 5]), max_size=6), min_size=1, max_size=6).filter(any)


def many() -> Rows:
    """Rows enough for discounts to be told by the counts, with an empty one, equal ones and one of words that no other has."""
    rng = np.random.default_rng(3)
    rows = [np.minimum(rng.zipf(1.5, rng.integers(1, 9)) + 2, 11).tolist() for _ in range(50)]
    return [[], [12, 3, 12, 12], *rows, rows[0]]


TAKEN = (0, 1, 2, 3, 20, 52)
TEXTS = [many()[1], many()[2], many()[2] + many()[20], [3, 4, 3, 0, 13, 5], []]


def changes(spec: NgramSpec, rows: Rows, texts: Rows, ends: bool = True) -> NDArray[np.float64]:
    """What is tested."""
    model = spec.fit(ragged(rows), vocabulary(SIZE), ends=ends)
    return change_without_each(model, smoothing(spec.smoothing, spec.delta), ragged(rows), ragged(texts))


def retrained(spec: NgramSpec, rows: Rows, texts: Rows, ends: bool, taken: Sequence[int]) -> NDArray[np.float64]:
    """The same by training again, for the rows ``taken``."""

    def logp(model: NgramModel) -> list[float]:
        return [float(model.logp(ragged([text])).sum()) for text in texts]

    whole = logp(spec.fit(ragged(rows), vocabulary(SIZE), ends=ends))
    columns = []
    for row in taken:
        try:
            model = spec.fit(ragged(rows[:row] + rows[row + 1 :]), vocabulary(SIZE), ends=ends)
            columns.append(np.subtract(logp(model), whole))
        except DataError:
            columns.append(np.full(len(texts), np.nan))
    return np.array(columns).T


@pytest.mark.parametrize("ends", [True, False])
@pytest.mark.parametrize("order", [1, 2, 3, 4])
@pytest.mark.parametrize("method", METHODS)
def test_retrained(method: str, order: int, ends: bool) -> None:
    """Every method and order: rows that are empty, repeated, the text itself, or have words of their own."""
    spec = NgramSpec(order=order, smoothing=method)
    found = changes(spec, many(), TEXTS, ends)
    np.testing.assert_allclose(found[:, TAKEN], retrained(spec, many(), TEXTS, ends, TAKEN), rtol=0, atol=1e-11)
    assert np.abs(found[:-1, 20]).min() > 1e-6 or method == "additive"


@settings(max_examples=12, deadline=None)
@given(SMALL, SMALL)
def test_small(rows: Rows, texts: Rows) -> None:
    """Few rows, of which each may be all that has an n-gram, or all that there is."""
    for method, order, ends in itertools.product(METHODS, (1, 3), (True, False)):
        if order <= max(map(len, rows)) + 1 + ends:
            spec = NgramSpec(order=order, smoothing=method)
            with np.errstate(invalid="ignore"):
                wanted = retrained(spec, rows, texts, ends, range(len(rows)))
            np.testing.assert_allclose(changes(spec, rows, texts, ends), wanted, rtol=0, atol=1e-11)


def test_discounts_that_one_row_tells() -> None:
    """Where the counts of counts tell discounts by one row alone, there are the usual ones without it."""
    rows = [[3, 3, 3], [4, 4, 5, 5], [6, 7, 8, 9, 10, 11]]  # without the first nothing is counted three times
    spec = NgramSpec(order=1)
    fallback = [
        spec.fit(ragged(each), vocabulary(SIZE), ends=False).facts["orders"][0]["fallback"] for each in (rows, rows[1:], rows[:2])
    ]
    assert fallback == [False, True, True]
    wanted = retrained(spec, rows, [[3, 4, 6]], False, range(3))
    np.testing.assert_allclose(changes(spec, rows, [[3, 4, 6]], False), wanted, rtol=0, atol=1e-12)


@pytest.mark.parametrize("method", METHODS)
def test_pieces(method: str, monkeypatch: pytest.MonkeyPatch) -> None:
    """Positions and rows a few at a time come to the same, to the last bit or two."""
    spec = NgramSpec(order=3, smoothing=method)
    whole = changes(spec, many(), TEXTS)
    monkeypatch.setattr(without, "_POSITIONS", 5)
    monkeypatch.setattr(without, "_CELLS", 35)
    monkeypatch.setattr(without, "_CODES", 7)
    monkeypatch.setattr(removal, "_TOKENS", 6)
    np.testing.assert_allclose(changes(spec, many(), TEXTS), whole, rtol=0, atol=1e-13)


def test_nothing_left() -> None:
    """Where no other row has tokens, or is as long as the order, the answer is nan; of others it is none."""
    assert np.isnan(changes(NgramSpec(order=2), [[], [3, 4], []], [[3]])).tolist() == [[False, True, False]]
    assert np.isnan(changes(NgramSpec(order=4), [[3], [3, 4, 5], [4]], [[3]])).tolist() == [[False, True, False]]
    assert np.isnan(changes(NgramSpec(order=3), [[3, 4, 5], [3, 4, 5]], [[3]])).tolist() == [[False, False]]


def test_impossible_texts() -> None:
    """A text with a token that is never predicted stays impossible: no number."""
    assert np.isnan(changes(NgramSpec(order=2, smoothing="additive"), [[3, 4], [4]], [[3, START]])).all()


@pytest.mark.parametrize("method", METHODS)
def test_other_rows(method: str) -> None:
    """Rows that the model was not trained on are refused: one less, one changed, tokens that are none."""
    spec, rows = NgramSpec(order=3, smoothing=method), many()
    model = spec.fit(ragged(rows), vocabulary(SIZE))
    changed = [*rows[:7], [13] * len(rows[7]), *rows[8:]]
    for given_rows, said in ((rows[2:], "has counted"), (changed, "row 7"), ([*rows[:-1], [99] * len(rows[-1])], "the token 99")):
        with pytest.raises(UsageError, match=said):
            change_without_each(model, smoothing(method, 0.1), ragged(given_rows), ragged(TEXTS))
