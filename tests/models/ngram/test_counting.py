"""Counting by sorting finds what counting by dicts finds, in memory and through files."""

from __future__ import annotations

from collections import Counter, defaultdict
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from lossworks.core import threads
from lossworks.core.errors import DataError, UsageError
from lossworks.data import Ragged
from lossworks.models.ngram import NgramSpec, counting, spilling
from lossworks.models.ngram.codes import coded
from lossworks.models.ngram.scanning import sort
from lossworks.models.ngram.trie import Trie
from models.ngram.tries import END, START, Gram, ragged, vocabulary

SIZE = 7
TEXTS = st.lists(st.lists(st.sampled_from([0, 3, 4, 5, 6]), max_size=9), min_size=1, max_size=8).filter(any)
CASES = settings(max_examples=30, deadline=None)


def by_dicts(texts: list[list[int]], order: int, ends: bool, raw: bool) -> dict[Gram, int]:
    """Every k-gram's count: how often it occurs, or how many different tokens stand before it."""
    occurs: Counter[Gram] = Counter()
    before: defaultdict[Gram, set[int]] = defaultdict(set)
    for text in texts:
        marked = (START, *text, *([END] if ends else []))
        for i in range(len(marked)):
            for k in range(1, min(order, len(marked) - i) + 1):
                occurs[marked[i : i + k]] += 1
                if i:
                    before[marked[i : i + k]].add(marked[i - 1])
    if raw:
        return dict(occurs)
    return {gram: n if len(gram) == order or gram[0] == START else len(before[gram]) for gram, n in occurs.items()}


def grams(trie: Trie) -> Iterator[tuple[Gram, int]]:
    """The trie's k-grams, k >= 2, with their counts."""
    above: list[Gram] = [(word,) for word in range(SIZE)]
    for k in range(2, trie.order + 1):
        begin, level = trie.levels[k - 1].begin, trie.levels[k]
        assert begin is not None
        assert level.word is not None
        assert level.count is not None
        assert level.counts is not None
        here = [(*context, int(level.word[i])) for n, context in enumerate(above) for i in range(begin[n], begin[n + 1])]
        yield from zip(here, level.counts[level.count].tolist(), strict=True)
        above = here


@CASES
@given(TEXTS, st.integers(1, 5), st.booleans(), st.booleans())
def test_counts(texts: list[list[int]], order: int, ends: bool, raw: bool) -> None:
    """All k-grams, each once, with their counts: adjusted for Kneser-Ney, as they occur for the others."""
    if order > max(map(len, texts)) + 1 + ends:
        return
    smoothing = "witten_bell" if raw else "kneser_ney"
    model = NgramSpec(order=order, smoothing=smoothing).fit(ragged(texts), vocabulary(SIZE), ends=ends)
    wanted = by_dicts(texts, order, ends, raw)
    found = list(grams(model.trie))
    assert dict(found) == {gram: n for gram, n in wanted.items() if len(gram) > 1}
    assert len(found) == len(dict(found))
    for word in (0, END, 3, 4, 5, 6):
        assert model.count([word]) == wanted.get((word,), 0)


@CASES
@given(
    TEXTS, st.integers(1, 4), st.sampled_from(["kneser_ney", "witten_bell", "additive"]), st.sampled_from([(), (0, 1), (0, 0, 2)])
)
def test_sums_to_one(texts: list[list[int]], order: int, smoothing: str, prune: tuple[int, ...]) -> None:
    """After every context of the texts, whatever the method and whatever is pruned, by count or by entropy."""
    if order > max(map(len, texts)) + 2:
        return
    for entropy in (0.0, 0.01):
        spec = NgramSpec(order=order, smoothing=smoothing, prune=prune[:order], entropy=entropy)
        everything = np.exp(spec.fit(ragged(texts), vocabulary(SIZE)).distributions(ragged([*texts, [6, 5, 4, 3, 0]])))
        np.testing.assert_allclose(everything.sum(1), 1, rtol=1e-12)
        assert (everything[:, START] == 0).all()


def _arrays(trie: Trie) -> list[Any]:
    """What a trie says, codes resolved."""
    said: list[Any] = []
    for level in trie.levels:
        said += [level.word, level.begin]
        said += [
            table[codes]
            for codes, table in ((level.count, level.mass), (level.context, level.backoff))
            if codes is not None and table is not None
        ]
    return said


@pytest.fixture
def many() -> Ragged:
    """Some thousand tokens in texts of all lengths, empty ones at both ends and one long one, some words frequent."""
    rng = np.random.default_rng(0)
    lengths = rng.integers(0, 30, 300)
    lengths[[0, 1, -1, -2]], lengths[7] = 0, 4000
    ids = np.minimum(rng.zipf(1.3, lengths.sum()) + 2, 199).astype(np.uint16)
    ids[rng.random(len(ids)) < 0.02] = 0
    return Ragged(ids, np.concatenate(([0], np.cumsum(lengths))))


@pytest.mark.parametrize("ends", [True, False])
@pytest.mark.parametrize("order", [1, 2, 4])
def test_through_files(many: Ragged, order: int, ends: bool, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Counting beyond memory gives the same trie, where frequent words are divided among buckets too."""
    monkeypatch.setattr(spilling, "_BLOCK", 1000)
    monkeypatch.setattr(spilling, "_PROCESS", 0)
    monkeypatch.setattr(spilling, "_FEWEST", 1)
    spec = NgramSpec(order=order)
    spilled = spec.fit(many, vocabulary(200), ends=ends, memory=250_000, scratch=tmp_path)
    for one, other in zip(_arrays(spec.fit(many, vocabulary(200), ends=ends).trie), _arrays(spilled.trie), strict=True):
        np.testing.assert_array_equal(one, other)
    assert any(tmp_path.iterdir()) == (order > 1)


@pytest.mark.parametrize("parts", [1, 2, 4])
def test_threads(many: Ragged, parts: int, monkeypatch: pytest.MonkeyPatch) -> None:
    """The trie is the same on any number of threads."""
    monkeypatch.setattr(counting, "PLACES", 500)
    alone = _arrays(NgramSpec(order=4).fit(many, vocabulary(200)).trie)
    monkeypatch.setattr(threads, "available", lambda: parts)
    monkeypatch.setattr(threads, "WORTH_SHARING", 0)
    for one, other in zip(alone, _arrays(NgramSpec(order=4).fit(many, vocabulary(200)).trie), strict=True):
        np.testing.assert_array_equal(one, other)


def test_wide_vocabularies() -> None:
    """Numbers beyond 65,535 are told apart by both their halves."""
    size = 1 << 17
    texts = [[3, 65_539, 3, 65_540], [65_539, 3, 65_540, 65_536 + 3]]
    model = NgramSpec(order=2, smoothing="witten_bell").fit(ragged(texts), vocabulary(size))
    assert model.count([3, 65_540]) == 2
    assert model.count([65_539, 3]) == 2
    assert model.count([3, 3]) == 0


@pytest.mark.parametrize(("size", "order"), [(40, 7), (200, 12), (1 << 17, 5)])
def test_sort(size: int, order: int) -> None:
    """Beyond what is sorted at once, with words and repeated stretches that are more than that too."""
    rng = np.random.default_rng(0)
    tokens = np.minimum(rng.zipf(1.2, 150_000), size - 1).astype(np.uint16 if size <= 1 << 16 else np.uint32)
    tokens[40_000:90_000] = size - 1
    tokens[100_000:140_000] = np.tile(tokens[:1000], 40)
    places = np.arange(1, len(tokens) - order, dtype=np.uint32)
    wanted = places[np.lexsort([tokens[places + depth] for depth in range(order - 1, -1, -1)])]
    sort(tokens, places, np.empty_like(places), order, size)
    np.testing.assert_array_equal(places, wanted)


def test_many_codes() -> None:
    """Rows' codes are in order of appearance, however many there are."""
    rows = np.random.default_rng(0).integers(0, 9, (30_000, 5)).astype(np.uint32) * [1, 1 << 16, 1, 0, 7]
    codes, table = coded(rows.astype(np.uint32))
    np.testing.assert_array_equal(table[codes], rows)
    assert len(np.unique(table, axis=0)) == len(table) > 4096
    assert (np.diff(np.unique(codes, return_index=True)[1]) > 0).all()


def test_fallback_is_announced() -> None:
    """Where counts of counts tell no discounts, the three that are used instead are said."""
    told: list[str] = []
    NgramSpec(order=2).fit(
        ragged([[3, 4], [4, 3]]), vocabulary(5), watch=lambda event, fields: told.append(fields.get("text", ""))
    )
    notes = [text for text in told if text]
    assert [text.split(":")[0] for text in notes] == ["order 1", "order 2"]
    assert "0.5, 1.0, 1.5" in notes[0]


def test_entropy_pruning_takes_the_least_first() -> None:
    """A larger threshold leaves fewer n-grams, and the model changes little where few are left out."""
    rng = np.random.default_rng(1)
    texts = [np.minimum(rng.zipf(1.5, 30) + 2, 30).tolist() for _ in range(200)]
    fits = [NgramSpec(order=3, entropy=e).fit(ragged(texts), vocabulary(31)) for e in (0, 1e-6, 1e-4, 1e-2)]
    sizes = [sum(1 for _ in _grams(fit.trie, 31)) for fit in fits]
    costs = [-fit.logp(ragged(texts)).mean() for fit in fits]
    assert sizes == sorted(sizes, reverse=True)
    assert sizes[-1] < sizes[0] / 4
    assert costs == sorted(costs)
    assert costs[1] < costs[0] + 0.01


def _grams(trie: Trie, size: int) -> Iterator[int]:
    for level in trie.levels[2:]:
        assert level.word is not None
        yield from level.word.tolist()


@pytest.mark.parametrize(
    ("keys", "said"),
    [
        ({"order": 0}, "order is 0"),
        ({"order": 40}, "order is 40"),
        ({"prune": (1,)}, "0 for single words"),
        ({"prune": (0, 2, 1)}, "no threshold below"),
        ({"prune": (0, 0, 0, 0), "order": 3}, "4 thresholds"),
        ({"smoothing": "knesser_ney"}, "Did you mean 'kneser_ney'"),
        ({"delta": 0.0}, "delta is 0.0"),
        ({"entropy": -1.0}, "entropy is -1.0"),
    ],
)
def test_bad_settings(keys: dict[str, Any], said: str) -> None:
    """Are refused with what was wanted."""
    with pytest.raises(UsageError, match=said):
        NgramSpec(**keys).fit(ragged([[3, 4, 5, 6]]), vocabulary(SIZE))


@pytest.mark.parametrize(
    ("texts", "said"),
    [
        ([], "no tokens"),
        ([[]], "no tokens"),
        ([[3]], "order is 5, and the longest text has 3"),
        ([[3, 9, 3, 3]], "token 1 is 9"),
        ([[3, 4, 2, 5]], "token 2 is 2"),
    ],
)
def test_bad_texts(texts: list[list[int]], said: str) -> None:
    """Are refused with the place."""
    with pytest.raises(DataError, match=said):
        NgramSpec().fit(ragged(texts), vocabulary(SIZE))


def test_too_little_memory(many: Ragged, tmp_path: Path) -> None:
    """Is said before anything is counted."""
    with pytest.raises(UsageError, match="counting needs"):
        NgramSpec().fit(many, vocabulary(200), memory=1000, scratch=tmp_path)
