"""Sources of labels pooled: a predictor like any other."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray
from scipy.special import log_expit, log_softmax

from ..inference import Predictor, kept_by
from ..models.pool import PoolSpec, Rule
from ..record import read_object, write_json
from ..tasks import LabelTask
from .sources import LabelSource, kind_of

_FILE, _SOURCES = "pool.json", "sources"


def outcomes(task: LabelTask, logits: NDArray[np.float64]) -> NDArray[np.float64]:
    """Log-probabilities of outcomes at positions: of classes [N, K], of label sets [N · labels, 2], no and yes of each label."""
    if task.kind == "classify":
        return np.asarray(log_softmax(logits, 1))
    flat = logits.ravel()
    return np.stack([log_expit(-flat), log_expit(flat)], 1)


@kept_by("pool")
@dataclass(slots=True)
class LabelPool(Predictor):
    """Sources, their names as they were given, and the rule that makes them one."""

    sources: Sequence[LabelSource]
    names: Sequence[str]
    rule: Rule
    spec: PoolSpec = field(default_factory=PoolSpec, kw_only=True)

    def prepared(self, texts: Sequence[str]) -> Sequence[str]:
        return texts

    def scores_of(self, prepared: Sequence[str]) -> NDArray[np.float64]:
        answers = [outcomes(self.task, source.logits(prepared)) for source in self.sources]
        found = self.rule.combine(np.stack(answers))
        return found if self.task.kind == "classify" else (found[:, 1] - found[:, 0]).reshape(len(prepared), -1)

    def changed(self, change: Callable[[Predictor], Predictor]) -> LabelPool:
        return replace(self, sources=[source.changed(change) for source in self.sources])

    def write(self, folder: Path) -> None:
        given = [{"kind": source.kind, "name": name} for source, name in zip(self.sources, self.names, strict=True)]
        for number, source in enumerate(self.sources):
            (place := folder / _SOURCES / str(number)).mkdir(parents=True, exist_ok=True)
            source.save(place)
        write_json(folder / _FILE, {"rule": self.rule.to_json(), "sources": given})

    @classmethod
    def read(cls, folder: Path, task: LabelTask, spec: Any) -> LabelPool:
        written = read_object(folder / _FILE)
        given, rule = written["sources"], Rule.from_json(written["rule"])
        if len(given) != len(rule.weights):
            raise ValueError(f"{len(given)} sources with {len(rule.weights)} weights")
        sources = [kind_of(each["kind"]).load(folder / _SOURCES / str(number), task) for number, each in enumerate(given)]
        return cls(task, sources=sources, names=[each["name"] for each in given], rule=rule)
