"""From corpora to a trained language model and the record of how good it is."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from ..core.machine import peak_memory
from ..data import PARTS, TEST, TRAIN, VALID, Corpus, Languages
from ..data.formats import prepared
from ..data.layouts import Positions
from ..engine import Callbacks, TrainState
from ..inference import TextLanguage, Tokens
from ..models.neural import NeuralSpec
from ..tasks import LanguageModeling
from ..tokens import Tokenizer
from .balancing import check_languages, drawn, group_count
from .beside_counts import beside_counts
from .describing import leaked, of_corpora
from .division import Division, divide
from .language_metrics import judge, logp_of, samples
from .language_training import Trained, recalled, tokens_chosen, train
from .resolving import for_language
from .settings import Settings
from .start import Start
from .teaching import Teacher
from .token_parts import Encoded, encode, encode_fewer

_SAMPLE = {"words": 40, "bpe": 60}
_LONGER = 150  # tokens of a made-up text, where they are but characters


def fit(
    corpora: Sequence[Corpus],
    fixed: Sequence[int | None],
    settings: Settings,
    callbacks: Callbacks,
    scratch: Path,
    *,
    resume: bool,
    teacher: Teacher | None = None,
    start: Start | None = None,
) -> tuple[TextLanguage, Settings, dict[str, Any], dict[str, Any], NDArray[np.int64]]:
    """The model, its resolved settings, the record of data and result, and how often each token was seen.

    Labels are not looked at. Arguments and errors are as of ``fit_corpora``. Of several processes only the first one's result
    has metrics.
    """
    began = callbacks.clock()
    settings, is_named = _resolved(settings, corpora, teacher)
    division = divide(corpora, fixed, settings)
    before = recalled(settings, callbacks) if resume else None
    settings, why = (settings, "") if is_named else tokens_chosen(settings, division, callbacks, before)
    callbacks.watch("tokens", {"rows": 0, "of": sum(map(len, corpora))})
    known = None if start is None else start.tokenizer
    tokenizer, parts = encode(division, settings, callbacks, scratch, known)
    data = describe(division, tokenizer, parts)
    reason = "lm: a language model" if start is None else f"lm, as of {start.name}"
    callbacks.watch("data", {"reason": reason, **data, "config": settings.to_json()})
    taught = None if teacher is None else teacher.of_tokens(_predicted(settings, tokenizer))
    for note in tokenizer.notes:
        callbacks.watch("note", {"text": note})
    if why:
        callbacks.watch("plan", {"text": why})
    if not resume:
        callbacks.watch("start", {"step": 0})
    found = train(
        parts[TRAIN].texts,
        tokenizer.vocabulary,
        settings,
        callbacks,
        scratch,
        valid=parts[VALID].texts if len(parts[VALID].texts.ids) else None,
        ends=settings.document_unit != "file",
        seed=settings.seed,
        resume=resume,
        before=before,
        test_tokens=0 if TEST in fixed else int(parts[TEST].texts.offsets[-1]),
        languages=division.text_languages() if settings.balance or settings.risk else None,
        teacher=taught,
        start=start,
    )
    if found.tested < 1:
        parts[TEST] = encode_fewer(division, found.tested, settings, tokenizer, scratch)
    trained, model = TextLanguage(found.spec, tokenizer, found.model), found.model
    counts = Positions.of(parts[TRAIN].texts, model.vocabulary, model.ends).counts(model.vocabulary.size)
    result: dict[str, Any] = {"facts": model.facts, "seconds": callbacks.clock() - began}
    if division.parts is not None:
        result |= drawn(settings.balance, Languages.together(corpora), division.parts, division.rates)
    if found.state is not None:
        judged = {"judged_by": found.settings.stop_by or LanguageModeling().proper}
        result["training"] = _training(found.state) | judged | {"peak_memory": peak_memory(found.settings.device)}
    if callbacks.world.is_first:
        result |= _result(trained, parts, counts, found, callbacks, scratch, result["seconds"])
    return trained, found.settings, data, result, counts


def _resolved(settings: Settings, corpora: Sequence[Corpus], teacher: Teacher | None) -> tuple[Settings, bool]:
    """The settings with every choice made that needs no text, and whether the tokenizer is named: by them, by a teacher, or by
    whoever prepared the texts.
    """
    if teacher is not None:
        loss = settings.loss or LanguageModeling.taught_losses[0]
        settings = replace(settings, tokenizer=settings.tokenizer or teacher.tokenizer, loss=loss)
    settings = replace(settings, tokenizer=settings.tokenizer or prepared.tokenizer(corpora[0].source))
    is_named = bool(settings.tokenizer)
    settings = for_language(settings, LanguageModeling.kind)
    check_languages(settings, corpora)
    group_count(settings, None, 0)
    return settings, is_named


def _predicted(settings: Settings, tokenizer: Tokenizer) -> Tokens:
    """What a model of these settings will predict."""
    spec, ends = settings.spec, settings.document_unit != "file"
    vocabulary = spec.output_vocab(tokenizer.vocabulary) if isinstance(spec, NeuralSpec) else tokenizer.vocabulary
    return Tokens(tokenizer, vocabulary, ends)


def _training(state: TrainState) -> dict[str, Any]:
    """How a training by gradients went."""
    ended = {"stopped": state.stopped, "seconds": state.seconds}
    return {"steps": state.step, "epochs": state.epoch, "passes": state.passes, "scores": state.scores, **ended}


def _result(
    trained: TextLanguage,
    parts: Mapping[int, Encoded],
    counts: NDArray[np.int64],
    found: Trained,
    callbacks: Callbacks,
    scratch: Path,
    seconds: float,
) -> dict[str, Any]:
    """What is said of how good the model is that took ``seconds``."""
    settings, test = found.settings, parts[TEST]
    length = _SAMPLE.get((settings.tokenizer or "").partition(":")[0], _LONGER)
    made_up = {"samples": samples(trained, settings.seed, length)}
    if not len(test.texts.ids):
        note = "no texts were held out to test on, so nothing is known of how good this is"
        return {"part": None, "rows": 0, "note": note, **made_up}
    logp = logp_of(trained.model, test.texts, callbacks)
    units = test.units(trained.tokenizer, trained.model.ends)
    result = {"part": "test", **judge(trained, test, counts, settings.seed, logp, units), **made_up}
    if found.state is not None:
        result["ngram"] = beside_counts(trained.model, parts[TRAIN].texts, test.texts, units, logp, seconds, scratch)
    return result


def describe(division: Division, tokenizer: Tokenizer, parts: dict[int, Encoded]) -> dict[str, Any]:
    """What the record says of the data."""
    tokens, size = int(parts[TRAIN].texts.offsets[-1]), int(parts[TRAIN].bytes.sum())
    return {
        **of_corpora(division.corpora, division.parts),
        "rows": sum(len(part.texts) for part in parts.values()),
        "parts": {name: len(parts[part].texts) for part, name in enumerate(PARTS)},
        "tokens": {name: int(parts[part].texts.offsets[-1]) for part, name in enumerate(PARTS)},
        "bytes_per_token": size / tokens,
        "vocabulary": tokenizer.vocabulary.size,
        "lossless": tokenizer.lossless,
        "label_column": None,
        "leaked": leaked(division.corpora, division.parts),
        "task": LanguageModeling.kind,
        "labels": None,
    }
