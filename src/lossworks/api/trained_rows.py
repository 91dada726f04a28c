"""``influence`` of what is trained by steps: the training is done again, and looked at."""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np

from ..attribution.linear_rows import Losses, linear_influence
from ..attribution.quantity import quantity
from ..attribution.retrained_rows import outputs_of
from ..attribution.trajectory import Course, obstacle
from ..core.errors import UsageError
from ..data import TRAIN, ReadOptions
from ..engine import Callbacks
from ..inference import NetworkPredictor
from ..record import Run
from .fit import Source
from .influence import Influence, remedy, tell
from .model import Model
from .replayed import replayed, settings_of
from .tested import TrainingRows

_GOOD = 0.9  # rank correlation
_INEXACT = ". The training did not end in the saved model's bits: other versions, or another machine"


def trained_influence(
    model: Model,
    texts: list[str],
    labels: Sequence[Any] | None,
    top: int,
    given: Mapping[str, Source | None],
    read: ReadOptions | None,
    device: str | None,
    callbacks: Callbacks,
) -> list[Influence]:
    """Arguments and errors as of ``influence``."""
    predictor, where = model.predictor, model.path
    assert isinstance(predictor, NetworkPredictor)
    assert where is not None
    if reason := obstacle(settings_of(Run(where), model.record, device)):
        raise UsageError(
            f"{where} cannot be followed back: {reason}, and this is for linear models that AdaGrad trained with nothing else. "
            "--learning tells which rows were hard to learn."
        )
    told = _true(model, texts) if labels is None else list(labels)
    losses, prepared = _losses(predictor, told), predictor.prepared(texts)
    seen = list[Course]()

    def observer(loop: Any, ends: Any) -> Course:
        seen.append(Course(loop))
        return seen[0]

    with replayed(where, given, read, device, callbacks, remedy(str(where)), observer) as again:
        found = linear_influence(
            again.done, seen[0], prepared, losses, top, lambda what, done, of: callbacks.watch(what, {"done": done, "of": of})
        )
        rows = TrainingRows.of(again.done.data.corpora, again.done.data.parts == TRAIN)
        unit = "nats" if predictor.task.has_probabilities else "squared units"
        values = losses(outputs_of(predictor.network, prepared))
        note = "" if again.is_exact else _INEXACT
        about = [
            {"agreement": None if math.isnan(value) else value, "method": _method(value, found.tried) + note}
            for value in found.agreement.tolist()
        ]
        each = zip(texts, told, values.tolist(), found.influence.T, about, strict=True)
        both = {"tried": found.tried, "unit": unit}
        return [tell(text, label, value, found.rows, own, rows, top, **both, **more) for text, label, value, own, more in each]


def _method(agreement: float, tried: int) -> str:
    """How the rows were found, in words."""
    found = f"rank correlation with training again is {agreement:.3f} over {tried} random ones"
    if math.isnan(agreement):
        found = f"rank correlation with training again is not known, as {tried} random ones did nothing"
    return (
        "exact by training again without each row named: the same seed, steps, features and temperature. They were found by an "
        f"estimate for all rows, whose {found}{'' if agreement >= _GOOD else ', so stronger ones may be missing'}"
    )


def _true(model: Model, texts: list[str]) -> list[Any]:
    """What is taken to be true where nobody says."""
    if not model.predictor.task.has_probabilities:
        raise UsageError("the loss of a number needs to know which one is true. Give it: --for NUMBER, labels=[…].")
    return model.predict(texts)


def _losses(predictor: NetworkPredictor, labels: list[Any]) -> Losses:
    """The losses of texts of which ``labels`` are true."""
    task = predictor.task
    targets = [quantity(task, task.default_loss, None, label).truth for label in labels]
    return Losses(task, np.array(targets), predictor.temperature)
