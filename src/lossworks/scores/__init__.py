"""What a model says, seen through the statistics that losses and metrics need.

dense(logits, target)         plain tensors, the logits whole in memory
fused(hidden, weight, ...)    a last layer's scores, chunk by chunk: the logits never stand whole
binary(logits, target)        one logit an outcome that is or is not: V = 2, so that every categorical loss fits
shared(logits, row, target)   several outcomes seen at one row of logits, which is worked on once
sharded(logits, target)       the outcomes divided among processes; ``replicated`` goes before a sharded head
sampled(hidden, weight, ...)  the target and a few outcomes drawn from ``Noise``, dense, in place of all
AdaptiveHead(dim, cutoffs)    a head whose rare outcomes are worked out only where they are targets
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from ..core import lazy

if TYPE_CHECKING:
    from .adaptive import Adaptive, AdaptiveHead
    from .base import Scores
    from .between import replicated
    from .chunked import Fused
    from .dense import Dense, binary, dense
    from .fused import fused
    from .sampled import Noise, sampled
    from .sharded import Sharded, sharded
    from .shared import Shared, shared
    from .teacher import TopK

__all__ = [
    "Adaptive",
    "AdaptiveHead",
    "Dense",
    "Fused",
    "Noise",
    "Scores",
    "Sharded",
    "Shared",
    "TopK",
    "binary",
    "dense",
    "fused",
    "replicated",
    "sampled",
    "sharded",
    "shared",
]

lazy.package(__name__)
