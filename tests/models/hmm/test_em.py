"""Baum–Welch: it never loses, keeps zeros, and is the same for tables that say the same."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

import numpy as np
import pytest
import torch

from lossworks.core.errors import DataError, UsageError
from lossworks.data import Ragged
from lossworks.models.hmm import BaumWelch, Chain, HmmSpec
from lossworks.models.hmm.blocks import blocks_of_tokens
from lossworks.models.hmm.em import maximised
from lossworks.models.hmm.expectation import expectations
from models.hmm.cases import KINDS, VOCABULARY, V, chain, packed, ragged, random_texts

TEXTS = random_texts([12, 5, 0, 40, 1, 7, 7, 30], seed=5)
EM = BaumWelch(iterations=30, tolerance=-1.0, prior=0.0, patience=1, rows=10**6)


def logs(of: Chain) -> float:
    """Up to a constant and the pseudo-counts' factor, log p of the tables under them."""
    return sum(float(table[table > 0].log().sum()) for table in of.tables())


@pytest.mark.parametrize("kind", KINDS)
@pytest.mark.parametrize("prior", [0.0, 0.1])
@pytest.mark.parametrize("seed", range(3))
def test_never_loses(kind: str, prior: float, seed: int) -> None:
    """Every single iteration keeps or raises the likelihood (with pseudo-counts, times their prior)."""
    of, reached = chain(kind, seed=seed), []
    for _ in range(30):
        found = expectations(of, packed(TEXTS, 2), 10**6)
        reached.append(found.logp + prior * logs(of))
        of = maximised(of, found, prior)
    gains = np.diff(reached)
    assert (gains > -1e-9).all(), gains.min()
    assert gains.sum() > 1


@pytest.mark.parametrize("kind", KINDS)
def test_rows_stay_distributions(kind: str) -> None:
    """After training every row sums to 1, and the start of a text is never emitted."""
    last = EM.run(chain(kind), packed(TEXTS, 2)).chain
    for rows in (last.start[None], *last.factors, last.emissions().T):
        np.testing.assert_allclose(rows.sum(1), 1, atol=1e-12)
    assert (last.emission[VOCABULARY.start] == 0).all()


def test_zeros_stay() -> None:
    """What is impossible stays so, with pseudo-counts too; a state that nothing visits keeps its rows."""
    of = chain()
    of.start[3], of.factors[0][:, 3], of.emission[4, 0] = 0, 0, 0
    last = replace(EM, prior=0.5).run(of, packed(TEXTS, 2)).chain
    assert last.start[3] == 0
    assert (last.factors[0][:, 3] == 0).all()
    assert last.emission[4, 0] == 0
    kept = EM.run(of, packed(TEXTS, 2)).chain
    assert torch.equal(kept.factors[0][3], of.factors[0][3])
    assert torch.equal(kept.emission[:, 3], of.emission[:, 3])


def test_low_rank_of_full_rank() -> None:
    """Low-rank tables whose second is a permutation are the dense ones: EM takes both the same way."""
    dense = chain()
    turned = torch.tensor([2, 0, 3, 1])
    second = torch.eye(4, dtype=torch.float64)[turned]
    low = Chain(dense.start, (dense.factors[0][:, turned], second), dense.emission, dense.block)
    assert torch.equal(low.transitions, dense.factors[0])
    one, other = EM.run(dense, packed(TEXTS, 2)), EM.run(low, packed(TEXTS, 2))
    np.testing.assert_allclose(one.nll, other.nll, rtol=1e-10)
    np.testing.assert_allclose(one.chain.transitions, other.chain.transitions, atol=1e-9)
    assert torch.equal(other.chain.factors[1], second)


def test_blocks_are_zeros_of_a_dense_chain() -> None:
    """A chain in blocks and the dense one with its zeros written out: EM takes both the same way."""
    blocked = chain("blocked")
    dense = Chain(blocked.start, blocked.factors, blocked.emissions(), torch.zeros_like(blocked.block))
    one, other = EM.run(blocked, packed(TEXTS, 2)), EM.run(dense, packed(TEXTS, 2))
    np.testing.assert_allclose(one.nll, other.nll, rtol=1e-10)
    np.testing.assert_allclose(one.chain.emissions(), other.chain.emission, atol=1e-9)
    np.testing.assert_allclose(one.chain.transitions, other.chain.transitions, atol=1e-9)


def test_best_by_held_out_texts() -> None:
    """Training ends when the held-out score has not fallen for a while, and the chain is the best by it."""
    told: list[dict[str, Any]] = []
    em = BaumWelch(iterations=200, tolerance=0.0, prior=0.0, patience=4, rows=10**6)
    held_out = packed(random_texts([30, 20], seed=9), 2)
    found = em.run(chain(states=6), packed(TEXTS, 2), held_out, told.append)
    scores = [fields["held_out"] for fields in told]
    assert len(told) < 200
    assert found.score == min(scores)
    assert len(scores) - 1 - int(np.argmin(scores)) == 4
    assert found.score == pytest.approx(-expectations(found.chain, held_out, 10**6).logp / 52, rel=1e-12)
    assert [fields["iteration"] for fields in told] == list(range(1, len(told) + 1))


def test_tolerance_ends_it() -> None:
    """Without held-out texts training ends at the first iteration that gains less than the tolerance."""
    nll = replace(EM, tolerance=1e-3, iterations=500).run(chain(), packed(TEXTS, 2)).nll
    gains = -np.diff(nll)
    assert len(nll) < 500
    assert gains[-1] <= 1e-3
    assert (gains[:-1] > 1e-3).all()


def test_restarts() -> None:
    """Each restart is told of, they differ, the best by held-out likelihood is taken, and a seed gives the same bits again."""
    told: list[dict[str, Any]] = []
    valid = random_texts([25, 25], seed=8)
    spec = HmmSpec(states=5, restarts=4, iterations=8)

    def watch(event: str, fields: dict[str, Any]) -> None:
        told.extend([fields] if event == "restart" else [])

    model = spec.fit(TEXTS, VOCABULARY, valid=valid, seed=3, watch=watch)
    scores = [fields["score"] for fields in told]
    assert len(set(scores)) == 4
    assert -model.logp(valid).mean() == pytest.approx(min(scores), rel=1e-12)
    again = spec.fit(TEXTS, VOCABULARY, valid=valid, seed=3)
    assert all(torch.equal(a, b) for a, b in zip(model.chain.tables(), again.chain.tables(), strict=True))


@pytest.mark.parametrize("keys", [{}, {"transitions": "low_rank", "rank": 3}, {"transitions": "blocked", "blocks": 3}])
def test_memory_changes_nothing(keys: dict[str, Any]) -> None:
    """Within little memory texts are read in segments, with the same result."""
    spec = HmmSpec(states=6, iterations=2, **keys)
    long = random_texts([5000, 3, 800], seed=2)
    one, other = (spec.fit(long, VOCABULARY, memory=memory).chain for memory in (None, 40_000))
    for a, b in zip(one.tables(), other.tables(), strict=True):
        np.testing.assert_allclose(a, b, atol=1e-10)


def test_learns_what_there_is() -> None:
    """Texts of a two-state machine: the states are found, to the precision that their number allows."""
    rng = np.random.default_rng(0)
    texts = []
    for _ in range(150):
        state, text = 0, []
        for _ in range(40):
            text.append(int(rng.choice([3, 4, 5] if state == 0 else [6, 7, 8])))
            state = state if rng.random() < 0.9 else 1 - state
        texts.append(text)
    found = HmmSpec(states=2, restarts=3, iterations=200, tolerance=1e-6, prior=0.0).fit(ragged(*texts), VOCABULARY, ends=False)
    np.testing.assert_allclose(found.chain.transitions.diag(), [0.9, 0.9], atol=0.02)
    np.testing.assert_allclose(found.chain.emission.amax(1)[3:], 1 / 3, atol=0.03)


def test_blocks_of_tokens() -> None:
    """Every block has a token to emit; tokens of one state stand together, and none without an occurrence is counted."""
    emission = torch.zeros(V, 3, dtype=torch.float64)
    emission[[0, 2, 3, 4], 0], emission[5:, 1] = 0.25, 0.25
    small = Chain(torch.full((3,), 1 / 3).double(), (torch.full((3, 3), 1 / 3).double(),), emission, torch.zeros(V).long())
    block = blocks_of_tokens(small, np.array([5, -1, 4, 3, 2, 1, 1, 1, 1]))
    assert set(block.tolist()) == {0, 1, 2}
    assert set(block[5:].tolist()) == {1}
    assert block[[0, 2, 3, 4]].tolist() == [0, 2, 0, 2]
    with pytest.raises(UsageError, match="fewer blocks"):
        blocks_of_tokens(small, np.array([-1] * 7 + [2, 2]))


@pytest.mark.parametrize(("texts", "ends"), [(ragged(), True), (ragged([], []), False)])
def test_nothing_to_learn_from(texts: Ragged, ends: bool) -> None:
    """Texts without tokens are refused; empty ones that end are learned from."""
    with pytest.raises(DataError, match="no tokens"):
        HmmSpec(states=2).fit(texts, VOCABULARY, ends=ends)


def test_strange_texts() -> None:
    """A token outside the vocabulary is named; texts that are all empty teach their end; an impossible text is refused."""
    with pytest.raises(DataError, match="token 9"):
        HmmSpec(states=2).fit(ragged([3, 9]), VOCABULARY)
    model = HmmSpec(states=2, prior=0.0).fit(ragged([], [], []), VOCABULARY)
    assert model.logp(ragged([]))[0] == pytest.approx(0)
    of = chain()
    of.emission[5] = 0
    with pytest.raises(DataError, match="probability 0"):
        EM.run(of, packed(ragged([3, 5]), 2))
    with pytest.raises(DataError, match="held-out text has probability 0"):
        EM.run(of, packed(ragged([3, 3]), 2), packed(ragged([3, 5]), 2))


@pytest.mark.parametrize(
    ("keys", "said"),
    [
        ({"states": 0}, "states"), ({"prior": -1.0}, "prior"), ({"tolerance": float("nan")}, "tolerance"),
        ({"transitions": "sparse"}, "dense, low_rank, blocked"), ({"transitions": "blocked", "states": 10}, "16 blocks"),
        ({"dtype": "float16"}, "float64"), ({"transitions": "blocked", "device": "cuda"}, "low_rank"),
        ({"restarts": 0}, "restarts"), ({"iterations": 0}, "iterations"),
    ],
)  # fmt: skip
def test_wrong_keys(keys: dict[str, Any], said: str) -> None:
    """A value outside its domain is named, with what is wanted."""
    with pytest.raises(UsageError, match=said):
        HmmSpec(**keys)
