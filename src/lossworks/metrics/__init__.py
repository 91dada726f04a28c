"""How good are the predictions, and how sure can one be of that: metrics with 95 % intervals, calibration, baselines.

    classify, multilabel, regress    an Evaluation from scores and targets
    fit_temperature                  the one number that makes probabilities honest, from validation rows
    tune_thresholds                  where to cut a probability into yes and no, from validation rows
    baseline                         what to beat: the answer that never reads the text
    mistakes                         the rows to read first
    surprisal                        of a model of language: nats a token, perplexity, bits a byte
    by_row, by_unit                  each metric row by row, or text by text, for comparisons

Takes NumPy arrays, knows no model, and answers the same for the same arguments, always.
"""

from .baselines import baseline, constant_scores
from .classification import classify
from .evaluation import Evaluation
from .intervals import Interval
from .language import (
    STRETCHES,
    Units,
    bits_between,
    bits_per_character,
    by_unit,
    hit_rate,
    linear_sums,
    stretches,
    surprisal,
    unigram,
    units,
    unknown_rate,
)
from .mistake import mistakes
from .multilabels import multilabel
from .regression import regress
from .rows import METRICS, PROPER, RISING, by_row, check_metric
from .temperature import fit_temperature
from .thresholds import tune_thresholds

__all__ = [
    "METRICS",
    "PROPER",
    "RISING",
    "STRETCHES",
    "Evaluation",
    "Interval",
    "Units",
    "baseline",
    "bits_between",
    "bits_per_character",
    "by_row",
    "by_unit",
    "check_metric",
    "classify",
    "constant_scores",
    "fit_temperature",
    "hit_rate",
    "linear_sums",
    "mistakes",
    "multilabel",
    "regress",
    "stretches",
    "surprisal",
    "tune_thresholds",
    "unigram",
    "units",
    "unknown_rate",
]
