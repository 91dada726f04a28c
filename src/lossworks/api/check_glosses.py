"""``check_glosses``: whether it is what descriptions say that helps a model of a graph, or just that there are some."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import asdict, dataclass, replace
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from ..core import values
from ..core.errors import DataError, UsageError
from ..core.seeds import derive
from ..data import AS_READ, PARTS, ReadOptions
from ..data.glosses import permuted, read_glosses
from ..data.triples import Queries
from ..engine import Callbacks
from ..evidence.knowledge import HELPS, NOT_SHOWN
from ..evidence.statistics import LEVEL, difference
from ..metrics.contrast import Sample, mean_of
from ..record import Run
from ..training import Settings
from ..training.division import divide
from .fit import fit
from .graph import Graph
from .loading import load
from .reading import Source
from .replayed import settings_of
from .run_data import reopened

Floats = NDArray[np.float64]
OWN, PERMUTED, NONE = "as they are", "permuted among the entities", "none"


@dataclass(frozen=True, slots=True)
class Arm:
    """Models with one kind of descriptions: their mean reciprocal rank over the test facts, and over those that name an entity
    without any training fact (None where there are no such facts).
    """

    glosses: str
    mrr: float
    unseen: float | None


@dataclass(frozen=True, slots=True)
class Gain:
    """The mean reciprocal rank with the descriptions less that with others, its 95 % interval, and whether a gain is shown."""

    than: str
    value: float
    low: float
    high: float
    p: float
    shown: bool


@dataclass(frozen=True, slots=True)
class GlossCheck:
    """What was shown. word: "helps" where a gain is shown beside both controls. did: counts and seeds, in plain values."""

    word: str
    arms: tuple[Arm, ...]
    gains: tuple[Gain, ...]
    did: dict[str, Any]

    @property
    def sentence(self) -> str:
        """It in words."""
        least = min(self.gains, key=lambda gain: gain.value)
        apart = f"{least.value:+.4f} ({least.low:+.4f} to {least.high:+.4f})"
        beside = {PERMUTED: "that with permuted ones", NONE: "that without any"}[least.than]
        over = "test facts" if self.did["seeds"] == 1 else f"test facts and {self.did['seeds']} trainings each"
        if self.word == HELPS:
            return f"The descriptions help by what they say: the mean reciprocal rank is {apart} beside {beside}, over {over}."
        return f"The descriptions are not shown to help: the mean reciprocal rank is {apart} beside {beside}, over {over}."

    def to_json(self) -> dict[str, Any]:
        """Plain values."""
        return asdict(self) | {"sentence": self.sentence}


def check_glosses(
    run: Path | str,
    *,
    seeds: int = 1,
    glosses: str | Path | Mapping[str, str] | None = None,
    data: Source | None = None,
    valid: Source | None = None,
    test: Source | None = None,
    read: ReadOptions | None = None,
    device: str | None = None,
    callbacks: Callbacks | None = None,
) -> GlossCheck:
    """Whether the descriptions that a graph's run was fitted with help by what they say. The same training is done again with
    the descriptions permuted among the entities, and without any; the test facts' reciprocal ranks are compared in pairs.

    Permuted ones are as many, as long and of the same words, so what the model gains beside them it gains by what is said of
    which entity.

    Args:
        run: made by ``fit`` with ``glosses``. Its own model is the first of those with the descriptions.
        seeds: trainings of each kind, 2 * seeds + seeds - 1 to do in all. With 1 the interval is over test facts alone; from 3 on
            the chance of training is in it too.
        glosses, data, valid, test: what is not where the run's record says.
        read: which columns to read and how, as it was then.
        device: where to train; where the run was trained, if not given.
        callbacks: how to watch and stop.

    Raises:
        UsageError: the run is of no graph, had no descriptions or held nothing out to test on; or its data is not there.
        DataError: its data is other data.
    """
    callbacks = callbacks or Callbacks()
    values.whole("seeds", seeds, least=1)
    model = load(run)
    if not isinstance(model, Graph) or model.trained.reading is None:
        raise UsageError(
            f"{run} was not fitted with descriptions of a graph's entities. Fit one: lossworks fit … --glosses FILE."
        )
    settings = settings_of(Run(run), model.record, device)
    remedy = f"lossworks data glosses {run} --data FILE"
    with reopened(str(run), model, read, {"data": data, "valid": valid, "test": test}, remedy) as (corpora, fixed, split):
        divided = divide(corpora, fixed, split)
        rows = [[text for block in divided.blocks(part) for text in block] for part in range(len(PARTS))]
    if len(rows[-1]) < 2:
        raise UsageError(f"{run} held out {len(rows[-1])} facts to test on, which is too few to compare on. Fit with --test.")
    said = _glosses(model, glosses, str(run))
    of_arms: dict[str, list[Floats]] = {OWN: [_ranks(model, len(rows[-1]))], PERMUTED: [], NONE: []}
    trainings = [(name, seed) for seed in range(seeds) for name in of_arms if (name, seed) != (OWN, 0)]
    for number, (name, seed) in enumerate(trainings, 1):
        callbacks.watch("glosses", {"number": number, "of": len(trainings), "glosses": name, "seed": seed})
        chosen = {OWN: said, PERMUTED: permuted(said, derive(settings.seed, "permuted", seed)), NONE: None}[name]
        own_seed = settings.seed if seed == 0 else derive(settings.seed, "glosses", seed)
        of_arms[name].append(_trained(rows, replace(settings, glosses=chosen, seed=own_seed), callbacks))
    return _judged({name: np.stack(each) for name, each in of_arms.items()}, model, settings.seed)


def _glosses(model: Graph, told: str | Path | Mapping[str, str] | None, run: str) -> dict[str, str]:
    """Those of the graph's entities."""
    recorded = model.record["config"]["glosses"]
    if told is None and not Path(recorded).exists():
        raise UsageError(f"the descriptions that {run} was trained with, {recorded!r}, are not here. Give them: --glosses FILE.")
    source = recorded if told is None else told
    entities = set(model.entities)
    found = {name: text for name, text in read_glosses(source).items() if name in entities}
    if len(found) != (described := model.record["data"]["described"]):
        raise DataError(f"{run} was trained with descriptions of {described:,} entities; those given are of {len(found):,}.")
    return found


def _trained(rows: list[list[str]], settings: Settings, callbacks: Callbacks) -> Floats:
    """A training on the rows of each part, and the reciprocal ranks of the test facts."""
    train, valid, test = rows
    fitted = fit(train, valid=valid or 0.0, test=test, read=AS_READ, settings=settings, callbacks=Callbacks(stop=callbacks.stop))
    assert isinstance(fitted, Graph)
    return _ranks(fitted, len(test))


def _ranks(model: Graph, count: int) -> Floats:
    """The mean reciprocal rank of each of the test facts [N], of its tail and its head."""
    found = model.trained.ranks(model.trained.facts[-count:], Queries.of(model.trained.facts, len(model.relations)))
    return np.asarray((1 / found.rank).reshape(2, -1).mean(0))


def _judged(ranks: Mapping[str, Floats], model: Graph, seed: int) -> GlossCheck:
    """From the reciprocal ranks [S, N] of each kind of models."""
    graph, (seeds, facts) = model.trained, ranks[OWN].shape
    trained = np.isin(graph.facts[-facts:][:, [0, 2]], graph.facts[: graph.trained][:, [0, 2]]).all(1)
    arms = tuple(
        Arm(name, float(each.mean()), None if trained.all() else float(each[:, ~trained].mean())) for name, each in ranks.items()
    )
    gains = tuple(_gain(name, ranks[OWN] - ranks[name], seed) for name in (PERMUTED, NONE))
    word = HELPS if all(gain.shown for gain in gains) else NOT_SHOWN
    return GlossCheck(
        word, arms, gains, {"seeds": seeds, "facts": facts, "unseen": int((~trained).sum()), "entities": len(model.entities)}
    )


def _gain(than: str, apart: Floats, seed: int) -> Gain:
    """From differences [S, N]."""
    if len(apart) == 1:
        one = mean_of(Sample(apart[0], np.ones(apart.shape[1])))
        return Gain(than, one.value, one.low, one.high, one.p, one.value > 0 and one.p <= LEVEL)
    found = difference(apart, seed)
    return Gain(than, found.value, found.low, found.high, found.p, found.value > 0 and found.shown)
