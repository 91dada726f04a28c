"""Trained models in few bytes: as a run directory, a page, JavaScript, or ONNX in int8; and what that changed."""

from __future__ import annotations

import math
from collections.abc import Callable
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
from ..inference.quantized import FILE, TABLE, Arrays, Table
from ..models.bag import BagSpec
from ..models.base import ModelSpec
from ..models.linear import LinearSpec
from ..record import write_atomic, write_json
from ..record.checksums import checksums
from ..record.files import encode_json, write_folder
from ..record.run import FORMAT, Run
from ..record.scratch import temporary
from ..record.tensors import map_tensors, write_tensors
from .exporting import QUANTIZED, format_of
from .javascript import page, script

Json = dict[str, Any]
FINEST = 0.02
"""The rounding errors of a model that no size is asked of, as a share of the weights."""
_CLOSE = 1.01  # steps between which the search for a size ends
_SENTENCE = 100  # bytes of what a page says of the test part


def quantize(model: Model | Language, path: Path | str, *, to: str | None = None, max_size: str | int | None = None) -> Json:
    """Write a trained model in few bytes, and tell what that changed.

    Args:
        model: from ``load``, or from ``fit`` with ``out``.
        path: where to: of "run" a folder, which is made or replaced; else a file.
        to: "run", a run directory that ``load`` and ``lossworks predict`` read, of ``linear`` and ``bag``: their weights rounded,
            features left out whose weights are then all zero. "html", a page in which such a model answers a text as it is typed,
            by itself; "js", a JavaScript module that exports its ``labels`` and ``predict(text)``. "onnx", the network with its
            products' weights in int8. None: as the path ends in .html, .js, .mjs or .onnx, else "run".
        max_size: the most bytes that it may have ("1MB"), but of "onnx": the largest model below that is written. None:
            weights are rounded until the errors are 2 % of them; those that are rounded already stay as they are.

    Returns: ``bytes`` and ``features``, before and after; ``held_out``, what ``paired_labels`` or ``paired_texts`` tells of the
    run's test part before and after, or None where that is not there, and ``unmeasured`` says why.

    Raises:
        UsageError: the model has no such form, or no run; the size is too small for any of it; a package is missing.
        RecordError: the place cannot be written.
    """
    path, to = Path(path), format_of(path, to, "run")
    if to not in QUANTIZED:
        raise UnknownName("quantized format", to, QUANTIZED)
    if model.path is None:
        raise UsageError("only a run is quantised, so that it is known what that changed. Fit it with out=DIRECTORY.")
    if to == "onnx":
        if max_size is not None:
            raise UsageError("--max-size is for linear and bag; ONNX in int8 has the size that it has. Leave it out.")
        if isinstance(model, Model) and isinstance(getattr(model.predictor, "features", None), HashedFeatures):
            raise UsageError("onnxruntime quantises products, and linear and bag are sums of rows. Name a folder, and no --to.")
        from .onnx_int8 import write_int8

        after, sizes = write_int8(model, path)
        return {"format": "onnx", "path": str(path), "bytes": sizes, **_held_out(model, after)}
    _check_hashed(model, to)
    if path.resolve() == model.path.resolve():
        raise UsageError(f"{path} is the run itself. Choose another place for the quantised one.")
    assert isinstance(model, Model)
    most = None if max_size is None else size(max_size)
    files = [file.stat().st_size for name in checksums(model.path) for file in (model.path / name,)]
    had = sum(files) + (model.path / "run.json").stat().st_size
    small, told = _as_run(model, path, most) if to == "run" else _as_script(model, path, to, most)
    kept = [len(each.predictor.features) for each in (model, small)]  # type: ignore[attr-defined]
    return {"format": to, "path": str(path), "bytes": [had, _bytes(path)], "features": kept, **told}


def _check_hashed(model: Model | Language, to: str) -> None:
    """Raise UsageError but for ``linear`` and ``bag``."""
    predictor = model.predictor if isinstance(model, Model) else None
    known = LinearSpec | BagSpec if to != "run" else ModelSpec  # a script knows the networks of these two alone
    hashed = isinstance(predictor, NetworkPredictor) and isinstance(predictor.features, HashedFeatures)
    if predictor is not None and hashed and isinstance(predictor.spec, known):
        return
    kind = model.record.get("config", {}).get("model", "another model")
    if to == "run":
        raise UsageError(f"only linear and bag are quantised as runs, and {model.path} is {kind}. Try --to onnx.")
    raise UsageError(f"only linear and bag answer in a browser by themselves, and {model.path} is {kind}. Fit one of those.")


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


def _as_run(model: Model, path: Path, most: int | None) -> tuple[Model, Json]:
    """Write the run directory of the largest model of at most so many bytes; it, and what that changed."""
    rest = len(encode_json(_record(model), 2)) + 2048  # config, checksums, a header
    small = _write(model, path, _rounded(model, most, lambda arrays: sum(array.nbytes for array in arrays.values()) + rest))
    return small, _held_out(model, small)


def _as_script(model: Model, path: Path, to: str, most: int | None) -> tuple[Model, Json]:
    """The same of a page, or of a module alone."""

    def made(arrays: Arrays, held_out: Json | None = None) -> bytes:
        return (page(model, arrays, held_out) if to == "html" else script(model, arrays)).encode("utf-8", "replace")

    arrays = _rounded(model, most, lambda arrays: len(made(arrays)) + _SENTENCE)
    with temporary() as scratch:
        small = _write(model, scratch / "run", arrays)
    told = _held_out(model, small)
    content = made(arrays, told["held_out"])
    write_atomic(path, lambda part: part.write_bytes(content))
    return small, told


def _write(model: Model, path: Path, arrays: Arrays) -> Model:
    """The run directory with these arrays."""

    def write(folder: Path) -> None:
        model.predictor.save_config(folder)
        write_tensors(folder / FILE, arrays, {})
        write_json(folder / "run.json", _record(model) | {"files": checksums(folder)})

    write_folder(path, write, FILE)
    return load_labels(path)


def _rounded(model: Model, most: int | None, size_of: Callable[[Arrays], int]) -> Arrays:
    """All arrays of the largest model that has at most so many bytes, as ``size_of`` counts them."""
    predictor = model.predictor
    assert isinstance(predictor, NetworkPredictor)
    assert isinstance(predictor.features, HashedFeatures)
    assert model.path is not None
    if (model.path / FILE).exists():  # to round once more would only add to the errors
        arrays = dict(map_tensors(model.path / FILE)[0])
        if most is None or size_of(arrays) <= most:
            return arrays
    weights = {f"network.{name}": np.asarray(value.detach().cpu()) for name, value in predictor.network.state_dict().items()}
    softmax = predictor.task.link == "softmax" and list(weights) == [TABLE, "network.bias"]
    table = Table.of(predictor.features, weights.pop(TABLE), shifts=softmax)

    def at(step: float) -> Arrays:
        return table.rounded(step) | weights

    step = _finest(table)
    if most is not None and size_of(at(step)) > most:
        step = _search(table.largest, step, most, lambda step: size_of(at(step)))
    return at(step)


def _finest(table: Table) -> float:
    """The step whose errors are ``FINEST``."""
    low, high = table.largest * 1e-9, table.largest
    while high > _CLOSE * low:
        middle = math.sqrt(low * high)
        low, high = (middle, high) if table.error(middle) <= FINEST else (low, middle)
    return low or 1.0


def _search(high: float, low: float, most: int, size_at: Callable[[float], int]) -> float:
    """The finest step of at most so many bytes, between one that has too many and one of which nothing is left."""
    if (least := size_at(high / 2)) > most:
        raise UsageError(f"--max-size is {most:,} bytes, and {least:,} are the least. Give more.")
    while high > _CLOSE * low:
        middle = math.sqrt(low * high)
        low, high = (low, middle) if size_at(middle) <= most else (middle, high)
    return high


def _bytes(path: Path) -> int:
    """Of a file, or of all files in a folder."""
    files = path.rglob("*") if path.is_dir() else [path]
    return sum(file.stat().st_size for file in files if file.is_file())


def _record(model: Model) -> Json:
    """What the run's record says of its data and settings, which ``evaluate`` asks for; its figures are another model's."""
    record = Run(model.path or "").summary
    kept = {key: record[key] for key in ("lossworks", "created", "given", "versions", "task", "labels", "config", "data")}
    note = f"it was quantised from {model.path}, whose figures are not its own: lossworks evaluate tells them"
    result = {"part": None, "rows": 0, "note": note, "refit_rows": record["result"].get("refit_rows")}
    return {"format": FORMAT, **kept, "command": "lossworks export --quantize", "status": "finished", "result": result}
