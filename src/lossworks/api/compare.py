"""``compare``: arms tuned alike, trained with the same seeds, and what that shows."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from contextlib import ExitStack
from pathlib import Path
from typing import Any

from ..core.errors import UsageError
from ..data import ReadOptions
from ..engine import Callbacks
from ..evidence.plan import Plan, plan
from ..record.scratch import temporary
from ..training import Settings
from .comparison import Comparison
from .comparison_asked import SEEDS, TRIALS, Asked
from .comparison_recorder import Recorder
from .held import as_begun
from .reading import Source


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
    settings: Settings | Mapping[str, Any] | None = None,
    resume: bool = False,
    callbacks: Callbacks | None = None,
    command: str | None = None,
    **choices: Any,
) -> Comparison:
    """Compare trainings by their held-out figures: ``compare(data, loss=["cross_entropy", "mse"], optimizer="adam")``.

    Args:
        data, valid, test, read: as ``fit`` takes them; split once, by the settings' seed.
        arms: what each arm has of its own, {"loss": "mse", …}; the first is the baseline. To one with a teacher,
            {"teach": "lexicon:FILE"}, the same without it and with it cut from its texts are added; to one over word vectors or
            frozen states, the same with these cut. A model each:A is one A for each language, trained on its rows alone. Of a
            model pool:A+B the arms A and B are pooled, and nothing more is trained.
        seeds: trainings of each arm whose figures count; the k-th has the same seed in all arms.
        trials: trainings to tune each arm with; 0 takes the rates as they are given.
        tune: "lr", and numbers as "loss.gamma=0.5:5".
        metric: what verdicts are about: nll, brier, accuracy, macro_f1, …, of the test rows; nll (mse for numbers) by default. Of
            language models nats_per_token or bits_per_byte, of the test part's texts or of segments of one long text.
        margin: a difference, in the metric's unit, small enough to call two arms equivalent.
        minutes: what all of it must fit into, or it is refused at once with what would. With ``resume`` they are a part of the
            work, after which no training is begun any more, and the same call goes on.
        jobs: processes. In a script, call this under ``if __name__ == "__main__"``, as for every use of several processes.
        storage: a PostgreSQL address that machines with the same call share.
        out: the directory to make; none is left without it.
        settings: what the arms have in common, or as single ``choices``; a choice that is a list makes arms of all combinations.
            A family that a setting does not apply to goes without it. Classifiers: ten epochs and the schedule "linear" where
            nothing else is said. Language models (``task="lm"``, or such families): ``steps`` or ``epochs`` must be said.
        resume: go on with the comparison in ``out``, begun by the same call.
        callbacks, command: as in ``fit``.

    Raises:
        DataError, UsageError: the data, the arms or the metric do not fit.
        RecordError: the directory or the storage cannot be used.
        Interrupted: stopped; what had finished is kept.
    """
    if resume and out is not None and Path(out, "run.json").exists():
        read = as_begun(read, Path(out))
    asked = Asked(
        data, valid=valid, test=test, read=read, settings=settings, arms=arms, seeds=seeds, trials=trials, tune=tune,
        metric=metric, margin=margin, storage=storage, jobs=jobs, **choices,
    )  # fmt: skip
    if resume and out is None:
        raise UsageError("--resume goes on with the comparison in a directory; say which with --out.")
    with ExitStack() as stack:
        folder = Path(out) if out is not None else stack.enter_context(temporary())
        recorder = Recorder(folder, asked, callbacks or Callbacks(), command, resume, kept=out is not None)
        return recorder.record(minutes)


def plan_of(data: Source, *, callbacks: Callbacks | None = None, **asked: Any) -> Plan:
    """What ``compare`` with the same arguments would do, and how long that would take, from a few timed steps of every arm."""
    wanted, callbacks = Asked(data, **asked), callbacks or Callbacks()
    with wanted.opened(callbacks) as benchmark:
        return plan(wanted.design(benchmark, Path()), benchmark, {}, wanted.jobs, callbacks.watch)
