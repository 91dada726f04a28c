"""Language models of different tokens, mixed text by text: a mixture of whole texts' probabilities needs no tokens in common."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from contextlib import closing
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray
from scipy.special import logsumexp

from ..core.errors import UsageError
from ..data import ReadOptions, load
from ..fusion.judging import Units
from ..inference import text_logp
from ..models.pool.weights import mixture
from .fit import Source
from .held import several
from .language import Language
from .loading import load_language
from .scored import BIT
from .soup import measured, source_row

_AT_ONCE = 4096  # texts
_FEWEST = 20  # texts that weights are found on


@dataclass(slots=True)
class WholeTexts:
    """p(text) = Σ w p_s(text), over language models of any tokens. It scores whole texts, and has no next token.

    facts: as of ``Fused``, in bits a byte; without verdicts, for a text cannot be answered as another one would be.
    """

    sources: Mapping[str, Language]
    weights: NDArray[np.float64]
    facts: dict[str, Any] = field(default_factory=dict)
    path: None = None

    def logp(self, texts: Sequence[str]) -> NDArray[np.float64]:
        """log p of each text [N], in nats."""
        return np.asarray(logsumexp(_logp(self.sources, several(texts)), 0, b=self.weights[:, None]))

    def to_json(self) -> dict[str, Any]:
        """The facts."""
        return self.facts


def fuse_texts(
    sources: Sequence[str | Path], *, on: Source, test: Source | None = None, read: ReadOptions | None = None, device: str = "cpu"
) -> WholeTexts:
    """Mix language models of any tokens text by text, with the weights that make held-out texts most probable.

    Args:
        sources: directories of runs.
        on: texts that no model was trained on, to find the weights on. test: other texts, to measure on.
        read: which columns to read and how. device: where networks run.

    Raises:
        UsageError: a model reads a file as one text, or cannot spell the texts; there are few texts.
        DataError: the data cannot be read.
    """
    models = {str(source): load_language(source, device) for source in sources}
    for name, model in models.items():
        if model.document_unit == "file":
            raise UsageError(f"{name} reads a file as one text, and whole texts are mixed by many. Fit on lines or paragraphs.")
    unit = next(iter(models.values())).document_unit
    reading = replace(read or ReadOptions(), unlabelled=True, label=None, texts=unit)
    texts = _texts(on, reading)
    if len(texts) < _FEWEST:
        raise UsageError(f"got {len(texts)} texts to find weights of whole texts on; wanted {_FEWEST} or more.")
    for name, model in models.items():
        unknown = model.tokenizer.vocabulary.unknown
        if unknown is not None and bool((model.trained.encode(texts).ids == unknown).any()):
            raise UsageError(f"{name} has unknown tokens in these texts, and does not spell them: fit it with bytes or bpe.")
    made = WholeTexts(models, mixture(_logp(models, texts)))
    rows = [source_row(name, weight) for name, weight in zip(models, made.weights, strict=True)]
    made.facts = {"kind": "linear", "by_context": False, "unit": "bits a byte", "task": "lm", "verdicts": [], "sources": rows}
    if test is not None:
        _measure(made, _texts(test, reading))
    return made


def _measure(made: WholeTexts, texts: list[str]) -> None:
    """Bits a byte of the mixture and its sources into its facts."""
    sizes = np.array([max(len(text.encode()), 1) for text in texts], np.float64)
    losses, loss = -_logp(made.sources, texts) / (BIT * sizes), -made.logp(texts) / (BIT * sizes)
    measured(made.facts, list(losses), loss, Units(np.arange(len(texts)), sizes))
    made.facts["test"] = {"rows": len(texts), "bytes": int(sizes.sum())}


def _texts(data: Source, read: ReadOptions) -> list[str]:
    with closing(load(data, read)) as corpus:
        return [text for block in corpus.blocks() for text in block]


def _logp(sources: Mapping[str, Language], texts: Sequence[str]) -> NDArray[np.float64]:
    """log p of whole texts by source [S, N]."""
    found = []
    for model in sources.values():
        chunks = (texts[first : first + _AT_ONCE] for first in range(0, len(texts), _AT_ONCE))
        encoded = [model.trained.encode(chunk) for chunk in chunks]
        found.append(np.concatenate([text_logp(model.model, each) for each in encoded]))
    return np.stack(found)
