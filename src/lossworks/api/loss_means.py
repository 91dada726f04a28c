"""The mean of any loss on other text, with its interval and the baseline's: what ``evaluate`` says of ``losses``.

Losses read the scores that they read in training, here of calibrated answers, and of numbers in the data's own units: so
``cross_entropy`` is the nll and ``mse`` the mean squared error that stand beside. Of label sets a row's loss is the mean over the
labels, as in training, and its nll the sum.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping, Sequence
from typing import TYPE_CHECKING, Any

import numpy as np
from numpy.typing import NDArray

from .. import metrics
from ..core import own
from ..core.lazy import Later
from ..data import Corpus, Ragged
from ..data.triples import Queries, inverted
from ..inference.graph import KnowledgeGraph
from ..losses import CategoricalLoss, Loss, build, render
from ..metrics.intervals import effective, mean, ratio
from ..metrics.over_rows import blocks, group_ids
from ..models import LanguageModel
from ..models.language import parts
from ..scores import dense
from ..tasks import GraphCompletion, LabelTask, LanguageModeling
from ..training.language_metrics import some_at_a_time
from .language import Language
from .model import Model

if TYPE_CHECKING:
    import torch
else:
    torch = Later("torch")

Json = dict[str, Any]
Floats = NDArray[np.float64]
Specs = Sequence[str | Loss]
Built = Mapping[str, Loss]
_AT_ONCE = 1 << 24  # scores of entities in memory at once


def of_labels(model: Model, specs: Specs, scores: NDArray[Any], corpus: Corpus, train: NDArray[Any]) -> Json:
    """Of a classifier or regression with these ``scores`` of the corpus's rows, before calibration. ``train``: targets that the
    baseline learns from, and losses that ask how often a class occurs.

    Raises:
        UsageError: a loss is not for the task.
    """
    task = model.predictor.task
    target, groups = task.targets(corpus), group_ids(corpus.keys, len(corpus))
    counts = [float(count) for count in task.counts(train) or ()] if task.groups else []
    losses = _built(specs, lambda spec: task.loss(spec, counts))
    weights = effective(corpus.weights, len(target), groups)

    def means(answers: NDArray[Any], temperature: float = 1.0) -> Json:
        found = {name: _of_rows(task, loss, answers, target, temperature) for name, loss in losses.items()}
        return {name: mean(values, weights, groups).to_json() for name, values in found.items()}

    constant = {"name": "constant baseline", "metrics": means(task.constant_scores(train, target))}
    return {"metrics": means(scores, model.predictor.temperature), "baseline": constant}


def of_texts(model: Language, specs: Specs, texts: Ragged, units: metrics.SegmentCounts) -> Json:
    """Of a language model, a position, in ``texts`` of its tokens; intervals are over their ``units``.

    Raises:
        UsageError: a loss is not for the task.
    """
    found, counts = model.model, model.counts
    losses = _built(specs, lambda spec: LanguageModeling().loss(spec, () if counts is None else (counts + 1.0).tolist()))
    sizes = units.positions.astype(np.float64)

    def means(values: Mapping[str, Floats]) -> Json:
        return {name: ratio(units.sums(each), sizes).to_json() for name, each in values.items()}

    told: Json = {"metrics": means(_of_positions(found, losses, texts))}
    if counts is not None:
        start = None if found.vocabulary.start == found.vocabulary.end else found.vocabulary.start
        below, targets = metrics.unigram(counts, start), found.targets(texts)
        distinct, which = np.unique(targets, return_inverse=True)
        pieces = [_values(losses, np.tile(below, (len(rows), 1)), distinct[rows]) for rows in parts(len(distinct), len(below))]
        each = {name: values[which] for name, values in _joined(losses, pieces)}
        told["baseline"] = {"name": "unigram model", "metrics": means(each)}
    return told


def of_facts(graph: KnowledgeGraph, specs: Specs, facts: NDArray[np.int64]) -> Json:
    """Of a knowledge graph, a query among all entities, those included that are known to answer it besides; each fact [N, 3]
    asks for its tail and for its head.

    Raises:
        UsageError: a loss is not for the task.
    """
    relations, entities, answers = len(graph.names.relations), len(graph.names.entities), graph.answering()
    counts = np.bincount(Queries.of(graph.facts[: graph.trained], relations).tails, minlength=entities) + 1.0
    losses = _built(specs, lambda spec: GraphCompletion().loss(spec, counts.tolist()))
    both, fact = np.concatenate([facts, inverted(facts, relations)]), np.tile(np.arange(len(facts)), 2)
    step = max(1, _AT_ONCE // entities)
    some = (both[first : first + step].T for first in range(0, len(both), step))
    pieces = [_values(losses, answers(head, relation), tail) for head, relation, tail in some]
    weights = effective(None, len(both), fact)
    return {"metrics": {name: mean(values, weights, fact).to_json() for name, values in _joined(losses, pieces)}}


def _built(specs: Specs, made: Callable[[Loss], Loss]) -> dict[str, Loss]:
    """Each loss by its spec as it was given but for a file in it, told what it asks for."""
    return {own.plain(spec) if isinstance(spec, str) else render(spec): made(build(spec)) for spec in specs}


def _of_rows(task: LabelTask, loss: Loss, answers: NDArray[Any], target: NDArray[Any], temperature: float) -> Floats:
    found = []
    with torch.inference_mode():
        for rows in blocks(len(target), max(len(task.labels), 1)):
            scores = torch.from_numpy(answers[rows].astype(np.float64) / temperature)
            found.append(task.losses(loss, task.as_outputs(scores), torch.from_numpy(target[rows])).numpy())
    return np.concatenate(found).astype(np.float64)


def _of_positions(model: LanguageModel, losses: Built, texts: Ragged) -> dict[str, Floats]:
    pieces = []
    for some in some_at_a_time(texts):
        answers, target = model.at(some), model.targets(some)
        pieces += [_values(losses, answers(rows), target[rows]) for rows in parts(len(target), model.vocabulary.size)]
    return dict(_joined(losses, pieces))


def _values(losses: Built, logits: NDArray[Any], target: NDArray[np.int64]) -> dict[str, Floats]:
    """The value of each loss at each position."""
    with torch.inference_mode():
        scores = dense(torch.from_numpy(logits.astype(np.float64)), torch.from_numpy(target))
        return {name: _at(loss, scores) for name, loss in losses.items()}


def _at(loss: Loss, scores: Any) -> Floats:
    assert isinstance(loss, CategoricalLoss)
    return np.asarray(loss(scores).numpy(), np.float64)


def _joined(losses: Built, pieces: Sequence[Mapping[str, Floats]]) -> Iterator[tuple[str, Floats]]:
    return ((name, np.concatenate([np.empty(0), *(piece[name] for piece in pieces)])) for name in losses)
