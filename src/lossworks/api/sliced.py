"""``evaluate(…, slices=True)``: on which describable part of the data a model's loss differs, or that of two models does."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from ..core.errors import DataError, RecordError, UsageError
from ..data import Corpus, OrderedFeatures, ReadOptions
from ..data.duplicates import within
from ..evidence.results import UNITS
from ..evidence.slices import judge, sentence
from ..evidence.text_slices import WORDS, Slice, of_answers, of_texts
from ..inference import GenerativePredictor, NetworkPredictor
from ..metrics.contrast import FEWEST, Losses
from ..metrics.segments import Segments
from ..tokens import Tokenizer
from .language import Language
from .model import Model
from .trained_on import like_training

Json = dict[str, Any]


def write_slices(found: Json, path: Path | str, *, name: str) -> Path:
    """Write what ``evaluate(…, slices=True)["slices"]`` says as a page, and return its path.

    Args:
        found: the slices.
        path: of the file.
        name: of the data, for the title.

    Raises:
        RecordError: the page cannot be written.
    """
    from .. import report

    return report.write_slices(found, name, Path(path))


def write_languages(result: Json, path: Path | str, *, name: str) -> Path:
    """Write what ``evaluate`` says of each language, of one run or of several, as a page, and return its path.

    Args:
        result: of ``evaluate``, ``side_by_side`` or ``labels_side_by_side``.
        path: of the file.
        name: of the data, for the title.

    Raises:
        RecordError: the page cannot be written.
    """
    from .. import report

    return report.write_languages(result, name, Path(path))


def of_label_models(
    models: Mapping[str, Model], scores: Sequence[NDArray[Any]], corpus: Corpus, read: ReadOptions | None
) -> Json:
    """The slices of a labelled data set, by the task's proper score.

    Args:
        models: by their names, of the same labels; two or more are compared with the first.
        scores: of each, before calibration. corpus: the rows. read: how they were read.
    """
    first = next(iter(models.values()))
    task = first.predictor.task
    target, runs = task.targets(corpus), label_losses(models, scores, corpus)
    slices, left_out = of_answers("true label", [task.name_of(each) for each in target]), []
    if len(models) == 1:
        answers = first.predictor.probabilities(scores[0]) if task.has_probabilities else scores[0]
        slices += of_answers("predicted label", task.decide(answers, first.predictor.thresholds))
    else:
        left_out.append("predicted labels: each model has its own")
    slices += of_texts(corpus.blocks())
    for name, model in models.items():
        if (tokenizer := _tokenizer(model)) is not None:
            slices.append(_unknown(name, _has_unknown(tokenizer, corpus)))
    slices += _duplicates(models, corpus, read, left_out)
    return _told(runs, slices, UNITS[task.proper], task.proper, left_out)


def label_losses(models: Mapping[str, Model], scores: Sequence[NDArray[Any]], corpus: Corpus) -> dict[str, Losses]:
    """The task's proper score of every row, by the models' names; arguments as of ``of_label_models``."""
    task, weight = next(iter(models.values())).predictor.task, corpus.weights
    target, sizes = task.targets(corpus), np.ones(len(corpus)) if weight is None else weight.astype(np.float64)
    runs = {}
    for (name, model), own in zip(models.items(), scores, strict=True):
        values = task.by_row(own, target, temperature=model.predictor.temperature)[task.proper]
        runs[name] = Losses(values * sizes, sizes, corpus.keys)
    return runs


def of_language_models(
    runs: Mapping[str, tuple[NDArray[np.float64], NDArray[Any], NDArray[Any]]],
    models: Mapping[str, Language],
    texts: Segments,
    corpus: Corpus,
    read: ReadOptions | None,
    metric: str,
) -> Json:
    """The slices of plain texts, or of segments of one.

    Args:
        runs: of each model, by unit of text, the loss, the size that it is a rate of, and the number of unknown tokens.
        models: by their names. texts: the units. corpus: the texts. read: how they were read.
        metric: "nats_per_token" or "bits_per_byte".
    """
    whole, left_out = texts.cuts is not None, []
    keys = np.arange(len(texts.bytes), dtype=np.uint64) if whole else corpus.keys
    finite = np.all([np.isfinite(nats) for nats, _, _ in runs.values()], 0)
    if not finite.all():
        units = "segments" if whole else "texts"
        left_out.append(f"{int((~finite).sum()):,} of {len(finite):,} {units}, with a token of probability 0")
    losses = {
        name: Losses(np.where(finite, nats, 0.0), np.where(finite, sizes, 0).astype(np.float64), keys)
        for name, (nats, sizes, _) in runs.items()
    }
    slices = of_texts([texts.texts()] if whole else corpus.blocks())
    slices += [_unknown(name, unknown > 0) for name, (_, _, unknown) in runs.items()]
    if not whole:
        slices += _duplicates(models, corpus, read, left_out)
    return _told(losses, slices, UNITS[metric], metric, left_out)


def _told(runs: dict[str, Losses], slices: Sequence[Slice], unit: str, metric: str, left_out: list[str]) -> Json:
    losses = next(iter(runs.values()))
    texts = len(np.unique(losses.texts[losses.sizes > 0]))
    if texts < 2 * FEWEST:
        raise UsageError(
            f"slices take {2 * FEWEST} different texts or more, {FEWEST} inside and {FEWEST} outside, and there are {texts}. "
            "Give more text, or leave --slices out."
        )
    tables = judge(runs, [one for one in slices if len(one.rows)])
    told = [table.to_json() | {"verdict": sentence(table, unit)} for table in tables]
    return {"metric": metric, "unit": unit, "fewest": FEWEST, "words": WORDS, "left_out": left_out, "tables": told}


def _duplicates(
    models: Mapping[str, Model | Language], corpus: Corpus, read: ReadOptions | None, left_out: list[str]
) -> list[Slice]:
    """Texts that recur within the data, and those like one that a model was trained on."""
    found = [Slice("text", "like another text here", within(corpus))]
    seen = dict[str, str]()
    for name, model in models.items():
        seen.setdefault(str(model.record.get("data", {}).get("fingerprint")), name)
    missing = []
    for name in seen.values():
        of = f" of {name}" if len(seen) > 1 else ""
        try:
            found.append(Slice("text", f"like a training text{of}", like_training(name, models[name], corpus, read)))
        except (UsageError, DataError, RecordError):
            missing.append(name)
    if missing:
        left_out.append(
            f"texts like training texts: the rows that {' and '.join(missing)} learnt from are not there, or have changed"
        )
    return found


def _unknown(name: str, rows: NDArray[np.bool_]) -> Slice:
    return Slice("text", f"with tokens unknown to {name}", np.flatnonzero(rows))


def _tokenizer(model: Model) -> Tokenizer | None:
    """What a model reads its tokens by; None where it has none."""
    predictor = model.predictor
    if isinstance(predictor, GenerativePredictor):
        return predictor.tokenizer
    features = predictor.features if isinstance(predictor, NetworkPredictor) else None
    return features.tokenizer if isinstance(features, OrderedFeatures) else None


def _has_unknown(tokenizer: Tokenizer, corpus: Corpus) -> NDArray[np.bool_]:
    """Which texts hold tokens that are unknown."""
    found = [np.empty(0, np.bool_)]
    for texts in corpus.blocks():
        ids, starts = tokenizer.encode(texts)
        unknown = np.concatenate([[0], np.cumsum(ids == tokenizer.vocabulary.unknown)])
        found.append(np.diff(unknown[starts]) > 0)
    return np.concatenate(found)
