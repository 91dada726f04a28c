"""``compare``: arms tuned alike, trained with the same seeds, and what that shows."""

from __future__ import annotations

import hashlib
import json
import os
import tempfile
from collections.abc import Iterator, Sequence
from contextlib import ExitStack, contextmanager
from pathlib import Path
from typing import Any

from ..core.errors import UsageError
from ..data import TEST, VALID, ReadOptions
from ..engine import Callbacks
from ..evidence import arms as arms_
from ..evidence import tuning
from ..evidence.field import AnyField
from ..evidence.plan import Plan, plan
from ..evidence.runs import Protocol, opened
from ..evidence.store import FORMAT
from ..training import LanguageSettings, Settings
from .comparison import Comparison, Recorder
from .fit import Source
from .in_common import InCommon, candidates

SEEDS, TRIALS = 8, 12


def compare(
    data: Source,
    *,
    arms: Sequence[dict[str, Any]] = (),
    seeds: int = SEEDS,
    trials: int = TRIALS,
    tune: Sequence[str] = ("lr",),
    metric: str | None = None,
    margin: float | None = None,
    minutes: float | None = None,
    jobs: int = 1,
    storage: str | None = None,
    valid: Source | float | None = None,
    test: Source | float | None = None,
    out: Path | str | None = None,
    read: ReadOptions | None = None,
    settings: Settings | LanguageSettings | InCommon | None = None,
    resume: bool = False,
    control: Callbacks | None = None,
    command: str | None = None,
    **choices: Any,
) -> Comparison:
    """Compare trainings by their held-out figures: ``compare(data, loss=["cross_entropy", "mse"], optimizer="adam")``.

    Args:
        data, valid, test, read: as ``fit`` takes them; split once, by the settings' seed.
        arms: what each arm has of its own, {"loss": "mse", …}; the first is the baseline.
        seeds: trainings of each arm whose figures count; the k-th has the same seed in all arms.
        trials: trainings to tune each arm with; 0 takes the rates as they are given.
        tune: "lr", and numbers as "loss.gamma=0.5:5".
        metric: what verdicts are about: nll, brier, accuracy, macro_f1, …, of the test rows; nll (mse for numbers) by default. Of
            models of language nats_per_token or bits_per_byte, of the test part's texts or of segments of one long text.
        margin: a difference, in the metric's unit, small enough to call two arms equivalent.
        minutes: after these no training is begun any more; ``resume`` goes on.
        jobs: processes. In a script, call this under ``if __name__ == "__main__"``, as for every use of several processes.
        storage: a PostgreSQL address that machines with the same call share.
        out: the directory to make; none is left without it.
        settings: what the arms have in common, or as single ``choices``; a choice that is a list makes arms of all combinations.
            Ten epochs and the schedule "linear" where nothing else is said. With ``task="lm"``, or families of models of
            language and texts without labels, those of ``LanguageSettings``; ``steps`` or ``epochs`` must be said.
        resume: go on with the comparison in ``out``, begun by the same call.
        control, command: as in ``fit``.

    Raises:
        DataError, UsageError: the data, the arms or the metric do not fit.
        RecordError: the directory or the storage cannot be used.
        Interrupted: stopped; what had finished is kept.
    """
    asked = Asked(
        data, valid=valid, test=test, read=read, settings=settings, arms=arms, seeds=seeds, trials=trials, tune=tune,
        metric=metric, storage=storage, jobs=jobs, **choices,
    )  # fmt: skip
    if resume and out is None:
        raise UsageError("--resume goes on with the comparison in a directory; say which with --out.")
    with ExitStack() as stack:
        folder = Path(out) if out is not None else Path(stack.enter_context(tempfile.TemporaryDirectory(prefix="lossworks-")))
        recorder = Recorder(folder, asked, control or Callbacks(), command, resume, kept=out is not None)
        return recorder.record(minutes, margin)


def plan_of(data: Source, *, control: Callbacks | None = None, **asked: Any) -> Plan:
    """What ``compare`` with the same arguments would do, and how long that would take, from a few timed steps of every arm."""
    wanted, control = Asked(data, **asked), control or Callbacks()
    with wanted.opened(control) as field:
        return plan(wanted.protocol(field, Path()), field, {}, wanted.jobs, control.watch)


class Asked:
    """What was asked for, checked as far as can be without the data."""

    def __init__(
        self,
        data: Source,
        *,
        valid: Source | float | None = None,
        test: Source | float | None = None,
        read: ReadOptions | None = None,
        settings: Settings | LanguageSettings | InCommon | None = None,
        arms: Sequence[dict[str, Any]] = (),
        seeds: int = SEEDS,
        trials: int = TRIALS,
        tune: Sequence[str] = ("lr",),
        metric: str | None = None,
        storage: str | None = None,
        jobs: int = 1,
        **choices: Any,
    ) -> None:
        for name, value, least in (("seeds", seeds, 1), ("trials", trials, 0), ("jobs", jobs, 1)):
            if value < least:
                raise UsageError(f"{name} is {value}; wanted {least} or more.")
        choices |= {name: share for name, share in (("valid", valid), ("test", test)) if isinstance(share, int | float)}
        named = {key: list(value) for key, value in choices.items() if isinstance(value, list | tuple)}
        single = {key: value for key, value in choices.items() if key not in named}
        models = candidates(named, arms)
        if settings is None:
            told = {key: single[key] for key in ("task", "model") if single.get(key)}
            settings = InCommon.of(told, models)
        elif not isinstance(settings, InCommon):
            settings = InCommon.of_settings(settings)
        self.in_common = settings.with_choices(single, models)
        self.common = self.in_common.settings
        if "auto" in (single.get("lr"), getattr(self.common, "lr", None), *named.get("lr", [])):
            raise UsageError("lr is auto; compare tunes the rates itself, of all arms alike. Leave it out.")
        self.own = arms_.choices_of(self.common, named, arms)
        read = self.in_common.reading(read)
        self.read, self.jobs, self.storage = read, jobs, storage
        self.seeds, self.trials, self.metric = seeds, trials, metric
        self.tune = tuning.parse(tune) if trials else ()
        self.spelled_tune = list(tune)
        given = [(source, part) for source, part in ((valid, VALID), (test, TEST)) if not isinstance(source, int | float | None)]
        self.sources: tuple[tuple[Any, int | None], ...] = tuple((_kept(source), part) for source, part in [(data, None), *given])

    @contextmanager
    def opened(self, control: Callbacks) -> Iterator[AnyField]:
        """The data, open."""
        with opened(self.sources, self.read, self.common, control.watch, control.stop) as field:
            yield field

    def protocol(self, field: AnyField, folder: Path) -> Protocol:
        """What is to be done, all checks passed."""
        settings = [field.resolve(self.in_common.shared, chosen) for chosen in self.own]
        found = arms_.arms_of(settings, {one.name for one in self.tune})
        metric = field.metric(self.metric, settings)
        tuning.check_fits(self.tune, [arm.settings for arm in found])
        for arm in found:
            field.check(arm.settings)
        sources = self.sources
        if self.jobs > 1:
            sources = tuple(
                (_rows(corpus, field.kind) if source == "-" else source, part)
                for (source, part), corpus in zip(sources, field.corpora, strict=True)
            )
        name = json.dumps([FORMAT, self.given(), metric, field.describe()["fingerprint"]], sort_keys=True, default=str)
        key = hashlib.blake2b(name.encode(), digest_size=8).hexdigest()
        return Protocol(
            key,
            sources,
            self.read,
            self.common,
            found,
            metric,
            self.seeds,
            self.trials,
            self.tune,
            folder.resolve(),
            self.storage,
        )

    def given(self) -> dict[str, Any]:
        """What must be the same for the comparison to go on. Seeds too: to add some after a look at the verdict would undo it."""
        return {
            "common": self.in_common.to_json(), "arms": self.own, "seeds": self.seeds, "trials": self.trials,
            "tune": self.spelled_tune, "metric": self.metric,
        }  # fmt: skip


def _kept(source: Any) -> Any:
    """A path, or rows that can be gone through more than once."""
    return source if isinstance(source, str | os.PathLike) else list(source)


def _rows(corpus: Any, kind: str) -> list[Any]:
    """The rows of stdin, for processes that cannot read it again."""
    texts = (text for block in corpus.blocks() for text in block)
    if kind == "lm":
        return list(texts)
    weights = [1.0] * len(corpus) if corpus.weights is None else corpus.weights.tolist()
    return list(zip(texts, corpus.labels, weights, strict=True))
