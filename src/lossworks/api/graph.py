"""A trained model of a knowledge graph as a user holds it, from ``fit`` or from a run directory."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np
from numpy.typing import NDArray

from ..core.errors import UsageError
from ..data.triples import Queries
from .held import Held, several

if TYPE_CHECKING:
    from ..inference import KnowledgeGraph


@dataclass(slots=True)
class Graph(Held):
    """A model of a knowledge graph: for a query the entities that may answer it, the most probable first."""

    trained: KnowledgeGraph
    record: dict[str, Any] = field(default_factory=dict)
    path: Path | None = None

    @property
    def entities(self) -> tuple[str, ...]:
        """The names of all entities."""
        return self.trained.names.entities

    @property
    def relations(self) -> tuple[str, ...]:
        """The names of all relations."""
        return self.trained.names.relations

    def predict(self, queries: Sequence[str], top: int = 10) -> list[list[dict[str, Any]]]:
        """The ``top`` most probable answers to each query: ``entity``, ``probability`` among all entities, and whether one of the
        facts that the model was fitted with says so (``known``).

        Args:
            queries: "head<tab>relation", which asks for the tail, or "?<tab>relation<tab>tail", which asks for the head.
            top: how many answers, 1 or more.

        Raises:
            UsageError: a query is spelled otherwise. DataError: it names what the graph does not.
        """
        if top < 1:
            raise UsageError(f"top is {top}; wanted 1 or more.")
        queries = several(queries, self.record)
        asked, scores = self.trained.queries(queries), self.trained.answering()
        known = Queries.of(self.trained.facts, len(self.relations))
        answers = []
        for place in range(len(queries)):
            one = slice(place, place + 1)
            told = [asked.told[place]] if place in asked.told else []
            logits = scores(asked.head[one], asked.relation[one], told)[0].astype(np.float64)
            p = np.exp(logits - logits.max())
            best = np.argsort(-logits, kind="stable")[:top]
            there = np.isin(best, known.known(asked.head[one], asked.relation[one])[1])
            named = zip(best.tolist(), (p[best] / p.sum()).tolist(), there.tolist(), strict=True)
            answers.append([{"entity": self.entities[at], "probability": share, "known": told} for at, share, told in named])
        return answers

    @property
    def vectors(self) -> NDArray[np.float32]:
        """A vector [V, width] for each entity; of complex families the real parts, and after them the imaginary parts. With
        descriptions a second one follows in the row, which is made of words.
        """
        return np.concatenate([table.cpu().numpy() for table in self.trained.answering().tables], 1)

    def __repr__(self) -> str:
        model, path = self.record.get("config", {}).get("model"), None if self.path is None else str(self.path)
        return f"Graph(model={model!r}, entities={len(self.entities)}, relations={len(self.relations)}, path={path!r})"
