"""A trained model of a knowledge graph with the names of its entities and what is known of them, and its files."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import torch
from numpy.typing import NDArray

from ..core.errors import LossworksError, RecordError, UsageError
from ..data.triples import Ints, Names, Queries, inverted
from ..metrics import Ranks, ranked
from ..models import GraphNetwork, build_graph, render
from ..models.neural.weights import fill_weights, read_tensors, write_weights
from ..record import read_object, write_json
from ..record.tensors import map_tensors, write_tensors
from ..tasks import GraphCompletion

FORMAT = 1
_WEIGHTS, _FACTS = "model.safetensors", "facts.safetensors"
_SCORES = 1 << 24  # of entities, held at once


@dataclass(slots=True)
class KnowledgeGraph:
    """A network over named entities. facts [N, 3]: all that it was fitted with, held-out ones too; the ``trained`` ones first."""

    names: Names
    network: GraphNetwork
    facts: Ints
    trained: int

    def logits(self, head: Ints, relation: Ints) -> NDArray[np.float32]:
        """Scores of every entity as the answer to queries, [B, V]. V numbers a query: give few."""
        device = self.network.head.device
        self.network.eval()
        with torch.inference_mode():
            some = (torch.from_numpy(part).to(device) for part in (head, relation))
            return np.asarray(self.network.logits(*some).float().cpu().numpy())

    def ranks(self, facts: Ints, known: Queries) -> Ranks:
        """Of facts [N, 3] the ranks of their tails and then of their heads [2N]; see ``ranks``."""
        return ranks(self.logits, facts, known, len(self.names.entities))

    def queries(self, texts: Sequence[str]) -> tuple[Ints, Ints]:
        """Entities and relations of queries "head<tab>relation", or "?<tab>relation<tab>tail", which asks for the head.

        Raises:
            UsageError: one is spelled otherwise. DataError: it names what the graph does not.
        """
        given, inverse = [], []
        for text in texts:
            match text.split("\t"):
                case ["?", relation, entity] if entity != "?":
                    inverse.append(len(self.names.relations))
                case [entity, relation] | [entity, relation, "?"] if entity != "?":
                    inverse.append(0)
                case _:
                    raise UsageError(
                        f"cannot read the query {text!r}. Wanted an entity and a relation with a tab between, which asks for the "
                        "tail, or '?', a relation and an entity, which asks for the head."
                    )
            given.append(f"{entity}\t{relation}\t{entity}")
        numbers = self.names.numbers(given, lambda row: f"query {row + 1}")
        return numbers[:, 0], numbers[:, 1] + np.array(inverse, np.int64)

    def save(self, folder: Path) -> None:
        """Write weights, names, facts and ``config.json``, each in one step."""
        write_weights(self.network, folder / _WEIGHTS, "")
        write_tensors(folder / _FACTS, {"facts": self.facts.astype(np.uint32)}, {})
        config = {"format": FORMAT, "task": GraphCompletion.kind, "model": render(self.network.spec), "trained": self.trained}
        write_json(folder / "config.json", config | {"entities": self.names.entities, "relations": self.names.relations})

    @classmethod
    def load(cls, folder: Path, device: str = "cpu") -> KnowledgeGraph:
        """Read what ``save`` wrote. Nothing in the files is ever executed.

        Raises:
            RecordError: a file is missing, damaged, or does not fit the others.
        """
        config = read_object(folder / "config.json")
        try:
            if (config["format"], config["task"]) != (FORMAT, GraphCompletion.kind):
                raise RecordError(f"format {config['format']!r} of task {config['task']!r}; this version reads format {FORMAT}")
            names = Names(tuple(map(str, config["entities"])), tuple(map(str, config["relations"])))
            network = build_graph(config["model"]).network(len(names.entities), len(names.relations), 0)
            facts = np.asarray(map_tensors(folder / _FACTS)[0]["facts"], np.int64)
            limits = len(names.entities), len(names.relations), len(names.entities)
            trained = int(config["trained"])
            if facts.ndim != 2 or facts.shape[1] != 3 or (facts >= limits).any() or not 0 <= trained <= len(facts):
                raise RecordError("the facts name entities or relations that are not there")
            fill_weights(network, read_tensors(folder / _WEIGHTS)[0], folder / _WEIGHTS)
        except (KeyError, TypeError, ValueError, LossworksError) as error:
            if isinstance(error, RecordError) and str(folder) in str(error):
                raise
            raise RecordError(f"{folder}: config.json and the model's files do not fit together ({error}). Fit again.") from None
        return cls(names, network.eval().to(device), facts, trained)


def ranks(score: Callable[[Ints, Ints], NDArray[np.float32]], facts: Ints, known: Queries, entities: int) -> Ranks:
    """Where the tails of facts [N, 3] stand, and then their heads [2N], among all entities.

    Args:
        score: of every entity as the answer, [B, V], from the entities and relations [B] of some queries.
        facts: whose answers are looked for.
        known: what is known to answer a query besides does not count against the answer.
        entities: how many there are.
    """
    both = np.concatenate([facts, inverted(facts, known.relations)])
    step = max(1, _SCORES // entities)
    parts = []
    for start in range(0, len(both), step):
        head, relation, tail = both[start : start + step].T
        parts.append(ranked(score(head, relation), tail, known.known(head, relation)))
    return Ranks.joined(parts)
