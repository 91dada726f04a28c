"""How often each token was seen in training, kept beside a language model for its baseline."""

from __future__ import annotations

from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from ..core.errors import RecordError
from ..record.tensors import map_tensors, write_tensors

_COUNTS = "unigrams.safetensors"


def write_counts(folder: Path, counts: NDArray[np.int64]) -> None:
    """Write how often each token was seen [V], for ``read_counts``."""
    write_tensors(folder / _COUNTS, {"counts": counts}, {})


def read_counts(folder: Path, size: int) -> NDArray[np.int64]:
    """The counts [size] that ``Fitted.save`` wrote.

    Raises:
        RecordError: the file is missing or damaged.
    """
    path = folder / _COUNTS
    counts = map_tensors(path)[0].get("counts", np.empty(0))
    if counts.shape != (size,) or counts.dtype != np.int64 or (counts < 0).any():
        raise RecordError(f"{path} does not fit the tokenizer. Restore it from a copy, or fit again.")
    return counts
