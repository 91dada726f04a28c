"""The predictor in a directory, of whichever kind its spec is."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

from ..core.errors import LossworksError, NotInstalled, RecordError
from ..models.base import is_counted, is_language
from ..record import read_object
from ..tasks import label_task
from .predictor import FORMAT, Predictor

_KEPT: dict[str, type[Predictor]] = {}


def kept_by(model: str) -> Callable[[type[Predictor]], type[Predictor]]:
    """Decorator: what runs of this ``model`` hold is read by the class, which stands in a package above this one."""

    def register(kind: type[Predictor]) -> type[Predictor]:
        _KEPT[model] = kind
        return kind

    return register


def _kind(model: str) -> type[Predictor]:
    """The class of predictors of a family."""
    if is_language(model):
        from .generative import GenerativePredictor

        return GenerativePredictor
    if is_counted(model):
        from .counted import CountedPredictor

        return CountedPredictor
    from .network_predictor import NetworkPredictor

    return NetworkPredictor


def load_predictor(folder: Path, device: str = "cpu") -> Predictor:
    """Read what ``Predictor.save`` wrote. Nothing in the files is ever executed.

    Raises:
        RecordError: a file is missing, truncated, or does not fit the other.
    """
    config = read_object(folder / "config.json")
    try:
        if config["format"] != FORMAT:
            raise RecordError(f"format {config['format']!r}; this version reads format {FORMAT}")
        center, spread = float(config["center"]), float(config["spread"])
        task = label_task(config["task"], config["labels"], center, spread, config.get("label_type", "str"))
        temperature, thresholds = float(config["temperature"]), config["thresholds"]
        if not 0 < temperature < float("inf") or (thresholds is not None and len(thresholds) != task.cuts):
            raise RecordError(f"temperature {temperature}, thresholds {thresholds!r} are not what {task.kind} needs")
        kind = _KEPT.get(config["model"]) or _kind(config["model"])
        predictor = kind.read(folder, task, config["model"])
        predictor.temperature = temperature
        predictor.thresholds = None if thresholds is None else tuple(float(threshold) for threshold in thresholds)
        return predictor.to(device)
    except (KeyError, TypeError, ValueError, IndexError, OverflowError, RuntimeError, LossworksError) as error:
        if isinstance(error, NotInstalled) or (isinstance(error, RecordError) and str(folder) in str(error)):
            raise
        raise RecordError(f"{folder}: config.json and the model's files do not fit together ({error}). Fit again.") from None
