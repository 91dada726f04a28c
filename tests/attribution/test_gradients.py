"""Integrated gradients of encoders."""

from __future__ import annotations

import copy
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch

from lossworks.api import Model
from lossworks.attribution import Explanation, quadrature
from lossworks.attribution.quantity import quantity
from lossworks.inference import NetworkPredictor

from .encoders import TASKS, TEXTS, encoder

SPECS = [
    "transformer_encoder:dim=16,heads=2,layers=2,min_count=1",
    "transformer_encoder:dim=16,heads=2,window=2,pooling=first,tokens=bytes",
    "rnn_encoder:dim=8,layers=2,cell=lstm,min_count=1",
    "rnn_encoder:dim=8,cell=gru,pooling=last,tokens=chars,min_count=1",
]
ASKED = [
    ("two", {}),
    ("two", {"quantity": "probability", "label": "no"}),
    ("three", {"quantity": "logit", "label": "c", "against": "a"}),
    ("three", {"quantity": "focal:gamma=2", "label": "b"}),
    ("sets", {"quantity": "surprisal", "label": "y"}),
    ("numbers", {}),
    ("numbers", {"quantity": "mse", "label": 7.5}),
]


def path(model: Model, texts: list[str], **asked: Any) -> list[Explanation]:
    """Explanations by integrated gradients."""
    return model.explain(texts, method="integrated_gradients", trial=False, **asked)


def read(model: Model, text: str, *, silent: bool = False) -> tuple[torch.Tensor, slice]:
    """The tokens of a text, or as many that say nothing between its marks; and where its own stand."""
    assert isinstance(model.predictor, NetworkPredictor)
    features: Any = model.predictor.features
    found, marks = model.predictor.prepared([text]), features.marks()
    ids = torch.from_numpy(found.ids[: found.lengths[0]].astype(np.int64))
    own = slice(len(marks.before), len(ids) - len(marks.after))
    ids[own] = features.silent() if silent else ids[own]
    return ids, own


def asked_of(model: Model, ids: torch.Tensor, **asked: Any) -> float:
    """The quantity of a row of tokens, by the formulas of its own."""
    network, predictor = model.predictor.network, model.predictor  # type: ignore[attr-defined]
    with torch.no_grad():
        outputs = network.outputs(ids[None], torch.tensor([len(ids)])).numpy()
    scores = predictor.task.readable(outputs).astype(np.float64) / predictor.temperature
    name = asked.pop("quantity", None)
    answer = int(scores[0].argmax()) if predictor.task.has_probabilities else float(scores[0])
    return float(quantity(predictor.task, name, answer, **asked).values(scores)[0])


@pytest.mark.parametrize(("task", "asked"), ASKED)
@pytest.mark.parametrize("spec", SPECS)
def test_complete(spec: str, task: str, asked: dict[str, Any]) -> None:
    """Shares sum to the quantity less that of tokens that say nothing, whatever the quantity is."""
    model = encoder(spec, TASKS[task], temperature=1.7 if task != "numbers" else 1.0)
    asked = {"label": TASKS["two"].labels[1]} if task == "two" and not asked else asked
    for text, found in zip(TEXTS, path(model, TEXTS, **asked), strict=True):
        assert found.value == pytest.approx(asked_of(model, read(model, text)[0], **asked), rel=1e-4, abs=1e-5)
        assert found.baseline == pytest.approx(asked_of(model, read(model, text, silent=True)[0], **asked), rel=1e-4, abs=1e-5)
        assert abs(found.residual) <= 1e-4 * abs(found.value - found.baseline)
        assert len(found.notes) == 1
        assert found.shares.any()


def by_hand(model: Model, text: str, points: int) -> np.ndarray:
    """Shares of the tokens in the log-odds: midpoints of short steps, in float64, each token of each in a table of its own."""
    network: Any = copy.deepcopy(model.predictor.network).double()  # type: ignore[attr-defined]
    (ids, own), (silent, _) = read(model, text), read(model, text, silent=True)
    begin, end = network.table.weight[silent].detach(), network.table.weight[ids].detach()
    t = (torch.arange(points, dtype=torch.float64) + 0.5)[:, None, None] / points
    table = torch.nn.Parameter((begin + t * (end - begin)).flatten(0, 1))
    network.table.weight = table
    outputs = network.outputs(torch.arange(len(table)).view(points, -1), torch.full((points,), len(ids)))
    (slopes,) = torch.autograd.grad(outputs.sum(), table)
    shares = (slopes.view(points, len(ids), -1) * (end - begin)).sum(-1).mean(0)
    return np.asarray(shares[own].numpy())


@pytest.mark.parametrize("spec", SPECS[::2])
def test_fine_integral(spec: str) -> None:
    """Every single share is that of a fine integral."""
    model, text = encoder(spec), "a lovely film , awful"
    wanted = by_hand(model, text, 1000)
    (found,) = path(model, [text], label="yes")
    np.testing.assert_allclose(found.shares, wanted, atol=1e-4 * np.abs(wanted).max())


def test_together_and_alone() -> None:
    """Texts explained together get the shares that each gets alone; by character they add up to those by word."""
    model = encoder(SPECS[1])
    for text, one, characters in zip(TEXTS, path(model, TEXTS), path(model, TEXTS, by="char"), strict=True):
        (alone,) = path(model, [text])
        np.testing.assert_allclose(one.shares, alone.shares, atol=1e-4)
        inside = [(characters.spans[:, 0] >= first) & (characters.spans[:, 1] <= last) for first, last in one.spans]
        np.testing.assert_allclose(one.shares, [characters.shares[some].sum() for some in inside], atol=1e-4)


def test_parts_of_a_token() -> None:
    """A token that several parts share is divided by their characters."""
    model = encoder("rnn_encoder:dim=8,min_count=1")
    (tokens,), (words,) = path(model, ["film,awful a"], by="token"), path(model, ["film,awful a"])
    assert (tokens.parts, words.parts) == (["film,awful", "a"], ["film", ",", "awful", "a"])
    np.testing.assert_allclose(words.shares[:3], tokens.shares[0] * np.array([0.4, 0.1, 0.5]), atol=1e-6)


def test_no_parts() -> None:
    """An empty text, and one of white space, say as much as nothing."""
    for found in path(encoder(SPECS[1]), ["", " \n"]):
        assert found.shares.size == 0
        assert found.residual == found.value - found.baseline == 0


def test_a_rough_path(monkeypatch: pytest.MonkeyPatch) -> None:
    """Where the shares leave too much over, the notes say how much."""
    monkeypatch.setattr(quadrature, "_HALVINGS", 1)
    (found,) = path(encoder("transformer_encoder:dim=16,heads=2,layers=2,min_count=1", scale=12.0), TEXTS[:1])
    assert abs(found.residual) > 1e-4 * abs(found.value - found.baseline)
    assert f"leave over {abs(found.residual):.2g}" in found.notes[1]


@pytest.mark.parametrize("kind", ["bert", "roberta", "distilbert", "gpt2"])
def test_pretrained(kind: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Models of transformers, between the marks of their tokenizers; a classifier of GPT-2 finds the end of its text."""
    pytest.importorskip("transformers")
    monkeypatch.setattr("huggingface_hub.constants.HF_HUB_OFFLINE", True)
    from models.hf import hf_files

    model = encoder(f"hf_classifier:{hf_files.KINDS[kind](tmp_path / kind)}", scale=1.0)
    network: Any = model.predictor.network  # type: ignore[attr-defined]
    with torch.no_grad():
        network.head.weight.mul_(30)
    for text, found in zip(TEXTS[:2], path(model, TEXTS[:2], label="yes"), strict=True):
        assert found.value == pytest.approx(asked_of(model, read(model, text)[0], label="yes"), abs=1e-4)
        if kind != "gpt2":  # its pooling would take tokens that say nothing for padding
            assert found.baseline == pytest.approx(asked_of(model, read(model, text, silent=True)[0], label="yes"), abs=1e-4)
        assert abs(found.residual) <= 1e-4 * abs(found.value - found.baseline)
        assert found.shares.any()
