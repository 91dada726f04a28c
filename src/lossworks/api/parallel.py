"""Language models on parallel text: the bits that each language's words for the same content cost."""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from functools import partial
from typing import Any

import numpy as np
from numpy.typing import NDArray

from ..core.errors import UsageError
from ..data import ReadOptions
from ..data.parallel import Parallel, load_parallel
from ..engine import Callbacks
from ..evidence.by_language import word_of
from ..evidence.statistics import holm
from ..metrics import MOST_UNKNOWN, bits_per
from ..metrics.contrast import Estimate, Sample, mean_of
from ..metrics.intervals import Interval
from ..metrics.parallel import premiums
from ..metrics.segments import Segments
from .held import as_trained
from .language import Language
from .scored import BIT
from .side_by_side import measure

Floats = NDArray[np.float64]
_FEWEST = 2  # lines that an interval takes


def parallel_bits(
    models: Mapping[str, Language],
    files: Sequence[str],
    reference: str | None = None,
    read: ReadOptions | None = None,
    *,
    stride: int | None = None,
    callbacks: Callbacks | None = None,
) -> dict[str, Any]:
    """Bits a sentence of each language of parallel text, the worst first: what compares between scripts, as bits a byte do not.

    ``runs`` has, for each model and language, its ``bits`` a line, the ``difference`` from the reference's in the same lines and
    ``p_holm`` (Holm over the languages), its ``bits_per_byte``, and how many times the reference's ``bytes`` it takes. Of several
    models ``between`` has, for each but the best (whose mean over languages is the lowest), the differences from that one in
    each language, with ``p_holm`` over all of them. A token that is unknown is charged 8 bits for each of its bytes.

    Args:
        models: by their names.
        files: of parallel text, as of ``load_parallel``.
        reference: the language that the others are compared with; None: English, or without it the one of the fewest bits.
        read: columns, encoding and format of the files.
        stride: of the windows in which networks read what is longer than their context; half of it if None.
        callbacks: how to watch: "judge" tells of how many lines, of all models and languages together, the bits are known.

    Raises:
        UsageError: a model reads a file as one text, or has no context to slide; as of ``load_parallel``.
        DataError: as of ``load_parallel``; there is but one line.
    """
    for name, model in models.items():
        if model.document_unit == "file":
            raise UsageError(f"{name} reads a file as one text, and parallel text is lines. Name a model fitted on lines.")
    text = load_parallel(files, as_trained(read, *(model.record for model in models.values())))
    if len(text.texts[0]) < _FEWEST:
        raise UsageError("there is but one line of parallel text; wanted two or more, for an interval.")
    lines = [Segments.of(partial(list, [own]), whole=False) for own in text.texts]
    sizes = np.array([own.bytes for own in lines], np.float64)
    bits, unknown = {}, {}
    tell = (callbacks or Callbacks()).judging(len(models) * sum(map(len, text.texts)), "lines")
    for name, model in models.items():
        found = []
        for own, said in zip(lines, text.texts, strict=True):
            found.append(measure(model.sliding(stride), own))
            tell(len(said))
        bits[name] = np.array([each.nats / BIT for each in found])
        unknown[name] = [each.metrics["unknown_rate"].value for each in found]
    order = sorted(bits, key=lambda name: float(bits[name].mean()))
    against = text.reference(reference)
    if against is None:
        against = int(bits[order[0]].mean(1).argmin())
    known = [name for name in order if np.mean(unknown[name]) <= MOST_UNKNOWN]
    best = (known or order)[0]
    seen = {name: model.record.get("data", {}).get("fingerprint") for name, model in models.items()}
    return {
        "task": "lm",
        "lines": len(text.texts[0]),
        "left_out": text.left_out,
        "notes": list(text.notes),
        "reference": text.names[against],
        "best": best if known and len(models) > 1 else None,
        "bytes": {name: times.to_json() for name, times in zip(text.names, premiums(sizes, against), strict=True)},
        "runs": [
            {
                "run": name,
                "trained_on": [text.names[i] for i, print_ in enumerate(text.fingerprints) if print_ == seen[name]],
                "languages": _against_reference(text, bits[name], sizes, unknown[name], against),
            }
            for name in order
        ],
        "between": _between(text, {name: bits[name] - bits[best] for name in order if name != best}, best),
    }


def _against_reference(
    text: Parallel, bits: Floats, sizes: Floats, unknown: Sequence[float], reference: int
) -> list[dict[str, Any]]:
    """A model's figures of each language, the worst first."""
    apart = [None if i == reference else _mean(own - bits[reference]) for i, own in enumerate(bits)]
    ps = iter(holm([each.p for each in apart if each is not None]))
    rows = [
        {
            "language": name,
            "bits": _told(_mean(bits[i])),
            "difference": None if each is None else _told(each),
            "p_holm": None if each is None else next(ps),
            "bits_per_byte": bits_per(BIT * bits[i], sizes[i]).to_json(),
            "unknown_rate": unknown[i],
        }
        for i, (name, each) in enumerate(zip(text.names, apart, strict=True))
    ]
    return sorted(rows, key=lambda row: -_number(row["bits"]["value"]))


def _between(text: Parallel, differences: Mapping[str, Floats], best: str) -> list[dict[str, Any]]:
    """Each model's differences from the best, language by language, the worst first, with Holm's correction over all."""
    found = [(run, name, _mean(own)) for run, rows in differences.items() for name, own in zip(text.names, rows, strict=True)]
    tested = [
        {"run": run, "language": name, "difference": _told(each), "p_holm": p, "word": word_of(each.value, p)}
        for (run, name, each), p in zip(found, holm([each.p for _, _, each in found]), strict=True)
    ]
    return [
        {
            "run": run,
            "against": best,
            "languages": sorted(
                (row for row in tested if row["run"] == run), key=lambda row: -_number(row["difference"]["value"])
            ),
        }
        for run in differences
    ]


def _mean(values: Floats) -> Estimate:
    """The mean over lines, with its interval and the p of its being 0."""
    if not np.isfinite(values).all():  # a token of probability 0, after which nothing is known
        value = float(values.mean()) if not np.isnan(values).any() else math.nan
        return Estimate(value, -math.inf, math.inf, 1.0)
    return mean_of(Sample(values, np.ones(len(values))))


def _told(found: Estimate) -> dict[str, float | None]:
    return Interval(found.value, found.low, found.high).to_json()


def _number(value: float | None) -> float:
    return math.inf if value is None else value
