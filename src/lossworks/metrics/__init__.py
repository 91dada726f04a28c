"""How good are the predictions, and how certain is that: metrics with 95 % intervals, calibration, baselines.

    classify, multilabel, regress    an Evaluation from scores and targets
    fit_temperature                  the temperature that calibrates probabilities, from validation rows
    tune_thresholds                  where to cut a probability into yes and no, from validation rows
    by_threshold                     what each threshold does: precision and recall, or how many are answered and how rightly
    for_precision                    the threshold from which on a precision is reached, and is shown to be
    compare_cuts                     whether a cut for each label is worth more than one for all
    baseline                         what to beat: the constant baseline
    mistakes                         the rows to read first
    surprisal                        of a language model: nats a token, perplexity, bits a byte
    ranked, ranking                  of a knowledge graph: filtered ranks, mean reciprocal rank, hits
    by_row, by_segment               each metric row by row, or segment by segment, for comparisons
    by_language, texts_by_language   each metric of each language, the worst language first

Takes NumPy arrays, knows no model, and answers the same for the same arguments, always.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from ..core import lazy

if TYPE_CHECKING:
    from .baselines import baseline, constant_scores
    from .by_language import by_language, rows_within
    from .by_threshold import by_threshold
    from .classification import classify
    from .contrast import Losses
    from .cuts import MOST_DECISIONS, compare_cuts
    from .evaluation import Evaluation
    from .for_precision import for_precision
    from .intervals import Interval, over_trainings, paired
    from .language import (
        MAX_SEGMENTS,
        MOST_UNKNOWN,
        SegmentCounts,
        bits_between,
        bits_per,
        by_segment,
        count_between,
        count_segments,
        hit_rate,
        linear_sums,
        of_texts,
        surprisal,
        texts_by_language,
        unigram,
        unknown_rate,
        whole_texts,
    )
    from .mistake import mistakes
    from .multilabels import multilabel
    from .ranking import Ranks, ranked, ranking
    from .regression import regress
    from .rows import METRICS, NO_MEANS, PROPER, RISING, STOPPING, by_row, check_metric, missed
    from .temperature import fit_temperature
    from .thresholds import tune_thresholds

__all__ = [
    "MAX_SEGMENTS",
    "METRICS",
    "MOST_DECISIONS",
    "MOST_UNKNOWN",
    "NO_MEANS",
    "PROPER",
    "RISING",
    "STOPPING",
    "Evaluation",
    "Interval",
    "Losses",
    "Ranks",
    "SegmentCounts",
    "baseline",
    "bits_between",
    "bits_per",
    "by_language",
    "by_row",
    "by_segment",
    "by_threshold",
    "check_metric",
    "classify",
    "compare_cuts",
    "constant_scores",
    "count_between",
    "count_segments",
    "fit_temperature",
    "for_precision",
    "hit_rate",
    "linear_sums",
    "missed",
    "mistakes",
    "multilabel",
    "of_texts",
    "over_trainings",
    "paired",
    "ranked",
    "ranking",
    "regress",
    "rows_within",
    "surprisal",
    "texts_by_language",
    "tune_thresholds",
    "unigram",
    "unknown_rate",
    "whole_texts",
]

lazy.package(__name__)
