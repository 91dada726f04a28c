"""Trained models in few bytes: as a run directory that ``load`` reads, or as ONNX in int8; and what that changed."""

from __future__ import annotations

import math
from contextlib import closing
from pathlib import Path
from typing import Any

import numpy as np

from ..api import Language, Model, load_labels
from ..api.paired import paired_labels, paired_texts
from ..api.tested import corpus_for
from ..core.errors import DataError, RecordError, UnknownName, UsageError
from ..core.units import size
from ..data import HashedFeatures, ReadOptions
from ..inference import NetworkPredictor
from ..inference.quantized import FILE, TABLE, Arrays, Table, write_quantized
from ..record import write_json
from ..record.checksums import checksums
from ..record.files import encode_json, write_folder
from ..record.run import FORMAT, Run
from .exporting import format_of

Json = dict[str, Any]
FINEST = 0.02
"""The rounding errors of a model that no size is asked of, as a share of the weights."""
_CLOSE = 1.01  # steps between which the search for a size ends


def quantize(model: Model | Language, path: Path | str, *, to: str | None = None, max_size: str | int | None = None) -> Json:
    """Write a trained model in few bytes, and tell what that changed.

    Args:
        model: from ``load``, or from ``fit`` with ``out``.
        path: where to: of "run" a folder, which is made or replaced; of "onnx" a file.
        to: "run", a run directory that ``load`` and ``lossworks predict`` read, of ``linear`` and ``bag``: their weights rounded,
            features left out whose weights are then all zero. "onnx", the network with its products' weights in int8.
            None: "onnx" where the path ends in .onnx.
        max_size: of a run directory, the most bytes that it may have ("1MB"): the largest model below that is written. None:
            weights are rounded until the errors are 2 % of them.

    Returns: ``bytes`` and ``features``, before and after; ``held_out``, what ``paired_labels`` or ``paired_texts`` tells of the
    run's test part before and after, or None where that is not there, and ``unmeasured`` says why.

    Raises:
        UsageError: the model has no such form, or no run; the size is too small for any of it; a package is missing.
        RecordError: the place cannot be written.
    """
    path, to = Path(path), format_of(path, to, "run")
    if to not in ("run", "onnx"):
        raise UnknownName("quantized format", to, ("run", "onnx"))
    if model.path is None:
        raise UsageError("only a run is quantised, so that it is known what that changed. Fit it with out=DIRECTORY.")
    if to == "onnx":
        if max_size is not None:
            raise UsageError(
                "--max-size is for run directories of linear and bag; ONNX in int8 has the size that it has. Leave it out."
            )
        if isinstance(model, Model) and isinstance(getattr(model.predictor, "features", None), HashedFeatures):
            raise UsageError("onnxruntime quantises products, and linear and bag are sums of rows. Name a folder, and no --to.")
        from .onnx_int8 import write_int8

        after, sizes = write_int8(model, path)
        return {"format": "onnx", "path": str(path), "bytes": sizes, **_held_out(model, after)}
    if not isinstance(model, Model) or not isinstance(model.predictor, NetworkPredictor):
        raise UsageError(f"only linear and bag are quantised as runs, and {model.path} holds another model. Try --to onnx.")
    if not isinstance(model.predictor.features, HashedFeatures):
        raise UsageError(f"only linear and bag are quantised as runs, and {model.path} reads tokens in order. Try --to onnx.")
    if path.resolve() == model.path.resolve():
        raise UsageError(f"{path} is the run itself. Choose another folder for the quantised one.")
    _write(model, model.predictor, path, None if max_size is None else size(max_size))
    small = load_labels(path)
    assert isinstance(small.predictor, NetworkPredictor)
    files = [file.stat().st_size for name in checksums(model.path) for file in (model.path / name,)]
    kept = [len(model.predictor.features), len(small.predictor.features)]
    return {
        "format": "run",
        "path": str(path),
        "bytes": [sum(files) + (model.path / "run.json").stat().st_size, _bytes(path)],
        "features": kept,
        **_held_out(model, small),
    }


def _held_out(before: Model | Language, after: Model | Language) -> Json:
    """Both on the run's test part, or why not."""
    read = ReadOptions(unlabelled=True, texts=before.document_unit) if isinstance(before, Language) else None
    try:
        corpus = corpus_for({str(before.path): before}, None, read)
    except (UsageError, DataError, RecordError) as error:
        return {"held_out": None, "unmeasured": str(error)}
    with closing(corpus):
        if isinstance(before, Language):
            assert isinstance(after, Language)
            return {"held_out": paired_texts(before, after, corpus)}
        assert isinstance(after, Model)
        return {"held_out": paired_labels(before, after, corpus)}


def _write(model: Model, predictor: NetworkPredictor, path: Path, most: int | None) -> None:
    """The run directory of the largest model of at most so many bytes."""
    assert isinstance(predictor.features, HashedFeatures)
    weights = {f"network.{name}": np.asarray(value.detach().cpu()) for name, value in predictor.network.state_dict().items()}
    softmax = predictor.task.link == "softmax" and list(weights) == [TABLE, "network.bias"]
    table, record = Table.of(predictor.features, weights.pop(TABLE), shifts=softmax), _record(model)

    def write(folder: Path) -> None:
        predictor.save_config(folder)
        write_quantized(folder, table.rounded(step), weights)
        write_json(folder / "run.json", record | {"files": checksums(folder)})

    rest = sum(array.nbytes for array in weights.values()) + len(encode_json(record, 2)) + 2048  # config, checksums, a header
    step = _finest(table)
    if most is not None and _size(table.rounded(step)) + rest > most:
        step = _search(table, most - rest, step)
    write_folder(path, write, FILE)


def _finest(table: Table) -> float:
    """The step whose errors are ``FINEST``."""
    low, high = table.largest * 1e-9, table.largest
    while high > _CLOSE * low:
        middle = math.sqrt(low * high)
        low, high = (middle, high) if table.error(middle) <= FINEST else (low, middle)
    return low or 1.0


def _search(table: Table, most: int, low: float) -> float:
    """The finest step of which the table has so many bytes, coarser than ``low``."""
    high = table.largest
    if (least := _size(table.rounded(high / 2))) > most:
        raise UsageError(f"--max-size leaves {max(most, 0):,} bytes for the weights, and {least:,} are the least. Give more.")
    while high > _CLOSE * low:
        middle = math.sqrt(low * high)
        low, high = (low, middle) if _size(table.rounded(middle)) <= most else (middle, high)
    return high


def _size(kept: Arrays) -> int:
    return sum(array.nbytes for array in kept.values())


def _bytes(folder: Path) -> int:
    return sum(file.stat().st_size for file in folder.rglob("*") if file.is_file())


def _record(model: Model) -> Json:
    """What the run's record says of its data and settings, which ``evaluate`` asks for; its figures are another model's."""
    record = Run(model.path or "").summary
    kept = {key: record[key] for key in ("lossworks", "created", "given", "versions", "task", "labels", "config", "data")}
    note = f"it was quantised from {model.path}, whose figures are not its own: lossworks evaluate tells them"
    result = {"part": None, "rows": 0, "note": note, "refit_rows": record["result"].get("refit_rows")}
    return {"format": FORMAT, **kept, "command": "lossworks export --quantize", "status": "finished", "result": result}
