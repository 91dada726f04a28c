"""The predictor of classifiers that count."""

from __future__ import annotations

import json
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from ..core.errors import RecordError
from ..data import Ragged
from ..models.base import models
from ..models.counted import CountedClassifier, CountedSpec
from ..record.tensors import map_tensors, write_tensors
from ..tasks import LabelTask
from .predictor import Predictor


@dataclass(slots=True)
class CountedPredictor(Predictor):
    """What a family counted in the training texts of each class.

    scripts: of each class the ISO 15924 codes of the scripts that its training texts are written in.
    """

    spec: CountedSpec
    model: CountedClassifier
    scripts: tuple[tuple[str, ...], ...]

    def prepared(self, texts: Sequence[str]) -> Ragged:
        return self.spec.read(texts)

    def scores_of(self, prepared: Ragged) -> NDArray[np.float32]:
        return self.model.scores(prepared)

    def write(self, folder: Path) -> None:
        write_tensors(folder / "model.safetensors", self.model.arrays(), {"scripts": json.dumps(self.scripts)})

    @classmethod
    def read(cls, folder: Path, task: LabelTask, spec: Any) -> CountedPredictor:
        built: CountedSpec = models.build_as(CountedSpec, spec, "Give a spec such as 'naive_bayes'.")
        arrays, notes = map_tensors(folder / "model.safetensors")
        scripts = tuple(tuple(map(str, own)) for own in json.loads(notes["scripts"]))
        if len(scripts) != len(task.labels):
            raise RecordError(f"scripts of {len(scripts)} classes, where there are {len(task.labels)}")
        return cls(task, built, built.load(arrays, len(task.labels)), scripts)
