"""``evaluate`` of a run with ``--folds``, without other rows: what its cross-validation said, which no model saw in training."""

from __future__ import annotations

from typing import Any

import numpy as np
from numpy.typing import NDArray

from ..core.errors import RecordError
from .cross_validation import FILE, PART
from .for_precision import for_precision
from .model import Model

_FIGURES = (
    "rows", "texts", "metrics", "uncalibrated", "confusion", "per_class", "reliability", "baseline", "by_threshold", "mistakes",
    "languages", "folds", "trainings",
)  # fmt: skip


def was_cross_validated(model: Any) -> bool:
    """Whether the run's figures are of folds."""
    return isinstance(model, Model) and model.path is not None and model.record.get("result", {}).get("part") == PART


def of_folds(model: Model, wanted: list[tuple[str | None, float]]) -> dict[str, Any]:
    """The figures of the run's record, in the form of ``evaluate``; and the threshold for each precision that is ``wanted``.

    Raises:
        RecordError: the run keeps no answers.
    """
    record = model.record
    result, data = record["result"], record["data"]
    found = {
        "source": f"the {PART} rows of {data['source']}",
        **{name: data[name] for name in ("skipped", "bad")},
        "notes": [],
        "trained_on": False,
        "known": None,
        "task": record["task"],
        "labels": list(model.predictor.task.labels) or None,
        **{name: result[name] for name in _FIGURES if name in result},
    }
    return found | ({"for_precision": for_precision(model, wanted, *_answers(model))} if wanted else {})


def _answers(model: Model) -> tuple[NDArray[Any], NDArray[Any], NDArray[Any] | None, NDArray[Any]]:
    """What was said of each row: the probabilities [N, K], the targets, the weights if there are any, and which text it is."""
    import polars as pl

    assert model.path is not None
    path, names = model.path / FILE, model.predictor.task.labels
    try:
        table = pl.read_parquet(path)
    except (OSError, pl.exceptions.PolarsError) as error:
        raise RecordError(f"{path} cannot be read ({error}), which has what was said of each row. Fit the run again.") from error
    chances = table.select([f"probability:{name}" for name in names]).to_numpy()
    number = {label: at for at, label in enumerate(model.labels)}
    truth = table["label"].to_list()
    if model.predictor.task.kind == "multilabel":
        target = np.array([[label in said for label in model.labels] for said in truth])
    else:
        target = np.array([number[label] for label in truth])
    weights = table["weight"].to_numpy() if "weight" in table.columns else None
    return chances, target, weights, table["text"].rank("dense").to_numpy()
