"""A trained model, from raw text to calibrated answers, and its files."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import torch
from numpy.typing import NDArray
from safetensors import SafetensorError, safe_open
from safetensors.torch import save_file
from scipy.special import expit, softmax

from ..batches import Features, Selected
from ..core.errors import LossworksError, RecordError
from ..record import read_json, write_atomic, write_json
from .base import ModelSpec, TextModel, build, render
from .task import Task

_FORMAT = 2
_CHUNK = 4096  # texts or rows worked on at once


@dataclass(slots=True)
class Predictor:
    """Raw text in, answers out. ``temperature`` divides the logits; ``thresholds`` cut probabilities into yes and no."""

    task: Task
    spec: ModelSpec
    features: Features
    network: TextModel
    temperature: float = 1.0
    thresholds: tuple[float, ...] | None = None

    def predict(self, texts: Sequence[str]) -> list[Any]:
        """A label, a tuple of labels, or a number for each text."""
        return self.decide(self.predict_proba(texts) if self.task.kind != "regress" else self.scores(texts))

    def predict_proba(self, texts: Sequence[str]) -> NDArray[np.float64]:
        """Calibrated probabilities [N, labels]: of the classes (rows sum to 1), or of each label on its own."""
        return self.probabilities(self.scores(texts))

    def scores(self, texts: Sequence[str]) -> NDArray[Any]:
        """Logits [N, labels] before calibration, or predicted numbers [N]."""
        chunks = (texts[start : start + _CHUNK] for start in range(0, max(len(texts), 1), _CHUNK))
        return np.concatenate([self.scores_of(self.features.select(self.features.hashed(chunk))) for chunk in chunks])

    def scores_of(self, selected: Selected) -> NDArray[Any]:
        """The same for texts whose features were selected before."""
        outputs = np.concatenate([self._outputs(selected, rows) for rows in _chunks(len(selected))])
        return self.task.readable(outputs)

    def probabilities(self, scores: NDArray[Any]) -> NDArray[np.float64]:
        """Logits [N, labels] as calibrated probabilities."""
        logits = scores.astype(np.float64) / self.temperature
        return np.asarray(softmax(logits, 1) if self.task.kind == "classify" else expit(logits))

    def decide(self, answer: NDArray[Any]) -> list[Any]:
        """What to answer for probabilities [N, labels] (or numbers [N], which answer for themselves)."""
        names = self.task.labels
        if self.task.kind == "regress":
            return [float(number) for number in answer]
        if self.task.kind == "multilabel":
            yes = answer >= np.array(self.thresholds or (0.5,) * len(names))
            return [tuple(names[label] for label in np.flatnonzero(row)) for row in yes]
        if self.task.is_binary and self.thresholds:
            return [names[int(row[1] >= self.thresholds[0])] for row in answer]
        return [names[best] for best in answer.argmax(1)]

    def to(self, device: str) -> Predictor:
        """Move the network; features are always read on the processor."""
        self.network.to(device)
        return self

    def save(self, folder: Path) -> None:
        """Write ``model.safetensors`` and ``config.json``, each in one step."""
        tensors = {f"network.{name}": value.detach().cpu().contiguous() for name, value in self.network.state_dict().items()}
        tensors["features.buckets"] = torch.from_numpy(self.features.buckets)
        tensors["features.weights"] = torch.from_numpy(self.features.weights)
        write_atomic(folder / "model.safetensors", lambda part: save_file(tensors, part))
        write_json(
            folder / "config.json",
            {
                "format": _FORMAT,
                "task": self.task.kind,
                "labels": self.task.labels,
                "center": self.task.center,
                "spread": self.task.spread,
                "model": render(self.spec),
                "temperature": self.temperature,
                "thresholds": self.thresholds,
            },
        )

    @classmethod
    def load(cls, folder: Path, device: str = "cpu") -> Predictor:
        """Read what ``save`` wrote. Nothing in the files is ever executed.

        Raises:
            RecordError: a file is missing, truncated, or does not fit the other.
        """
        config = read_json(folder / "config.json")
        path = folder / "model.safetensors"
        try:
            with safe_open(path, "pt") as file:
                tensors = {name: file.get_tensor(name) for name in file.keys()}  # noqa: SIM118
        except FileNotFoundError:
            raise RecordError(f"{path} is missing. The run may not have finished: see `lossworks fit … --resume`.") from None
        except (SafetensorError, OSError) as error:
            raise RecordError(f"{path} is damaged ({error}). Restore it from a copy, or fit again.") from None
        try:
            return cls._restore(config, tensors).to(device)
        except (KeyError, TypeError, ValueError, IndexError, OverflowError, RuntimeError, LossworksError) as error:
            raise RecordError(f"{folder}: config.json and model.safetensors do not fit together ({error}). Fit again.") from None

    @classmethod
    def _restore(cls, config: dict[str, Any], tensors: dict[str, torch.Tensor]) -> Predictor:
        if config["format"] != _FORMAT:
            raise RecordError(f"format {config['format']!r}; this version reads format {_FORMAT}")
        task = Task(config["task"], tuple(config["labels"]), float(config["center"]), float(config["spread"]))
        temperature, thresholds = float(config["temperature"]), config["thresholds"]
        cuts = {"classify": 1 if task.is_binary else 0, "multilabel": len(task.labels), "regress": 0}[task.kind]
        if not 0 < temperature < float("inf") or (thresholds is not None and len(thresholds) != cuts):
            raise RecordError(f"temperature {temperature}, thresholds {thresholds!r} are not what {task.kind} needs")
        cut = None if thresholds is None else tuple(float(threshold) for threshold in thresholds)
        spec = build(config["model"])
        features = spec.features()
        buckets, weights = tensors["features.buckets"].numpy(), tensors["features.weights"].numpy()
        if buckets.dtype != np.uint32 or weights.dtype != np.float32 or buckets.shape != weights.shape or buckets.ndim != 1:
            raise RecordError("the features' buckets and weights are not arrays of one length")  # compiled code trusts them
        features.restore(buckets, weights)
        network = spec.network(len(features), task.outputs, seed=0)
        prefix = "network."
        network.load_state_dict({name[len(prefix) :]: value for name, value in tensors.items() if name.startswith(prefix)})
        return cls(task, spec, features, network.eval(), temperature, cut)

    @torch.inference_mode()
    def _outputs(self, selected: Selected, rows: NDArray[np.int64]) -> NDArray[Any]:
        nothing = torch.empty(0)
        self.network.eval()
        return np.asarray(self.network(selected.batch(rows, nothing, nothing)).cpu().numpy())


def _chunks(count: int) -> Iterator[NDArray[np.int64]]:
    return (np.arange(start, min(start + _CHUNK, count)) for start in range(0, max(count, 1), _CHUNK))
