"""``evaluate``: a trained model's figures on other text."""

from __future__ import annotations

from collections.abc import Sequence
from contextlib import closing
from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np
from numpy.typing import NDArray

from ..core import own
from ..core.errors import DataError, RecordError, UnknownName, UsageError
from ..data import Corpus, Ragged, ReadOptions, read_options
from ..engine import Callbacks
from ..losses import build
from ..metrics import SegmentCounts
from ..metrics.segments import Segments
from ..record.scratch import temporary
from ..tasks import GraphCompletion, LanguageModeling
from ..training.beside_counts import beside_counts, too_long
from ..training.graph import judge as judge_facts
from ..training.judging import figures
from ..training.language_metrics import judge, logp_of
from ..training.token_parts import in_tokens
from . import loss_means
from .conflicts import of_label_model, of_language_model
from .for_precision import Precision, for_precision, wanted_of
from .graph import Graph
from .language import Language
from .model import Model
from .out_of_fold import of_folds, was_cross_validated
from .reading import Source, check_apart
from .sliced import of_label_models, of_language_models
from .tested import corpus_for
from .trained_on import seen_of, training_texts

if TYPE_CHECKING:
    from ..losses import Loss

_SEEN = "No n-gram model was counted beside it: of the very texts that are counted it knows each by heart."


def evaluate(
    model: Model | Language | Graph,
    data: Source | None = None,
    read: ReadOptions | None = None,
    *,
    stride: int | None = None,
    slices: bool = False,
    conflict: bool = False,
    losses: Sequence[str | Loss] = (),
    precision: Precision | None = None,
    callbacks: Callbacks | None = None,
) -> dict[str, Any]:
    """Metrics with 95 % intervals, the baseline beside; of labels the confusion matrix and the most confident mistakes, of a
    language model the most and least surprising texts, of a knowledge graph the filtered ranks.

    ``trained_on`` is true where the data is, row for row, what ``fit`` was given, and ``known`` says how many rows of other data
    stand among those that the model was trained on, word for word: the figures then flatter the model.

    Args:
        model: from ``fit`` or ``load``.
        data: text as ``fit`` takes it; labelled, for a classifier or regression. None: what the model's run was tested on, from
            the data that its record names; of a run with folds, what its record and ``folds.parquet`` say of every row.
        read: which columns to read and how. Where it says how each row's ``language`` is known, or without data the fit did,
            ``languages`` has every metric of each language, the worst first, with a ``verdict``.
        stride: of the windows in which a network reads what is longer than its context; half of it if None.
        slices: whether to look for parts of the data (lengths, scripts, words, labels, repeated texts) on which the loss differs
            from that on the rest: ``slices`` has ``tables``, one a model, each with a ``verdict`` in words and the slices tested,
            with intervals and p after Holm's correction. `write_slices` makes a page of them.
        conflict: whether to compare the gradients of languages at the model: ``conflict`` has a ``verdict``, and each pair with
            the cosine, its interval, and p after Holm's correction (``attribution.conflict``).
        losses: specs of losses, or losses. ``losses`` then has the mean of each over rows (positions of a language model, queries
            of a knowledge graph) with its 95 % interval, and the baseline's: of calibrated answers, and of numbers in the data's
            own units.
        precision: of classifiers: ``for_precision`` then has, for each label with a precision, as in ``{"spam": 0.95}``, or for
            one number, which is of all labels together, the lowest threshold that reaches it ``here``, on these rows, and the
            lowest one of which it is ``shown`` that no more than 5 % of such findings are wrong (``metrics.for_precision``).
        callbacks: how to watch: "judge" tells of how many rows, or tokens, the answers are known.

    Raises:
        UsageError: a stride is given for a model that has no context to slide; slices of fewer than 40 texts, or of facts; a loss
            that is not for the model's task; a precision of what has no probabilities, or of a label it does not know.
        DataError: the data cannot be read, or holds a label, or names, that the fit had not seen.
    """
    if not isinstance(model, Language) and stride is not None:
        raise UsageError("--stride is for language models, and this is none. Leave it out.")
    if isinstance(model, Language):
        model = model.sliding(stride)
        read = replace(read_options(read), unlabelled=True, label=None, texts=model.document_unit)
        check_apart(read, model.document_unit)
    if isinstance(model, Graph):
        if slices or conflict or (read is not None and read.language is not None):
            flag = "--slices" if slices else "--conflict" if conflict else "--language"
            raise UsageError(f"{flag} is for texts, and a knowledge graph has none. Leave it out.")
        read = replace(read_options(read), triples=True, unlabelled=True)
    _check_losses(model, losses)
    wanted = [] if precision is None else wanted_of(model, precision)
    if data is None and not (slices or conflict or losses) and was_cross_validated(model):
        assert isinstance(model, Model)
        return of_folds(model, wanted)
    with closing(corpus_for({_name(model): model}, data, read)) as corpus:
        if isinstance(model, Graph):
            facts = model.trained.names.read(corpus)
            means = {"losses": loss_means.of_facts(model.trained, losses, facts)} if losses else {}
            about = {**source_of(corpus), "trained_on": model.was_trained_on(corpus.fingerprint)}
            return {**about, "task": "graph", **judge_facts(model.trained, facts), **means}
        if isinstance(model, Language):
            return _surprisal(model, corpus, read, slices, conflict, losses, callbacks, data is not None)
        scores = scores_of(model, corpus, callbacks)
        found = of_labels(model, corpus, scores, data is not None)
        if conflict:
            found["conflict"] = of_label_model(model, corpus)
        if wanted:
            target, chances = model.predictor.task.targets(corpus), model.predictor.probabilities(scores)
            found["for_precision"] = for_precision(model, wanted, chances, target, corpus.weights, corpus.keys)
        if losses:
            found["losses"] = loss_means.of_labels(model, losses, scores, corpus, _trained_on(model))
        return found | ({"slices": of_label_models({_name(model): model}, [scores], corpus, read)} if slices else {})


def _check_losses(model: Model | Language | Graph, losses: Sequence[str | Loss]) -> None:
    """Raise UsageError for a loss that is not for the task, before anything is read."""
    kinds = {Language: LanguageModeling, Graph: GraphCompletion}
    for spec in losses:
        if needed := _built(model, spec).needs.removesuffix("s"):
            raise UsageError(f"the loss {spec!r} compares with a {needed} at each position, and evaluate has none. Leave it out.")
        (model.predictor.task if isinstance(model, Model) else kinds[type(model)]()).loss(spec)


def _built(model: Model | Language | Graph, spec: str | Loss) -> Loss:
    """The loss that is spelled; an unknown one that the model was trained with is told by the file that the run keeps of it."""
    try:
        return build(spec)
    except UnknownName as error:
        kept = next((file["kept"] for file in model.record.get("own", ()) if error.name in file["names"]), None)
        if kept is None:
            raise
        raise UsageError(
            f"{error.name!r} is a loss in a file, to be named with it. The run keeps the one that it was trained with; if you "
            f"trust that: --loss {model.path}/{own.FOLDER}/{Path(kept).name}:{str(spec)[str(spec).find(error.name) :]}"
        ) from None


def scores_of(model: Model, corpus: Corpus, callbacks: Callbacks | None = None) -> NDArray[Any]:
    """A model's answers to all rows, before calibration."""
    tell = (callbacks or Callbacks()).judging(len(corpus), "rows")
    return np.concatenate([model.predictor.scores(texts, tell) for texts in corpus.blocks()])


def of_labels(model: Model, corpus: Corpus, scores: NDArray[Any], given: bool) -> dict[str, Any]:
    """What ``evaluate`` says of a classifier or regression with these ``scores`` of the rows; ``given``: as of ``seen_of``."""
    predictor, task = model.predictor, model.predictor.task
    target, weight = task.targets(corpus), corpus.weights
    said, rows, found = figures(predictor, scores, target, _trained_on(model), weight, corpus.keys, corpus.languages)
    listed = zip(corpus.texts(rows), found, rows, strict=True)
    about = {**source_of(corpus), **seen_of(model, corpus, given)}
    return {
        **about,
        "notes": [*about["notes"], *predictor.remarks(corpus.blocks())],
        "task": task.kind,
        "labels": list(task.labels) or None,
        **said,
        "mistakes": [{"text": text, **what, "place": corpus.place(int(row))} for text, what, row in listed],
    }


def _surprisal(
    model: Language,
    corpus: Corpus,
    read: ReadOptions | None,
    slices: bool,
    conflict: bool,
    losses: Sequence[str | Loss],
    callbacks: Callbacks | None,
    given: bool,
) -> dict[str, Any]:
    whole, about = model.document_unit == "file", {**source_of(corpus), **seen_of(model, corpus, given)}
    with temporary() as scratch:
        test = in_tokens(corpus.blocks, model.trained.tokenizer, scratch, "data", whole=whole)
        test = replace(test, languages=corpus.languages, keys=corpus.keys)
        logp = logp_of(model.model, test.texts, callbacks)
        units = test.units(model.tokenizer, model.model.ends)
        result = judge(model.trained, test, model.counts, model.record["config"]["seed"], logp, units)
        if "training" in model.record.get("result", {}):
            seen = about["trained_on"]
            result["ngram"] = {"note": _SEEN} if seen else _beside_counts(model, test.texts, units, logp, scratch)
        if losses:
            result["losses"] = loss_means.of_texts(model, losses, test.texts, units)
        if conflict:
            result["conflict"] = of_language_model(model, corpus, test.texts)
        if slices:
            texts = Segments.of(corpus.blocks, whole=whole)
            if whole:
                units = texts.of_tokens(test.texts, model.tokenizer, model.model.ends)
            runs = {_name(model): (units.sums(-logp), units.positions, units.unknown)}
            result["slices"] = of_language_models(runs, {_name(model): model}, texts, corpus, read, "nats_per_token")
    return {**about, "task": "lm", **result}


def _beside_counts(
    model: Language, test: Ragged, units: SegmentCounts, logp: NDArray[np.float64], scratch: Path
) -> dict[str, Any]:
    """What counting the texts that a network was trained on reaches, where they are few and still there."""
    try:
        if note := too_long(model.record["data"]["tokens"]["train"] + int(test.offsets[-1])):
            return {"note": note}
        texts = training_texts(_name(model), model, scratch)
    except (UsageError, DataError, RecordError):
        return {"note": "No n-gram model was counted beside it: the texts that it was trained on are not there, or have changed."}
    return beside_counts(model.model, texts, test, units, logp, 0.0, scratch)


def source_of(corpus: Corpus) -> dict[str, Any]:
    """Where data is from, how many rows were left out, the first of those that were ``bad``, and what to know of it all."""
    return {"source": corpus.source, "skipped": corpus.skipped, "bad": corpus.bad, "notes": list(corpus.notes)}


def _name(model: Model | Language | Graph) -> str:
    return "the model" if model.path is None else str(model.path)


def _trained_on(model: Model) -> NDArray[Any]:
    """Targets that the baseline learns the same from as from the training part: it needs but the counts."""
    data = model.record.get("data", {})
    counts = data["train_counts"] if data else None
    if counts is None and model.predictor.task.labels:
        raise UsageError(
            "this model has no record of its training data, which the baseline needs. Load it from its run directory."
        )
    return model.predictor.task.from_counts(counts, data.get("parts", {}).get("train", 0))
