"""``fuse`` with ``kind="soup"``: the mean of the weights of runs that began as one, beside these."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np
from numpy.typing import NDArray

from ..data import Corpus
from ..engine import Callbacks
from ..fusion.judging import Units
from ..fusion.parts import Part
from ..fusion.soup import check_start, mean_language, mean_predictor
from ..fusion.sources import LabelSource, RunSource
from ..inference import Predictor, TextLanguage
from ..metrics.contrast import Estimate
from ..models import LanguageModel
from ..training.judging import calibrate_by
from .evaluate import scores_of
from .language import Language
from .model import Model
from .sources import Opened

SOUP = "soup"


def souped(
    opened: Opened, parts: Sequence[Part], on: Corpus, callbacks: Callbacks
) -> tuple[Predictor | TextLanguage, dict[str, Any]]:
    """The soup, a classifier calibrated on the labelled text ``on``, and the facts: its loss on the test part and its sources'.

    Raises:
        UsageError: the sources are no runs of networks that began with the same weights.
    """
    models = [model for model in opened.models if model is not None]
    check_start({name: model.record if model else {} for name, model in zip(opened.names, opened.models, strict=True)})
    trained: Predictor | TextLanguage
    source: LabelSource | LanguageModel
    if opened.task is None:
        trained = mean_language([model.trained for model in models if isinstance(model, Language)])
        source = trained.model
    else:
        trained = mean_predictor([model.predictor for model in models if isinstance(model, Model)])
        calibrate_by(trained, scores_of(Model(trained), on), opened.task.targets(on), on.weights, None)
        source = RunSource(trained)
    share, facts = 1 / len(models), {"kind": SOUP, "by_context": False, "verdicts": []}
    facts["task"] = "lm" if opened.task is None else opened.task.kind
    facts["sources"] = [source_row(name, share) for name in opened.names]
    if len(parts) > 1:
        every, chosen = [*opened.named(), ("the soup", source)], np.arange(len(parts[1].targets))
        said = parts[1].heard(
            every,
            opened.task,
            chosen,
            keep=False,
            tell=lambda name: callbacks.watch("fuse", {"doing": "reading", "source": name}),
        )
        *losses, loss = [-each.targets for each in said]
        measured(facts, losses, loss, parts[1].at(chosen))
    return trained, facts


def source_row(name: str, weight: float, speaks: float = 1.0, *, left_open: bool = False) -> dict[str, Any]:
    """What facts say of a source before any text is judged."""
    return {"source": name, "weight": float(weight), "speaks": speaks, "left_open": left_open}


def measured(facts: dict[str, Any], losses: Sequence[NDArray[np.float64]], loss: NDArray[np.float64], units: Units) -> None:
    """Put into ``facts`` the loss of each source [n], that of what they make [n], and its difference from the best source's."""
    for row, each in zip(facts["sources"], losses, strict=True):
        row["loss"] = _interval(units.mean(each))
    best = int(np.argmin([np.average(np.where(np.isnan(each), np.inf, each), weights=units.size) for each in losses]))
    facts["loss"] = _interval(units.mean(loss))
    facts["best"] = {"source": facts["sources"][best]["source"], "difference": _interval(units.difference(loss, losses[best]))}


def _interval(found: Estimate) -> dict[str, float | None]:
    """An estimate as plain values; what is infinite as None."""
    return {name: value if np.isfinite(value := getattr(found, name)) else None for name in ("value", "low", "high")}
