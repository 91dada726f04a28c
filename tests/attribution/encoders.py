"""Encoders with random weights, large enough that everything shows."""

from __future__ import annotations

from typing import Any

import torch

from lossworks.api import Model
from lossworks.inference import NetworkPredictor
from lossworks.models import build
from lossworks.models.base import ModelSpec
from lossworks.tasks import LABEL_TASKS, LabelTask

TEXTS = ["a lovely film , number 0 1 2", "awful", "broken and dreadful poor thing , a film", "a a great fine superb thing"]
TASKS = {
    "two": LABEL_TASKS["classify"](("no", "yes")),
    "three": LABEL_TASKS["classify"](("a", "b", "c")),
    "sets": LABEL_TASKS["multilabel"](("x", "y")),
    "numbers": LABEL_TASKS["regress"]((), 10.0, 2.0),
}


def encoder(spec: str, task: LabelTask = TASKS["two"], scale: float = 3.0, **more: Any) -> Model:
    """A model of a spec that has read ``TEXTS`` and learned nothing."""
    built = build(spec)
    assert isinstance(built, ModelSpec)
    features = built.features()
    features.prepare([TEXTS])
    network = built.network(len(features), task.outputs, seed=1).eval()
    with torch.no_grad():
        for weight in network.parameters():
            weight.mul_(scale)
    return Model(NetworkPredictor(task, built, features, network, **more))
