"""Draws by language: how many, how evenly, as a function of seed and epoch; and rows of tokens laid out by them."""

from __future__ import annotations

import numpy as np
import pytest

from lossworks.data import Draws, Ragged, TextLanguages
from lossworks.data.layouts import Layout, Packed, Positions, Windows
from lossworks.tokens import Vocabulary

LANGUAGES = np.array([0] * 30 + [1] * 7 + [3] * 3, np.int32)
RATES = np.array([0.4, 2.0, 1.0, 0.1])


def test_counts_and_evenness() -> None:
    """Each epoch has as many of each language; over epochs no row is drawn twice before all others were drawn once."""
    draws = Draws(LANGUAGES, RATES, 5)
    assert draws.counts.tolist() == [12, 14, 0, 1]  # of three rows at a tenth still one
    total = np.zeros(40, np.int64)
    for epoch in range(7):
        rows = draws.rows(epoch)
        assert np.bincount(LANGUAGES[rows], minlength=4).tolist() == draws.counts.tolist()
        assert (np.bincount(rows, minlength=40) == draws.times(epoch)).all()
        total += draws.times(epoch)
        for language in (0, 1, 3):
            assert np.ptp(total[language == LANGUAGES]) <= 1
    assert total[:30].min() == 2


def test_a_function_of_seed_and_epoch() -> None:
    """The same however often and in which order epochs are asked for; another with another seed, epoch or lot; mixed within."""
    one, two = Draws(LANGUAGES, RATES, 5), Draws(LANGUAGES, RATES, 5)
    two.rows(1)
    assert (one.rows(3) == two.rows(3)).all()
    others = (Draws(LANGUAGES, RATES, 6).rows(3), one.rows(4), Draws(LANGUAGES, RATES, 5, "lot").rows(3))
    assert not any((one.rows(3) == other).all() for other in others)
    assert (np.diff(LANGUAGES[one.rows(0)]) != 0).sum() > 5


@pytest.mark.parametrize("kind", ["windows", "packed"])
def test_layouts(kind: str) -> None:
    """Rows of tokens are drawn as their texts' languages are, as many steps in every epoch, and each token knows its language."""
    rng = np.random.default_rng(0)
    sizes = rng.integers(1, 9, 200)
    of_text = (np.arange(200) >= 160).astype(np.int32)  # whose tokens are 3 and 4
    ids = np.concatenate([np.full(size, 3 + language) for size, language in zip(sizes, of_text, strict=True)]).astype(np.uint32)
    texts = Ragged(ids, np.concatenate([[0], np.cumsum(sizes)]))
    positions = Positions.of(texts, Vocabulary(7), False)
    languages = TextLanguages(of_text, 2, np.array([0.5, 3.0]))
    layout: Layout = (
        Windows(positions, 5, 1, languages=languages) if kind == "windows" else Packed(positions, 5, 1, languages=languages)
    )
    counts, seen = set(), []
    for epoch in range(4):
        steps = layout.steps(12, epoch)
        counts.add(len(steps))
        found = [layout.take(rows, epoch) for rows in steps]
        for part in found:
            assert part.languages is not None
            assert (part.ids[part.inside] == 3 + part.languages[part.inside]).all()
        seen.append(np.concatenate([part.ids[part.inside].numpy() for part in found]))
        assert all((a == b).all() for a, b in zip(steps, layout.steps(12, epoch), strict=True))
    assert len(counts) == 1
    assert np.mean(np.concatenate(seen) == 4) == pytest.approx(120 / 200, abs=0.04)  # 80 texts of one, 120 of the other
    assert not np.array_equal(seen[0], seen[1])
