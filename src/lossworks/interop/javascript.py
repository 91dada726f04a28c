"""Quantised ``linear`` and ``bag`` as JavaScript: one module with ``labels`` and ``predict(text)``, or a page around it.

What a code point is and its lower case stand in the file as Python has them: browsers know other versions of Unicode. So does
whether texts are composed before they are read. Sums are made in the order and precision of the kernels, so answers are the same.
"""

from __future__ import annotations

import base64
import functools
import json
import unicodedata
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from ..api import Model
from ..api.held import form_of
from ..core.wording import counted
from ..data import HashedFeatures
from ..inference import NetworkPredictor
from ..inference.quantized import TABLE, Arrays, pack, zigzag
from ..report.classifier import classifier_page
from ..report.words import number
from ..tokens.characters import SPACE, classes, lower

Json = dict[str, Any]
_CODE = Path(__file__).with_name("classifier.js")
_UNKNOWN = 4  # of the kinds of code points: not assigned, which is read as a space but never composed
_STREAMS = ("gaps", "kinds", "codes", "weights", "scales")


def script(model: Model, arrays: Arrays) -> str:
    """The module of a model; ``arrays``: those that a quantised run holds."""
    return f"{_CODE.read_text('utf-8')}export const {{ labels, predict }} = await made({_literal(_told(model, arrays))});\n"


def page(model: Model, arrays: Arrays, held_out: Json | None) -> str:
    """The page around it, which tells how often the model is right by what ``paired_labels`` says of the test part."""
    task = model.predictor.task
    facts = [str(model.record["config"]["model"]), *([counted(len(model.labels), "label")] if model.labels else [])]
    if held_out and task.right_metric:
        share = number("accuracy", held_out["metrics"][task.right_metric]["after"])
        facts.append(f"right in {share} of {counted(held_out['rows'], 'test text')}")
    name = model.path.resolve().name if model.path else ""
    return classifier_page(name, facts, script(model, arrays), numbers=not task.has_probabilities)


def _told(model: Model, arrays: Arrays) -> Json:
    """All that the code asks for."""
    predictor = model.predictor
    assert isinstance(predictor, NetworkPredictor)
    features, task = predictor.features, predictor.task
    assert isinstance(features, HashedFeatures)
    bias = arrays.get("network.bias")
    names = [name for name in ("hidden", "head") if f"network.{name}.weight" in arrays]
    return {
        "task": task.kind,
        "labels": list(model.labels),
        "temperature": predictor.temperature,
        "thresholds": predictor.thresholds,
        "center": task.center,
        "spread": task.spread,
        "compose": form_of(model.record) == "nfc",
        "words": features.words,
        "chars": features.chars,
        "bits": features.bits,
        "norm": features.norm,
        "share": features.share,
        "width": predictor.network.state_dict()[TABLE.removeprefix("network.")].shape[1],
        "unicode": _unicode(),
        "table": {name: _packed(arrays[name]) for name in _STREAMS},
        "bias": None if bias is None else _packed(bias),
        "layers": [{part: _packed(arrays[f"network.{name}.{part}"]) for part in ("weight", "bias")} for name in names],
    }


@functools.cache
def _unicode() -> Json:
    """Where classes of code points change, and each letter that has a lower case with the distance to it."""
    kinds = classes().astype(np.int64)
    spaces = np.flatnonzero(kinds == SPACE)
    kinds[[point for point in spaces.tolist() if unicodedata.category(chr(point)) == "Cn"]] = _UNKNOWN
    first = np.flatnonzero(np.diff(kinds, prepend=-1))
    runs = np.diff(first, append=len(kinds)) * (_UNKNOWN + 1) + kinds[first]
    small = lower().astype(np.int64)
    cased = np.flatnonzero(small != np.arange(len(small)))
    pairs = np.stack([np.diff(cased, prepend=-1) - 1, zigzag(small[cased] - cased)], 1)
    return {"kinds": _packed(pack(runs)), "lower": _packed(pack(pairs.reshape(-1)))}


def _packed(array: NDArray[Any]) -> str:
    return base64.b64encode(np.ascontiguousarray(array).tobytes()).decode()


def _literal(value: Json) -> str:
    """JSON that may stand in a script of a page, whatever is in the labels."""
    return json.dumps(value, indent=1).replace("<", "\\u003c")
