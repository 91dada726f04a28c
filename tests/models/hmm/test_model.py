"""What every language model owes, and the file."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
import torch
from safetensors.torch import load_file, save_file

from lossworks.core.errors import RecordError, UsageError
from lossworks.losses import build as loss_of
from lossworks.models import LanguageSpec, models
from lossworks.models.hmm import HmmModel, HmmSpec, load_model
from lossworks.tokens import Vocabulary
from models.hmm.cases import KINDS, VOCABULARY, V, chain, ragged, random_texts, tables

TEXTS = random_texts([6, 0, 11, 1, 3])


@pytest.mark.parametrize("kind", KINDS)
@pytest.mark.parametrize("ends", [True, False])
@pytest.mark.parametrize("dtype", [torch.float64, torch.float32])
def test_three_ways_to_ask(kind: str, ends: bool, dtype: torch.dtype) -> None:
    """Whole texts, whole distributions, and token by token: one probability, of distributions that sum to 1."""
    model = HmmModel(chain(kind).to(dtype=dtype), VOCABULARY, ends=ends)
    targets, logp, every = model.targets(TEXTS), model.logp(TEXTS), model.distributions(TEXTS)
    close = 1e-12 if dtype == torch.float64 else 1e-5
    assert logp.dtype == every.dtype == np.float64
    assert every.shape == (21 + 5 * ends, V)
    np.testing.assert_allclose(np.exp(every).sum(1), 1, atol=close)
    assert (every[:, VOCABULARY.start] == -np.inf).all()
    np.testing.assert_allclose(every[np.arange(len(targets)), targets], logp, atol=close)
    position = 0
    for text in np.split(TEXTS.ids, TEXTS.offsets[1:-1]):
        state = model.start()
        for token in [*text.tolist(), *([VOCABULARY.end] if ends else [])]:
            np.testing.assert_allclose(model.next(state), every[position], atol=close)
            kept = state.copy()
            state, position = model.advance(before := state, token), position + 1
            assert np.array_equal(before, kept)


@pytest.mark.parametrize("kind", KINDS)
def test_the_future_does_not_matter(kind: str) -> None:
    """What follows changes no probability before it; it changes posteriors."""
    model = HmmModel(chain(kind), VOCABULARY)
    one, other = ragged([3, 4, 5, 6, 7]), ragged([3, 4, 5, 8, 8])
    assert np.array_equal(model.logp(one)[:3], model.logp(other)[:3])
    assert np.array_equal(model.distributions(one)[:4], model.distributions(other)[:4])
    assert not np.allclose(model.posteriors(one)[:3], model.posteriors(other)[:3])


@pytest.mark.parametrize("kind", KINDS)
def test_no_texts(kind: str) -> None:
    """Nothing in, nothing out."""
    model = HmmModel(chain(kind), VOCABULARY)
    assert model.logp(ragged()).shape == model.viterbi(ragged()).shape == (0,)
    assert model.distributions(ragged()).shape == (0, V)
    assert model.posteriors(ragged()).shape == (0, 4)


@pytest.mark.parametrize("kind", KINDS)
def test_impossible_tokens(kind: str) -> None:
    """A token that is never emitted has probability 0; what follows it is predicted as if it had not been seen."""
    model = HmmModel(chain(kind), VOCABULARY)
    text = [3, 4, VOCABULARY.start, 5, 6]
    found, every = model.logp(ragged(text)), model.distributions(ragged(text))
    assert np.flatnonzero(np.isneginf(found)).tolist() == [2]
    state = model.start()
    for position, token in enumerate([*text, 2]):
        np.testing.assert_allclose(model.next(state), every[position], atol=1e-12)
        np.testing.assert_allclose(model.next(state)[token], found[position], atol=1e-12)
        state = model.advance(state, token)
    gamma = model.posteriors(ragged(text))
    np.testing.assert_allclose(gamma.sum(1), 1, atol=1e-12)
    if kind != "blocked":  # where the token still tells its block
        unseen = HmmModel(chain(kind), VOCABULARY)
        unseen.chain.emission[VOCABULARY.start] = 1
        np.testing.assert_allclose(gamma, unseen.posteriors(ragged(text)), atol=1e-12)


@pytest.mark.parametrize("kind", KINDS)
def test_scores_serve_any_loss(kind: str) -> None:
    """The predictive distributions are scores: cross-entropy is -log p, and other losses read the rest."""
    model = HmmModel(chain(kind), VOCABULARY)
    scores = model.scores(TEXTS)
    np.testing.assert_allclose(loss_of("cross_entropy").values(scores), -model.logp(TEXTS), atol=1e-12)  # type: ignore[attr-defined]
    for spec in ("focal", "mse", "generalized_cross_entropy", "entropy"):
        assert torch.isfinite(loss_of(spec).values(scores)).all()  # type: ignore[attr-defined]


def test_top_tokens() -> None:
    """Each state's tokens, the most probable first."""
    of = tables([0.5, 0.5], [[0.7, 0.3], [0.3, 0.7]], [[0.1, 0.6, 0.3], [0.5, 0.2, 0.3]])
    assert HmmModel(of, Vocabulary(3)).top_tokens(2).tolist() == [[1, 2], [0, 2]]
    assert HmmModel(chain("blocked"), VOCABULARY).top_tokens(99).shape == (4, V)


def test_long_run() -> None:
    """The distribution that the transitions leave as it is, also of states that take turns."""
    of = tables([1, 0], [[0.0, 1.0], [1.0, 0.0]], [[1.0], [1.0]])
    np.testing.assert_allclose(of.occupancy(), [0.5, 0.5], atol=1e-12)
    many = chain(states=7)
    np.testing.assert_allclose(many.occupancy() @ many.transitions, many.occupancy(), atol=1e-12)


@pytest.mark.parametrize("kind", KINDS)
@pytest.mark.parametrize("dtype", ["float64", "float32"])
def test_saved_and_loaded(kind: str, dtype: str, tmp_path: Path) -> None:
    """The file gives back the same bits."""
    spec = HmmSpec(states=4, transitions=kind, rank=2, blocks=2, iterations=3, dtype=dtype)
    model = spec.fit(TEXTS, VOCABULARY)
    model.save(tmp_path)
    loaded = spec.load(tmp_path, VOCABULARY)
    assert [path.name for path in tmp_path.iterdir()] == ["model.safetensors"]
    assert model.distributions(TEXTS).tobytes() == loaded.distributions(TEXTS).tobytes()
    assert model.viterbi(TEXTS).tolist() == loaded.viterbi(TEXTS).tolist()


def test_damaged_files(tmp_path: Path) -> None:
    """A missing, cut or altered file is refused, and so is one of another vocabulary or another number of states."""
    with pytest.raises(RecordError, match="missing"):
        load_model(tmp_path, VOCABULARY)
    HmmModel(chain("blocked"), VOCABULARY).save(tmp_path)
    path = tmp_path / "model.safetensors"
    whole, tensors = path.read_bytes(), load_file(path)
    with pytest.raises(RecordError, match="vocabulary has 10"):
        load_model(tmp_path, Vocabulary(10))
    with pytest.raises(RecordError, match="4 states, not of 64"):
        HmmSpec().load(tmp_path, VOCABULARY)
    path.write_bytes(whole[: len(whole) // 2])
    with pytest.raises(RecordError, match="damaged"):
        load_model(tmp_path, VOCABULARY)
    altered = {
        "start": tensors["start"] * 2, "factor.0": tensors["factor.0"][:3], "emission": -tensors["emission"],
        "block": tensors["block"] + 1,
    }  # fmt: skip
    for name, value in altered.items():
        save_file(tensors | {name: value}, path)
        with pytest.raises(RecordError, match="damaged"):
            load_model(tmp_path, VOCABULARY)
    for name in tensors:
        save_file({other: tensor for other, tensor in tensors.items() if other != name}, path)
        with pytest.raises(RecordError, match="damaged"):
            load_model(tmp_path, VOCABULARY)


def test_registered() -> None:
    """The name, its source, and a spec in the command's spelling."""
    assert issubclass(models["hmm"].thing, LanguageSpec)
    assert "Rabiner" in models["hmm"].source
    spec = models.build("hmm:states=32,transitions=low_rank,rank=8")
    assert spec == HmmSpec(states=32, transitions="low_rank", rank=8)
    assert models.build(models.render(spec)) == spec
    with pytest.raises(UsageError, match="state"):
        models.build("hmm:state=3")
