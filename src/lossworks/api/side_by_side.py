"""Several models of language on one text, side by side: the figures that compare, and what tells each from the best."""

from __future__ import annotations

import math
from collections.abc import Mapping
from contextlib import closing
from dataclasses import dataclass, replace
from typing import Any

import numpy as np
from numpy.typing import NDArray

from .. import metrics as figures
from ..core.errors import UsageError
from ..data import Corpus, ReadOptions, read_options
from ..engine import Callbacks
from ..evidence.by_language import of_models
from ..evidence.results import UNITS
from ..metrics.segments import Segments
from ..record.scratch import temporary
from ..training.language_metrics import logp_of
from ..training.token_parts import in_tokens
from .evaluate import source_of
from .language import Language
from .reading import Source, check_apart
from .sliced import of_language_models
from .tested import corpus_for
from .trained_on import seen_of


def side_by_side(
    models: Mapping[str, Language],
    data: Source | None = None,
    read: ReadOptions | None = None,
    stride: int | None = None,
    *,
    slices: bool = False,
    callbacks: Callbacks | None = None,
) -> dict[str, Any]:
    """Models of language on one text, ordered by bits a byte: the one figure that compares between tokenizers.

    ``runs`` has, for each model, its ``metrics`` with 95 % intervals (nats a token, perplexity, bits a byte, bits a character,
    the rate of unknown tokens) and its ``difference`` in bits a byte from the ``best`` model, with the interval of the paired
    differences of the same texts, or of the same segments of one long text. A token that is unknown is charged 8 bits for each of
    its bytes (not in nats a token and perplexity, which do not compare between tokenizers anyway). A model to which more than
    5 % of the tokens are unknown is never the best; where that leaves none, differences are from the first.

    Args:
        models: by their names.
        data, read: as of ``evaluate``.
        stride: of the windows in which networks read what is longer than their context; half of it if None.
        slices: whether to look for parts of the texts on which a model's difference from the first named, in bits a byte, is not
            what it is on the rest; as of ``evaluate``.
        callbacks: as of ``evaluate``.

    Raises:
        UsageError: the models were not learnt from the same kind of texts, or have no context to slide.
        DataError: the data cannot be read.
    """
    kinds = {name: model.document_unit for name, model in models.items()}
    if len(set(kinds.values())) > 1:
        told = ", ".join(f"{name} of {kind}s" for name, kind in kinds.items())
        raise UsageError(
            f"the models are of different texts ({told}), so their metrics do not compare. Use one --document-unit for all."
        )
    models = {name: model.sliding(stride) for name, model in models.items()}
    read = replace(read_options(read), unlabelled=True, label=None, texts=next(iter(kinds.values()), None))
    check_apart(read, read.texts)
    with closing(corpus_for(models, data, read)) as corpus:
        texts = Segments.of(corpus.blocks, whole=read.texts == "file")
        measured = {name: measure(model, texts, callbacks) for name, model in models.items()}
        sliced: dict[str, Any] = {}
        if corpus.languages is not None:
            sliced["by_language"] = of_models(_bits(measured, texts, corpus), corpus.languages, UNITS["bits_per_byte"])
        if slices:
            runs = {name: (found.nats / math.log(2), texts.bytes, found.unknown) for name, found in measured.items()}
            sliced["slices"] = of_language_models(runs, models, texts, corpus, read, "bits_per_byte")
    order = sorted(measured, key=lambda name: measured[name].value)
    best = next((name for name in order if measured[name].metrics["unknown_rate"].value <= figures.MOST_UNKNOWN), None)
    beside = best or order[0]
    return {
        "task": "lm",
        **source_of(corpus),
        "rows": 1 if read.texts == "file" else len(corpus),
        "bytes": int(texts.bytes.sum()),
        "characters": int(texts.characters.sum()),
        "units": texts.name,
        "best": best,
        "stride": stride,
        "runs": [
            {"run": name}
            | _row(models[name], measured[name], None if name == beside else measured[beside], texts, corpus, data is not None)
            for name in order
        ],
        **sliced,
    }


@dataclass(frozen=True, slots=True)
class Measured:
    """What a model says of the texts: nats of each unit, with the charge for unknown tokens, and how many of its tokens are
    unknown; how many tokens are impossible in all; and the metrics.
    """

    nats: NDArray[np.float64]
    unknown: NDArray[np.int64]
    impossible: int
    metrics: dict[str, figures.Interval]

    @property
    def value(self) -> float:
        """Bits a byte; infinite where something was impossible."""
        return math.inf if self.impossible else self.metrics["bits_per_byte"].value


def measure(model: Language, texts: Segments, callbacks: Callbacks | None = None) -> Measured:
    """What a model says of texts, with 8 bits for each byte of what is unknown to it."""
    with temporary() as scratch:
        encoded = in_tokens(texts.blocks, model.tokenizer, scratch, "data", whole=texts.cuts is not None).texts
        logp = logp_of(model.model, encoded, callbacks)
        units = texts.of_tokens(encoded, model.tokenizer, model.model.ends)
    nats, metrics = units.spelled(units.sums(-logp)), figures.surprisal(logp, units)
    metrics["bits_per_character"] = figures.bits_per(nats, texts.characters)
    metrics["unknown_rate"] = figures.unknown_rate(units)
    return Measured(nats, units.unknown, int(np.isneginf(logp).sum()), metrics)


def _bits(measured: Mapping[str, Measured], texts: Segments, corpus: Corpus) -> dict[str, figures.Losses]:
    """What each text costs every model in bits, and its bytes; texts that one of them takes for impossible are left out."""
    finite = np.all([np.isfinite(found.nats) for found in measured.values()], 0)
    sizes = np.where(finite, texts.bytes, 0).astype(np.float64)
    return {
        name: figures.Losses(np.where(finite, found.nats, 0.0) / math.log(2), sizes, corpus.keys)
        for name, found in measured.items()
    }


def _row(model: Language, found: Measured, best: Measured | None, texts: Segments, corpus: Corpus, given: bool) -> dict[str, Any]:
    """What is told of one model; ``best``, which it is compared with, is None for that one itself."""
    config = model.record.get("config", {})
    with np.errstate(invalid="ignore"):  # of infinities
        apart = None if best is None else figures.bits_between(found.nats, best.nats, texts.bytes)
    return {
        "model": config.get("model"),
        "tokenizer_spec": config.get("tokenizer"),
        "tokenizer": model.tokenizer.digest(),
        "vocabulary": model.tokenizer.vocabulary.size,
        "context": model.model.context,
        "lossless": model.tokenizer.lossless,
        "unknown": int(found.unknown.sum()),
        "impossible": found.impossible,
        **seen_of(model, corpus, given),
        "metrics": {name: interval.to_json() for name, interval in found.metrics.items()},
        "difference": None if apart is None else apart.to_json(),
    }
