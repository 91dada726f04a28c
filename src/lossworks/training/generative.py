"""Classes by language models: one trained on the texts of each class, calibrated and judged like any classifier."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from .. import tokens
from ..core.seeds import derive
from ..data import PARTS, TEST, TRAIN, VALID, Corpus, Ragged, TokenFile
from ..engine import Callbacks
from ..inference import GenerativePredictor
from ..models import LanguageModel, LanguageSpec
from ..tokens import Tokenizer
from .classes_in_one_call import judged, rows_to_count
from .dataset import Dataset
from .describing import describe
from .judging import calibrate
from .language_training import train as train_language_model
from .refit import with_validation_rows
from .resolving import by_spaces, for_language
from .settings import Settings

_ROWS_AT_ONCE = 1 << 14


@dataclass(slots=True)
class TokenPart:
    """The rows of one part in tokens: their numbers, and the texts in the same order."""

    numbers: NDArray[np.int64]
    texts: Ragged

    @property
    def rows(self) -> int:
        """How many rows there are."""
        return len(self.numbers)

    def pieces(self) -> Iterator[tuple[NDArray[np.int64], Ragged]]:
        """All rows, some at a time."""
        for first in range(0, self.rows, _ROWS_AT_ONCE):
            piece = self.texts.offsets[first : first + _ROWS_AT_ONCE + 1]
            yield self.numbers[first : first + _ROWS_AT_ONCE], Ragged(self.texts.ids[piece[0] : piece[-1]], piece - piece[0])


def fit(
    corpora: Sequence[Corpus], fixed: Sequence[int | None], settings: Settings, callbacks: Callbacks, scratch: Path
) -> tuple[GenerativePredictor, Settings, dict[str, Any], dict[str, Any]]:
    """One language model a class, the prior from the classes' shares, the temperature from the validation part.

    Arguments, what is returned and errors are as of ``classifier.fit``. Nothing is kept halfway: resumed, it starts again.
    """
    began = callbacks.clock()
    data = rows_to_count(corpora, fixed, settings)
    if settings.tokenizer is None:
        settings, why = by_spaces(settings, next(data.blocks(TRAIN))[1])
        if why:
            callbacks.watch("plan", {"text": why})
    settings = for_language(settings, data.task.kind)
    callbacks.watch("data", {"reason": data.reason, **describe(data), "config": settings.to_json()})
    callbacks.watch("start", {"step": 0})
    tokenizer, parts = _read(data, settings, callbacks, scratch / "first")
    predictor = _learn(data, tokenizer, parts, settings, callbacks, scratch)
    calibrate(predictor, data, parts[VALID], None)
    whole = None if VALID in fixed else with_validation_rows(data)
    if whole is not None:  # temperature and thresholds stay: they need rows that the models have not seen
        tokenizer, parts = _read(whole, settings, callbacks, scratch / "again")
        again = _learn(whole, tokenizer, parts, settings, callbacks, scratch)
        again.temperature, again.thresholds = predictor.temperature, predictor.thresholds
        predictor, data = again, whole
    result = judged(predictor, data, parts[TEST], callbacks.clock() - began, twice=whole is not None)
    return predictor, settings, describe(data), result


def _read(
    data: Dataset, settings: Settings, callbacks: Callbacks, scratch: Path
) -> tuple[Tokenizer, tuple[TokenPart, TokenPart, TokenPart]]:
    """The tokenizer, trained on the training rows where it is not given, and every part in tokens."""
    scratch.mkdir(exist_ok=True)
    chosen = tokens.named(settings.tokenizer or "")
    tokenizer = chosen if isinstance(chosen, Tokenizer) else chosen.learn(data.training_texts(settings.seed))
    parts = []
    for part, name in enumerate(PARTS):
        file = TokenFile(scratch, name, tokenizer.dtype, whole=False)
        for row, texts in data.blocks(part):
            file.append(*tokenizer.encode(texts))
            callbacks.watch("read", {"rows": row, "of": len(data.parts)})
        parts.append(TokenPart(np.flatnonzero(data.parts == part), file.finish()))
    return tokenizer, (parts[0], parts[1], parts[2])


def _learn(
    data: Dataset,
    tokenizer: Tokenizer,
    parts: tuple[TokenPart, TokenPart, TokenPart],
    settings: Settings,
    callbacks: Callbacks,
    scratch: Path,
) -> GenerativePredictor:
    """A model for each class, of its training rows."""
    spec = settings.spec
    assert isinstance(spec, LanguageSpec)
    times = data.times(settings.seed)
    models: list[LanguageModel] = []
    counts: list[int] = []
    for number, label in enumerate(data.task.labels):
        callbacks.watch("class", {"label": label, "number": number + 1, "of": len(data.task.labels)})
        train, valid = _of_class(data, parts[TRAIN], number, times), _of_class(data, parts[VALID], number)
        seed = derive(settings.seed, "class", number)
        held_out = valid if len(valid) else None
        apart = replace(callbacks, checkpoints=None)  # the classes' would lie on top of one another
        models.append(
            train_language_model(train, tokenizer.vocabulary, settings, apart, scratch, valid=held_out, seed=seed).model
        )
        counts.append(len(train))
    return GenerativePredictor(data.task, spec, tokenizer, tuple(models), tuple(counts))


def _of_class(data: Dataset, part: TokenPart, number: int, times: NDArray[np.int64] | None = None) -> Ragged:
    """The texts of a class, each as often as it is counted."""
    rows = np.flatnonzero(data.target[part.numbers] == number)
    return part.texts.take(rows if times is None else np.repeat(rows, times[rows]))
