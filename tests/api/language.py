"""Models of language to use, small ones of every family."""

from __future__ import annotations

from typing import Any

import lossworks
from lossworks import tokens
from lossworks.api import Language
from lossworks.inference import TextLanguage
from lossworks.models.neural import NeuralModel
from lossworks.models.transformer import TransformerSpec
from models.neural.checks import lively

LINES = [f"the {('cat', 'dog')[i % 2]} {i} sat on a mat, é电 {('purred', 'barked')[i % 2]}" for i in range(120)]


def fitted(model: str = "ngram:order=3", spelled: str = "chars", data: Any = None, **choices: Any) -> Language:
    """What is learnt from a few lines."""
    found = lossworks.fit(LINES if data is None else data, task="lm", model=model, tokenizer=spelled, **choices)
    assert isinstance(found, Language)
    return found


def neural(context: int = 16, texts: str = "line", ends: bool = True) -> Language:
    """A network that nobody trained, with large weights, over the characters of those lines."""
    tokenizer = tokens.build("chars").learn([LINES])
    spec = TransformerSpec(layers=2, heads=2, dim=16, context=context)
    network = spec.network(tokenizer.vocabulary.size)
    lively(network)
    model = NeuralModel(network.eval(), tokenizer.vocabulary, ends=ends)
    record = {"config": {"model": "transformer", "tokenizer": "chars", "document_unit": texts, "seed": 0}}
    return Language(TextLanguage(spec, tokenizer, model), None, record)  # type: ignore[arg-type]
