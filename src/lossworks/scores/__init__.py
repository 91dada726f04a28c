"""What a model says, seen through the statistics that losses and metrics need.

dense(logits, target)    plain tensors, the logits whole in memory
binary(logits, target)   one logit an outcome that is or is not: V = 2, so that every categorical loss fits
"""

from .base import Scores
from .dense import Dense, binary, dense

__all__ = ["Dense", "Scores", "binary", "dense"]
