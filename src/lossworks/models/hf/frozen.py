"""What a pretrained model of Hugging Face knows of texts, kept as it is, as a family: its states, and a layer on top."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any, ClassVar

import numpy as np
import torch
from numpy.typing import NDArray

from ...core import domains
from ...core.errors import UnknownName
from ...core.machine import reading_dtype
from ...data import Features, Moments, StateFeatures
from ...record.tensors import under
from ..base import models
from ..state_head import StateSpec
from .classifier_spec import HfFeatures
from .encoder import Encoder, load_encoder, restore_encoder
from .library import named

_DTYPES = ("float32", "bfloat16", "int8")
_KEPT = 1 << 25
"""Numbers of states that a first training keeps for the second, which is of few rows."""


@models.add("hf_frozen", source="Reimers & Gurevych 2019, EMNLP, arXiv:1908.10084, section 3 (mean of the states)")
@dataclass(frozen=True, kw_only=True)
class HfFrozenSpec(StateSpec):
    """The states of a pretrained model of Hugging Face, left as it is, and a linear layer on top; needs the extra hf.

    Spelled hf:PATH,frozen or hf_frozen:PATH. Each text is read once: its state is the mean of its tokens' last states. For few
    rows, or little time. Weights are safetensors; a run is read without PATH. Keys: path, a directory that ``save_pretrained``
    wrote, or a name at the hub; context, tokens read of a text (none: as many as the model was made for, 512 at most); dtype, of
    the model's products, float32, bfloat16 or int8 (none: what the processor is fast in); cut, whether its tokens' first vectors
    are dealt out among them anew, the control of what it knows.
    """

    path: str = ""
    context: int | None = None
    dtype: str | None = None
    cut: bool = False
    leading: ClassVar[str] = "path"

    def __post_init__(self) -> None:
        domains.count(self, "context")
        if self.dtype not in (None, *_DTYPES):
            raise UnknownName("dtype", str(self.dtype), _DTYPES)

    def features(self) -> Features:
        return HfStates(named(self.path), self.context, self.dtype, self.cut)


class HfStates(StateFeatures):
    """The states that an encoder gives texts, and its tokenizer."""

    at_once: ClassVar[int | None] = 1024

    def __init__(self, path: str, context: int | None, dtype: str | None, cut: bool = False) -> None:
        self.tokens = HfFeatures(path=path, wanted=context)
        self._dtype, self._device, self._cut = dtype, "cpu", cut
        self._encoder: Encoder | None = None
        self._kept: dict[int, NDArray[np.float32]] = {}
        self._is_first = False

    @property
    def encoder(self) -> Encoder:
        """What gives the states."""
        assert self._encoder is not None
        return self._encoder

    def __len__(self) -> int:
        return self.encoder.size

    def to(self, device: str) -> None:
        self._device = device
        if self._encoder is not None:
            self._encoder.model.to(device)

    def follow(self, before: Features) -> None:
        assert isinstance(before, HfStates)
        self.tokens, self._encoder = before.tokens, before.encoder
        self._kept, before._kept = before._kept, {}

    def prepare(self, training: Iterable[Sequence[str]]) -> None:
        if self._encoder is None:
            self.tokens.prepare(training)
            self._encoder = load_encoder(self.tokens.path, self._dtype or reading_dtype(self._device))
            if self._cut:
                marks = self.tokens.marks()
                self._encoder.cut([*marks.before, *marks.after, marks.blank])
            self.to(self._device)
            self._is_first = True

    def states(self, texts: Sequence[str]) -> NDArray[np.float32]:
        """Read anew, or where a training before has read the same texts together, as they were then: to the same bits."""
        key = hash(tuple(texts))
        found = self._kept.pop(key, None)
        if found is None:
            selected, nothing = self.tokens.select(self.tokens.read(texts)), torch.empty(0)
            if not self._is_first:
                self._kept.clear()  # these are no texts of a training before
            found = self.encoder.means(selected.batch(np.arange(len(texts)), nothing, nothing))
            if self._is_first and sum(one.size for one in self._kept.values()) + found.size <= _KEPT:
                self._kept[key] = found.copy()
        return found

    def learn(self, counter: Moments) -> None:
        StateFeatures.learn(self, counter)
        self._is_first = False

    def remarks(self, blocks: Iterable[Sequence[str]]) -> list[str]:
        return self.tokens.remarks(blocks)

    def save(self, folder: Path) -> dict[str, NDArray[Any]]:
        weights = {f"encoder.{name}": value for name, value in self.encoder.save(folder).items()}
        own = {"dtype": np.array(_DTYPES.index(self.encoder.dtype)), **weights}
        return {**StateFeatures.save(self, folder), **self.tokens.save(folder), **own}

    def load(self, folder: Path, arrays: Mapping[str, NDArray[Any]]) -> None:
        self.tokens.load(folder, arrays)
        self._encoder = restore_encoder(folder, under(dict(arrays), "encoder."), _DTYPES[int(arrays["dtype"])])
        StateFeatures.load(self, folder, arrays)
