"""The hyperparameters of a family of neural language models, and the models of its files."""

from __future__ import annotations

import json
from abc import abstractmethod
from dataclasses import dataclass
from pathlib import Path
from typing import ClassVar

from ...core.errors import LossworksError, RecordError
from ...core.seeds import derive, first_weights
from ...data import Ragged
from ...tokens import Vocabulary
from ..base import build_language
from ..language import LanguageSpec
from .causal_lm import CausalLM
from .model import FILE, FORMAT, NeuralModel
from .network import LanguageNetwork, TextEncoder
from .weights import fill_weights, read_tensors


@dataclass(frozen=True, kw_only=True)
class NeuralSpec(LanguageSpec):
    """The hyperparameters of a family of networks over tokens. First weights are a function of the seed."""

    by_gradients: ClassVar[bool] = True
    no_further: ClassVar[str] = ""
    optimizer: ClassVar[str]
    """What it is trained with where nothing else is said."""

    def sequence_network(self, texts: Ragged, vocabulary: Vocabulary, *, ends: bool = True, seed: int = 0) -> CausalLM:
        return CausalLM(self.network(vocabulary.size, derive(seed, "weights")), vocabulary, ends=ends)

    def output_vocab(self, vocabulary: Vocabulary) -> Vocabulary:
        """The outputs of a network over a tokenizer's ``vocabulary``, and its special tokens; a pretrained one's own."""
        return vocabulary

    def network(self, vocabulary: int, seed: int = 0) -> LanguageNetwork:
        """A network that predicts the next of ``vocabulary`` tokens."""
        with first_weights(seed):
            return self._network(vocabulary)

    def encoder(self, vocabulary: int, seed: int = 0) -> TextEncoder:
        """A network from whole texts of such tokens to vectors."""
        with first_weights(seed):
            return self._encoder(vocabulary)

    def load(self, folder: Path, vocabulary: Vocabulary, *, ends: bool = True) -> NeuralModel:
        """The model of this spec that ``NeuralModel.save`` wrote into ``folder``.

        Raises:
            RecordError: the file is missing or damaged, or holds another model; nothing in it is ever executed.
        """
        model = load_model(folder)
        if (model.network.spec, model.vocabulary, model.ends) != (self, vocabulary, ends):
            found = f"{model.network.spec} over {model.vocabulary}"
            raise RecordError(f"{folder} holds {found}; wanted {self} over {vocabulary}. Restore it from a copy, or fit again.")
        return model

    @abstractmethod
    def _network(self, vocabulary: int) -> LanguageNetwork: ...

    @abstractmethod
    def _encoder(self, vocabulary: int) -> TextEncoder: ...


def load_model(folder: Path) -> NeuralModel:
    """The model that ``NeuralModel.save`` wrote.

    Raises:
        RecordError: the file is missing or damaged; nothing in it is ever executed.
    """
    path = folder / FILE
    tensors, notes = read_tensors(path)
    try:
        made = json.loads(notes["lossworks"])
        if made["format"] != FORMAT:
            raise RecordError(f"format {made['format']!r}; this version reads format {FORMAT}")
        spec = build_language(made["model"])
        if not isinstance(spec, NeuralSpec):
            raise RecordError(f"it holds {made['model']!r}")
        network = spec.network(Vocabulary(**made["vocabulary"]).size)
        fill_weights(network, tensors, path)
        return NeuralModel(network.eval(), Vocabulary(**made["vocabulary"]), ends=bool(made["ends"]))
    except (KeyError, TypeError, ValueError, RuntimeError, LossworksError) as error:
        raise RecordError(f"{path} is no model of this version ({error}). Restore it from a copy, or fit again.") from None
