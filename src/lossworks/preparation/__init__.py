"""Large text made ready without loss: in one spelling, screened by rules, without doubles and leaks. Pure functions of ``Texts``.

Texts             one buffer of UTF-8 bytes, and where each text begins
normalise         line endings, NFC, control characters, trailing white space
rules             quality rules by name: ``rules.build("words:min=5")``, ``rules.screen(texts, rules)``
digests, repeats  128 bits for each text; the earliest row of the same
bands, candidates, cross_candidates, jaccard, removed    near doubles: signatures, pairs, their true likeness, which text goes
leaks             pairs of test and training texts that are the same or nearly so
"""

from . import rules
from .digests import digests, repeats
from .leaks import leaks
from .near import Near, Pairs, bands, candidates, cross_candidates, jaccard, removed
from .normal import Normalised, normalise
from .texts import Texts

__all__ = [
    "Near",
    "Normalised",
    "Pairs",
    "Texts",
    "bands",
    "candidates",
    "cross_candidates",
    "digests",
    "jaccard",
    "leaks",
    "normalise",
    "removed",
    "repeats",
    "rules",
]
