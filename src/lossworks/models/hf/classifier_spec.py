"""Sequence classifiers of Hugging Face's transformers as a family: texts by the model's own tokenizer, labels by any loss."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, ClassVar

import numpy as np
from numpy.typing import NDArray

from ... import tokens
from ...core import domains
from ...core.errors import UsageError
from ...data import Features, Marks, OrderedFeatures
from ...tokens import TokenizerSpec
from ...tokens.bpe import BpeSpec
from ..base import ModelSpec, models
from ..networks import TextModel
from ..neural.classifier import rows_at_once
from .classifier import load_classifier, outline, restore_classifier
from .library import named, tokenizer_file

_CONTEXT = 512
"""Tokens that are read of a text where nothing is said, if the model was made for as many."""
FEW = 640
"""Rows: of fewer, three epochs of the smallest batches are not the updates that fine-tuning takes."""


@models.add("hf_classifier", source="Devlin et al. 2019, NAACL, arXiv:1810.04805 (BERT); Hu et al. 2021, arXiv:2106.09685 (LoRA)")
@dataclass(frozen=True, kw_only=True)
class HfClassifierSpec(ModelSpec):
    """A pretrained model of Hugging Face (BERT, RoBERTa, GPT-2, …) with a last layer for the labels; needs the extra hf.

    Spelled hf_classifier:PATH or hf_classifier:NAME, or hf:PATH where texts have labels. Weights are safetensors. The last layer
    is drawn anew; a run is read without PATH. Keys: path, a directory that ``save_pretrained`` wrote, or a name at the hub; lora,
    the rank of adapters, which are then all that is trained besides the last layers (none: every weight); context, tokens read
    of a text, with the special tokens that the tokenizer puts around it (none: as many as the model was made for, 512 at most);
    contrastive, whether fewer than 640 rows with classes, where nothing is said of training, take the form hf:PATH,contrastive.
    """

    path: str = ""
    lora: int | None = None
    context: int | None = None
    contrastive: bool = True
    leading: ClassVar[str] = "path"
    forms: ClassVar[dict[str, str]] = {"frozen": "hf_frozen", "contrastive": "hf_contrastive"}
    optimizer: ClassVar[str] = "adamw:lr=5e-05"
    epochs: ClassVar[int] = 3
    patience: ClassVar[int] = 1
    fewest_updates: ClassVar[int] = 120  # of few rows an epoch is next to nothing: docs/BENCHMARKS.md, and Mosbach et al. 2021

    def __post_init__(self) -> None:
        domains.count(self, "lora", "context")

    @property
    def micro_batch(self) -> int:
        return rows_at_once(self.context or _CONTEXT)

    def features(self) -> Features:
        return HfFeatures(path=named(self.path), wanted=self.context)

    def for_few(self, rows: int) -> ModelSpec | None:
        if not self.contrastive or self.lora is not None or rows >= FEW:
            return None
        from .contrastive import HfContrastiveSpec

        return HfContrastiveSpec(path=self.path, context=self.context)

    def network(self, features: int, outputs: int, seed: int) -> TextModel:
        return load_classifier(named(self.path), outputs, lora=self.lora, seed=seed)

    def restored(self, folder: Path, features: int, outputs: int) -> TextModel:
        return restore_classifier(folder, outputs, lora=self.lora)


@dataclass(slots=True, kw_only=True)
class HfFeatures(OrderedFeatures):
    """The tokens of a pretrained model's own tokenizer, between the special tokens it puts around a text; nothing is learned.

    wanted: tokens of a text, its special tokens among them; None: as many as the model was made for, 512 at most.
    """

    path: str
    wanted: int | None = None
    spec: TokenizerSpec = field(default_factory=BpeSpec)  # the form of the library's tokenizers
    context: int = 0
    _marks: Marks | None = None

    def prepare(self, training: Iterable[Sequence[str]]) -> None:
        about, self._learnt = outline(self.path), tokens.load(Path(tokenizer_file(self.path)))
        most = about.context
        if self.wanted is not None and most is not None and self.wanted > most:
            raise UsageError(f"context is {self.wanted}; wanted 1 to {most}, what the model was made for.")
        self.context = self.wanted or min(most or _CONTEXT, _CONTEXT)
        self._take(about.blank)
        if self.marks().count >= self.context:
            raise UsageError(f"context is {self.context}; wanted {self.marks().count + 1} or more: special tokens, and a token.")
        last = max(self._library().get_vocab().values())
        if last >= about.vocabulary:
            raise UsageError(
                f"the tokenizer has the token {last}, and {self.path} has {about.vocabulary}. Give its own tokenizer."
            )

    def marks(self) -> Marks:
        assert self._marks is not None
        return self._marks

    def silent(self) -> int:
        """A mask of what the model was to guess, or else as of all."""
        masks = [self._library().token_to_id(mask) for mask in ("[MASK]", "<mask>")]
        return next((mask for mask in masks if mask is not None), OrderedFeatures.silent(self))

    def save(self, folder: Path) -> dict[str, NDArray[Any]]:
        return {**OrderedFeatures.save(self, folder), "context": np.array(self.context), "blank": np.array(self.marks().blank)}

    def load(self, folder: Path, arrays: Mapping[str, NDArray[Any]]) -> None:
        OrderedFeatures.load(self, folder, arrays)
        self.context = int(arrays["context"])
        self._take(int(arrays["blank"]))

    def _library(self) -> Any:
        found = self.tokenizer.library()
        if found is None:
            raise UsageError(f"{self.path} holds a tokenizer.json of another library. Save its own: save_pretrained.")
        return found

    def _take(self, blank: int) -> None:
        """The special tokens that the tokenizer puts around a text."""
        found = self._library().encode("a", add_special_tokens=True)
        is_special = [bool(special) for special in found.special_tokens_mask]
        own = [place for place, special in enumerate(is_special) if not special] or [len(is_special)]
        self._marks = Marks(tuple(found.ids[: own[0]]), tuple(found.ids[own[-1] + 1 :]), blank)
