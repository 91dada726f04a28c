"""A language model with its tokenizer: its own special tokens, its files, its device."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
import torch

from lossworks import tokens
from lossworks.data import Ragged
from lossworks.inference import TextLanguage
from lossworks.models import LanguageModel, LanguageSpec, build_language
from lossworks.models.neural import NeuralModel, NeuralSpec
from lossworks.tokens import Tokenizer

TEXTS = ["a b a", "b c"]
NETWORK = "rnn:layers=1,dim=4"


def learned() -> Tokenizer:
    """Words of a few texts."""
    return tokens.build("words:min_count=1").learn([TEXTS])


def fitted(spec: LanguageSpec, tokenizer: Tokenizer) -> LanguageModel:
    """A model of the family; of networks one that was not trained."""
    if isinstance(spec, NeuralSpec):
        return NeuralModel(spec.network(tokenizer.vocabulary.size), tokenizer.vocabulary)
    return spec.fit(Ragged(*tokenizer.encode(TEXTS)), tokenizer.vocabulary)


def test_special_tokens_of_their_own() -> None:
    """Two models over one tokenizer object each have their own, and the tokenizer stays as it was."""
    tokenizer, spec = learned(), build_language("ngram:order=2")
    before, model = tokenizer.vocabulary, fitted(build_language("ngram:order=2"), tokenizer)
    first = TextLanguage(spec, tokenizer, model)
    other = fitted(spec, tokenizer)
    other.vocabulary = replace(before, end=before.start)
    second = TextLanguage(spec, tokenizer, other)
    assert tokenizer.vocabulary == before == first.tokenizer.vocabulary
    assert second.tokenizer.vocabulary.end == before.start


@pytest.mark.parametrize("name", ["ngram:order=2", "hmm:states=2,iterations=2", NETWORK])
def test_loaded_on_a_device(name: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """``load`` moves the model to the device that is named, and it says what it said before."""
    spec, tokenizer, moved = build_language(name), learned(), []
    made = TextLanguage(spec, tokenizer, fitted(spec, tokenizer))
    made.save(tmp_path)
    honest = type(made.model).to

    def to(self: LanguageModel, device: str) -> LanguageModel:
        moved.append(device)
        return honest(self, device)

    monkeypatch.setattr(type(made.model), "to", to)
    found = TextLanguage.load(tmp_path, "cpu")
    assert moved == ["cpu"]
    texts = found.encode(TEXTS)
    assert np.array_equal(found.model.logp(texts), made.model.logp(texts))


def test_weights_move() -> None:
    """A network's weights and a chain's tables go where they are told; counts, and chains in blocks, stay."""
    tokenizer = learned()
    network = fitted(build_language(NETWORK), tokenizer).to("meta")
    assert isinstance(network, NeuralModel)
    assert {weight.device.type for weight in network.network.parameters()} == {"meta"}
    chain = fitted(build_language("hmm:states=2,iterations=1"), tokenizer).to("meta")
    assert chain.chain.start.device.type == "meta"  # type: ignore[attr-defined]
    blocked = fitted(build_language("hmm:states=4,iterations=1,transitions=blocked,blocks=2"), tokenizer).to("meta")
    assert blocked.chain.start.device == torch.device("cpu")  # type: ignore[attr-defined]
    counts = fitted(build_language("ngram:order=2"), tokenizer)
    assert counts.to("meta") is counts
