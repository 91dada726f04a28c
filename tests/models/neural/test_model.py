"""A network as a model of language."""

from __future__ import annotations

import json
from pathlib import Path

import numpy as np
import pytest
import torch
from safetensors.torch import load_file, save_file

from lossworks import losses
from lossworks.batches import Ragged
from lossworks.core.errors import RecordError
from lossworks.models.neural import NeuralModel, load_model
from lossworks.models.neural import windows as windows_module
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
    monkeypatch.setattr("lossworks.models.neural.rnn._PASS", 7)
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


def test_damaged(tmp_path: Path) -> None:
    """Damaged or unfitting files are a RecordError that names the place, whatever is wrong with them."""
    model("transformer").save(tmp_path)
    config = tmp_path / "config.json"
    weights = tmp_path / "model.safetensors"
    good = json.loads(config.read_text("utf-8"))
    tensors = {name: tensor.clone() for name, tensor in load_file(weights).items()}  # not mapped from the file
    wrong = [
        {"format": 9},
        {"model": "bag"},
        {"spec": {**good["spec"], "layers": 3}},
        {"spec": {**good["spec"], "dim": "wide"}},
        {"spec": {**good["spec"], "colour": 1}},
        {"spec": None},
        {"vocabulary": {"size": V + 1}},
        {"vocabulary": {"size": -1}},
        {"vocabulary": 5},
    ]
    for change in wrong:
        config.write_text(json.dumps(good | change), "utf-8")
        with pytest.raises(RecordError, match=str(tmp_path)):
            load_model(tmp_path)
    for text in ("", "[]", '{"format": 1', "null"):
        config.write_text(text, "utf-8")
        with pytest.raises(RecordError, match=str(tmp_path)):
            load_model(tmp_path)
    config.write_text(json.dumps(good), "utf-8")
    content = weights.read_bytes()
    for damaged in (b"", content[:50], content[:-8], b"\xff" * 100):
        weights.write_bytes(damaged)
        with pytest.raises(RecordError, match=r"damaged"):
            load_model(tmp_path)
    name = next(iter(tensors))
    for other in ({**tensors, "more": torch.ones(1)}, {**tensors, name: torch.ones(2)}, {**tensors, name: tensors[name].int()}):
        save_file(other, weights)
        with pytest.raises(RecordError, match=str(tmp_path)):
            load_model(tmp_path)
    weights.unlink()
    with pytest.raises(RecordError, match="missing"):
        load_model(tmp_path)
