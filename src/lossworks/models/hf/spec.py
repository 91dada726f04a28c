"""A model of Hugging Face's transformers as a family: fitted further, scored and generated from like any other."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path
from typing import ClassVar

from ...core import domains
from ...core.errors import RecordError, UsageError
from ...data import Ragged
from ...tokens import Vocabulary
from ..base import models
from ..neural.causal_lm import CausalLM
from ..neural.network import LanguageNetwork, TextEncoder
from ..neural.spec import NeuralSpec
from .library import FOLDER, named, predicts_end, tokenizer_file
from .model import NeuralHf, load_hf, outline


@models.add("hf", source="Wolf et al. 2020, EMNLP, arXiv:1910.03771 (transformers); Hu et al. 2021, arXiv:2106.09685 (LoRA)")
@dataclass(frozen=True, kw_only=True)
class HfSpec(NeuralSpec):
    """Any causal language model of Hugging Face, spelled hf:PATH or hf:NAME; needs the extra hf. Weights are safetensors.

    Keys: path, a directory that ``save_pretrained`` wrote, or a name at the hub; lora, the rank of adapters, which are then all
    that is trained (none: every weight); context, tokens read at once (none: as many as the model was made for).
    """

    path: str = ""
    lora: int | None = None
    context: int | None = None
    leading: ClassVar[str] = "path"
    optimizer: ClassVar[str] = "adamw:lr=0.0001"
    classifier: ClassVar[str | None] = "hf_classifier"
    forms: ClassVar[dict[str, str]] = {
        "frozen": "hf_frozen",
        "contrastive": "hf_contrastive",
        "contrastive=false": "hf_classifier",
    }

    def __post_init__(self) -> None:
        domains.count(self, "lora", "context")

    @property
    def tokens(self) -> str:  # type: ignore[override]
        """The model's own tokenizer.

        Raises:
            UsageError: it has none that the ``tokenizers`` library reads.
        """
        return tokenizer_file(named(self.path))

    def output_vocab(self, vocabulary: Vocabulary) -> Vocabulary:
        return outline(named(self.path))[0]

    @property
    def window(self) -> int | None:
        """Tokens read at once; None: any number."""
        return self.context or outline(named(self.path))[1]

    def sequence_network(self, texts: Ragged, vocabulary: Vocabulary, *, ends: bool = True, seed: int = 0) -> CausalLM:
        model = load_hf(named(self.path), lora=self.lora, context=self.context, ends=ends)
        if len(texts.ids) and int(texts.ids.max()) >= model.vocabulary.size:
            most = f"the tokenizer has the token {int(texts.ids.max())}, and {self.path} has {model.vocabulary.size}"
            raise UsageError(f"{most}. Give its own.")
        return HfCausalLM(model.network, model.vocabulary, ends=ends)

    def load(self, folder: Path, vocabulary: Vocabulary, *, ends: bool = True) -> NeuralHf:
        if not (folder / FOLDER).is_dir():
            raise RecordError(f"{folder / FOLDER} is missing. Restore it from a copy, or fit again.")
        return load_hf(folder / FOLDER, context=self.context, ends=ends)

    def pretrained(self) -> NeuralHf:
        """The model as it is: of texts without an end, where it is not said beside its tokenizer that they have one."""
        return load_hf(named(self.path), context=self.context, ends=predicts_end(self.path))

    def _network(self, vocabulary: int) -> LanguageNetwork:
        return load_hf(named(self.path), lora=self.lora, context=self.context).network

    def _encoder(self, vocabulary: int) -> TextEncoder:
        raise UsageError("a causal language model of Hugging Face is no encoder. Fit it with --task lm.")


class HfCausalLM(CausalLM):
    """Such a model as training asks it; what it leaves is saved in transformers' own form."""

    def model(self) -> NeuralHf:
        return NeuralHf(self.network, self.vocabulary, ends=self.ends)
