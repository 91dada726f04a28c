"""Texts of unequal length together: no number depends on the company, on the memory, or on the way it is computed."""

from __future__ import annotations

from threading import Barrier, get_ident
from typing import Any

import numpy as np
import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st

from lossworks.core.torch_threads import team
from lossworks.models.hmm import Chain, HmmModel, expectation
from lossworks.models.hmm.expectation import Counts, expectations, log_probability, threads
from models.hmm.cases import KINDS, VOCABULARY, chain, packed, ragged, random_texts

lengths = st.lists(st.integers(0, 12), min_size=1, max_size=8).filter(any)


def same(one: Counts, other: Counts, atol: float = 1e-11) -> None:
    """All counts are equal."""
    pairs = zip((one.start, *one.factors, one.emission), (other.start, *other.factors, other.emission), strict=True)
    for a, b in pairs:
        np.testing.assert_allclose(a, b, atol=atol)
    assert one.logp == pytest.approx(other.logp, rel=1e-12, abs=1e-12)
    assert one.tokens == other.tokens


@settings(max_examples=40, deadline=None)
@given(st.sampled_from(KINDS), lengths, st.integers(1, 40), st.integers(1, 5))
def test_together_and_alone(kind: str, sizes: list[int], rows: int, width: int) -> None:
    """A batch's counts are those of its texts one by one; cut into segments or narrow batches they are the same."""
    of, texts = chain(kind, seed=3), random_texts(sizes)
    whole = expectations(of, packed(texts), 10**6)
    same(expectations(of, packed(texts, width=width, rows=rows), rows), whole)
    alone = [expectations(of, packed(ragged(text.tolist())), 10**6) for text in np.split(texts.ids, texts.offsets[1:-1])]
    np.testing.assert_allclose(sum(counts.emission for counts in alone), whole.emission, atol=1e-11)  # type: ignore[arg-type]
    np.testing.assert_allclose(sum(counts.factors[0] for counts in alone), whole.factors[0], atol=1e-11)  # type: ignore[arg-type]


@settings(max_examples=20, deadline=None)
@given(st.sampled_from(KINDS), lengths, st.randoms(use_true_random=False))
def test_order_of_texts(kind: str, sizes: list[int], random: Any) -> None:
    """Each text's numbers stand at its own positions, wherever it stands among the texts."""
    model, texts = HmmModel(chain(kind), VOCABULARY), random_texts(sizes)
    rows = np.array(random.sample(range(len(sizes)), len(sizes)))
    for read in (model.logp, model.viterbi, model.posteriors, model.distributions):
        parts = np.split(read(texts), np.cumsum(np.array(sizes) + 1)[:-1])
        np.testing.assert_allclose(read(texts.take(rows)), np.concatenate([parts[row] for row in rows]), atol=1e-12)


@pytest.mark.parametrize("rows", [10**6, 17])
def test_both_ways_agree(monkeypatch: pytest.MonkeyPatch, rows: int) -> None:
    """Step by step for all texts, or text by text: the same counts, whole and in segments."""
    of, texts = chain(states=6), random_texts([30, 1, 7, 30, 2, 12])
    found = []
    for alongside in (0, 10**9):
        monkeypatch.setattr(expectation, "_ALONGSIDE", alongside)
        found.append(expectations(of, packed(texts, rows=rows), rows))
    same(*found)


@pytest.mark.parametrize("kind", KINDS)
def test_number_of_threads(kind: str, monkeypatch: pytest.MonkeyPatch) -> None:
    """Compiled code gives the same bits on any number of threads."""
    from lossworks.core import threads

    monkeypatch.setattr(threads, "WORTH_SHARING", 0)
    monkeypatch.setattr(expectation, "_ALONGSIDE", 10**9)
    of, texts, found = chain(kind), random_texts([9, 3, 8, 8, 1]), []
    for count in (1, 3):
        monkeypatch.setattr(threads, "available", lambda count=count: count)
        found.append(expectations(of, packed(texts), 10**6))
    assert torch.equal(found[0].factors[0], found[1].factors[0])
    assert torch.equal(found[0].emission, found[1].emission)


@pytest.mark.parametrize("kind", KINDS)
def test_single_precision(kind: str) -> None:
    """In float32 the counts are those of float64 to float32's precision, and the sums stay in float64."""
    of, texts = chain(kind), random_texts([50, 20, 20, 1])
    counts = expectations(of.to(dtype=torch.float32), packed(texts), 10**6)
    exact = expectations(of, packed(texts), 10**6)
    assert counts.factors[0].dtype == torch.float64
    assert counts.logp == pytest.approx(exact.logp, rel=1e-6)
    np.testing.assert_allclose(counts.factors[0], exact.factors[0], atol=1e-4)


@pytest.mark.parametrize("alongside", [0, 10**9])
def test_long_text_of_two_minds(monkeypatch: pytest.MonkeyPatch, alongside: int) -> None:
    """A state that the text rules out for thousands of steps, and that would explain what follows, overflows nothing."""
    monkeypatch.setattr(expectation, "_ALONGSIDE", alongside)
    emission = torch.tensor([[0.999, 0.001], [0.001, 0.999]], dtype=torch.float64)
    of = Chain(torch.full((2,), 0.5).double(), (torch.eye(2).double(),), emission, torch.zeros(2, dtype=torch.int64))
    counts = expectations(of, packed(ragged([0] * 2000 + [1] * 1000), tokens=2), 10**6)
    assert torch.isfinite(counts.factors[0]).all()
    assert counts.factors[0].sum() == pytest.approx(2999)
    assert counts.emission.sum() == pytest.approx(3000)


@pytest.mark.parametrize("kind", KINDS)
def test_one_long_text(kind: str) -> None:
    """A text far longer than the rows that memory holds: its probability is that of its tokens one by one."""
    model, texts = HmmModel(chain(kind), VOCABULARY, ends=False), random_texts([5000])
    state, total = model.start(), 0.0
    for token in texts.ids.tolist():
        total += model.next(state)[token]
        state = model.advance(state, token)
    counts = expectations(model.chain, packed(texts, rows=300), 300)
    assert counts.logp == pytest.approx(total, rel=1e-12)
    assert counts.factors[-1].sum() == pytest.approx(4999, rel=1e-10)


def test_batches_at_once(monkeypatch: pytest.MonkeyPatch) -> None:
    """Batches are counted on several threads, in the bits of one; on no more of them than memory has room for."""
    of, batches = chain(states=6), list(packed(random_texts([30, 1, 7, 30, 2, 12, 9, 9]), width=2))
    seen, forward = set[int](), expectation._forward

    def watched(*given: Any) -> Any:
        seen.add(get_ident())
        together.wait(20)
        return forward(*given)

    found = []
    for count in (1, 2):
        together = Barrier(count)  # each thread has a batch before any goes on
        seen.clear()
        monkeypatch.setattr(expectation, "_forward", watched)
        with team(count) as do:
            counts = expectations(of, batches, 10**6, do)
            found.append((counts.emission, counts.factors[0], counts.start, log_probability(of, batches, 10**6, do)))
        assert (len(seen), get_ident() in seen) == (count, count == 1)
    assert all(torch.equal(torch.as_tensor(one), torch.as_tensor(other)) for one, other in zip(*found, strict=True))
    monkeypatch.setattr(expectation, "available", lambda: 4)
    largest = max(len(batch.ids) for batch in batches)
    assert [threads(batches, rows) for rows in (1, largest, 2 * largest, 10 * largest)] == [1, 1, 2, 4]
