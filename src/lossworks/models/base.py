"""What a model of text is: features learned from raw text, and a network from their batches to outputs.

A model never sees a loss or an optimiser. Its spec is a frozen dataclass of hyperparameters.
"""

from __future__ import annotations

import math
from abc import ABC, abstractmethod
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any, ClassVar

from ..core.errors import UsageError
from ..core.registry import Registry
from .counted import CountedSpec
from .graph_spec import GraphSpec
from .language import LanguageSpec

if TYPE_CHECKING:
    from numpy.typing import NDArray

    from ..data import Features
    from ..data.batch import Bags
    from .networks import TextModel

Weights = dict[str, "NDArray[Any]"]
"""A network's weights, by name."""
MICRO = 4096
"""Rows whose outputs stand in memory at once, where a model says nothing else."""


@dataclass(frozen=True, kw_only=True)
class ModelSpec(ABC):
    """The hyperparameters of a family, and what it is trained with where nothing else is said."""

    optimizer: ClassVar[str]
    epochs: ClassVar[int]
    patience: ClassVar[int]
    fewest_updates: ClassVar[int] = 1
    no_further: ClassVar[str] = ""
    """Why no training goes on from a model of this family; empty where one does."""

    def length(self, updates: int) -> tuple[int, int]:
        """Epochs and patience where nothing is said, with so many ``updates`` an epoch: both are longer where that makes fewer
        than ``fewest_updates``.
        """
        times = max(1.0, self.fewest_updates / (self.epochs * updates))
        return math.ceil(self.epochs * times), math.ceil(self.patience * times)

    def for_few(self, rows: int) -> ModelSpec | None:
        """The family that learns classes better of so few training ``rows``, where nothing is said of training; None: this one.
        ``contrastive=false`` keeps to this one.
        """
        return None

    @property
    def micro_batch(self) -> int:
        """Rows whose outputs stand in memory at once."""
        return MICRO

    def penalty(self, rows: int) -> str | None:
        """What draws the weights of a fit on so many ``rows`` towards zero where nothing is said; None: nothing does."""
        return None

    def parameters(self, features: int, outputs: int) -> int | None:
        """How many weights the network over ``features`` ids will have; None where that is known only once it is made."""
        return None

    @abstractmethod
    def features(self) -> Features:
        """How raw text is read; nothing is learned yet."""

    @abstractmethod
    def network(self, features: int, outputs: int, seed: int) -> TextModel:
        """The network over ``features`` ids, its first weights a function of ``seed``."""

    def restored(self, folder: Path, features: int, outputs: int) -> TextModel:
        """The network that ``TextModel.save_extra`` was asked of in ``folder``, its weights still to be filled in.

        Raises:
            RecordError: something is missing in ``folder``, or damaged.
        """
        return self.network(features, outputs, seed=0)


class ArraySpec(ModelSpec):
    """A family whose outputs are arithmetic on arrays: whoever asks a trained model does not wait for PyTorch."""

    @abstractmethod
    def shapes(self, features: int, outputs: int) -> dict[str, tuple[int, ...]]:
        """The network's weights (float32), by name, and the shape of each."""

    @abstractmethod
    def outputs(self, texts: Bags, weights: Weights) -> NDArray[Any]:
        """What the network with these ``weights`` answers of N texts, in the same bits: [N, outputs]."""


Spec = ModelSpec | CountedSpec | LanguageSpec | GraphSpec
models: Registry[Spec] = Registry(
    "model",
    "lossworks.models",
    Spec,
    "Give a spec such as 'linear' or 'ngram:order=5'.",
    "A model of Hugging Face is 'hf:{}': a directory, or a name whose files are on this disk.",
)
render = models.render
"""The spec that spells a model."""


def build(spec: str | ModelSpec) -> ModelSpec:
    """The network over features that a spec such as ``"linear:words=2"`` spells.

    Raises:
        UsageError: an unknown name or key, or a value outside its domain.
    """
    model: ModelSpec = models.build_as(ModelSpec, spec, "Give a spec such as 'linear' or 'bag:dim=32'.")
    return model


def build_classifier(spec: str | ModelSpec | CountedSpec) -> ModelSpec | CountedSpec:
    """The same, or a family that counts, such as ``"naive_bayes:words=1"``.

    Raises:
        UsageError: an unknown name or key, or a value outside its domain.
    """
    remedy = "Give a spec such as 'linear', 'bag:dim=32' or 'naive_bayes'."
    model: ModelSpec | CountedSpec = models.build_as(ModelSpec | CountedSpec, spec, remedy)
    return model


def build_language(spec: str | LanguageSpec) -> LanguageSpec:
    """The family of language models that a spec such as ``"ngram:order=3"`` spells.

    Raises:
        UsageError: an unknown name or key, or a value outside its domain.
    """
    remedy = "A language model is wanted here: 'ngram:order=5' or 'hmm:states=64'."
    model: LanguageSpec = models.build_as(LanguageSpec, spec, remedy)
    return model


def build_graph(spec: str | GraphSpec) -> GraphSpec:
    """The family of models of knowledge graphs that a spec such as ``"complex:dim=256"`` spells.

    Raises:
        UsageError: an unknown name or key, or a value outside its domain.
    """
    remedy = "A model of a knowledge graph is wanted here: 'complex:dim=256', distmult, transe or rotate."
    model: GraphSpec = models.build_as(GraphSpec, spec, remedy)
    return model


def is_language(spec: str | Spec) -> bool:
    """Whether a spec spells a family of language models.

    Raises:
        UnknownName: no family is named so.
    """
    return issubclass(_family(spec), LanguageSpec)


def is_graph(spec: str | Spec) -> bool:
    """Whether a spec spells a family of models of knowledge graphs.

    Raises:
        UnknownName: no family is named so.
    """
    return issubclass(_family(spec), GraphSpec)


def for_labels(spec: str | Spec) -> str | Spec:
    """The same family for texts with labels: an encoder in the place of a network that reads from left to right.

    Raises:
        UnknownName: no family is named so. UsageError: it has no such form.
    """
    if not isinstance(spec, str):
        if isinstance(spec, LanguageSpec) and spec.classifier is not None:
            raise UsageError(f"got {spec!r} for texts with labels. Name its encoder: {spec.classifier}.")
        return spec
    spec = models.resolved(spec)
    name, colon, keys = spec.partition(":")
    other = getattr(models[name].thing, "classifier", None)
    return spec if other is None else other + colon + keys


def is_counted(spec: str | Spec) -> bool:
    """Whether a spec spells a classifier that counts.

    Raises:
        UnknownName: no family is named so.
    """
    return issubclass(_family(spec), CountedSpec)


def _family(spec: str | Spec) -> type[Spec]:
    return models[models.resolved(spec).partition(":")[0]].thing if isinstance(spec, str) else type(spec)


def check_reading(words: int, chars: int, bits: int, min_count: int) -> None:
    """Raise UsageError where a reading of text makes no sense."""
    if words < 1 or chars < 0 or chars == 1:
        raise UsageError(f"got words={words}, chars={chars}; wanted words of 1 or more, chars of 0 (none) or 2 and more.")
    if not 8 <= bits <= 28:
        raise UsageError(f"bits is {bits}; wanted 8 to 28.")
    if min_count < 1:
        raise UsageError(f"min_count is {min_count}; wanted 1 or more.")
