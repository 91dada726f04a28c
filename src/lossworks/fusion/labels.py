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
from ..models.pool import PoolSpec, Rule, read_pool, write_pool
from ..tasks import LabelTask
from .sources import LabelSource, kind_of


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
        each = zip(self.sources, self.names, strict=True)
        write_pool(folder, self.rule, [({"kind": source.kind, "name": name}, source) for source, name in each])

    @classmethod
    def read(cls, folder: Path, task: LabelTask, spec: Any) -> LabelPool:
        rule, found = read_pool(folder)
        sources = [kind_of(said["kind"]).load(place, task) for said, place in found]
        return cls(task, sources=sources, names=[said["name"] for said, _ in found], rule=rule)
