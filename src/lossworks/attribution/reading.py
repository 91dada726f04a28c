"""How encoders read texts to be explained: no further than their context, and what is read alike only once."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np
from numpy.typing import NDArray

from ..data import OrderedFeatures, Selected
from ..inference import NetworkPredictor, Predictor


def within_reach(predictor: Predictor, texts: Sequence[str]) -> tuple[Sequence[str], list[tuple[str, ...]]]:
    """As much of each text as an encoder may come to read where some of it is deleted, and what to know of those that go on."""
    features = getattr(predictor, "features", None)
    if not isinstance(features, OrderedFeatures):
        return texts, [()] * len(texts)
    room, tokens = features.context - features.marks().count, np.diff(features.tokenizer.encode(texts)[1])
    found = list(texts)
    notes: list[tuple[str, ...]] = [()] * len(texts)
    for number in np.flatnonzero(tokens > room).tolist():
        spans, text = features.tokenizer.spans(texts[number]), texts[number]
        found[number] = text[: spans[2 * room - 1, 1]] if len(spans) > 2 * room else text
        notes[number] = (
            f"of its {tokens[number]:,} tokens the model reads the first {room:,}; what stands behind them has no share, but is "
            "read where something before it is deleted",
        )
    return found, notes


def scores_once(predictor: Predictor, texts: Sequence[str]) -> NDArray[Any]:
    """Scores of texts as of ``Predictor.scores``; of those that are the same tokens to an encoder it reads one."""
    if not isinstance(predictor, NetworkPredictor) or not isinstance(predictor.features, OrderedFeatures):
        return predictor.scores(texts)
    read = predictor.prepared(texts)
    seen: dict[bytes, int] = {}
    rows = zip(read.starts.tolist(), read.lengths.tolist(), strict=True)
    which = [seen.setdefault(read.ids[start : start + length].tobytes(), len(seen)) for start, length in rows]
    first = np.unique(which, return_index=True)[1]
    return predictor.scores_of(Selected(read.ids, read.values, read.starts[first], read.lengths[first]))[which]
