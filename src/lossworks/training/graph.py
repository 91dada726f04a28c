"""From corpora of facts to a trained model of a knowledge graph and the record of how good it is."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import numpy as np
import scipy.sparse
from numpy.typing import NDArray
from torch import nn

from .. import metrics
from ..core.errors import DataError
from ..data import PARTS, TEST, TRAIN, VALID, Corpus
from ..data.glosses import read_glosses, words_of
from ..data.triples import Ints, Names, Queries, inverted
from ..engine import Callbacks, Loop
from ..engine.reduction import Reduction
from ..inference.graph import KnowledgeGraph, ranks
from ..losses import CategoricalLoss
from ..models import build_graph
from ..optim import Stepper
from ..optim import build as optimizer_of
from ..risks.mean import Mean
from ..schedules import Clock
from ..schedules import build as schedule_of
from ..tasks import GraphCompletion
from .describing import leaked, of_corpora
from .division import divide
from .resolving import check_stopping, for_graph
from .settings import Settings
from .triples import TripleObjective

_SCORES = 1 << 24  # of entities, that stand in memory at once while a step's gradient is made


def fit(
    corpora: Sequence[Corpus], fixed: Sequence[int | None], settings: Settings, callbacks: Callbacks, *, resume: bool
) -> tuple[KnowledgeGraph, Settings, dict[str, Any], dict[str, Any]]:
    """The graph, its resolved settings, and the record of data and result; arguments and errors as of ``fit_corpora``.

    Entities are those of all files, held-out ones too, so that what is true can be ranked whatever the model knows of it.
    """
    parts = divide(corpora, fixed, settings).parts
    assert parts is not None
    names = Names.of(corpora)
    facts = np.concatenate([names.read(corpus) for corpus in corpora])
    train, valid, test = (facts[parts == part] for part in (TRAIN, VALID, TEST))
    if not len(train):
        raise DataError(f"{corpora[0].source}: no fact is left to train on. Hold out less: --valid, --test.")
    settings = for_graph(settings)
    check_stopping(settings, GraphCompletion.kind, judged=len(valid) > 0)
    texts, notes = [""] * len(names.entities), list[str]()
    if settings.glosses is not None:
        texts, notes = _described(settings.glosses, names, train)
    data = {
        **of_corpora(corpora, None),
        "rows": len(facts),
        "parts": {name: int((parts == part).sum()) for part, name in enumerate(PARTS)},
        "entities": len(names.entities),
        "relations": len(names.relations),
        "label_column": None,
        "leaked": leaked(corpora, parts),
        "task": GraphCompletion.kind,
        "labels": None,
        "described": sum(map(bool, texts)) if notes else None,
        "notes": [*notes, *(note for name, rows in (("valid", valid), ("test", test)) for note in _unseen(train, rows, name))],
    }
    callbacks.watch("data", {"reason": "graph: facts of three names", **data, "config": settings.to_json()})
    network = build_graph(settings.spec).network(len(names.entities), len(names.relations), settings.seed)  # type: ignore[arg-type]
    reading = None
    if settings.glosses is not None:
        reading, bags = words_of(texts)
        network.describe(bags, len(reading), settings.seed)
    graph = KnowledgeGraph(names, network.to(settings.device), np.concatenate([train, valid, test]), len(train), reading)
    loop = _loop(graph, valid, settings, callbacks)
    if resume:
        loop.resume()
    callbacks.watch("resume" if resume else "start", {"step": loop.state.step})
    state = loop.run()
    judged = {"judged_by": loop.objective.metric}
    ended = judged | {"seconds": state.seconds, "epochs": state.epoch, "best_epoch": state.best_epoch or state.epoch}
    told = {**ended, "stopped": state.stopped, "scores": state.scores, "refit_rows": None, "notes": data["notes"]}
    if not callbacks.world.is_first:
        return graph, settings, data, told
    if not len(test):
        note = "no facts were held out to test on, so nothing is known of how good this is"
        return graph, settings, data, {"part": None, "rows": 0, "note": note, **told}
    return graph, settings, data, {"part": "test", **judge(graph, test), **told}


def judge(graph: KnowledgeGraph, facts: Ints) -> dict[str, Any]:
    """Filtered metrics of facts [N, 3], each asked for its tail and for its head, with 95 % intervals; and those of answering
    every query with the entities that are most often in its relation.
    """
    relations, entities = len(graph.names.relations), len(graph.names.entities)
    known = Queries.of(np.concatenate([graph.facts, facts]), relations)
    train = graph.facts[: graph.trained]
    both = np.concatenate([train, inverted(train, relations)])
    seen = np.ones(len(both), np.float32), (both[:, 1], both[:, 2])
    counts = scipy.sparse.csr_array(seen, shape=(2 * relations, entities))

    def frequency(head: Ints, relation: Ints) -> NDArray[np.float32]:
        return np.asarray(counts[relation].toarray())

    fact = np.tile(np.arange(len(facts)), 2)
    found = (graph.ranks(facts, known), ranks(frequency, facts, known, entities))
    own, below = ({name: each.to_json() for name, each in metrics.ranking(part, fact).items()} for part in found)
    return {"rows": len(facts), "metrics": own, "baseline": {"name": "frequency in the relation", "metrics": below}}


def _loop(graph: KnowledgeGraph, valid: Ints, settings: Settings, callbacks: Callbacks) -> Loop:
    """A training that has not begun."""
    relations, train = len(graph.names.relations), graph.facts[: graph.trained]
    queries = Queries.of(train, relations)
    counts = np.bincount(queries.tails, minlength=len(graph.names.entities)) + 1.0  # for losses that ask how often
    loss = GraphCompletion().loss(settings.loss or "", counts.tolist())
    assert isinstance(loss, CategoricalLoss)
    tables = [table for table in graph.network.modules() if isinstance(table, nn.Embedding)]
    for table in tables:
        table.sparse = bool(graph.network.spec.negatives)  # few vectors are read in a step, and only those are moved
    stepper = Stepper(optimizer_of(settings.optimizer or ""), graph.network, clip=settings.clip, ema=settings.ema)
    for table in tables:
        table.sparse = table.sparse and stepper.by_rows
    batch_size = len(queries) if stepper.optimizer.full_batch else int(settings.batch_size or 1)
    objective = TripleObjective(graph, loss, queries, valid, Queries.of(graph.facts, relations), batch_size, settings.seed)
    objective.stop_by = settings.stop_by
    per_epoch, epochs = len(objective.steps(0)), int(settings.epochs or 1)
    micro_batch = max(1, _SCORES // len(graph.names.entities))
    clock = Clock(per_epoch * epochs, per_epoch, None)
    loop = Loop(
        objective, stepper, Reduction(Mean()), micro_batch, schedule=schedule_of(settings.schedule or ""), clock=clock,
        callbacks=callbacks, patience=int(settings.patience or 1),
    )  # fmt: skip
    loop.state.stopped = "all epochs done"
    return loop


def _described(source: str | Path | Mapping[str, str], names: Names, train: Ints) -> tuple[list[str], list[str]]:
    """The description of each entity, "" where there is none; and what is told of them.

    Raises:
        DataError: none is of an entity of the facts. Or as ``read_glosses``.
    """
    glosses = read_glosses(source)
    texts = [glosses.get(name, "") for name in names.entities]
    described, entities = sum(map(bool, texts)), len(names.entities)
    if not described:
        first, other = next(iter(glosses), None), names.entities[0]
        raise DataError(
            f"--glosses: none of {len(glosses):,} descriptions is of an entity of the facts: those are called like "
            f"{other!r}, these like {first!r}. Give lines of an entity, a tab and its description."
        )
    trained = np.zeros(entities, np.bool_)
    trained[train[:, [0, 2]]] = True
    alone = sum(bool(text) for text, known in zip(texts, trained.tolist(), strict=True) if not known)
    counts = (
        (described, f"of {entities:,} entities have a description"),
        (entities - described, "entities have none: their own row stands alone"),
        (len(glosses) - described, "descriptions are of names in none of the facts, and left out"),
        (alone, "entities are known by their description alone: no training row names them"),
    )
    return texts, [f"{count:,} {what}" for count, what in counts if count]


def _unseen(train: Ints, held_out: Ints, part: str) -> list[str]:
    """That some held-out facts name what no training fact does."""
    entities, relations = np.unique(train[:, [0, 2]]), np.unique(train[:, 1])
    known = np.isin(held_out[:, [0, 2]], entities).all(1) & np.isin(held_out[:, 1], relations)
    count = int((~known).sum())
    if not count:
        return []
    return [f"{count:,} of {len(held_out):,} {part} rows name an entity or relation of which no training row tells anything"]
