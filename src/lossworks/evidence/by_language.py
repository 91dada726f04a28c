"""Whether one model, or one way to train, is better or worse in each language: an average hides the language that pays for it.

Every language has a test of its own, and the p-values of a pair are corrected over its languages by Holm's method: where the pair
does not differ in any, one is called better or worse in at most 5 % of comparisons.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import asdict
from typing import Any

import numpy as np
from numpy.typing import NDArray

from ..data import Languages
from ..metrics import linear_sums
from ..metrics.by_language import FEW, NOT_SHOWN, listed
from ..metrics.contrast import FEWEST, LEVEL, Losses, holm, mean_of
from ..tokens.graphemes import isolated
from .statistics import Difference, Variances, by_text, flips
from .verdicts import FEWEST as FEWEST_SEEDS
from .verdicts import Measured

Json = dict[str, Any]
Confirm = Callable[[str, str], bool]
"""Whether a language may be called by a word, "better" or "worse", that its corrected p allows."""
_AVERAGE = {"better": "Better on average", "worse": "Worse on average", "equivalent": "Equivalent on average"}


def of_models(
    runs: Mapping[str, Losses],
    languages: Languages,
    unit: str,
    *,
    whole: Mapping[str, Losses] | None = None,
    rising: bool = False,
    swapped: Callable[[str, NDArray[np.int64]], float] | None = None,
) -> list[Json]:
    """Of each model but the first, its difference from the first in every language.

    Args:
        runs: losses on the same rows, by the models' names. languages: of those rows. unit: of a difference.
        whole: the same for all rows together, where ``runs`` has each language's own (``metrics.rows_within``).
        rising: whether more is better.
        swapped: another p, of a model's not differing from the first on some rows, which must be small too.
    """
    (first, losses), *others = runs.items()
    told = []
    for name, other in others:
        away = other.less(losses)
        every = away if whole is None else whole[name].less(whole[first])
        rows = []
        for language, of in languages.rows().items():
            sample = away.sample(of)
            tested = asdict(mean_of(sample)) if len(sample.sums) >= FEWEST else None
            if tested is not None and swapped is not None and tested["p"] <= LEVEL:
                tested["p"] = max(tested["p"], swapped(name, of))
            rows.append(_row(language, len(sample.sums), tested))
        average = mean_of(every.sample(np.arange(len(every.sums))))
        overall = word_of(average.value, average.p, rising=rising)
        found = judged(overall, rows, unit, rising=rising)
        told.append({"run": name, "against": first, "unit": unit, "rising": rising, **found})
    return told


def of_arms(
    measured: Sequence[Measured],
    sizes: Sequence[NDArray[np.float64]] | None,
    texts: NDArray[Any] | None,
    languages: Languages,
    words: Sequence[str],
    unit: str,
    *,
    rising: bool,
) -> list[Json]:
    """Of each arm but the baseline, its difference from the baseline in every language, seeds and texts at random.

    Args:
        measured: the arms, the baseline first. sizes: of each arm the weights, tokens or bytes of the rows [N] that the metric is
            a rate of; None: rows are each language's own (``metrics.rows_within``).
        texts: an id of each row's text. languages: of the rows.
        words: the verdicts on the arms on all rows. unit: of a difference. rising: whether more is better.
    """
    baseline, told = measured[0], list[Json]()
    for number, (arm, word) in enumerate(zip(measured[1:], words[1:], strict=True), 1):
        seeds = [seed for seed in arm.seeds if seed in baseline.seeds]
        if len(seeds) < FEWEST_SEEDS:
            continue
        if sizes is None:
            own = arm.at(seeds) - baseline.at(seeds)
            away, size = np.asarray(np.nan_to_num(own)), np.asarray(np.isfinite(own).all(0), np.float64)
        else:
            pairs, size = zip(arm.at(seeds), baseline.at(seeds), strict=True), sizes[number]
            away = np.stack([linear_sums(own, size) - linear_sums(other, sizes[0]) for own, other in pairs])
        apart, rows = dict[str, NDArray[np.float64]](), list[Json]()
        for language, of in languages.rows().items():
            total = float(size[of].sum())
            d = by_text(away[:, of] * (len(of) / total if total else 0.0), None if texts is None else texts[of])
            apart[language] = d
            rows.append(_row(language, d.shape[1], _tested(d) if d.shape[1] >= FEWEST and total else None))

        def confirm(language: str, called: str, arm: Measured = arm, apart: dict[str, Any] = apart) -> bool:
            d = apart[language]
            found = Difference(float(d.mean()), 0, 0, 0, flips(d), Variances.of(d))
            return not (arm if called == "better" else baseline).diverged and not found.contradicted

        told.append(
            {"run": arm.name, "against": baseline.name, "unit": unit, **judged(word, rows, unit, rising=rising, confirm=confirm)}
        )
    return told


def word_of(value: float, p: float, *, rising: bool = False) -> str:
    """What a difference is called; ``rising``: whether more is better."""
    if not p <= LEVEL:
        return NOT_SHOWN
    return "better" if (value > 0) == rising else "worse"


def judged(overall: str, rows: Sequence[Json], unit: str, *, rising: bool, confirm: Confirm = lambda *_: True) -> Json:
    """The rows with Holm's p and a word each, those that lose most first; and a sentence.

    Args:
        overall: the word on all rows. rows: as ``_row`` makes them. unit: of a difference. rising: whether more is better.
        confirm: what else must agree for a word.
    """
    known = [row for row in rows if row["p"] is not None]
    for row, p in zip(known, holm([row["p"] for row in known]), strict=True):
        word = word_of(row["value"], p, rising=rising)
        row |= {"p_holm": p, "word": word if word == NOT_SHOWN or confirm(row["language"], word) else NOT_SHOWN}
    sign = -1.0 if rising else 1.0
    known.sort(key=lambda row: -sign * row["value"])
    few = [row for row in rows if row["p"] is None]
    return {"rows": [*known, *few], "sentence": _sentence(overall, known, few, unit)}


def _row(language: str, texts: int, found: Json | None) -> Json:
    nothing = {"value": None, "low": None, "high": None, "p": None}
    return {"language": language, "texts": texts, **(found or nothing), "p_holm": None, "word": FEW}


def _tested(d: NDArray[np.float64]) -> Json:
    value, variances = float(d.mean()), Variances.of(d)
    half = variances.half_width(LEVEL / 2)
    return {"value": value, "low": value - half, "high": value + half, "p": variances.p_value(value)}


def _sentence(overall: str, known: list[Json], few: list[Json], unit: str) -> str:
    """In which languages a pair differs, those first in which it goes against the average."""
    begin = _AVERAGE.get(overall, "No difference shown on average")
    by = {word: [row for row in known if row["word"] == word] for word in ("worse", "better")}
    by["better"].reverse()  # the one that gains most first
    order = ("better", "worse") if overall == "worse" else ("worse", "better")
    told = [_where(word, by[word], len(known)) for word in order if by[word]]
    but = "but " if overall in by and by[order[0]] else ""
    found = f"{but}{', '.join(told)}" if told else f"shown to be better or worse in none of {len(known)} languages"
    rest = f" Too few texts of {listed(few)}." if few else ""
    if not told:
        return f"{begin}, {found}, after Holm's correction.{rest}"
    first = by[order[0]][0] if by[order[0]] else by[order[1]][0]
    ends = f"{first['low']:+.3g} to {first['high']:+.3g}"
    detail = f"{first['value']:+.3g} {unit} ({ends}; {first['texts']:,} texts)"
    where = f"In {isolated(first['language'])}: {detail}."
    return f"{begin}, {found}, after Holm's correction over {len(known)} languages. {where}{rest}"


def _where(word: str, rows: list[Json], of: int) -> str:
    return f"{word} in {listed(rows)}" if len(rows) == 1 else f"{word} in {len(rows)} of {of} languages ({listed(rows)})"
