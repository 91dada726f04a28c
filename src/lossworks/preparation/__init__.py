"""Large text made ready without loss: in one spelling, screened by rules, without doubles and leaks. Pure functions of ``Texts``.

Texts             one buffer of UTF-8 bytes, and where each text begins
normalise         line endings, NFC, control characters, trailing white space
rules             quality rules by name: ``rules.build("words:min=5")``, ``rules.screen(texts, rules)``
digests, repeats  128 bits for each text; the earliest row of the same
bands, candidates, verified, removed    near doubles: signatures, pairs, those that are truly alike, which texts go
jaccard           the true likeness of pairs; ``near_pairs`` is bands, candidates and verified in one
leaks             pairs of test and training texts that are the same or nearly so
"""

from . import rules
from .digests import digests, repeats
from .leaks import Leaks, leaks
from .near import MOST, NEAR, Pairs, candidates, cross_candidates, near_pairs, removed, verified
from .normal import STEPS, Normalised, normalise
from .shingles import bands, jaccard
from .texts import Texts

__all__ = [
    "MOST",
    "NEAR",
    "STEPS",
    "Leaks",
    "Normalised",
    "Pairs",
    "Texts",
    "bands",
    "candidates",
    "cross_candidates",
    "digests",
    "jaccard",
    "leaks",
    "near_pairs",
    "normalise",
    "removed",
    "repeats",
    "rules",
    "verified",
]
