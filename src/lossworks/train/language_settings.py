"""Everything that the fit of a language model, or of classes by language models, can be told."""

from __future__ import annotations

from dataclasses import asdict, dataclass, replace
from typing import Any

from .. import losses, models, optim, schedules, tokens
from ..core import units
from ..core.errors import UnknownName, UsageError
from ..models import LanguageSpec
from ..text.options import UNITS

TASKS = ("auto", "lm", "classify")
_CLASS_TOKENS = "words"  # what tells classes apart best: docs/BENCHMARKS.md
_OF_GRADIENTS = ("loss", "optimizer", "lr", "schedule", "epochs", "clip")
DEFAULT = "ngram"
"""The family where the task alone says that it is a model of language."""


@dataclass(frozen=True, slots=True, kw_only=True)
class LanguageSettings:
    """What to learn of texts and how. None leaves a choice to what suits the model.

    task: "lm", a model of language; "classify", one for each class; "auto", which by whether there are labels.
    tokens: the spec of a tokenizer, or the file of a learnt one.
    texts: what of plain text is one text: a line, a paragraph, or the whole file, which then has no end.
    memory: bytes to stay below, or as people write them: "2G".
    loss, optimizer, lr, schedule, epochs, clip: of families that are trained by gradients, as of classifiers.
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
    clip: float | None = None
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
        self._check_gradients(spec)

    def resolved(self, task: str) -> LanguageSettings:
        """Every choice made; all specs in their shortest spelling."""
        spec = models.build_language(self.model)
        chosen = tokens.named(self.tokens or (spec.tokens if task == "lm" else _CLASS_TOKENS))
        spelled = tokens.render(chosen) if isinstance(chosen, tokens.TokenizerSpec) else self.tokens
        memory = None if self.memory is None else units.size(self.memory)
        return replace(self, task=task, model=models.render(spec), tokens=spelled, memory=memory)

    def of_gradients(self) -> dict[str, Any]:
        """What was chosen of a training by gradients; nothing where the family learns by a method of its own."""
        return {name: getattr(self, name) for name in _OF_GRADIENTS if getattr(self, name) is not None}

    def _check_gradients(self, spec: LanguageSpec) -> None:
        chosen = self.of_gradients()
        if not chosen:
            return
        first = next(iter(chosen))
        if type(spec).network is LanguageSpec.network:  # it makes no network to train
            raise UsageError(f"--{first} is for families trained by gradients (hmm); {self.model} is counted. Leave it out.")
        if not {"loss", "optimizer"} & chosen.keys():
            raise UsageError(f"--{first} is for training by gradients: name --optimizer or --loss too, or leave it out.")
        for name, build in (("loss", losses.build), ("optimizer", optim.build), ("schedule", schedules.build)):
            if name in chosen:
                build(chosen[name])
        for name, least in (("lr", 0.0), ("epochs", 1), ("clip", 0.0)):
            value = chosen.get(name, 1)
            if not isinstance(value, int | float) or value < least or value == 0:
                raise UsageError(f"{name} is {value!r}; wanted a number above 0.")

    def to_json(self) -> dict[str, Any]:
        """Plain values, for the run record."""
        return asdict(self)
