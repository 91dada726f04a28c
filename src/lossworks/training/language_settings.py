"""Everything that the fit of a language model, or of classes by language models, can be told."""

from __future__ import annotations

import math
from dataclasses import asdict, dataclass, replace
from typing import Any

from .. import losses, models, optim, schedules, tokens
from ..core import units
from ..core.errors import UnknownName, UsageError
from ..data.options import UNITS
from ..models import LanguageSpec
from .settings import check_device

TASKS = ("auto", "lm", "classify")
_CLASS_TOKENS = "words"  # what tells classes apart best: docs/BENCHMARKS.md
_OF_GRADIENTS = ("loss", "optimizer", "lr", "schedule", "epochs", "steps", "batch_tokens", "patience", "clip", "ema", "pack")
_OF_NETWORKS = ("minutes", "dtype")
_DTYPES = ("float32", "bfloat16")
DEFAULT = "ngram"
"""The family where the task alone says that it is a model of language."""


@dataclass(frozen=True, slots=True, kw_only=True)
class LanguageSettings:
    """What to learn of texts and how. None leaves a choice to what suits the model.

    task: "lm", a model of language; "classify", one for each class; "auto", which by whether there are labels.
    tokens: the spec of a tokenizer, or the file of a learnt one.
    texts: what of plain text is one text: a line, a paragraph, or the whole file, which then has no end.
    memory: bytes to stay below, or as people write them: "2G".
    loss, optimizer, lr, schedule, epochs, patience, clip, ema: of families that are trained by gradients, as of classifiers.
    steps: updates in all; minutes: as many as fit into them; without these and epochs, 5 minutes.
    batch_tokens: tokens a step. pack: several texts in one row, none of which sees another.
    dtype: of a network's products, float32 or bfloat16; None: what is measured to be faster. device: cpu, cuda, ….
    valid, test: shares of the texts held out where no files are given for them.
    """

    task: str = "auto"
    model: str = DEFAULT
    tokens: str | None = None
    texts: str = "line"
    memory: int | str | None = None
    loss: str | None = None
    optimizer: str | None = None
    lr: float | None = None
    schedule: str | None = None
    epochs: int | None = None
    steps: int | None = None
    minutes: float | None = None
    batch_tokens: int | None = None
    patience: int | None = None
    clip: float | None = None
    ema: float | None = None
    pack: bool | None = None
    dtype: str | None = None
    device: str = "cpu"
    valid: float = 0.1
    test: float = 0.1
    seed: int = 0

    def __post_init__(self) -> None:
        if self.task not in TASKS:
            raise UnknownName("task of a language model", self.task, TASKS)
        if self.texts not in UNITS:
            raise UnknownName("kind of texts", self.texts, UNITS)
        for name in ("valid", "test"):
            if not 0 <= getattr(self, name) < 1:
                raise UsageError(f"{name} is {getattr(self, name)}; wanted a share, 0 or more and below 1, or a file.")
        spec = models.build_language(self.model)
        if self.tokens is not None:
            tokens.named(self.tokens)
        if self.memory is not None:
            units.size(self.memory)
        check_device(self.device)
        self._check_gradients(spec)

    @property
    def by_gradients(self) -> bool:
        """Whether training goes by gradients, and so by steps that can be gone on with."""
        return models.build_language(self.model).by_gradients or bool(self.of_gradients())

    def resolved(self, task: str) -> LanguageSettings:
        """Every choice made; all specs in their shortest spelling."""
        spec = models.build_language(self.model)
        asked = self.tokens or (spec.tokens if task == "lm" else _CLASS_TOKENS)
        chosen = tokens.named(asked)
        spelled = tokens.render(chosen) if isinstance(chosen, tokens.TokenizerSpec) else asked
        memory = None if self.memory is None else units.size(self.memory)
        # What is left open of a network is chosen later, so what was said of it must still be known, though it be the default.
        model = self.model if spec.by_gradients else models.render(spec)
        return replace(self, task=task, model=model, tokens=spelled, memory=memory)

    def with_lr(self, lr: float) -> LanguageSettings:
        """The same with the learning rate decided; an optimizer must be named."""
        return replace(self, lr=lr, optimizer=optim.render(replace(optim.build(self.optimizer or ""), lr=lr)))

    def of_gradients(self) -> dict[str, Any]:
        """What was chosen of a training by gradients; nothing where the family learns by a method of its own."""
        return {name: getattr(self, name) for name in _OF_GRADIENTS if getattr(self, name) is not None}

    def _check_gradients(self, spec: LanguageSpec) -> None:
        chosen, network = self.of_gradients(), {name for name in _OF_NETWORKS if getattr(self, name) is not None}
        flag = next((f"--{name.replace('_', '-')}" for name in [*chosen, *network]), None)
        if flag and type(spec).sequence_network is LanguageSpec.sequence_network:  # it makes no network to train
            raise UsageError(f"{flag} is for families trained by gradients; {self.model} is counted. Leave it out.")
        if not spec.by_gradients:
            if network or self.device != "cpu":
                flag = f"--{min(network, default='device')}"
                raise UsageError(f"{flag} is for neural families (transformer, rnn); the model is {self.model}. Leave it out.")
            if flag and not {"loss", "optimizer"} & chosen.keys():
                raise UsageError(f"{flag} is for training by gradients: name --optimizer or --loss too, or leave it out.")
        for name, build in (("loss", losses.build), ("optimizer", optim.build), ("schedule", schedules.build)):
            if name in chosen:
                build(chosen[name])
        for name in ("lr", "epochs", "steps", "minutes", "batch_tokens", "patience", "clip"):
            value = getattr(self, name)
            if value is not None and (not isinstance(value, int | float) or not 0 < value < math.inf):
                raise UsageError(f"{name} is {value!r}; wanted a number above 0.")
        if self.dtype not in (None, *_DTYPES):
            raise UnknownName("dtype", str(self.dtype), _DTYPES)

    def to_json(self) -> dict[str, Any]:
        """Plain values, for the run record."""
        return asdict(self)
