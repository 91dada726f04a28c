"""From corpora to a trained model of language and the honest figures about it."""

from __future__ import annotations

import time
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from ..core.errors import RecordError
from ..data import TEST, TRAIN, VALID, Corpus
from ..engine.callbacks import Callbacks, TrainState
from ..inference import TextLanguage
from ..record.tensors import map_tensors, write_tensors
from ..tokens import Tokenizer
from .language_learning import learn
from .language_metrics import judge, samples
from .language_settings import LanguageSettings
from .layouts import Positions
from .token_parts import Division, Encoded, divide, encode

_COUNTS = "unigrams.safetensors"
_SAMPLE = {"words": 40, "bpe": 60}
_LONGER = 150  # tokens of a made-up text, where they are but characters


@dataclass(slots=True)
class FittedLanguage:
    """What a fit gives: the model with its tokenizer, and the record of data and result.

    counts: how often each token was seen; None where that is not known.
    """

    trained: TextLanguage
    counts: NDArray[np.int64] | None
    settings: LanguageSettings
    data: dict[str, Any]
    result: dict[str, Any]

    def save(self, folder: Path) -> None:
        """Write the model's files, and the counts that a baseline needs."""
        self.trained.save(folder)
        if self.counts is not None:
            write_tensors(folder / _COUNTS, {"counts": self.counts}, {})


def read_counts(folder: Path, size: int) -> NDArray[np.int64]:
    """The counts [size] that ``FittedLanguage.save`` wrote.

    Raises:
        RecordError: the file is missing or damaged.
    """
    path = folder / _COUNTS
    counts = map_tensors(path)[0].get("counts", np.empty(0))
    if counts.shape != (size,) or counts.dtype != np.int64 or (counts < 0).any():
        raise RecordError(f"{path} does not fit the tokenizer. Restore it from a copy, or fit again.")
    return counts


def fit_language(
    corpora: Sequence[Corpus],
    fixed: Sequence[int | None],
    settings: LanguageSettings,
    control: Callbacks,
    scratch: Path,
    *,
    resume: bool = False,
) -> FittedLanguage:
    """Learn a model of language from ``corpora``: the first is split where no others were given as validation or test part.

    Labels are not looked at. ``scratch`` is a folder for temporary files. With ``resume`` the newest of the control's
    checkpoints is taken up. Of several processes only the first one's result has figures.

    Raises:
        DataError, UsageError: the data or the settings do not fit.
    """
    began = time.monotonic()
    settings = settings.resolved("lm")
    division = divide(corpora, fixed, settings)
    control.watch("tokens", {"rows": 0, "of": sum(map(len, corpora))})
    tokenizer, parts = encode(division, settings, control, scratch)
    data = describe(division, tokenizer, parts)
    control.watch("data", {"reason": "lm: a model of language", **data, "config": settings.to_json()})
    for note in tokenizer.notes:
        control.watch("note", {"text": note})
    if not resume:
        control.watch("start", {"step": 0})
    learnt = learn(
        parts[TRAIN].texts,
        tokenizer.vocabulary,
        settings,
        control,
        scratch,
        valid=parts[VALID].texts if len(parts[VALID].texts) else None,
        ends=settings.texts != "file",
        seed=settings.seed,
        resume=resume,
    )
    trained = TextLanguage(learnt.spec, tokenizer, learnt.model)
    model = learnt.model
    counts = Positions.of(parts[TRAIN].texts, model.vocabulary, model.ends).counts(model.vocabulary.size)
    seconds = time.monotonic() - began
    result = {"facts": learnt.model.facts, "seconds": seconds}
    if learnt.progress is not None:
        result["training"] = _training(learnt.progress)
    if control.world.is_first:
        result |= _result(trained, parts[TEST], counts, learnt.settings)
    return FittedLanguage(trained, counts, learnt.settings, data, result)


def _training(progress: TrainState) -> dict[str, Any]:
    """How a training by gradients went."""
    seconds = {"seconds": progress.seconds}
    return {"steps": progress.step, "epochs": progress.epoch, "scores": progress.scores, "stopped": progress.stopped, **seconds}


def _result(trained: TextLanguage, test: Encoded, counts: NDArray[np.int64], settings: LanguageSettings) -> dict[str, Any]:
    length = _SAMPLE.get((settings.tokens or "").partition(":")[0], _LONGER)
    made_up = {"samples": samples(trained, settings.seed, length)}
    if not len(test.texts.ids):
        note = "no texts were held out to test on, so nothing is known of how good this is"
        return {"part": None, "rows": 0, "note": note, **made_up}
    return {"part": "test", **judge(trained, test, counts, settings.seed), **made_up}


def describe(division: Division, tokenizer: Tokenizer, parts: dict[int, Encoded]) -> dict[str, Any]:
    """What the record says of the data."""
    main, names = division.corpora[0], {"train": TRAIN, "valid": VALID, "test": TEST}
    tokens, size = int(parts[TRAIN].texts.offsets[-1]), int(parts[TRAIN].bytes.sum())
    return {
        "source": main.source,
        "rows": sum(len(part.texts) for part in parts.values()),
        "skipped": sum(corpus.skipped for corpus in division.corpora),
        "bad": [line for corpus in division.corpora for line in corpus.bad],
        "fingerprint": "+".join(corpus.fingerprint for corpus in division.corpora),
        "parts": {name: len(parts[part].texts) for name, part in names.items()},
        "tokens": {name: int(parts[part].texts.offsets[-1]) for name, part in names.items()},
        "bytes_per_token": size / tokens,
        "vocabulary": tokenizer.vocabulary.size,
        "lossless": tokenizer.lossless,
        "text_column": main.text_column,
        "label_column": None,
        "leaked": _leaked(division),
        "task": "lm",
        "labels": None,
    }


def _leaked(division: Division) -> int:
    """Held-out texts, given as data of their own, that stand word for word among the training texts."""
    if division.parts is None or len(division.corpora) == 1:
        return 0
    keys = np.concatenate([corpus.keys for corpus in division.corpora])
    return int(np.isin(keys[division.parts != TRAIN], keys[division.parts == TRAIN]).sum())
