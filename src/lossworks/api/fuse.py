"""``fuse``: several sources of knowledge as one model, and whether it was their knowledge that helped."""

from __future__ import annotations

from collections.abc import Sequence
from contextlib import ExitStack, closing
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from ..core.errors import UsageError
from ..data import Corpus, ReadOptions, load
from ..engine import Callbacks
from ..fusion.answers import Said, fitted, pooled, stacked
from ..fusion.judging import judge
from ..fusion.parts import Part
from ..fusion.sources import LabelSource
from ..models import LanguageModel
from ..models.pool import KINDS, Rule
from ..models.pool.weights import left_open
from ..record.scratch import temporary
from .language import Language
from .model import Model
from .pool_run import PoolRun, pool_of
from .reading import Source
from .recording import Recorder, is_unfinished
from .soup import SOUP, measured, souped, source_row
from .sources import Given, Opened, has_seed, open_sources, open_twin


@dataclass(slots=True)
class Fused:
    """A pool, ready to use, and what is known of it.

    facts: sources with their weights, the loss of each and of the pool on the test text with 95 % intervals, and ``verdicts``.
    """

    model: Model | Language
    facts: dict[str, Any]
    path: Path | None = None

    def to_json(self) -> dict[str, Any]:
        """Plain values."""
        return self.facts


def fuse(
    sources: Sequence[Given],
    *,
    on: Source,
    test: Source | None = None,
    kind: str = "linear",
    by_context: bool = False,
    twin: Given | None = None,
    out: Path | str | None = None,
    read: ReadOptions | None = None,
    seed: int = 0,
    device: str = "cpu",
    callbacks: Callbacks | None = None,
    command: str | None = None,
) -> Fused:
    """Make one model of several sources, with the weights that make held-out text most probable; and judge each source but the
    first by what the pool loses without it, with its link to the text cut, and with a second seed of the first in its place.

    Args:
        sources: two or more. The first is what the others are added to. Of labels: runs, ``lexicon:FILE``, ``votes:FILE``,
            ``uniform``; ``vectors:FILE`` and ``hf:PATH,frozen``, fitted to the rows of the first run. Of language, over the same
            tokens: runs, ``cache``, ``uniform``.
        on: text (labelled, for labels) that no source was trained on; the weights are found on it, and nothing else.
        test: other text, to judge on. Without it nothing is judged.
        kind: "linear", a mixture; "log_linear", a normalised product of powers, whose exponents may be below 0; "soup", a network
            with the mean of the weights of runs that began as one, which is measured beside them and not judged.
        by_context: whether weights depend on how sure the sources are at each position.
        twin: a run like the first source but for its seed; "auto" trains one, from the first one's record.
        out: the run directory to make of the pool; none is made without it.
        read: which columns to read and how.
        seed: of what is drawn at random to judge.
        device: where networks run.
        callbacks, command: as of ``fit``.

    Returns:
        ``Fused``: its ``model`` is used like any other.

    Raises:
        UsageError: the sources have other outcomes, one is silent everywhere or no distribution, or ``test`` is ``on``.
        DataError: the data cannot be read, or holds a label that the sources do not know.
    """
    callbacks = callbacks or Callbacks()
    if kind not in (*KINDS, SOUP):
        raise UsageError(f"kind is {kind!r}; wanted {', '.join(KINDS)} or {SOUP}.")
    if kind == SOUP and (by_context or twin is not None):
        raise UsageError(
            "a soup is one model, without weights by context (--by-context) or a second seed (--twin). Leave them out."
        )
    if len(sources) < 2:
        raise UsageError("a pool takes two sources or more: lossworks fuse RUN SOURCE --on VALID --out POOL.")
    with ExitStack() as stack:
        scratch = stack.enter_context(temporary())
        opened, reading = open_sources(sources, on, read, device, callbacks)
        held = [stack.enter_context(closing(load(data, reading))) for data in (on, test) if data is not None]
        check_data(opened, held)
        parts = [_part(opened, corpus, scratch, number) for number, corpus in enumerate(held)]
        if kind == SOUP:
            trained, facts = souped(opened, parts, held[0], callbacks)
        else:
            own = open_twin(twin, opened, device, callbacks)
            rule, facts = _Work(opened, parts, kind, by_context, own, seed, callbacks).done()
            trained = pool_of(opened, rule)
        facts |= {"on": _of(held[0], parts[0])} | ({"test": _of(held[1], parts[1])} if test is not None else {})
        made = PoolRun(opened, trained, facts, held[0])
        if out is None:
            return Fused(made.held(None), facts)
        given = {"sources": opened.names, "on": held[0].source, "test": held[1].source if test is not None else None}
        recorder = Recorder(Path(out), given, callbacks, command or "lossworks.fuse", resume=is_unfinished(Path(out)))
        recorder.record(lambda inner, _: made.judged(inner, test, reading))
        return Fused(made.held(recorder.run), facts, recorder.run.path)


@dataclass(slots=True)
class _Work:
    """From what sources say to weights and verdicts."""

    opened: Opened
    parts: list[Part]
    kind: str
    by_context: bool
    twin: LabelSource | LanguageModel | None
    seed: int
    callbacks: Callbacks

    def done(self) -> tuple[Rule, dict[str, Any]]:
        """The rule, and the facts."""
        keep, names = self.kind != "linear" or self.by_context, self.opened.names
        chosen = [part.drawn(len(names) + 1, keep=keep, seed=self.seed) for part in self.parts]
        heard = [self._heard(part, some, keep) for part, some in zip(self.parts, chosen, strict=True)]
        targets = [part.targets[some] for part, some in zip(self.parts, chosen, strict=True)]
        sizes = [part.at(some).size for part, some in zip(self.parts, chosen, strict=True)]

        def rule_of(said: Sequence[Said]) -> Rule:
            return fitted(self.kind, said, targets[0], sizes[0], by_context=self.by_context)

        self.callbacks.watch("fuse", {"doing": "weights"})
        valid = heard[0][: len(names)]
        rule = rule_of(valid)
        equal = []
        if self.kind == "linear" and not self.by_context:
            equal = left_open(np.stack([said.targets for said in valid]), rule.weights)
        facts: dict[str, Any] = {
            "kind": self.kind,
            "by_context": self.by_context,
            "task": "lm" if self.opened.task is None else self.opened.task.kind,
            "sources": [
                source_row(name, weight, said.coverage, left_open=number in equal)
                for number, (name, weight, said) in enumerate(zip(names, self._weights(rule, valid), valid, strict=True))
            ],
            "verdicts": [],
        }
        if len(self.parts) > 1:
            self.callbacks.watch("fuse", {"doing": "verdicts"})
            of = heard[1][: len(names)]
            units, loss = self.parts[1].at(chosen[1]), -pooled(rule, of, targets[1])
            measured(facts, [-said.targets for said in of], loss, units)
            facts["positions"] = {"on": len(targets[0]), "test": len(targets[1])}
            twin = (heard[0][-1], heard[1][-1]) if self.twin is not None else None
            found = judge(
                names,
                valid,
                of,
                lambda here, there: pooled(rule_of(here), there, targets[1]),
                units,
                twin,
                needs_twin=has_seed(self.opened.base),
            )
            facts["verdicts"] = [verdict.to_json() for verdict in found]
        return rule, facts

    def _heard(self, part: Part, chosen: NDArray[np.int64], keep: bool) -> list[Said]:
        sources = self.opened.named() + ([("the second seed", self.twin)] if self.twin is not None else [])
        watch = self.callbacks.watch

        def tell(name: str) -> None:
            watch("fuse", {"doing": "reading", "source": name})

        return part.heard(sources, self.opened.task, chosen, keep=keep, tell=tell, seed=self.seed)

    def _weights(self, rule: Rule, said: Sequence[Said]) -> NDArray[np.float64]:
        if rule.slopes is None:
            return rule.weights
        return rule.mean_weights(stacked(said))


def check_data(opened: Opened, held: Sequence[Corpus]) -> None:
    """Raise UsageError where the data is not apart from what was learnt on, or from one another."""
    prints = [corpus.fingerprint for corpus in held]
    if len(set(prints)) < len(prints):
        raise UsageError("--test is the text that the weights are found on, so it would flatter them. Give other text.")
    for name, model in zip(opened.names, opened.models, strict=True):
        known = "" if model is None else str(model.record.get("data", {}).get("fingerprint", "")).split("+")[0]
        if known == prints[0]:
            raise UsageError(f"{name} was trained on {held[0].source}, so weights found on it would favour it. Give other text.")
        if model is not None and len(held) > 1 and model.was_trained_on(prints[1]):
            raise UsageError(f"{name} was trained on {held[1].source}, so its figures there mean nothing. Give other text.")


def _part(opened: Opened, corpus: Corpus, scratch: Path, number: int) -> Part:
    if opened.task is not None:
        return Part.of_labels(corpus, opened.task)
    base = opened.base
    assert isinstance(base, Language)
    (place := scratch / str(number)).mkdir()
    return Part.of_language(corpus, base.trained, place, whole=base.document_unit == "file")


def _of(corpus: Corpus, part: Part) -> dict[str, Any]:
    return {"source": corpus.source, "rows": len(corpus), "positions": len(part.targets), "bytes": part.bytes}
