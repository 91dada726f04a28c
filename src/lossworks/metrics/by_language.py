"""Every metric by language, the worst language first: what an average over languages hides.

The worst of many noisy estimates is worse than the truth, and there is always one. So each language's loss is compared with that
of all others together, with Holm's correction over the languages, and its interval is one of all that hold at once (Bonferroni).
"""

from __future__ import annotations

import math
from collections.abc import Callable
from typing import Any

import numpy as np
from numpy.typing import NDArray

from ..data import Languages
from ..tokens.graphemes import isolated
from .contrast import FEWEST, LEVEL, Estimate, Floats, Losses, contrast, holm, mean_of
from .intervals import Interval
from .rows import NO_MEANS

Json = dict[str, Any]
HARDER, EASIER, NOT_SHOWN, FEW = "harder", "easier", "no difference shown", "few texts"
_NAMED = 5  # languages that a sentence names


def by_language(
    metric: str, losses: Losses, languages: Languages, metrics_of: Callable[[NDArray[np.int64]], dict[str, Interval]]
) -> Json:
    """What a record says of each language.

    Args:
        metric: the proper metric that ``losses`` are of, lower is better.
        losses: of all rows; those without size are left out.
        languages: of the same rows.
        metrics_of: every metric of some rows.

    Returns:
        "metric", "texts" and the mean loss ("value") of all rows, "fewest": texts from which a language is compared; "verdict", a
        sentence; and "rows", of each language its "texts", "metrics" with 95 % intervals, its mean "loss" and the "corrected"
        interval of that (None of one text), the "difference" from the mean of the "others" with its 95 % interval, "p_holm", and
        a "word". Those compared come first, the worst before all.
    """
    every = losses.sample(np.arange(len(losses.sums)))
    parts = {name: rows for name, rows in languages.rows().items() if losses.sizes[rows].sum() > 0}
    samples = {name: losses.sample(rows) for name, rows in parts.items()}
    tail = 1 - LEVEL / 2 / max(len(samples), 1)
    rows, found = list[Json](), list[Estimate | None]()
    for name, inside in samples.items():
        texts = len(inside.sums)
        outside = losses.sample(losses.without(parts[name])) if texts >= FEWEST else inside
        compared = min(texts, len(outside.sums)) >= FEWEST and len(samples) > 1
        found.append(contrast(inside, outside) if compared else None)
        rows.append({
            "language": name, "texts": texts, "share": float(inside.sizes.sum() / every.sizes.sum()), "loss": inside.rate,
            "metrics": {key: interval.to_json() for key, interval in metrics_of(parts[name]).items()},
            "corrected": None if texts < 2 else _ends(mean_of(inside, tail)),
            "others": outside.rate if compared else None,
        })  # fmt: skip
    corrected = iter(holm([one.p for one in found if one is not None]))
    for row, one in zip(rows, found, strict=True):
        row |= {"difference": None, "p_holm": None, "word": FEW}
        if one is not None:
            p = next(corrected)
            word = NOT_SHOWN if p > LEVEL else HARDER if one.value > 0 else EASIER
            row |= {"difference": {"value": one.value} | _ends(one), "p_holm": p, "word": word}
    rows.sort(key=lambda row: (row["texts"] < FEWEST, -row["loss"], row["language"]))
    told = {"metric": metric, "texts": len(every.sums), "value": every.rate, "fewest": FEWEST, "rows": rows}
    return told | {"verdict": sentence(told)}


def rows_within(
    rows_of: Callable[[NDArray[np.int64]], dict[str, Floats]], languages: Languages, weight: NDArray[Any] | None
) -> dict[str, Floats]:
    """What is no mean over rows, such as F1, of each language by itself: [N], whose mean over the rows of a language is its own
    F1, and which deviate from it by what each row moves it; nan in languages without weight.

    Args:
        rows_of: every metric of some rows, as of ``by_row`` over these alone. languages, weight: of all rows (weight None: 1).
    """
    found: dict[str, Floats] = {}
    for rows in languages.rows().values():
        if weight is None or weight[rows].any():
            for name, values in rows_of(rows).items():
                if name in NO_MEANS:
                    found.setdefault(name, np.full(len(languages.of_row), np.nan))[rows] = values
    return found


def sentence(found: Json) -> str:
    """Which language is worst, whether it is shown to be worse than the others, and which others are."""
    rows, metric = found["rows"], found["metric"]
    known, few = ([row for row in rows if (row["texts"] >= found["fewest"]) is enough] for enough in (True, False))
    rest = f" Too few texts ({found['fewest']} are needed) of {listed(few)}." if few else ""
    if not known:
        return f"No language has {found['fewest']} texts, so none is compared."
    worst = known[0]
    name, ends = isolated(worst["language"]), worst["corrected"]
    if worst["others"] is None:
        return f"{metric} is {_short(worst['loss'])} in {name}, the one language with enough texts to compare.{rest}"
    begin, more = (f"Highest in {name}", "higher") if metric == "nats_per_text" else (f"Worst in {name}", "worse")
    accuracy = (worst["metrics"].get("accuracy") or {}).get("value")
    right = "" if accuracy is None else f", accuracy {accuracy:.1%}"
    told = (
        f"{begin}: {metric} {_short(worst['loss'])} ({_short(ends['low'])} to {_short(ends['high'])}, corrected for {len(rows)} "
        f"languages{right}; {worst['texts']:,} texts), in the others together {_short(worst['others'])}."
    )
    harder = [row for row in known if row["word"] == HARDER]
    if not harder:
        chance = f"one of {len(known)} estimates is always the highest"
        return f"{told} That is not shown to be {more} than in the others: {chance}.{rest}"
    which = "It is" if len(harder) == 1 and harder[0] is worst else f"{listed(harder)} {'are' if len(harder) > 1 else 'is'}"
    return f"{told} {which} shown to be {more} than in the others, after Holm's correction.{rest}"


def listed(rows: list[Json]) -> str:
    """The languages of rows by name, as long as they are few."""
    names = [isolated(row["language"]) for row in rows]
    return ", ".join(names[:_NAMED]) + (f" and {len(names) - _NAMED} more" if len(names) > _NAMED else "")


def _short(value: float) -> str:
    return f"{value:.3g}"


def _ends(one: Estimate) -> Json:
    return {"low": _finite(one.low), "high": _finite(one.high)}


def _finite(value: float) -> float | None:
    return value if math.isfinite(value) else None
