"""The labelled rows of a comparison: in the parts that all arms share, with the class weights and the teacher of each."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field, replace
from typing import Any

import numpy as np

from ..core.errors import UsageError
from ..data import TEST, TRAIN, VALID, Corpus
from ..training import Settings
from ..training.assembling import assemble
from ..training.dataset import Dataset
from ..training.teaching import CUT, Taught, Teacher, teach


@dataclass(slots=True)
class LabelRows:
    """Arguments as of ``Benchmark``."""

    corpora: list[Corpus]
    fixed: list[int | None]
    common: Mapping[str, Any]
    teachers: Mapping[str, Callable[[], Teacher]]
    _said: dict[str, Taught] = field(default_factory=dict)
    _whole: dict[Any, Dataset] = field(default_factory=dict)

    def assembled(self, settings: Settings) -> Dataset:
        """The data of an arm before any text is read, of all languages."""
        key = str(settings.class_weight), source_of(settings.teach)
        if key not in self._whole:
            self._whole[key] = self.assemble(settings.class_weight, settings.teach)
        return self._whole[key]

    def assemble(self, class_weight: Any, teach: str | None = None) -> Dataset:
        """Parts and targets, the same for all arms but that rows without a label are left out where no teacher speaks of them."""
        common = Settings(**{name: self.common[name] for name in ("task", "valid", "test", "seed") if name in self.common})
        how = class_weight, common.valid, common.test, common.seed
        taught = self._says(source_of(teach)) if self.teachers else None
        if taught is not None:
            silent = taught.silent if teach else np.ones_like(taught.silent)
            taught = replace(taught, silent=silent, notes=[])
        data = assemble(self.corpora, self.fixed, common.task, *how, taught)
        data.teacher, data.posterior = None, False
        for part, name in ((VALID, "validation"), (TEST, "test")):
            if not (data.parts == part).any():
                raise UsageError(
                    f"{self.corpora[0].source}: no {name} rows {'with a label ' * bool(self.teachers)}are held out, and compare "
                    "judges by them. Give more rows (40 or more), or files of them with --valid and --test."
                )
        return data

    def taught(self, data: Dataset, settings: Settings) -> Dataset:
        """The data with the teacher of an arm."""
        if settings.teach is None:
            return replace(data, given=None)
        taught = self._says(source_of(settings.teach))
        rows = np.flatnonzero(data.parts == TRAIN)
        is_cut = settings.teach.startswith(CUT)
        says = taught.cut(data.task, rows, settings.seed) if is_cut else taught.of_network(data.task)
        return replace(data, teacher=says, posterior=taught.posterior)

    def _says(self, teacher: str | None) -> Taught:
        """What a teacher says of the rows. What the first one says completes the labels, for the strata that all arms share."""
        first = next(iter(self.teachers))
        for name in (first, teacher or first):
            if name not in self._said:
                found = teach(self.corpora, self.fixed, self.common.get("task", "auto"), self.teachers[name]())
                self._said[name] = found if name == first else replace(found, given=self._said[first].given)
        return self._said[teacher or first]


def source_of(teach: str | None) -> str | None:
    """The teacher of an arm, cut or not."""
    return teach.removeprefix(CUT) if teach else None
