"""Language models of different tokens, mixed text by text: a mixture of whole texts' probabilities needs no tokens in common."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from contextlib import ExitStack, closing
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray
from scipy.special import logsumexp

from ..core.errors import UsageError
from ..data import ReadOptions, load
from ..engine import Callbacks
from ..fusion.judging import Units
from ..metrics.segments import Segments
from ..models.pool import BY_TEXT, Rule
from ..models.pool.weights import mixture
from .fuse import check_data
from .held import as_trained, several
from .language import Language
from .loading import load_language
from .pool_run import PoolRun, pool_of
from .reading import Source
from .recording import Recorder
from .scored import BIT
from .side_by_side import measure
from .soup import measured, source_row
from .sources import Opened, open_sources

_AT_ONCE = 4096  # texts
_FEWEST = 20  # texts that weights are found on


@dataclass(slots=True)
class WholeTexts:
    """p(text) = Σ w p_s(text), over language models of any tokens. It scores whole texts; only its run has a next token.

    facts: as of ``Fused``, in bits a byte; without verdicts, for a text cannot be answered as another one would be.
    path: of its run, if one was made.
    """

    sources: Mapping[str, Language]
    weights: NDArray[np.float64]
    facts: dict[str, Any] = field(default_factory=dict)
    path: Path | None = None

    def logp(self, texts: Sequence[str]) -> NDArray[np.float64]:
        """log p of each text [N], in nats; a token that is unknown to a source costs it 8 bits more for each byte."""
        return np.asarray(
            logsumexp(
                _logp(self.sources, several(texts, *(source.record for source in self.sources.values()))),
                0,
                b=self.weights[:, None],
            )
        )

    def to_json(self) -> dict[str, Any]:
        """The facts."""
        return self.facts


def fuse_texts(
    sources: Sequence[str | Path],
    *,
    on: Source,
    test: Source | None = None,
    out: Path | str | None = None,
    read: ReadOptions | None = None,
    device: str = "cpu",
    callbacks: Callbacks | None = None,
    command: str | None = None,
) -> WholeTexts:
    """Mix language models of any tokens text by text, with the weights that make held-out texts most probable.

    Args:
        sources: directories of runs.
        on: texts that no model was trained on, to find the weights on. test: other texts, to measure on.
        out: the run directory to make of the mixture, whose models must share their tokens; none is made without it.
        read: which columns to read and how. device: where networks run.
        callbacks, command: as of ``fit``.

    Raises:
        UsageError: a model reads a file as one text, or cannot spell the texts; there are few texts; with ``out``, models have
            other tokens than the first, or one was trained on the texts.
        DataError: the data cannot be read.
    """
    models = {str(source): load_language(source, device) for source in sources}
    for name, model in models.items():
        if model.document_unit == "file":
            raise UsageError(f"{name} reads a file as one text, and whole texts are mixed by many. Fit on lines or paragraphs.")
    unit = next(iter(models.values())).document_unit
    reading = as_trained(read, *(model.record for model in models.values()))
    reading = replace(reading, unlabelled=True, label=None, texts=unit)
    opened = None
    if out is not None:
        opened, _ = open_sources(list(models.values()), on, reading, device, callbacks or Callbacks())
        with ExitStack() as stack:
            check_data(opened, [stack.enter_context(closing(load(data, reading))) for data in (on, test) if data is not None])
    texts = _texts(on, reading)
    if len(texts) < _FEWEST:
        raise UsageError(f"got {len(texts)} texts to find weights of whole texts on; wanted {_FEWEST} or more.")
    for name, model in models.items() if opened is None else ():  # of the same tokens, the same are unknown
        unknown = model.tokenizer.vocabulary.unknown
        if unknown is not None and bool((model.trained.encode(texts).ids == unknown).any()):
            raise UsageError(f"{name} has unknown tokens in these texts, and does not spell them: fit it with bytes or bpe.")
    made = WholeTexts(models, mixture(_logp(models, texts)))
    rows = [source_row(name, weight) for name, weight in zip(models, made.weights, strict=True)]
    made.facts = {"kind": BY_TEXT, "by_context": False, "unit": "bits a byte", "task": "lm", "verdicts": [], "sources": rows}
    if test is not None:
        with closing(load(test, reading)) as corpus:
            _measure(made, [text for block in corpus.blocks() for text in block], corpus.source)
    if opened is not None and out is not None:
        made.path = _recorded(opened, made, Path(out), on, test, reading, callbacks or Callbacks(), command)
    return made


def _recorded(
    opened: Opened,
    made: WholeTexts,
    out: Path,
    on: Source,
    test: Source | None,
    read: ReadOptions,
    callbacks: Callbacks,
    command: str | None,
) -> Path:
    """The directory of the mixture's run."""
    with closing(load(on, read)) as corpus:
        pool = PoolRun(opened, pool_of(opened, Rule(BY_TEXT, made.weights)), made.facts, corpus)
        made.facts["on"] = {"source": corpus.source, "rows": len(corpus)}
        given = {"sources": opened.names, "on": corpus.source, "test": None if test is None else str(test)}
        recorder = Recorder(out, given, callbacks, command or "lossworks.fuse_texts", resume=False)
        recorder.record(lambda inner, _: pool.judged(inner, test, read))
    return recorder.run.path


def _measure(made: WholeTexts, texts: list[str], source: str) -> None:
    """Bits a byte of the mixture and its sources into its facts."""
    sizes = np.array([max(len(text.encode()), 1) for text in texts], np.float64)
    losses, loss = -_logp(made.sources, texts) / (BIT * sizes), -made.logp(texts) / (BIT * sizes)
    measured(made.facts, list(losses), loss, Units(np.arange(len(texts)), sizes))
    made.facts["test"] = {"source": source, "rows": len(texts), "bytes": int(sizes.sum())}


def _texts(data: Source, read: ReadOptions) -> list[str]:
    with closing(load(data, read)) as corpus:
        return [text for block in corpus.blocks() for text in block]


def _logp(sources: Mapping[str, Language], texts: Sequence[str]) -> NDArray[np.float64]:
    """log p of whole texts by source [S, N], every byte paid for as in all bits a byte."""
    chunks = [list(texts[first : first + _AT_ONCE]) for first in range(0, len(texts), _AT_ONCE)]
    units = Segments.of(lambda: chunks, whole=False)
    return np.stack([-measure(model, units).nats for model in sources.values()])
