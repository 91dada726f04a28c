"""Networks written as ONNX, run by onnxruntime."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch

import lossworks
from lossworks.core.errors import UsageError
from lossworks.inference import load_predictor
from lossworks.interop.onnx import export_onnx
from lossworks.models.neural import NeuralModel
from lossworks.tokens import Vocabulary
from models.neural.checks import V, made, tokens

onnxruntime = pytest.importorskip("onnxruntime")
pytest.importorskip("onnxscript")


def run(path: Path, **given: Any) -> tuple[Any, dict[str, Any]]:
    """What onnxruntime gives, and what the file says of itself."""
    session = onnxruntime.InferenceSession(path)
    facts = session.get_modelmeta().custom_metadata_map
    return session.run(None, given)[0], {name: json.loads(value) for name, value in facts.items() if name.startswith("lossworks")}


@pytest.mark.parametrize("name", ["window", "gru"])  # shared heads and a tied output layer; recurrence and one of its own
def test_language_model(name: str, tmp_path: Path) -> None:
    """Logits are ours, for any number of rows and any length up to the context; exporting leaves the model as it was."""
    model = NeuralModel(made(name), Vocabulary(V))
    before = {name: value.clone() for name, value in model.network.state_dict().items()}
    export_onnx(model, tmp_path / "model.onnx")
    assert model.network.state_dict().keys() == before.keys()
    assert all(torch.equal(value, before[name]) for name, value in model.network.state_dict().items())
    assert [path.name for path in tmp_path.iterdir()] == ["model.onnx"]
    for shape in ((1, 1), (2, 8), (3, 16), (1, 5)):
        ids = tokens(*shape)
        found, facts = run(tmp_path / "model.onnx", ids=ids.numpy())
        with torch.no_grad():
            wanted = model.network.logits(model.network.hidden(ids)).numpy()
        np.testing.assert_allclose(found, wanted, atol=3e-5, rtol=1e-5)
        assert facts == {"lossworks.start": 1, "lossworks.end": 2}


@pytest.mark.parametrize("spec", ["linear:bits=10", "bag:dim=8,hidden=4"])
def test_classifier(spec: str, tmp_path: Path) -> None:
    """Outputs of hashed features are ours, also for a text without any and for a single text; labels stand in the file."""
    rows = [("good fine nice", "a"), ("bad awful", "b"), ("great", "a"), ("poor thing", "b"), ("so so", "c")] * 6
    lossworks.fit(rows, model=spec, epochs=2, out=tmp_path / "run")
    predictor = load_predictor(tmp_path / "run")
    export_onnx(predictor, tmp_path / "model.onnx")
    for texts in (["good awful", "", "nice poor great", "zzz"], ["bad"], ["", "", "so"], [""]):
        selected = predictor.features.select(predictor.features.read(texts))
        batch = selected.batch(np.arange(len(texts)), torch.empty(0), torch.empty(0))
        given = {"ids": batch.ids.astype(np.int64), "offsets": batch.offsets, "values": batch.values}
        found, facts = run(tmp_path / "model.onnx", **given)
        with torch.no_grad():
            np.testing.assert_allclose(found, predictor.network(batch).numpy(), atol=1e-5, rtol=1e-5)
    assert facts["lossworks.labels"] == ["a", "b", "c"]
    assert facts["lossworks.task"] == "classify"
    np.testing.assert_allclose(facts["lossworks.temperature"], predictor.temperature)


ENCODERS = [
    "transformer_encoder:dim=16,heads=2,window=2,pooling=first,min_count=1",
    "rnn_encoder:dim=8,layers=2,cell=lstm,pooling=last,context=6,min_count=1",
]


@pytest.mark.parametrize("spec", ENCODERS)
def test_encoder(spec: str, tmp_path: Path) -> None:
    """Outputs of padded tokens are ours, for texts of any lengths, empty ones too; what they are padded by does not matter."""
    rows = [("good fine nice", "a"), ("bad awful", "b"), ("great", "a"), ("poor thing", "b"), ("so so", "c")] * 6
    lossworks.fit(rows, model=spec, epochs=2, out=tmp_path / "run")
    predictor = load_predictor(tmp_path / "run")
    export_onnx(predictor, tmp_path / "model.onnx")
    for texts in (["good awful", "", "nice poor great so bad bad thing fine", "zzz"], ["bad"], ["", "", "so"], [""]):
        selected = predictor.prepared(texts)
        batch = selected.batch(np.arange(len(texts)), torch.empty(0), torch.empty(0))
        ids = np.full((len(texts), selected.lengths.max()), len(predictor.features) - 1)
        for row, length in enumerate(selected.lengths):
            ids[row, :length] = batch.ids[batch.offsets[row] : batch.offsets[row + 1]]
        found, facts = run(tmp_path / "model.onnx", ids=ids, lengths=selected.lengths)
        with torch.no_grad():
            np.testing.assert_allclose(found, predictor.network(batch).numpy(), atol=1e-5, rtol=1e-5)
    assert (facts["lossworks.labels"], facts["lossworks.start"]) == (["a", "b", "c"], 1)


def test_missing_package(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Without the exporter's package it is said what to install."""
    monkeypatch.setitem(__import__("sys").modules, "onnxscript", None)
    with pytest.raises(UsageError, match=r"pip install 'lossworks\[onnx\]'"):
        export_onnx(NeuralModel(made("gru"), Vocabulary(V)), tmp_path / "model.onnx")
