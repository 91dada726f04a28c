"""Whether a source's knowledge is shown to help."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
import pytest
from scipy.special import log_softmax

from lossworks.core.errors import UsageError
from lossworks.evidence.knowledge import HELPS, NO_TWIN, NOT_SHOWN, Verdict
from lossworks.fusion.answers import DRAWS, Said, fitted, hear, pooled
from lossworks.fusion.judging import Units, judge

N, V = 1500, 4


class World:
    """Outcomes of validation and test positions, and sources that know something of them."""

    def __init__(self, seed: int) -> None:
        self.draw = np.random.default_rng(seed)
        self.targets = [self.draw.integers(0, V, N) for _ in range(2)]

    def source(self, strength: float, noise: float = 1.0, coverage: float = 1.0) -> list[Said]:
        """What a source says of both parts: ``strength`` nats for the true outcome, and noise of its own."""
        found = []
        for targets in self.targets:
            logits = strength * np.eye(V)[targets] + noise * self.draw.normal(size=(N, V))
            rows = log_softmax(logits, 1)
            rows[self.draw.random(N) >= coverage] = np.nan
            found.append(hear("source", rows.__getitem__, targets, V, keep=True))
        return found

    def verdicts(self, *sources: list[Said], twin: list[Said] | None, kind: str = "linear") -> list[Verdict]:
        """Of all but the first."""
        valid, test = ([source[part] for source in sources] for part in range(2))

        def pool(here: Sequence[Said], there: Sequence[Said]) -> np.ndarray:
            return pooled(fitted(kind, here, self.targets[0]), there, self.targets[1])

        units = Units(np.arange(N) // 3, np.ones(N))
        names = [f"source {number}" for number in range(len(sources))]
        return judge(names, valid, test, pool, units, None if twin is None else (twin[0], twin[1]), needs_twin=True)


@pytest.mark.parametrize("kind", ["linear", "log_linear"])
def test_knowledge_helps(kind: str) -> None:
    """A source that knows more than a twin does is shown to help, by what the least of its checks says."""
    world = World(0)
    base, twin = world.source(1.0), world.source(0.2)
    (found,) = world.verdicts(base, world.source(2.0), twin=twin, kind=kind)
    assert found.word == HELPS
    assert {check.than for check in found.checks} == {
        "without it", "cut from its texts", "its mean answer alone", "a second seed of the first source",
    }  # fmt: skip
    assert all(check.high < 0 for check in found.checks)


def test_what_a_twin_does_too_is_no_knowledge() -> None:
    """A second model as good as a second seed gains by averaging alone: nothing is shown; without a twin nothing is said."""
    world = World(1)
    base, twin, other = world.source(1.0), world.source(1.0), world.source(1.0)
    assert world.verdicts(base, other, twin=twin)[0].word == NOT_SHOWN
    assert world.verdicts(base, other, twin=None)[0].word == NO_TWIN


def test_one_good_source_does_not_carry_another() -> None:
    """Each source has a verdict of its own."""
    world = World(2)
    words = [
        found.word for found in world.verdicts(world.source(1.0), world.source(2.0), world.source(0.0), twin=world.source(0.1))
    ]
    assert words == [HELPS, NOT_SHOWN]


def test_cut_sources_are_hardly_ever_called_helpful() -> None:
    """Of sources that are cut from their texts at most one in twenty is said to help: here of twenty, one."""
    wrong = 0
    for seed in range(20):
        world = World(100 + seed)
        rows = [part.permutation(0).rows for part in world.source(2.0, coverage=0.6)]
        both = [(each, targets) for each, targets in zip(rows, world.targets, strict=True) if each is not None]
        cut = [hear("cut", each.__getitem__, targets, V, keep=True) for each, targets in both]
        wrong += world.verdicts(world.source(1.0), cut, twin=world.source(1.0))[0].word == HELPS
    assert wrong <= 1


def test_a_cut_source_keeps_its_coverage_and_its_answers() -> None:
    """Permutations move answers among the positions of which the source speaks, and change nothing else."""
    said = World(3).source(2.0, coverage=0.5)[0]
    assert said.rows is not None
    for draw in range(DRAWS):
        cut = said.permutation(draw)
        assert cut.rows is not None
        assert np.array_equal(np.isnan(cut.targets), np.isnan(said.targets))
        spoken = ~np.isnan(said.targets)
        assert np.array_equal(np.sort(cut.rows[spoken], 0), np.sort(said.rows[spoken], 0))
        assert not np.array_equal(cut.rows[spoken], said.rows[spoken])
        assert cut.targets[spoken] == pytest.approx(np.take_along_axis(cut.rows, World(3).targets[0][:, None], 1)[spoken, 0])
    prior = said.prior(said.mean)
    assert prior.rows is not None
    assert np.ptp(prior.rows[spoken], axis=0).max() < 1e-12
    assert prior.targets[spoken] == pytest.approx(np.take_along_axis(prior.rows, World(3).targets[0][:, None], 1)[spoken, 0])


def test_the_mean_answer_is_that_of_other_positions() -> None:
    """A source that knows how often outcomes are in the test text, and no more, is compared with what it said before: its mean
    over the test text is what it knows.
    """
    shares = [np.array([0.4, 0.3, 0.2, 0.1]), np.array([0.1, 0.2, 0.3, 0.4])]
    world = World(5)
    world.targets = [world.draw.choice(V, N, p=share) for share in shares]
    known = [hear("source", np.tile(np.log(share), (N, 1)).__getitem__, targets, V, keep=True)
             for share, targets in zip(shares, world.targets, strict=True)]  # fmt: skip
    (found,) = world.verdicts(world.source(0.0, noise=0.1), known, twin=world.source(0.0, noise=0.1))
    checks = {check.than: check for check in found.checks}
    assert checks["its mean answer alone"].passed
    assert not checks["cut from its texts"].passed


@pytest.mark.parametrize("keep", [True, False])
def test_without_whole_distributions(keep: bool) -> None:
    """Single outcomes are permuted as whole distributions are."""
    draw, targets = np.random.default_rng(7), np.random.default_rng(8).integers(0, V, 300)
    rows = log_softmax(draw.normal(size=(300, V)), 1)
    said = hear("source", rows.__getitem__, targets, V, keep=keep)
    for number in range(DRAWS):
        assert said.permuted[number] == pytest.approx(rows[said.order[number], targets])


def test_what_is_no_distribution_is_refused() -> None:
    """A cache whose hashed buckets are shared gives outcomes more than one in all: its gain would be a fault."""
    targets = np.zeros(50, np.int64)
    rows = log_softmax(np.random.default_rng(0).normal(size=(50, V)), 1)
    rows[31] += 0.01
    with pytest.raises(UsageError, match=r"bad do not sum to one: at position 31 they are off by 0\.01"):
        hear("bad", rows.__getitem__, targets, V, keep=False)


def test_silent_everywhere() -> None:
    """A source that never speaks is named."""
    with pytest.raises(UsageError, match="mute is silent everywhere"):
        hear("mute", np.full((5, V), np.nan).__getitem__, np.zeros(5, np.int64), V, keep=False)


def test_an_impossible_outcome() -> None:
    """Where a pool calls impossible what happened, its loss is infinite, and nothing is shown."""
    units = Units(np.arange(4), np.ones(4))
    assert units.mean(np.array([1.0, np.inf, 1.0, 1.0])).value == np.inf


def test_permutations_follow_the_seed() -> None:
    """Another seed draws other permutations, the same one the same."""
    targets = np.zeros(50, np.int64)
    rows = log_softmax(np.random.default_rng(0).normal(size=(50, V)), 1)
    first, again, other = (hear("source", rows.__getitem__, targets, V, keep=False, seed=seed).order for seed in (0, 0, 1))
    assert np.array_equal(first, again)
    assert not np.array_equal(first, other)
