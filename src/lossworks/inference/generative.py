"""Classes by language models: how probable a text is among those of each class, times how frequent the class is."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from .. import tokens
from ..core.errors import RecordError
from ..data import Ragged
from ..models.base import build_language
from ..models.language import LanguageModel, LanguageSpec
from ..record import read_object, write_json
from ..tasks import LabelTask
from ..tokens import Tokenizer
from .predictor import Predictor

_FORMAT = 1


@dataclass(slots=True)
class GenerativePredictor(Predictor):
    """The logit of a class is log p(text | class) + log p(class): Bayes' rule, whose softmax is p(class | text).

    counts: training texts of each class; the prior is their shares.
    """

    spec: LanguageSpec
    tokenizer: Tokenizer
    models: tuple[LanguageModel, ...]
    counts: tuple[int, ...]

    def prepared(self, texts: Sequence[str]) -> Ragged:
        return Ragged(*self.tokenizer.encode(texts))

    def scores_of(self, prepared: Ragged) -> NDArray[np.float64]:
        return np.stack([text_logp(model, prepared) for model in self.models], 1) + self.prior

    @property
    def prior(self) -> NDArray[np.float64]:
        """log p(class) [classes]."""
        return np.asarray(np.log(np.array(self.counts) / sum(self.counts)))

    def to(self, device: str) -> GenerativePredictor:
        for model in self.models:
            model.to(device)
        return self

    def write(self, folder: Path) -> None:
        self.tokenizer.save(folder / "tokenizer.json")
        for number, model in enumerate(self.models):
            place = _home(folder, number)
            place.mkdir(parents=True, exist_ok=True)
            model.save(place)
        write_json(folder / "classes.json", {"format": _FORMAT, "counts": self.counts})

    @classmethod
    def read(cls, folder: Path, task: LabelTask, spec: Any) -> GenerativePredictor:
        built = build_language(spec)
        tokenizer, classes = tokens.load(folder / "tokenizer.json"), read_object(folder / "classes.json")
        counts = tuple(classes["counts"])
        if classes["format"] != _FORMAT or len(counts) != len(task.labels) or not all(type(n) is int and n > 0 for n in counts):
            raise RecordError(f"{folder / 'classes.json'} does not fit config.json. Restore it from a copy, or fit again.")
        models = tuple(built.load(_home(folder, number), tokenizer.vocabulary) for number in range(len(counts)))
        return cls(task, built, tokenizer, models, counts)


def text_logp(model: LanguageModel, texts: Ragged) -> NDArray[np.float64]:
    """log p of each whole text [N]; -inf of one with an impossible token, and of no other."""
    text = np.repeat(np.arange(len(texts)), np.diff(model.bounds(texts)))
    return np.bincount(text, model.logp(texts), len(texts)).astype(np.float64, copy=False)


def _home(folder: Path, number: int) -> Path:
    """Where the model of a class is kept."""
    return folder / "classes" / str(number)
