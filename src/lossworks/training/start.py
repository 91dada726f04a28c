"""What a training goes on from: a finished run's weights and its optimizer's state, in a network that may have become larger."""

from __future__ import annotations

import copy
from collections.abc import Mapping
from dataclasses import dataclass, field, fields, replace
from pathlib import Path
from typing import TYPE_CHECKING, Any

from .. import models, optim
from ..core.errors import UsageError
from ..core.lazy import Later
from ..core.own import check_trusted
from ..data import Corpus, Features
from ..inference import NetworkPredictor, TextLanguage
from ..models import Spec
from ..optim import parts
from ..record.checksums import OPTIMIZER
from ..tasks import LabelTask
from ..tokens import Tokenizer
from .choices import renamed
from .settings import Settings

if TYPE_CHECKING:
    import torch
    from torch import Tensor, nn

    from ..optim import Stepper, Suited
else:
    torch = Later("torch")

_KEPT = ("task", "model", "tokenizer", "document_unit")
"""Settings that a run which is gone on from keeps."""
_HERE = ("device", "shards", "sharding", "memory", "teach")
"""Those that are of one fit, its machine and its processes alone."""
_LENGTHS = ("epochs", "steps", "minutes")
_AS_ASKED = (*_LENGTHS, "loss", "dtype", "micro_batch")
"""Those that are taken as they were asked for, and decided anew: they went by the data, or the machine."""


def settings_after(name: str, record: Mapping[str, Any], settings: Settings | None, choices: Mapping[str, Any]) -> Settings:
    """The settings of a training that goes on from the run ``name`` with this ``record``: its own, what is said now over them.

    Args:
        settings: what is said now, as far as it is not the default; ``choices``: single ones over it.

    Raises:
        UsageError: the run is of a family that cannot be trained further, or what is said cannot be changed.
    """
    config, given = record["config"], renamed(record.get("given") or {})
    said = {f.name: getattr(settings, f.name) for f in fields(Settings) if settings and getattr(settings, f.name) != f.default}
    said |= choices
    if reason := _spec(config).no_further:
        raise UsageError(f"--from {name}: it is of {config['model']}, and {reason}. Fit on both files: lossworks fit OLD NEW.")
    if config["task"] != "lm" and (config.get("teach") or said.get("teach")):
        raise UsageError(f"--from {name}: going on with a teacher is not supported. Fit on both files, with --teach.")
    known = {f.name for f in fields(Settings)} - {*_HERE}
    own = {key: value for key, value in config.items() if key in known} | {key: given.get(key) for key in _AS_ASKED}
    for key in _KEPT:
        told, was = said.get(key), config.get(key)
        if told not in (None, "auto", was) and not (key == "model" and _is_model(told, config)):
            raise UsageError(
                f"--from {name}: its {key.replace('_', ' ')} is {was}, which cannot become {told} in further training. Leave "
                f"--{key.replace('_', '-')} out, or fit on both files, without --from."
            )
    said = {key: value for key, value in said.items() if key not in _KEPT}
    if any(key in said for key in _LENGTHS):
        own = {key: value for key, value in own.items() if key not in _LENGTHS}
    if "optimizer" in said:
        own.pop("lr", None)
    elif str(own.get("optimizer")).startswith("given:"):
        raise UsageError(f"--from {name}: its optimizer was given as Python, which no record holds. Name one with --optimizer.")
    own["model"] = _whole(_spec(config))
    check_trusted(record, Path(name), {key: value for key, value in own.items() if key not in said})
    return Settings(**(own | said))


@dataclass(slots=True)
class Start:
    """A finished run to go on from.

    optimizer: its spec. state: that of it at the end of training; None: it was not kept. said: why it begins anew, in words, once
    that is known; empty where it was taken up.
    """

    name: str
    trained: NetworkPredictor | TextLanguage
    optimizer: str
    state: Mapping[str, Tensor] | None
    said: str = field(default="")

    def task(self, corpus: Corpus) -> LabelTask:
        """Its task, with the labels of ``corpus`` that it does not know yet after its own."""
        assert isinstance(self.trained, NetworkPredictor)
        return self.trained.task.grown(corpus)

    def features(self) -> Features:
        """A copy of its features, to be extended."""
        assert isinstance(self.trained, NetworkPredictor)
        return copy.copy(self.trained.features)

    @property
    def tokenizer(self) -> Tokenizer:
        """Of a language model."""
        assert isinstance(self.trained, TextLanguage)
        return self.trained.tokenizer

    def fill(self, network: nn.Module, task: LabelTask | None = None) -> Suited:
        """Give a new network the run's weights: they are its first rows and columns, and what is beyond stays as it is drawn.

        A run of two classes had one output, the log-odds of the second: its weights become the second's, and the first's are
        zero. Returns what makes the optimizer's state suit the network.
        """
        from ..engine import checkpoint  # PyTorch, which no start is no reason to load

        moved, outputs = 0, (0, 0)
        if isinstance(self.trained, NetworkPredictor) and task is not None:
            outputs = self.trained.task.outputs, task.outputs
            moved = int(self.trained.task.is_binary and not task.is_binary)
        found: dict[Tensor, _Place] = {}
        weights = self._weights()
        with torch.no_grad():
            for name, own in checkpoint.parts_of(network).items():
                old = weights[name].to(own)
                axes = list(zip(old.shape, own.shape, strict=True))
                for axis in range(own.ndim if moved else 0):
                    if axes[axis] == outputs:
                        own.narrow(axis, 0, moved).zero_()
                at = tuple(slice(moved, moved + was) if (was, now) == outputs else slice(was) for was, now in axes)
                own[at] = old
                found[own] = _Place(old.shape, at)
        as_weights = () if self._given else optim.build(self.optimizer).weights_kept

        def suited(parameter: Tensor, kept: dict[str, Any], begun: dict[str, Any]) -> dict[str, Any]:
            if parts.is_divided(parameter):  # of a language model, which is as large as it was
                return {key: _own(value, parameter) for key, value in kept.items()}
            return found[parameter].suited(parameter, kept, begun, as_weights)

        return suited

    def calibrate(self, predictor: NetworkPredictor) -> None:
        """Give a predictor the run's temperature and thresholds, which stand where no rows are held out to find others."""
        assert isinstance(self.trained, NetworkPredictor)
        predictor.temperature = self.trained.temperature
        if predictor.task.labels == self.trained.task.labels:
            predictor.thresholds = self.trained.thresholds

    def take_up(self, stepper: Stepper, suited: Suited) -> None:
        """Have the optimizer go on from its state at the end of the run, if it can; ``said`` then says why it cannot."""
        now = stepper.optimizer
        if self.state is None:
            self.said = f"{self.name} has no folder {OPTIMIZER}"  # its state begins anew, and all else is as it was
        elif self._given or isinstance(now, optim.Given) or replace(optim.build(self.optimizer), lr=now.lr) != now:
            self.said = f"it is another optimizer, or has other hyperparameters, than that of {self.name} ({self.optimizer})"
        elif now.full_batch:
            self.said = f"what {optim.render(now)} keeps is of the rows that it was trained on"
        elif stepper.by_rows is not any(name.startswith("rows.") for name in self.state):
            self.said = f"{self.name} kept it otherwise, on another kind of device or with weights that were divided otherwise"
        else:
            stepper.go_on(dict(self.state), suited)

    @property
    def _given(self) -> bool:
        """Whether the optimizer was given as Python, which no record holds."""
        return self.optimizer.startswith("given:")

    def _weights(self) -> dict[str, Tensor]:
        """Those of the run, named as a network that is trained names them."""
        from ..engine import checkpoint

        if isinstance(self.trained, NetworkPredictor):
            return checkpoint.weights_of(self.trained.network)
        return {f"network.{name}": value for name, value in checkpoint.weights_of(self.trained.model.network).items()}  # type: ignore[attr-defined]


@dataclass(frozen=True, slots=True)
class _Place:
    """Of a parameter, the shape that it had, and where that is in the one that it has."""

    shape: torch.Size
    at: tuple[slice, ...]

    def suited(
        self, parameter: Tensor, kept: dict[str, Any], begun: dict[str, Any], as_weights: tuple[str, ...]
    ) -> dict[str, Any]:
        """As of ``Suited``. What is kept of rows or columns together, such as Adafactor's, tells nothing of more of them."""
        found = {}
        for key, value in kept.items():
            if not isinstance(value, torch.Tensor) or value.ndim == 0:
                found[key] = value
            elif value.numel() == self.shape.numel():
                value = value.view(self.shape)  # it may be kept as rows
                new = begun.get(key, parameter.detach() if key in as_weights else torch.zeros_like(parameter))
                found[key] = new.to(value, copy=True)
                found[key][self.at] = value
            elif parameter.shape != self.shape:
                return {}
            else:
                found[key] = value
        return found


def _own(value: Any, part: Tensor) -> Any:
    """What stands beside this process's part of a divided parameter, where it is of the whole."""
    whole = isinstance(value, torch.Tensor) and value.shape == parts.whole_shape(part)
    return parts.own(value, part).clone() if whole else value


def _spec(config: Mapping[str, Any]) -> Spec:
    return Settings(task=config["task"], model=config["model"]).spec


def _is_model(told: str, config: Mapping[str, Any]) -> bool:
    """Whether a spec spells the model of a run, or names its family alone."""
    spec, own = Settings(task=config["task"], model=told).spec, _spec(config)
    return spec == own or (":" not in told and type(spec) is type(own))


def _whole(spec: Spec) -> str:
    """The spec with every key, so that nothing is chosen again."""
    return models.models.whole(spec)
