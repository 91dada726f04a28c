"""Pools of arms that were trained, and of one arm with itself: nothing is trained for them."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import numpy as np

from .benchmark import Benchmark
from .design import Design
from .lineup import Pool
from .outcome import Outcome
from .store import RUN, Finished, Key


@dataclass(frozen=True, slots=True)
class PooledRuns:
    """runs: the pool in each seed. best: the place of the member that the validation part finds best. twins: in each seed, that
    member with the same of the next seed: what a second model gains that knows nothing else. Their difference from the pool has
    in each seed the next one of the best member alone, so that seeds stay independent.
    """

    runs: dict[int, Outcome]
    best: int | None
    twins: dict[int, Outcome]

    @classmethod
    def of(cls, design: Design, done: Finished, benchmark: Benchmark[Any], pool: Pool) -> PooledRuns:
        """Of the seeds in which all members have ended; where one diverged, so did the pool."""
        each = [{seed: done.get(Key(RUN, member, seed)) for seed in range(design.seeds)} for member in pool.members]
        ended = {seed: [one for run in each if (one := run[seed]) is not None] for seed in range(design.seeds)}
        ended = {seed: members for seed, members in ended.items() if len(members) == len(each)}
        if not ended:
            return cls({}, None, {})
        settings = design.arms[pool.members[0]].settings

        def pooled(members: list[Outcome]) -> Outcome:
            lost = next((one for one in members if one.logp is None), None)
            return benchmark.pooled(members, settings, design.metric) if lost is None else lost

        means = np.mean([[one.judged for one in members] for members in ended.values()], 0)
        best, seeds = int(np.argmin(means)), list(ended)
        following = zip(seeds, [*seeds[1:], seeds[0]], strict=True)
        twins = {seed: pooled([ended[seed][best], ended[after][best]]) for seed, after in following if seed != after}
        return cls({seed: pooled(members) for seed, members in ended.items()}, pool.members[best], twins)
