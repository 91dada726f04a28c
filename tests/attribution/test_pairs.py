"""Shares by pairs: of quantities whose interactions are known, and by hand of a model."""

from __future__ import annotations

from itertools import combinations

import numpy as np
import pytest

import lossworks
from lossworks.attribution import pairs as module
from lossworks.attribution.pairs import pairs

from .made import Made, made


def alone(effects: list[float], together: dict[tuple[int, int], float]) -> Made:
    """One text of these effects of parts and of pairs that are both kept."""
    of_pairs = np.zeros((len(effects), len(effects)))
    for pair, effect in together.items():
        of_pairs[pair] = effect
    spans = np.stack([np.arange(len(effects)), np.arange(len(effects)) + 1], 1)
    return Made(["abcdefgh"[: len(effects)]], [spans], [np.array([effects])], [of_pairs], nothing=7.0)


@pytest.mark.parametrize("sign", [1, -1])
def test_alike_and_side_by_side(sign: int) -> None:
    """Two parts either of which suffices share what both take away; of two that count only together nothing is hidden. The
    quantity turned round has the same shares turned round.
    """
    (found,) = pairs(alone([4 * sign, 4 * sign, 0, 0, sign], {(0, 1): -4 * sign, (2, 3): 6 * sign}))
    np.testing.assert_allclose(found.shares, np.array([2, 2, 6, 6, 1]) * sign, atol=1e-12)
    assert f"hide most of 'a' and 'b': without both it is {4 * sign} less" in found.notes[-1]


def test_one_partner() -> None:
    """A part has one partner: the pair that hides most is matched first."""
    (found,) = pairs(alone([5, 5, 5, 5], {(0, 1): -3, (1, 2): -2, (2, 3): -3}))
    np.testing.assert_allclose(found.shares, [2 + 1.5, 0 + 1.5, 0 + 1.5, 2 + 1.5], atol=1e-12)


def test_kept() -> None:
    """A part that must stay has no share and no partner."""
    texts = made([6, 5, 1], pairs=1.0)
    texts.always = 0
    deleted: list[np.ndarray] = []
    own = Made.values

    def values(self: Made, kept: list[np.ndarray]) -> list[np.ndarray]:
        deleted.extend(rows[:, 0] for rows in kept)
        return own(self, kept)

    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(Made, "values", values)
        found = pairs(texts)
    assert all(rows.all() for rows in deleted)
    assert [each.shares[0] for each in found] == [0, 0, 0]
    assert all((each.shares[1:] != 0).all() for each in found)


def test_apart(monkeypatch: pytest.MonkeyPatch) -> None:
    """Texts get the same shares together, in blocks and alone."""
    texts = made([7, 1, 4, 9], pairs=1.0)
    together = pairs(texts)
    monkeypatch.setattr(module, "_AT_ONCE", 10)
    for number, (one, other) in enumerate(zip(together, pairs(texts), strict=True)):
        np.testing.assert_allclose(one.shares, other.shares, atol=1e-12)
        np.testing.assert_allclose(one.shares, pairs(texts.some(number, number + 1))[0].shares, atol=1e-12)


def test_long(monkeypatch: pytest.MonkeyPatch) -> None:
    """Of a text with many parts those are paired that do most alone, and it is said."""
    monkeypatch.setattr(module, "PAIRED", 3)
    (found,) = pairs(alone([9, 9, 1, 3, 3], {(0, 1): -9, (3, 4): -1}))
    np.testing.assert_allclose(found.shares, [0, 0, 1, 2.5, 2.5], atol=1e-12)
    assert found.notes[-1].startswith("of its 5 parts the 3 that do most alone")
    monkeypatch.setattr(module, "PAIRED", 5)
    (found,) = pairs(alone([9, 9, 1, 3, 3], {(0, 1): -9, (3, 4): -1}))
    np.testing.assert_allclose(found.shares, [4.5, 4.5, 1, 2.5, 2.5], atol=1e-12)
    assert "parts the" not in found.notes[-1]


@pytest.mark.parametrize("method", ["auto", "pairs"])
def test_of_a_model(method: str) -> None:
    """By hand, from texts put together anew; the explanation also tells what each deletion alone does, and is tried."""
    rows = [(f"{word} film number {i}", label) for i in range(20) for word, label in (("good", "yes"), ("bad", "no"))]
    model = lossworks.fit(rows, model="linear:bits=12", epochs=3)
    words = ["a", "good", "good", "film", ",", "bad"]
    (found,) = model.explain([" ".join(words)], label="yes", method=method)
    subsets = [each for size in range(3) for each in combinations(range(6), size)]
    variants = [" ".join(word for n, word in enumerate(words) if n not in each) for each in subsets]
    no, yes = np.log(model.predict_proba(variants)).T
    lost = dict(zip(subsets, (yes - no)[0] - (yes - no), strict=True))
    single = np.array([lost[n,] for n in range(6)])
    shares, free = single.copy(), set(range(6))
    hidden = {pair: abs(lost[pair]) - abs(single[list(pair)]).sum() for pair in combinations(range(6), 2)}
    for pair in sorted(hidden, key=lambda pair: -hidden[pair]):
        if hidden[pair] > 0 and free.issuperset(pair):
            shares[list(pair)] += np.sign(lost[pair]) * hidden[pair] / 2
            free -= set(pair)
    assert found.deleted is not None
    assert not np.allclose(shares, single, atol=1e-3)
    np.testing.assert_allclose(found.deleted, single, atol=1e-5)
    assert np.allclose(found.shares, shares, atol=1e-5) == (method == "pairs")
    assert found.trial is not None
