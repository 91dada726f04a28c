"""A trained model of a knowledge graph with the names of its entities and what is known of them, and its files."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

from ..core.errors import DataError, LossworksError, RecordError, UsageError
from ..data.features import Selected
from ..data.glosses import bags, new_reading
from ..data.hashed_features import HashedFeatures
from ..data.triples import Ints, Names, Queries, inverted
from ..metrics import Ranks, ranked
from ..models import GraphNetwork, build_graph, render
from ..models.glosses import Glosses
from ..models.neural.weights import fill_weights, read_tensors, write_weights
from ..record import read_object, write_json
from ..record.tensors import map_tensors, write_tensors
from ..tasks import GraphCompletion

FORMAT = 1
_WEIGHTS, _FACTS, _GLOSSES = "model.safetensors", "facts.safetensors", "glosses.safetensors"
_SCORES = 1 << 24  # of entities, held at once


@dataclass(frozen=True, slots=True)
class Asked:
    """Queries [B]: the number of each one's entity, or -1 where it is ``told`` by a description, and its relation."""

    head: Ints
    relation: Ints
    told: dict[int, Selected]


@dataclass(frozen=True, slots=True)
class Answering:
    """A network at work: the vectors of all entities [V, width] are made once, for each of its parts.

    alone [V + 1]: what is asked about by its description alone, for it has no training fact; the last is all that is no entity.
    """

    network: GraphNetwork
    tables: Sequence[Tensor]
    alone: NDArray[np.bool_]

    @torch.inference_mode()
    def __call__(self, head: Ints, relation: Ints, told: Sequence[Selected] = ()) -> NDArray[np.float32]:
        """Scores of every entity as the answer to queries, [B, V]. V numbers a query: give few. Head -1 stands for the next of
        those ``told`` by a description.
        """
        own, *described = self.tables
        at, relations, alone = (torch.from_numpy(each).to(own.device) for each in (head, relation, self.alone[head]))
        found = self.network.logits(at, own[at], relations, own)
        if not described:
            return np.asarray(found.float().cpu().numpy())
        part, vectors = self.network.described, described[0][at]
        assert part is not None
        assert isinstance(part.entities, Glosses)
        for row, text in zip(np.flatnonzero(head < 0).tolist(), told, strict=True):
            vectors[row] = part.entities.of(text, np.zeros(1, np.int64))[0]
        found = found.masked_fill(alone[:, None], 0.0) + part.logits(at, vectors, relations, described[0])
        return np.asarray(found.float().cpu().numpy())


@dataclass(slots=True)
class KnowledgeGraph:
    """A network over named entities. facts [N, 3]: all that it was fitted with, held-out ones too; the ``trained`` ones first.

    reading: how a description is read, of a network that knows descriptions.
    """

    names: Names
    network: GraphNetwork
    facts: Ints
    trained: int
    reading: HashedFeatures | None = None

    @torch.inference_mode()
    def answering(self) -> Answering:
        """The network with its weights as they stand now."""
        network, count = self.network.eval(), len(self.names.entities)
        alone = np.ones(count + 1, np.bool_)
        alone[:count] = self.reading is not None
        if network.described is not None:
            assert isinstance(network.described.entities, Glosses)
            alone[:count] &= network.described.entities.texts.lengths > 0
            alone[self.facts[: self.trained, [0, 2]]] = False
        return Answering(network, [part.table().detach() for part in network.parts], alone)

    def ranks(self, facts: Ints, known: Queries) -> Ranks:
        """Of facts [N, 3] the ranks of their tails and then of their heads [2N]; see ``ranks``."""
        return ranks(self.answering(), facts, known, len(self.names.entities))

    def queries(self, texts: Sequence[str]) -> Asked:
        """What is asked by queries "head<tab>relation", or "?<tab>relation<tab>tail", which asks for the head. What is no
        entity's name is taken for a description, where the network knows such.

        Raises:
            UsageError: one is spelled otherwise. DataError: it names what the graph does not, or no word of it is known.
        """
        given, inverse, told = [], [], dict[int, Selected]()
        known = set(self.names.entities)
        for row, text in enumerate(texts):
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
            if self.reading is not None and entity not in known:
                told[row] = bags(self.reading, [entity])
                if not len(told[row].ids):
                    raise DataError(f"query {row + 1}: {entity!r} names no entity, and as a description it has no known word.")
                entity = self.names.entities[0]
            given.append(f"{entity}\t{relation}\t{entity}")
        numbers = self.names.numbers(given, lambda row: f"query {row + 1}")
        numbers[list(told), 0] = -1
        return Asked(numbers[:, 0], numbers[:, 1] + np.array(inverse, np.int64), told)

    def save(self, folder: Path) -> None:
        """Write weights, names, facts, descriptions and ``config.json``, each in one step."""
        write_weights(self.network, folder / _WEIGHTS, "")
        write_tensors(folder / _FACTS, {"facts": self.facts.astype(np.uint32)}, {})
        config = {"format": FORMAT, "task": GraphCompletion.kind, "model": render(self.network.spec), "trained": self.trained}
        if self.reading is not None and self.network.described is not None:
            assert isinstance(self.network.described.entities, Glosses)
            texts = self.network.described.entities.texts
            arrays: dict[str, NDArray[Any]] = {"ids": texts.ids, "values": texts.values, "lengths": texts.lengths}
            write_tensors(folder / _GLOSSES, arrays | self.reading.save(folder), {})
            config["glosses"] = len(self.reading)
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
            reading = None
            if "glosses" in config:
                reading, texts = _descriptions(map_tensors(folder / _GLOSSES)[0], len(names.entities), config["glosses"])
                network.describe(texts, len(reading), 0)
            fill_weights(network, read_tensors(folder / _WEIGHTS)[0], folder / _WEIGHTS)
        except (KeyError, TypeError, ValueError, LossworksError) as error:
            if isinstance(error, RecordError) and str(folder) in str(error):
                raise
            raise RecordError(f"{folder}: config.json and the model's files do not fit together ({error}). Fit again.") from None
        return cls(names, network.eval().to(device), facts, trained, reading)


def _descriptions(arrays: Mapping[str, NDArray[Any]], entities: int, words: int) -> tuple[HashedFeatures, Selected]:
    """The reading of descriptions, and those of the entities, as ``save`` wrote them."""
    reading = new_reading()
    reading.load(Path(), {name: np.array(arrays[name]) for name in ("buckets", "weights")})
    ids, values, lengths = (np.array(arrays[name]) for name in ("ids", "values", "lengths"))
    if (len(lengths), len(reading), lengths.sum()) != (entities, words, len(ids)) or len(values) != len(ids):
        raise RecordError("the descriptions are not of these entities")
    if (lengths < 0).any() or (ids >= words).any():
        raise RecordError("the descriptions have words that are not there")
    return reading, Selected(ids, values, np.cumsum(lengths) - lengths, lengths)


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
