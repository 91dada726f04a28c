"""A network as a language model."""

from __future__ import annotations

import json
from pathlib import Path

import numpy as np
import pytest
import torch
from safetensors import safe_open
from safetensors.torch import load_file, save_file

from lossworks import losses
from lossworks.core.errors import RecordError
from lossworks.data import Ragged, TokenRows
from lossworks.models.neural import CausalLM, NeuralModel, load_model, weights
from lossworks.models.neural import windows as windows_module
from lossworks.models.transformer import TransformerSpec
from lossworks.scores import Dense, Fused
from lossworks.tokens import Vocabulary
from models.neural import checks
from models.neural.checks import SPECS, V, made, texts


def model(name: str, *, ends: bool = True) -> NeuralModel:
    """A model with lively weights."""
    return NeuralModel(made(name), Vocabulary(V), ends=ends)


@pytest.mark.parametrize("name", SPECS)
@pytest.mark.parametrize("ends", [True, False])
def test_probabilities(name: str, ends: bool) -> None:
    """Every position has a distribution that sums to 1, and ``logp`` is what it gives to what stands there."""
    given, found = texts(), model(name, ends=ends)
    targets, rows = found.targets(given), found.distributions(given)
    assert rows.shape == (len(given.ids) + (len(given) if ends else 0), V)
    np.testing.assert_allclose(np.exp(rows).sum(1), 1, rtol=1e-12)
    np.testing.assert_allclose(found.logp(given), rows[np.arange(len(rows)), targets], atol=2e-6)
    entropy = losses.build("cross_entropy")(found.scores(given)).numpy()  # type: ignore[operator]
    np.testing.assert_allclose(entropy, -found.logp(given), atol=2e-6)


@pytest.mark.parametrize("name", SPECS)
def test_generation(name: str) -> None:
    """Token by token the model says what it says of whole texts."""
    checks.check_generation(made(name))


@pytest.mark.parametrize("name", SPECS)
def test_batches(name: str, monkeypatch: pytest.MonkeyPatch) -> None:
    """How many texts are read at once makes no difference; every batch holds its size or one text."""
    given, found = texts(), model(name)
    wanted = found.logp(given)
    monkeypatch.setattr(windows_module, "_BATCH", 20)
    for reading in windows_module.readings(given, 1, True, found.network.context):
        assert reading.ids.numel() <= 20 or len(reading.ids) == 1
    np.testing.assert_allclose(found.logp(given), wanted, atol=1e-5, rtol=1e-5)


def test_long_recurrence(monkeypatch: pytest.MonkeyPatch) -> None:
    """A long text's state is carried from part to part."""
    given, found = texts(), model("lstm")
    wanted = found.distributions(given)
    monkeypatch.setattr("lossworks.models.rnn.model._PASS", 7)
    np.testing.assert_allclose(found.distributions(given), wanted, atol=1e-5, rtol=1e-5)


def test_windows() -> None:
    """Beyond the context, windows begin half a context apart; each position is scored once, from half a context at least."""
    given = Ragged(np.arange(3, 43).astype(np.uint32), np.array([0, 0, 40]))
    seen: list[int] = []
    for reading in windows_module.readings(given, 1, True, 16):
        flat = reading.ids.flatten()
        for place, position in zip(reading.scored.tolist(), reading.positions.tolist(), strict=True):
            before = place % reading.ids.shape[1]
            assert before >= min(position - 1, 8) or position == 0
            if position:  # the empty text's end is position 0; then what precedes position p is token p - 2, or the start
                assert int(flat[place]) == (1 if position == 1 else given.ids[position - 2])
            seen.append(position)
    assert sorted(seen) == list(range(42))


def test_no_texts() -> None:
    """Of nothing, nothing is said."""
    nothing = Ragged(np.zeros(0, np.uint32), np.zeros(1, np.int64))
    assert model("lstm").logp(nothing).shape == (0,)
    assert model("transformer").distributions(nothing).shape == (0, V)
    empty = Ragged(np.zeros(0, np.uint32), np.zeros(3, np.int64))
    assert model("transformer", ends=False).logp(empty).shape == (0,)
    assert model("transformer").logp(empty).shape == (2,)


@pytest.mark.parametrize("name", SPECS)
def test_saved(name: str, tmp_path: Path) -> None:
    """What was saved is loaded: the same spec, marks and bits; shared weights stand in the file once."""
    before = NeuralModel(made(name), Vocabulary(V, None, 4, 5), ends=False)
    before.save(tmp_path)
    after = load_model(tmp_path)
    assert after.vocabulary == before.vocabulary
    assert after.network.spec == SPECS[name]
    assert not after.ends
    assert not after.network.training
    assert np.array_equal(after.logp(texts()), before.logp(texts()))
    size = sum(tensor.numel() for tensor in load_file(tmp_path / "model.safetensors").values())
    assert size == SPECS[name].parameters(V)  # type: ignore[attr-defined]


def test_earlier_names(tmp_path: Path) -> None:
    """A file whose weights are named as in earlier versions is loaded: the same bits."""
    before, path = model("transformer"), tmp_path / "model.safetensors"
    before.save(tmp_path)
    with safe_open(path, "pt") as file:
        notes = file.metadata()
    tensors = {name.replace("o_proj", "merge"): tensor.clone() for name, tensor in load_file(path).items()}
    assert "body.blocks.1.merge.weight" in tensors
    save_file(tensors, path, {"format": "pt", **notes})
    assert np.array_equal(load_model(tmp_path).logp(texts()), before.logp(texts()))


@pytest.mark.parametrize("value", [np.nan, np.inf])
def test_not_finite(value: float, tmp_path: Path) -> None:
    """Weights that are not finite are refused, by the names of file and tensor."""
    found = model("lstm")
    with torch.no_grad():
        found.network.head.bias[3] = value  # type: ignore[union-attr, operator, index]
    found.save(tmp_path)
    with pytest.raises(RecordError, match=r"model\.safetensors: head\.bias holds values that are not finite"):
        load_model(tmp_path)


def test_same_bytes(tmp_path: Path) -> None:
    """The head of a file has one entry, so that the same model is the same bytes in every process."""
    found = model("gru")
    found.save(tmp_path)
    with safe_open(tmp_path / "model.safetensors", "pt") as file:
        assert list(file.metadata()) == ["lossworks"]
    first = (tmp_path / "model.safetensors").read_bytes()
    load_model(tmp_path).save(tmp_path)
    assert (tmp_path / "model.safetensors").read_bytes() == first


def test_read_once(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """A load reads the file of weights once."""
    model("lstm").save(tmp_path)
    read, honest = [], weights.safe_open
    monkeypatch.setattr(weights, "safe_open", lambda path, framework: read.append(path) or honest(path, framework))
    load_model(tmp_path)
    assert read == [tmp_path / "model.safetensors"]


def test_damaged(tmp_path: Path) -> None:
    """Damaged or unfitting files are a RecordError that names the place, whatever is wrong with them."""
    model("transformer").save(tmp_path)
    path = tmp_path / "model.safetensors"
    tensors = {name: tensor.clone() for name, tensor in load_file(path).items()}  # not mapped from the file
    with safe_open(path, "pt") as file:
        good = json.loads(file.metadata()["lossworks"])
    content = path.read_bytes()
    wrong = [
        {"format": 9},
        {"model": "bag"},
        {"model": "ngram"},
        {"model": good["model"] + ",ffn=96"},
        {"model": good["model"] + ",theta=wide"},
        {"model": good["model"] + ",colour=1"},
        {"model": None},
        {"vocabulary": {"size": V + 1}},
        {"vocabulary": {"size": -1}},
        {"vocabulary": 5},
    ]
    for notes in (*(json.dumps(good | change) for change in wrong), "", "[]", "{", "null"):
        save_file(tensors, path, {"lossworks": notes})
        with pytest.raises(RecordError, match=str(path)):
            load_model(tmp_path)
    name = next(iter(tensors))
    for other in ({**tensors, "more": torch.ones(1)}, {**tensors, name: torch.ones(2)}, {**tensors, name: tensors[name].int()}):
        save_file(other, path, {"lossworks": json.dumps(good)})
        with pytest.raises(RecordError, match=str(path)):
            load_model(tmp_path)
    save_file(tensors, path)
    with pytest.raises(RecordError, match="no model of this version"):
        load_model(tmp_path)
    for damaged in (b"", content[:50], content[:-8], b"\xff" * 100):
        path.write_bytes(damaged)
        with pytest.raises(RecordError, match=r"damaged"):
            load_model(tmp_path)
    path.unlink()
    with pytest.raises(RecordError, match="missing"):
        load_model(tmp_path)


def test_loaded_as(tmp_path: Path) -> None:
    """A caller that knows the spec gets that one, or is told what is there."""
    before = model("lstm")
    before.save(tmp_path)
    assert np.array_equal(SPECS["lstm"].load(tmp_path, Vocabulary(V)).logp(texts()), before.logp(texts()))
    for spec, vocabulary, ends in (
        (SPECS["gru"], Vocabulary(V), True),
        (SPECS["lstm"], Vocabulary(V, None), True),
        (SPECS["lstm"], Vocabulary(V), False),
    ):
        with pytest.raises(RecordError, match="holds RnnSpec"):
            spec.load(tmp_path, vocabulary, ends=ends)


@pytest.mark.parametrize("name", SPECS)
def test_predicting(name: str, monkeypatch: pytest.MonkeyPatch) -> None:
    """What training is given of a padded batch is what the model says of the texts, on whole logits and on fused ones."""
    found = model(name)
    given = Ragged(np.arange(3, 15).astype(np.uint32), np.array([0, 5, 6, 12]))
    lengths = torch.tensor([6, 2, 7])
    ids = torch.full((3, 7), 9)
    for row in range(3):
        ids[row, : lengths[row]] = torch.tensor([*given.ids[given.offsets[row] : given.offsets[row + 1]].tolist(), 2])
    network = CausalLM(found.network, Vocabulary(V))
    for few, kind in ((1 << 20, Dense), (0, Fused)):
        monkeypatch.setattr("lossworks.models.neural.causal_lm._FEW", few)
        scores = network.scores(TokenRows.of(ids, lengths, 1))
        assert isinstance(scores, kind)
        assert torch.equal(scores.target, torch.from_numpy(found.targets(given)))
        np.testing.assert_allclose(scores.logp.detach().numpy(), found.logp(given), atol=1e-5, rtol=1e-5)


def test_learns() -> None:
    """A few steps on a text that repeats itself, and the model knows it by heart."""
    ids = torch.arange(3, 11).repeat(4)[None]
    network = CausalLM(TransformerSpec(layers=1, heads=2, dim=16, context=40).network(V), Vocabulary(V))
    optimizer = torch.optim.Adam(network.parameters(), 0.01)
    for _ in range(80):
        optimizer.zero_grad()
        loss = -network.scores(TokenRows.of(ids, torch.tensor([32]), 1)).logp.mean()
        loss.backward()
        optimizer.step()
    assert loss.item() < 0.1
