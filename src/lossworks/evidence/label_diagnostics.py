"""What stands behind the figures of a comparison: in which rows arms differ, whether confidence can be believed, texts to read.

No verdict is made of any of this: it is looked at after the fact, and in many places at once.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from ..data import TEST
from ..metrics import RISING
from ..tokens.graphemes import shortened
from ..training.dataset import Dataset
from .outcome import Outcome
from .statistics import LEVEL, Variances
from .text_slices import bands
from .verdicts import FEWEST, Measured

_LABELS = 20  # labels looked at by themselves, the most frequent
_ARMS = 7  # arms, the best beside the baseline, whose texts are put side by side with the baseline's
_HARD, _APART = 12, 4  # texts shown
_LONGEST = 700  # characters of a text shown
_F1 = ("macro_f1", "micro_f1")  # no means over rows, so none over some of the rows

Json = dict[str, Any]


@dataclass(frozen=True, slots=True)
class Tested:
    """The test rows [N], and what every training of every arm ended in."""

    data: Dataset
    rows: NDArray[np.int64]
    target: NDArray[Any]
    outcomes: list[list[Outcome]]

    @classmethod
    def of(cls, data: Dataset, outcomes: list[list[Outcome]]) -> Tested:
        """The test rows of the data."""
        rows = np.flatnonzero(data.parts == TEST)
        return cls(data, rows, data.target[rows], outcomes)

    def said(self, arm: int) -> list[NDArray[np.float64]]:
        """What an arm's trainings answered, those that ended well."""
        return [one.said for one in self.outcomes[arm] if one.said is not None]


def calibration(runs: Sequence[list[tuple[float, float, int]]]) -> Json:
    """Reliability bins of all of an arm's seeds together, and each seed's calibration error (ECE)."""
    places: dict[int, list[tuple[float, float, int]]] = {}
    for bins in runs:
        for one in bins:
            places.setdefault(min(int(one[0] * 15), 14), []).append(one)
    pooled = []
    for _, some in sorted(places.items()):
        count = sum(n for _, _, n in some)
        sure, right = (sum(one[of] * one[2] for one in some) / count for of in (0, 1))
        pooled.append({"confidence": sure, "accuracy": right, "count": count})
    errors = [sum(abs(sure - right) * n for sure, right, n in bins) / sum(n for _, _, n in bins) for bins in runs]
    return {"bins": pooled, "ece": errors}


def by_label(runs: Sequence[list[float]]) -> list[Json]:
    """F1 of each label: the mean over the seeds, the lowest and the highest."""
    if not runs:
        return []
    found = np.array(runs)
    return [
        {"mean": float(mean), "low": float(low), "high": float(high)}
        for mean, low, high in zip(found.mean(0), found.min(0), found.max(0), strict=True)
    ]


def slices(tested: Tested, measured: Sequence[Measured], metric: str) -> Json | None:
    """The metric on some of the test rows: by label, and by length of the text; each arm's mean and difference from the baseline.

    None where the metric is no mean over rows and has none to stand for it, and where rows have weights.
    """
    rows = [arm.rows for arm in measured]
    if metric in _F1 and tested.data.task.groups:
        metric = "accuracy"
        rows = [np.array([said == tested.target for said in tested.said(arm)], np.float64) for arm in range(len(measured))]
    elif metric in _F1:
        return None
    if tested.data.weight is not None:
        return None
    paired = [len(arm.rows) == len(values) and arm.seeds == measured[0].seeds for arm, values in zip(measured, rows, strict=True)]
    groups = []
    for kind, name, mask in [*_labels(tested), *_lengths(tested)]:
        arms = [_slice(own, rows[0] if whole and paired[0] else None, mask) for own, whole in zip(rows, paired, strict=True)]
        groups.append({"kind": kind, "name": name, "rows": int(mask.sum()), "arms": arms})
    return {"metric": metric, "groups": groups}


def _slice(own: NDArray[np.float64], baseline: NDArray[np.float64] | None, mask: NDArray[np.bool_]) -> Json:
    """An arm's mean on some rows, and where it can be told its difference from the baseline with a 95 % interval."""
    value = float(own[:, mask].mean()) if len(own) else None
    known = baseline is not None and baseline is not own and len(own) >= FEWEST and mask.sum() >= FEWEST
    if not known or baseline is None:
        return {"value": value, "difference": None, "low": None, "high": None}
    d = own[:, mask] - baseline[:, mask]
    mean, half = float(d.mean()), Variances.of(d).half_width(LEVEL / 2)
    return {"value": value, "difference": mean, "low": mean - half, "high": mean + half}


def _labels(tested: Tested) -> list[tuple[str, str, NDArray[np.bool_]]]:
    """The rows of each label, the most frequent labels first; a set's rows are those that it is among."""
    task, target = tested.data.task, tested.target
    masks = [target == number if target.ndim == 1 else target[:, number] > 0 for number in range(len(task.labels))]
    found = [("label", label, mask) for label, mask in zip(task.labels, masks, strict=True) if mask.any()]
    return sorted(found, key=lambda one: -int(one[2].sum()))[:_LABELS]


def _lengths(tested: Tested) -> list[tuple[str, str, NDArray[np.bool_]]]:
    """The rows in four parts by the length of the text in characters, about as many in each."""
    corpora = tested.data.corpora
    every = np.concatenate([np.fromiter(map(len, texts), np.int64) for corpus in corpora for texts in corpus.blocks()])
    numbers = np.arange(len(tested.rows))
    return [(one.kind, one.name, np.isin(numbers, one.rows)) for one in bands("length", every[tested.rows], "characters")]


def reading(tested: Tested, measured: Sequence[Measured], metric: str) -> Json:
    """Texts to read: those that all arms get wrong, and those that an arm and the baseline differ about.

    Rows stand in the order of the metric, means over the seeds.
    """
    sign = -1.0 if metric in RISING else 1.0
    wrong = [sign * arm.rows.mean(0) if len(arm.rows) else None for arm in measured]
    known = [number for number, one in enumerate(wrong) if one is not None]
    if wrong[0] is None or not known:
        return {"hard": [], "apart": []}
    mean = np.mean([one for one in wrong if one is not None], 0)
    hard = [row for row in np.argsort(-mean, kind="stable")[: 4 * _HARD].tolist() if _missed(tested, known, row)][:_HARD]
    others = sorted((number for number in known if number), key=lambda number: float(np.mean(wrong[number])))[:_ARMS]  # type: ignore[arg-type]
    apart = []
    for number in sorted(others):
        away = np.asarray(wrong[number]) - wrong[0]
        order = np.argsort(away, kind="stable")
        better, worse = order[away[order] < 0][:_APART], order[::-1][away[order[::-1]] > 0][:_APART]
        shown = {
            name: [_text(tested, row, [0, number], measured) for row in rows.tolist()]
            for name, rows in (("better", better), ("worse", worse))
        }
        apart.append({"arm": measured[number].name, **shown, **_turned(tested, measured, number)})
    return {"hard": [_text(tested, row, known, measured, together=True) for row in hard], "apart": apart}


def _missed(tested: Tested, arms: Sequence[int], row: int) -> bool:
    """Whether any training answered wrongly; where answers are not kept, yes."""
    said = [answers[row] for arm in arms for answers in tested.said(arm)]
    return not said or any(one != tested.target[row] for one in said)


def _text(tested: Tested, row: int, arms: Sequence[int], measured: Sequence[Measured], together: bool = False) -> Json:
    """A row to read: its text, its truth, what was said of it, and the metric; of the arms one by one, or all ``together``."""
    (text,) = tested.data.texts(tested.rows[[row]])
    values = [float(measured[arm].rows[:, row].mean()) for arm in arms]
    said = [[float(answers[row]) for answers in tested.said(arm)] for arm in arms]
    if together:
        values, said = [float(np.mean(values))], [[one for some in said for one in some]]
    return {
        "row": int(tested.rows[row]),
        "place": tested.data.place(int(tested.rows[row])),
        "text": shortened(text, _LONGEST),
        "truth": tested.data.task.name_of(tested.target[row]),
        "values": values,
        "said": [_answers(tested, some) for some in said],
    }


def _answers(tested: Tested, said: Sequence[float]) -> Json | float | None:
    """How many trainings gave each answer, the commonest first; of numbers the mean."""
    if not said:
        return None
    if not tested.data.task.has_probabilities:
        return float(np.mean(said))
    labels = tested.data.task.labels
    return {labels[int(number)]: count for number, count in Counter(said).most_common()}


def _turned(tested: Tested, measured: Sequence[Measured], arm: int) -> Json:
    """Rows that the arm has right and the baseline wrong, and the other way round: means over the seeds of both."""
    both = zip(tested.outcomes[0], tested.outcomes[arm], strict=False)
    pairs = [(one.said, other.said) for one, other in both if one.said is not None and other.said is not None]
    if not tested.data.task.groups or not pairs or measured[0].seeds != measured[arm].seeds:
        return {"won": None, "lost": None}
    right = [(before == tested.target, after == tested.target) for before, after in pairs]
    return {
        "won": float(np.mean([(after & ~before).sum() for before, after in right])),
        "lost": float(np.mean([(before & ~after).sum() for before, after in right])),
    }
