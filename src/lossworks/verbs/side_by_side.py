"""Several models on one text, side by side: of models of language the figures that compare, and what tells each from the best."""

from __future__ import annotations

import hashlib
import math
import tempfile
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from .. import evaluate as figures
from ..batches import Ragged
from ..core.errors import UsageError
from ..text import Corpus, ReadOptions, load
from ..tokens import Tokenizer
from ..train.language_figures import logp_of
from ..train.token_parts import in_tokens
from .evaluate import evaluate
from .language import Language
from .model import Model

_FEWEST = 100  # characters of a stretch


def side_by_side(
    models: Mapping[str, Language], data: Any, read: ReadOptions | None = None, stride: int | None = None
) -> dict[str, Any]:
    """Models of language on one text, ordered by bits a byte: the one figure that compares between tokenizers.

    ``runs`` has, for each model, its ``metrics`` with 95 % intervals (nats a token, perplexity, bits a byte, bits a character,
    the rate of unknown tokens) and its ``difference`` in bits a byte from the best model, with the interval of the paired
    differences of the same texts, or of the same stretches of one long text. The best is sought among models that have every
    token of the text, if there is one: a token that is unknown is never spelled out, and costs too little.

    Args:
        models: by their names.
        data, read: as of ``evaluate``.
        stride: of the windows in which networks read what is longer than their context; half of it if None.

    Raises:
        UsageError: the models were not learnt from the same kind of texts, or have no context to slide.
        DataError: the data cannot be read.
    """
    kinds = {name: model.texts for name, model in models.items()}
    if len(set(kinds.values())) > 1:
        told = ", ".join(f"{name} of {kind}s" for name, kind in kinds.items())
        raise UsageError(
            f"the models are of different texts ({told}), so their figures do not compare. Fit them with the same --texts."
        )
    models = {name: model.sliding(stride) for name, model in models.items()}
    read = replace(read or ReadOptions(), unlabelled=True, label=None, texts=next(iter(kinds.values()), None))
    corpus = load(data, read)
    try:
        texts = _Texts.of(corpus, whole=read.texts == "file")
        measured = {name: _measured(model, corpus, texts) for name, model in models.items()}
    finally:
        corpus.close()
    best = _best(measured)
    order = sorted(measured, key=lambda name: measured[name].value)
    return {
        "task": "lm",
        "source": corpus.source,
        "skipped": corpus.skipped,
        "rows": 1 if read.texts == "file" else len(corpus),
        "bytes": int(texts.bytes.sum()),
        "characters": int(texts.characters.sum()),
        "units": texts.name,
        "best": best,
        "stride": stride,
        "runs": [
            {"run": name}
            | _row(models[name], measured[name], None if name == best else measured[best], texts, corpus.fingerprint)
            for name in order
        ],
    }


def labels_side_by_side(models: Mapping[str, Model], data: Any, read: ReadOptions | None = None) -> dict[str, Any]:
    """Models of the same labels on one text: what ``evaluate`` says of each, in the order given.

    ``compare`` tells whether one of them is better; this does not.

    Raises:
        UsageError: their labels differ.
        DataError: the data cannot be read, or holds a label that training had not seen.
    """
    tasks = {(model.predictor.task.kind, model.labels) for model in models.values()}
    if len(tasks) > 1:
        raise UsageError("the models do not have the same labels, so their figures do not compare. Evaluate them one by one.")
    found = {name: evaluate(model, data, read) for name, model in models.items()}
    shared = {key: value for key, value in next(iter(found.values())).items() if key in ("task", "source", "skipped", "rows")}
    rows = [{"run": name} | {key: value for key, value in each.items() if key not in shared} for name, each in found.items()]
    return {**shared, "runs": rows}


@dataclass(frozen=True, slots=True)
class _Texts:
    """What intervals are from: texts, or the stretches between ``cuts`` of one text. Characters and bytes of each."""

    characters: NDArray[np.int64]
    bytes: NDArray[np.int64]
    cuts: NDArray[np.int64] | None

    @classmethod
    def of(cls, corpus: Corpus, *, whole: bool) -> _Texts:
        rows = [(len(text), len(text.encode())) for texts in corpus.blocks() for text in texts]
        characters, sizes = np.array(rows, np.int64).T
        if not whole:
            return cls(characters, sizes, None)
        total = int(characters.sum())
        cuts = np.linspace(0, total, max(1, min(figures.STRETCHES, total // _FEWEST)) + 1).astype(np.int64)
        return cls(np.diff(cuts), _bytes_between(corpus, cuts), cuts)

    @property
    def name(self) -> str:
        return "texts" if self.cuts is None else f"{len(self.bytes)} stretches"

    def of_tokens(self, model: Language, texts: Ragged, corpus: Corpus) -> figures.Units:
        """The same units in a model's tokens."""
        ids, mark = texts.ids[: texts.offsets[-1]], model.tokenizer.vocabulary.unknown
        unknown = np.zeros(len(ids), bool) if mark is None else np.asarray(ids == mark)
        if self.cuts is None:
            return figures.units(texts.offsets, model.model.ends, self.bytes, unknown)
        return figures.stretches(_begins(model.tokenizer, corpus), self.cuts, self.bytes, unknown)


@dataclass(frozen=True, slots=True)
class _Measured:
    """What a model says of the texts: nats of each unit, how many tokens are unknown and how many impossible, and the metrics."""

    nats: NDArray[np.float64]
    unknown: int
    impossible: int
    metrics: dict[str, figures.Interval]

    @property
    def value(self) -> float:
        """Bits a byte; infinite where something was impossible."""
        return math.inf if self.impossible else self.metrics["bits_per_byte"].value


def _measured(model: Language, corpus: Corpus, texts: _Texts) -> _Measured:
    with tempfile.TemporaryDirectory(prefix="lossworks-") as scratch:
        encoded = in_tokens(corpus.blocks(), model.tokenizer, Path(scratch), "data", whole=texts.cuts is not None).texts
        logp, units = logp_of(model.model, encoded), texts.of_tokens(model, encoded, corpus)
    with np.errstate(invalid="ignore"):  # infinities
        nats = units.sums(-logp)
        metrics = figures.surprisal(logp, units)
        metrics["bits_per_character"] = figures.bits_per_character(nats, texts.characters)
    metrics["unknown_rate"] = figures.unknown_rate(units)
    return _Measured(nats, int(units.unknown.sum()), int(np.isneginf(logp).sum()), metrics)


def _best(measured: Mapping[str, _Measured]) -> str:
    """The model of the fewest bits a byte, of those that have every token if there are any."""
    whole = [name for name, each in measured.items() if not each.unknown]
    return min(whole or measured, key=lambda name: measured[name].value)


def _row(model: Language, found: _Measured, best: _Measured | None, texts: _Texts, fingerprint: str) -> dict[str, Any]:
    """What is told of one model; ``best`` is None for the best itself."""
    config = model.record.get("config", {})
    with np.errstate(invalid="ignore"):
        apart = None if best is None else figures.bits_between(found.nats, best.nats, texts.bytes)
    return {
        "model": config.get("model"),
        "tokens": config.get("tokens"),
        "tokenizer": _digest(model),
        "vocabulary": model.tokenizer.vocabulary.size,
        "context": model.model.context,
        "lossless": model.tokenizer.lossless,
        "unknown": found.unknown,
        "impossible": found.impossible,
        "trained_on": fingerprint in model.record.get("data", {}).get("fingerprint", "").split("+"),
        "metrics": {name: interval.to_json() for name, interval in found.metrics.items()},
        "difference": None if apart is None else apart.to_json(),
    }


def _digest(model: Language) -> str:
    """What tells tokenizers apart that were made by the same spec from other texts."""
    with tempfile.TemporaryDirectory(prefix="lossworks-") as scratch:
        model.tokenizer.save(path := Path(scratch, "tokenizer.json"))
        return hashlib.blake2b(path.read_bytes(), digest_size=4).hexdigest()


def _pieces(corpus: Corpus) -> Iterator[tuple[int, str]]:
    """The pieces of one text, each with the number of its first character."""
    at = 0
    for texts in corpus.blocks():
        for piece in texts:
            yield at, piece
            at += len(piece)


def _begins(tokenizer: Tokenizer, corpus: Corpus) -> NDArray[np.int64]:
    """The character that each token of one text begins with."""
    found = [tokenizer.spans(piece)[:, 0] + at for at, piece in _pieces(corpus)]
    return np.asarray(np.maximum.accumulate(np.concatenate(found)), np.int64)


def _bytes_between(corpus: Corpus, cuts: NDArray[np.int64]) -> NDArray[np.int64]:
    """Bytes of one text between characters."""
    before, done = np.zeros(len(cuts), np.int64), 0
    for at, piece in _pieces(corpus):
        for i in np.flatnonzero((cuts > at) & (cuts <= at + len(piece))):
            before[i] = done + len(piece[: cuts[i] - at].encode())
        done += len(piece.encode())
    return np.diff(before)
