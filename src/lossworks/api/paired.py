"""Two models on the same rows: what each metric differs by, with the paired interval, and which answers changed."""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import asdict
from typing import Any

import numpy as np
from numpy.typing import NDArray

from ..data import Corpus
from ..evidence.by_language import word_of
from ..evidence.results import UNITS
from ..evidence.statistics import holm
from ..metrics import RISING, Losses
from ..metrics.by_language import FEW, NOT_SHOWN
from ..metrics.contrast import FEWEST, LEVEL, Sample, mean_of
from ..metrics.segments import Segments
from ..metrics.swaps import Answers, flipped, swapped
from ..tasks import LabelTask
from .evaluate import scores_of
from .f1 import sets_of
from .language import Language
from .model import Model
from .side_by_side import measure

Json = dict[str, Any]
LISTED = 20
"""Examples of each kind that are told."""


def paired_labels(before: Model, after: Model, corpus: Corpus, scores: Sequence[NDArray[Any]] | None = None) -> Json:
    """What changed from one model of labels, or of numbers, to another of the same. ``scores``: of both, where they are known.

    Returns: ``metrics``, each with its value ``before`` and ``after``, its ``difference`` (after − before) with a 95 % interval,
    p (the larger of the interval's and of the randomization test's) and p after Holm's correction over the metrics, and a
    ``word``; ``agreement``, the share of equal answers (None of numbers); ``largest_change`` of a probability or number; how
    many answers were ``fixed`` and ``broken``, of numbers came nearer to the truth and went further from it; and ``examples`` of
    both, those whose loss changed most first.
    """
    task, weight, target = after.predictor.task, corpus.weights, after.predictor.task.targets(corpus)
    models, own = (before.predictor, after.predictor), scores or [scores_of(each, corpus) for each in (before, after)]
    both = list(zip(models, own, strict=True))
    one, other = (task.by_row(had, target, weight, temperature=of.temperature, thresholds=of.thresholds) for of, had in both)
    answers = [of.probabilities(had) if task.has_probabilities else had for of, had in both]
    said = [task.decide(had, of.thresholds) for had, of in zip(answers, models, strict=True)]
    ones = np.ones(len(corpus))
    told = {name: _told(name, one[name], other[name], Losses(other[name] - one[name], ones, corpus.keys)) for name in one}
    if "macro_f1" in told and (apart := told["macro_f1"]["difference"]) and apart["p"] <= LEVEL:
        sets = [Answers.of(sets_of(each, task.labels), target, len(task.labels), weight) for each in said]
        apart["p"] = max(apart["p"], swapped(sets[0], sets[1], np.arange(len(corpus)), corpus.keys))
    _judge(told)
    return {
        "task": task.kind,
        "rows": len(corpus),
        "texts": len(np.unique(corpus.keys)),
        "metrics": told,
        "agreement": float(np.mean([a == b for a, b in zip(*said, strict=True)])) if task.labels else None,
        "largest_change": float(np.abs(answers[1] - answers[0]).max(initial=0.0)),
        **_changed(task, target, said, other[task.proper] - one[task.proper], corpus),
    }


def paired_with_first(models: Sequence[Model], scores: Sequence[NDArray[Any]], corpus: Corpus) -> list[Json]:
    """``paired_labels`` of the first model and each other one, with p after Holm's correction over all that is compared."""
    found = [paired_labels(models[0], model, corpus, [scores[0], own]) for model, own in zip(models[1:], scores[1:], strict=True)]
    _judge(*(one["metrics"] for one in found))
    return found


def paired_texts(before: Language, after: Language, corpus: Corpus) -> Json:
    """What changed from one language model to another: bits a byte with the paired difference, which compare between tokenizers,
    and beside it each one's other metrics; and the ``examples`` that changed most. Segments of one long text are its rows.
    """
    texts = Segments.of(corpus.blocks, whole=after.document_unit == "file")
    one, other = measure(before, texts), measure(after, texts)
    finite = np.isfinite(one.nats) & np.isfinite(other.nats)
    bits = np.where(finite, other.nats - one.nats, 0.0) / math.log(2)
    keys = corpus.keys if texts.cuts is None else np.arange(len(bits))
    told: Json = {name: {"before": one.metrics[name].value, "after": other.metrics[name].value} for name in one.metrics}
    if before.tokenizer.digest() != after.tokenizer.digest():  # they count other tokens
        told = {name: told[name] for name in ("bits_per_byte", "bits_per_character", "unknown_rate")}
    if finite.all():
        had = [np.array(found.metrics["bits_per_byte"].value) for found in (one, other)]
        sizes = texts.bytes.astype(np.float64)
        told["bits_per_byte"] = _told("bits_per_byte", had[0], had[1], Losses(bits, sizes, keys))
    _judge(told)
    order, pieces = np.argsort(bits / np.maximum(texts.bytes, 1)), texts.texts()
    ends = {
        "fixed": [row for row in order[:LISTED] if bits[row] < 0],
        "broken": [row for row in order[::-1][:LISTED] if bits[row] > 0],
    }
    return {
        "task": "lm",
        "rows": len(bits),
        "units": texts.name,
        "impossible": int((~finite).sum()),
        "metrics": told,
        "fixed": int((bits < 0).sum()),
        "broken": int((bits > 0).sum()),
        "examples": {
            kind: [{"text": pieces[row], "change": float(bits[row] / texts.bytes[row])} for row in rows]
            for kind, rows in ends.items()
        },
    }


def _told(name: str, before: NDArray[Any], after: NDArray[Any], less: Losses) -> Json:
    """A metric's two values, and their difference where there are texts enough for one."""
    sample: Sample = less.sample(np.arange(len(less.sums)))
    found = asdict(mean_of(sample)) if len(sample.sums) >= FEWEST else None
    if found is not None and found["p"] <= LEVEL:  # of a few changed rows Student's t makes too much
        found["p"] = max(found["p"], flipped(sample.sums))
    return {"before": float(before.mean()), "after": float(after.mean()), "unit": UNITS.get(name), "difference": found}


def _judge(*tables: Json) -> None:
    """Add Holm's p over the metrics of all tables, and a word for each difference."""
    every = [(name, metric) for told in tables for name, metric in told.items()]
    known = [(name, metric) for name, metric in every if metric.get("difference")]
    for _, metric in every:
        metric["word"] = FEW if "difference" in metric else None
    for (name, metric), p in zip(known, holm([metric["difference"]["p"] for _, metric in known]), strict=True):
        found = metric["difference"]
        found["p_holm"] = p
        metric["word"] = word_of(found["value"], p, rising=name in RISING) if found["value"] else NOT_SHOWN


def _changed(
    task: LabelTask, target: NDArray[Any], said: Sequence[list[Any]], change: NDArray[np.float64], corpus: Corpus
) -> Json:
    """Which answers became right or wrong, or nearer to the truth and further from it."""
    truth = [task.name_of(each) for each in target]
    if task.labels:
        was, now = (np.array([a == b for a, b in zip(each, truth, strict=True)], bool) for each in said)
        kinds = {"fixed": ~was & now, "broken": was & ~now}
    else:
        kinds = {"fixed": change < 0, "broken": change > 0}
    examples = {}
    for name, here in kinds.items():
        rows = np.flatnonzero(here)
        rows = rows[np.argsort(-np.abs(change[rows]), kind="stable")][:LISTED]
        listed = zip(rows.tolist(), corpus.texts(rows), strict=True)
        examples[name] = [
            {"text": text, "label": truth[row], "before": said[0][row], "after": said[1][row], "place": corpus.place(row)}
            for row, text in listed
        ]
    return {name: int(here.sum()) for name, here in kinds.items()} | {"examples": examples}
