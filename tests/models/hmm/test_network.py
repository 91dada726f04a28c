"""The chain as a network: its gradient is what EM counts, and any optimiser trains it."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest
import torch

from lossworks.data import Ragged, TokenRows
from lossworks.models.hmm import Chain, HmmModel, HmmNetwork, HmmSpec
from lossworks.models.hmm.expectation import expectations
from lossworks.tokens import Vocabulary
from lossworks.training import train_sequences
from models.hmm.cases import KINDS, VOCABULARY, chain, packed, random_texts

LENGTHS = [7, 1, 12, 4, 4]
TEXTS = random_texts(LENGTHS)


def rows(texts: Ragged) -> tuple[torch.Tensor, torch.Tensor]:
    """Texts without ends as padded rows."""
    lengths = np.diff(texts.offsets)
    ids = np.full((len(lengths), lengths.max()), 8)
    for number, text in enumerate(np.split(texts.ids, texts.offsets[1:-1])):
        ids[number, : len(text)] = text
    return TokenRows.of(torch.from_numpy(ids), torch.from_numpy(lengths), VOCABULARY.start)


@pytest.mark.parametrize("kind", KINDS)
def test_the_same_model(kind: str) -> None:
    """The network's scores are the model's, position by position, and its chain is the one it began with."""
    model = HmmModel(chain(kind), VOCABULARY, ends=False)
    network = model.network()
    scores = network.scores(rows(TEXTS))
    np.testing.assert_allclose(scores.logp.detach(), model.logp(TEXTS), atol=1e-12)
    assert scores.target.tolist() == model.targets(TEXTS).tolist()
    words = [token for token in range(9) if token != VOCABULARY.start]
    np.testing.assert_allclose(scores.logits.detach()[:, words], model.distributions(TEXTS)[:, words], atol=1e-12)
    assert (scores.logits[:, VOCABULARY.start] < -700).all()
    for a, b in zip(network.model().chain.tables(), model.chain.tables(), strict=True):
        np.testing.assert_allclose(a, b, atol=1e-14)


@pytest.mark.parametrize("kind", KINDS)
def test_gradient_is_what_em_counts(kind: str) -> None:
    """∂ log p / ∂ log-weights = expected counts - their row's sum times the probabilities (Salakhutdinov et al. 2003)."""
    of = chain(kind, seed=2)
    network = HmmNetwork(of, VOCABULARY, ends=False)
    network.scores(rows(TEXTS)).logp.sum().backward()
    counts = expectations(of, packed(TEXTS), 10**6)
    assert network.start.grad is not None
    np.testing.assert_allclose(network.start.grad, counts.start - counts.start.sum() * of.start, atol=1e-12)
    for weight, count, factor in zip(network.factors, counts.factors, of.factors, strict=True):
        np.testing.assert_allclose(weight.grad, count - count.sum(1, keepdim=True) * factor, atol=1e-12)
    emitted = Chain(of.start, of.factors, counts.emission, of.block).emissions().T
    np.testing.assert_allclose(network.emission.grad, emitted - emitted.sum(1, keepdim=True) * of.emissions().T, atol=1e-12)


@pytest.mark.parametrize("kind", KINDS)
def test_padding_says_nothing(kind: str) -> None:
    """Other tokens in the padding, other texts beside it: a row's scores stay."""
    network = HmmNetwork(chain(kind), VOCABULARY)
    whole = rows(TEXTS)
    ids, lengths = whole.ids, whole.lengths
    found = network.scores(whole).logp
    assert torch.equal(found, network.scores(replace(whole, ids=torch.where(whole.inside, ids, 3))).logp)
    parts = [(ids[row : row + 1, :size], lengths[row : row + 1]) for row, size in enumerate(LENGTHS)]
    alone = [network.scores(TokenRows.of(*part, VOCABULARY.start)).logp for part in parts]
    np.testing.assert_allclose(found.detach(), torch.cat(alone).detach(), atol=1e-13)


def test_gradients_reach_what_em_reaches() -> None:
    """On texts with something to learn, Adam ends about where Baum–Welch does, by held-out likelihood."""
    words = ["the"] * 5 + ["cat", "dog", "sat", "on"] * 2 + ["mat", "log", "and", "while", "a", "ran", "to"]
    rng = np.random.default_rng(1)
    letters = {letter: 3 + number for number, letter in enumerate(sorted(set("".join(words)) | {" "}))}
    vocabulary = Vocabulary(3 + len(letters))

    def texts(count: int) -> Ragged:
        lines = [" ".join(rng.choice(words, 6)) for _ in range(count)]
        return Ragged(
            np.array([letters[letter] for line in lines for letter in line], np.uint32), np.cumsum([0, *map(len, lines)])
        )

    train, valid = texts(150), texts(40)
    spec = HmmSpec(states=12, iterations=60, tolerance=1e-4)
    start = -spec.sequence_network(train, vocabulary).model().logp(valid).mean()
    em = -spec.fit(train, vocabulary, valid=valid).logp(valid).mean()
    network = spec.sequence_network(train, vocabulary)
    settings = {"optimizer": "adam:lr=0.2", "epochs": 12, "batch_tokens": 500}
    progress = train_sequences(network, train, vocabulary, valid=valid, **settings)  # type: ignore[arg-type]
    by_gradients = -network.model().logp(valid).mean()
    assert by_gradients == pytest.approx(progress.best, rel=1e-9)
    assert em < start - 0.5
    assert by_gradients < em + 0.15


@pytest.mark.parametrize("kind", KINDS)
def test_goes_on_from_em(kind: str) -> None:
    """A network made of a trained model begins with its likelihood, zeros and all, and gains on it."""
    spec = HmmSpec(states=4, transitions=kind, rank=2, blocks=2, iterations=4, prior=0.0)
    model = spec.fit(TEXTS, VOCABULARY)
    network = model.network()
    train_sequences(network, TEXTS, VOCABULARY, optimizer="adam:lr=0.03", epochs=25)
    assert network.model().logp(TEXTS).sum() > model.logp(TEXTS).sum() + 0.5
    assert (network.model().chain.emission[VOCABULARY.start] == 0).all()
