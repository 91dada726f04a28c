"""Everything that a fit can be told, in one dataclass: the flags of the command, the keys of a TOML file, the run's config."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass, fields, replace
from pathlib import Path
from typing import Any

from .. import models, optim
from ..core import own
from ..models import CountedSpec, GraphSpec, LanguageSpec, Spec
from ..tasks import LABEL_TASKS
from .allowed import check_allowed
from .applicable import ALWAYS, applicable

LABELS = "linear"
"""The family where none is named, unless the task has one of its own."""
_DEFAULTS = {"lm": "ngram", "graph": "complex"}


@dataclass(frozen=True, slots=True, kw_only=True)
class Settings:
    """What to train and how. None leaves a choice to what suits the model and the data; ``resolved`` settings have made it.

    task: "classify", "multilabel", "regress", "lm" or "graph"; "auto": by the labels, or the model.
    model: the spec of a family; None: "linear", "ngram" where the task is "lm", "complex" where it is "graph".
    tokenizer: of language models, the spec of a tokenizer or the file of a trained one; None: the family's own, or of a network
        that is trained by time, what there is time to learn. document_unit: what of plain text is one text: a line, a paragraph,
        or the whole file, which then has no end. memory: bytes that counting stays below, or "2G";
        None: half of what is free.
    loss: a spec. penalty: of classifiers and regressions. risk: the mean of losses, or what looks at the worst of them.
    groups: what a risk that compares groups goes by, "label", "language", or "language,label" for the classes of each language;
        None: the classes, of a language model the languages.
    balance: how often texts of each language are drawn: "proportional", "alpha:0.3", "unimax". Both need the languages of rows.
    optimizer: a spec, or from Python what makes a PyTorch optimizer of a list of parameters.
    lr: the learning rate, over the optimizer's own; "auto" (of classifiers): found by short runs on the data. Where no optimizer
        is named, the model's own is fitted to the batch size (``Optimizer.for_batches``).
    schedule: what the learning rate is multiplied with as training goes on.
    epochs: passes over the training rows at most. steps: updates in all. minutes: as many as fit into them; of a network without
        epochs and steps, 5.
    batch_size: rows a step (of a graph queries, each with all its answers); "auto": as many as suit the data, in the largest
        micro-batches that fit. batch_tokens: tokens a step.
    micro_batch: rows whose outputs stand in memory at once; several make a step, with the same gradient but for dropout, which
        draws anew for each. "auto": as many as fit.
    clip: the norm that the gradient is cut to. ema: decay of a moving average of the weights, which is then evaluated and saved.
    patience: held-out scores without a better one before training stops and the best weights are taken.
    stop_by: the metric of the validation part by which training stops and the best weights are chosen, before calibration and
        thresholds: "macro_f1", "accuracy", …, of language models "nats_per_token" or the next token's "accuracy", of graphs "mrr"
        or "hits_at_10"; None: the proper score, as the classes are weighted. Schedules that follow the score follow this one.
    class_weight: "balanced", or a factor for some labels, "spam=5,ham=1" or {"spam": 5}; multiplies their training loss.
    teach: what stands beside the labels as a teacher, or in their place where rows have none: a run's directory, "votes:FILE",
        "lexicon:FILE" or "uniform"; of a language model, a run of one with the same tokens, which are taken over where none are
        named, or "uniform"; of classifiers, after "cut:", the same with its answers dealt out anew. Losses may then compare
        with it (``forward_kl``, …).
    glosses: of a graph, descriptions of its entities: a file of lines "entity<tab>description", or {entity: description}.
    pack: several texts in a row, none of which sees another. dtype: of a network's products; None: bfloat16 where that is quick.
    sharding: of a network trained by several processes: "fsdp" divides weights and the optimizer's state among them; "none", or
        None: each has all of them. Sums then depend on how many they are, so there are no ``shards``.
    shards: of a step's rows, each with a gradient and random numbers of its own; any number of processes that divides them ends
        in the same bits. None: 1, and where torchrun starts several processes 4, or as many as these where they do not divide 4.
    device: "cpu", "cuda", …. seed: of the split, the order of rows, and the first weights.
    valid, test: shares of the rows held out where no files are given for them.
    """

    task: str = "auto"
    model: str | None = None
    tokenizer: str | None = None
    document_unit: str | None = None
    memory: int | str | None = None
    loss: str | None = None
    optimizer: str | optim.Optimizer | Callable[..., Any] | None = None
    penalty: str | None = None
    risk: str | None = None
    groups: str | None = None
    balance: str | None = None
    lr: float | str | None = None
    schedule: str | None = None
    epochs: int | None = None
    steps: int | None = None
    minutes: float | None = None
    batch_size: int | str | None = None
    batch_tokens: int | None = None
    micro_batch: int | str | None = None
    clip: float | None = None
    ema: float | None = None
    patience: int | None = None
    stop_by: str | None = None
    class_weight: str | Mapping[str, float] | None = None
    teach: str | None = None
    glosses: str | Path | Mapping[str, str] | None = None
    pack: bool | None = None
    dtype: str | None = None
    sharding: str | None = None
    shards: int | None = None
    device: str = "cpu"
    valid: float = 0.1
    test: float = 0.1
    seed: int = 0

    def __post_init__(self) -> None:
        check_allowed(self)

    @property
    def named(self) -> str:
        """The model as it was named, or the family of the task."""
        return self.model or _DEFAULTS.get(self.task, LABELS)

    @property
    def spec(self) -> Spec:
        """The family; where the task is one of labels, the form that it has for them."""
        name = self.named
        if self.task == "graph" or (self.task == "auto" and models.is_graph(name)):
            return models.build_graph(name)
        if self.task in LABEL_TASKS and models.is_language(name):
            name = str(models.for_labels(name))
        return models.build_language(name) if self.task == "lm" or models.is_language(name) else models.build_classifier(name)

    @property
    def of_language(self) -> bool:
        """Whether the family models language: the whole task, or a means to tell classes apart."""
        return isinstance(self.spec, LanguageSpec)

    @property
    def of_graph(self) -> bool:
        """Whether the family models a knowledge graph."""
        return isinstance(self.spec, GraphSpec)

    @property
    def by_gradients(self) -> bool:
        """Whether training goes by gradients, in steps."""
        spec = self.spec
        if isinstance(spec, CountedSpec):
            return False
        return not isinstance(spec, LanguageSpec) or spec.by_gradients or bool(self.loss or self.optimizer)

    def said(self, *names: str) -> dict[str, Any]:
        """Those of some settings that were chosen."""
        return {name: value for name in names if (value := getattr(self, name)) is not None}

    def optimizer_or(self, default: str) -> optim.Optimizer:
        """The optimizer, or the ``default`` where none is named, at the learning rate that was chosen, if one was."""
        optimizer = optim.build(self.optimizer or default)
        return optimizer if self.lr is None else replace(optimizer, lr=float(self.lr))

    def with_lr(self, lr: float) -> Settings:
        """The same with the learning rate decided; an optimizer must be named."""
        return replace(self, lr=lr, optimizer=spelled(replace(optim.build(self.optimizer or ""), lr=lr)))

    def for_labels(self) -> Settings:
        """The same where texts turn out to have labels: the family in the form that it has for them.

        Raises:
            UsageError: something is set that does not apply to it.
        """
        assert self.model is not None
        return replace(self, model=str(models.for_labels(self.model)), document_unit=None)

    def to_json(self) -> dict[str, Any]:
        """Plain values of all that applies, for the record."""
        applies = (*ALWAYS, *applicable(self.spec))
        plain = {field.name: getattr(self, field.name) for field in fields(self) if field.name in applies}
        if "optimizer" in plain and not isinstance(self.optimizer, str | None):
            plain["optimizer"] = optim.render(optim.build(self.optimizer))
        if isinstance(plain.get("class_weight"), Mapping):
            plain["class_weight"] = dict(plain["class_weight"])
        if isinstance(plain.get("glosses"), Mapping):
            plain["glosses"] = f"{len(plain['glosses']):,} descriptions given as a dict"
        elif plain.get("glosses") is not None:
            plain["glosses"] = str(plain["glosses"])
        return {key: own.plain(value) if key in own.KINDS else value for key, value in plain.items()}


def spelled(optimizer: optim.Optimizer) -> str | optim.Optimizer:
    """Its spec, where one can say what it is."""
    return optimizer if isinstance(optimizer, optim.Given) else optim.render(optimizer)
