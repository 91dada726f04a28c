"""``compare``: arms tuned alike, trained with the same seeds, and what that shows, with the directory that keeps it all."""

from __future__ import annotations

import hashlib
import json
import os
import tempfile
import time
from collections.abc import Sequence
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass, replace
from datetime import UTC, datetime
from importlib.metadata import version
from pathlib import Path
from typing import TYPE_CHECKING, Any

from .. import report
from ..core import specs
from ..core.errors import Interrupted, LossworksError, RecordError, UnknownName, UsageError
from ..core.machine import machine, versions
from ..evaluate import PROPER, check_metric
from ..evidence import arms as arms_
from ..evidence import duplicates, tuning
from ..evidence.plan import Plan, plan
from ..evidence.results import results, write_table
from ..evidence.runs import Protocol, opened, work, work_together
from ..evidence.store import FORMAT, RUN
from ..evidence.training import Field
from ..record import Run
from ..text import TEST, VALID, ReadOptions
from ..train import Control, Settings
from .fit import Source

if TYPE_CHECKING:
    from collections.abc import Iterator

    import polars as pl

SEEDS, TRIALS = 8, 12
_EPOCHS, _SCHEDULE = 10, "linear"  # one length for all arms, and a rate that ends at nothing: the end is then worth evaluating


@dataclass(frozen=True, slots=True, repr=False)
class Comparison:
    """A comparison's record. ``trainings`` has a row for every training; ``path`` is its directory, where it has one."""

    record: dict[str, Any]
    trainings: pl.DataFrame
    path: Path | None = None

    @classmethod
    def load(cls, path: Path | str) -> Comparison:
        """From its directory.

        Raises:
            RecordError: it cannot be read, or is no comparison's.
        """
        import polars as pl

        run = Run(path)
        record = run.summary
        if record.get("kind") != "comparison" or "result" not in record:
            raise RecordError(f"{run.path} holds no finished comparison. `lossworks compare … --out {run.path}` makes one.")
        try:
            return cls(record, pl.read_parquet(run.path / "results.parquet"), run.path)
        except (OSError, pl.exceptions.PolarsError) as error:
            raise RecordError(
                f"cannot read {run.path / 'results.parquet'}: {error}. Repeat the command with --resume."
            ) from error

    @property
    def arms(self) -> list[dict[str, Any]]:
        """Every arm as the record has it, the baseline first: settings, trials, seeds, figures."""
        found: list[dict[str, Any]] = self.record["result"]["arms"]
        return found

    @property
    def verdicts(self) -> dict[str, dict[str, Any]]:
        """The verdict on each arm, by its name: its ``word``, its ``sentence``, and the numbers behind them."""
        return {arm["name"]: arm["verdict"] for arm in self.arms}

    def table(self) -> pl.DataFrame:
        """A row for each arm: its mean, the difference from the baseline with its interval, p-values and verdict."""
        import polars as pl

        return pl.DataFrame([_row(arm) for arm in self.arms], infer_schema_length=None)

    def __repr__(self) -> str:
        lines = [f"{name}: {verdict['sentence']}" for name, verdict in self.verdicts.items()]
        return "\n".join([f"Comparison by {self.record['result']['metric']}:", *lines])


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
    settings: Settings | None = None,
    resume: bool = False,
    control: Control | None = None,
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
        metric: what verdicts are about: nll, brier, accuracy, macro_f1, …, of the test rows; nll (mse for numbers) by default.
        margin: a difference, in the metric's unit, small enough to call two arms equivalent.
        minutes: after these no training is begun any more; ``resume`` goes on.
        jobs: processes. In a script, call this under ``if __name__ == "__main__"``, as for every use of several processes.
        storage: a PostgreSQL address that machines with the same call share.
        out: the directory to make; none is left without it.
        settings: what the arms have in common, or as single ``choices``; a choice that is a list makes arms of all combinations.
            Ten epochs and the schedule "linear" where nothing else is said.
        resume: go on with the comparison in ``out``, begun by the same call.
        control, command: as in ``fit``.

    Raises:
        DataError, UsageError: the data, the arms or the metric do not fit.
        RecordError: the directory or the storage cannot be used.
        Interrupted: stopped; what had finished is kept.
    """
    asked = _Asked(data, valid, test, read, settings, list(arms), choices, seeds, trials, tuple(tune), metric, storage, jobs)
    if resume and out is None:
        raise UsageError("--resume goes on with the comparison in a directory; say which with --out.")
    with ExitStack() as stack:
        folder = Path(out) if out is not None else Path(stack.enter_context(tempfile.TemporaryDirectory(prefix="lossworks-")))
        recorder = _Recorder(folder, asked, control or Control(), command, resume, kept=out is not None)
        return recorder.record(minutes, margin)


def plan_of(
    data: Source,
    *,
    arms: Sequence[dict[str, Any]] = (),
    seeds: int = SEEDS,
    trials: int = TRIALS,
    tune: Sequence[str] = ("lr",),
    metric: str | None = None,
    jobs: int = 1,
    valid: Source | float | None = None,
    test: Source | float | None = None,
    read: ReadOptions | None = None,
    settings: Settings | None = None,
    control: Control | None = None,
    **choices: Any,
) -> Plan:
    """What ``compare`` with the same arguments would do, and how long that would take, from a few timed steps of every arm."""
    asked = _Asked(data, valid, test, read, settings, list(arms), choices, seeds, trials, tuple(tune), metric, None, jobs)
    control = control or Control()
    with asked.opened(control) as field:
        return plan(asked.protocol(field, Path()), field, {}, jobs, control.watch)


def common_settings(values: dict[str, Any], what: str = "settings") -> Settings:
    """What arms have in common, from keys and values: as in ``fit``, but for the epochs and the schedule if not given.

    Raises:
        UsageError: an unknown key or a value that does not fit.
    """
    return specs.configure(Settings, {"epochs": _EPOCHS, "schedule": _SCHEDULE} | values, what)


class _Asked:
    """What was asked for, checked as far as can be without the data."""

    def __init__(
        self, data: Any, valid: Any, test: Any, read: ReadOptions | None, settings: Settings | None, arms: list[dict[str, Any]],
        choices: dict[str, Any], seeds: int, trials: int, tune: tuple[str, ...], metric: str | None, storage: str | None, jobs: int,
    ) -> None:  # fmt: skip
        for name, value, least in (("seeds", seeds, 1), ("trials", trials, 0), ("jobs", jobs, 1)):
            if value < least:
                raise UsageError(f"{name} is {value}; wanted {least} or more.")
        choices |= {name: share for name, share in (("valid", valid), ("test", test)) if isinstance(share, int | float)}
        named = {key: list(value) for key, value in choices.items() if isinstance(value, list | tuple)}
        single = {key: value for key, value in choices.items() if key not in named}
        for key in single:
            if key not in Settings.__dataclass_fields__:
                raise UnknownName(
                    "argument of compare:", key, [*Settings.__dataclass_fields__, "arms", "seeds", "trials", "tune", "out"]
                )
        self.common = replace(settings or common_settings({}), **single)
        if "auto" in (self.common.lr, *named.get("lr", [])):
            raise UsageError("lr is auto; compare tunes the rates itself, of all arms alike. Leave it out.")
        self.own = arms_.choices_of(self.common, named, arms)
        self.read, self.jobs, self.storage = read, jobs, storage
        self.seeds, self.trials, self.metric = seeds, trials, metric
        self.tune = tuning.parse(tune) if trials else ()
        self.spelled_tune = list(tune)
        given = [(source, part) for source, part in ((valid, VALID), (test, TEST)) if not isinstance(source, int | float | None)]
        self.sources = tuple((source if _is_path(source) else list(source), part) for source, part in [(data, None), *given])

    @contextmanager
    def opened(self, control: Control) -> Iterator[Field]:
        """The data, open."""
        with opened(self.sources, self.read, self.common, control.watch, control.stop) as field:
            yield field

    def protocol(self, field: Field, folder: Path) -> Protocol:
        """What is to be done, all checks passed."""
        task = field.task.kind
        metric = self.metric or PROPER[task]
        check_metric(task, metric)
        tuned = {one.name for one in self.tune}
        found = arms_.arms_of(self.common, self.own, task, field.train_rows, tuned)
        tuning.check_fits(self.tune, [arm.settings for arm in found])
        for arm in found:
            field.check(arm.settings)
        sources = self.sources
        if self.jobs > 1:
            sources = tuple(
                (_rows(corpus) if source == "-" else source, part)
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
            "common": self.common.to_json(), "arms": self.own, "seeds": self.seeds, "trials": self.trials, "tune": self.spelled_tune,
            "metric": self.metric,
        }  # fmt: skip


class _Recorder:
    """Does the comparison and writes its directory."""

    def __init__(self, out: Path, asked: _Asked, control: Control, command: str | None, resume: bool, kept: bool) -> None:
        self.asked, self.control, self.kept = asked, control, kept
        self.resume = resume and (out / "run.json").exists()
        self.run = Run(out) if self.resume else Run.create(out)
        self.summary: dict[str, Any] = {
            "kind": "comparison",
            "lossworks": version("lossworks"),
            "created": datetime.now(UTC).isoformat(timespec="seconds"),
            "command": command or "lossworks.compare",
            "status": "running",
            "given": json.loads(json.dumps(asked.given(), default=str)),
            "versions": versions("torch", "numpy", "numba", "scipy", "optuna"),
            "machine": machine(),
        }
        if self.resume:
            self._take_up()

    def record(self, minutes: float | None, margin: float | None) -> Comparison:
        """Train what is to be trained, judge, and leave a whole record whatever happens."""
        begun = time.time()
        try:
            with self.asked.opened(self.control) as field:
                protocol = self.asked.protocol(field, self.run.path)
                store = protocol.store()
                doubles = self._begin(field, protocol)
                deadline = None if minutes is None else begun + 60 * minutes
                if self.asked.jobs > 1:
                    work_together(protocol, self.asked.jobs, self._watch, self.control.stop, deadline)
                else:
                    work(protocol, field, store, self._watch, deadline)
                done = store.finished()
                prior = field.prior(protocol.metric)
                found = results(protocol, done, prior, field.task.kind, margin, doubles.test_rows)
            whole = sum(key.stage == RUN for key in done) == len(protocol.arms) * protocol.seeds
            self.summary |= {"status": "finished" if whole else "stopped", "result": found}
            self.run.note("end", finished=found["done"], of=found["of"])
            write_table(self.run.path / "results.parquet", protocol, done)
        except (LossworksError, KeyboardInterrupt) as error:
            self.summary["status"] = "interrupted" if isinstance(error, Interrupted | KeyboardInterrupt) else "failed"
            self.summary["error"] = str(error)
            self._leave()
            raise
        self.run.close()
        self.run.write_summary(self.summary)
        report.write(self.run.path)
        comparison = Comparison.load(self.run.path)
        return comparison if self.kept else replace(comparison, path=None)

    def _begin(self, field: Field, protocol: Protocol) -> duplicates.Duplicates:
        """Describe data and protocol, in the record and to whoever watches."""
        doubles = duplicates.find(field.split)
        about = field.describe()
        self.summary |= {
            "task": about.pop("task"),
            "labels": about.pop("labels"),
            "data": about,
            "duplicates": doubles.to_json(),
            "protocol": {
                "name": protocol.name, "arms": [{"name": arm.name, **arm.spelled()} for arm in protocol.arms],
                "epochs": [arm.settings.epochs for arm in protocol.arms], "seeds": protocol.seeds, "trials": protocol.trials,
                "tune": self.asked.spelled_tune if protocol.trials else [], "metric": protocol.metric, "split_seed": protocol.common.seed,
                "jobs": self.asked.jobs, "trainings": protocol.total,
            },
        }  # fmt: skip
        before = self.run.summary["data"]["fingerprint"] if self.resume and "data" in self.run.summary else None
        if before not in (None, about["fingerprint"]):
            raise UsageError(
                "--resume: the data is not what it was when the comparison began. Restore it, or choose another --out."
            )
        self.run.write_summary(self.summary)
        self.run.note("resume" if self.resume else "start", step=0, trainings=protocol.total)
        self.control.watch("comparison", {key: self.summary[key] for key in ("task", "data", "duplicates", "protocol")})
        return doubles

    def _watch(self, event: str, fields: dict[str, Any]) -> None:
        if event == "training":
            self.run.note(event, time=datetime.now(UTC).isoformat(timespec="seconds"), **fields)
        self.control.watch(event, fields)

    def _take_up(self) -> None:
        """Check that the comparison can be gone on with by this call."""
        before, path = self.run.summary, self.run.path
        try:
            kind, status, told, created = before.get("kind"), before["status"], dict(before["given"]), before["created"]
        except (KeyError, TypeError, ValueError):
            raise RecordError(f"{path / 'run.json'} is damaged. Restore it from a copy, or choose another --out.") from None
        if kind != "comparison":
            raise UsageError(f"{path} holds no comparison. Choose another --out.")
        if status == "finished":
            raise UsageError(f"{path} is finished; there is nothing to resume. Choose another --out to compare again.")
        for key, value in self.summary["given"].items():
            if told.get(key) != value:
                raise UsageError(
                    f"--resume: {key} was {told.get(key)!r} and is now {value!r}. Repeat the command as it was, or choose another --out."
                )
        self.summary["created"] = created

    def _leave(self) -> None:
        """The last words of a comparison that ended early; where nothing was begun, leave the place as it was."""
        try:
            self.run.close()
            if "data" in self.summary:
                self.run.write_summary(self.summary)
            elif not self.resume:
                (self.run.path / "run.json").unlink(missing_ok=True)
                self.run.path.rmdir()
        except (LossworksError, OSError):  # why it ended early must not be hidden by that
            return


def _row(arm: dict[str, Any]) -> dict[str, Any]:
    verdict = arm["verdict"]
    shown = ("value", "low", "high", "p", "p_holm", "smallest")
    return {
        "arm": arm["name"], "mean": arm["value"], "standard_error": arm["standard_error"], "verdict": verdict["word"],
        **{{"value": "difference"}.get(key, key): verdict[key] for key in shown}, "seeds": len(arm["seeds"]),
        "diverged": len(verdict["diverged"]), "lr": arm["tuning"]["lr"], "seconds": arm["seconds"], "texts": arm["texts"],
    }  # fmt: skip


def _is_path(source: Any) -> bool:
    return isinstance(source, str | os.PathLike)


def _rows(corpus: Any) -> list[tuple[Any, ...]]:
    """The rows of stdin, for processes that cannot read it again."""
    texts = (text for block in corpus.blocks() for text in block)
    weights = [1.0] * len(corpus) if corpus.weights is None else corpus.weights.tolist()
    return list(zip(texts, corpus.labels, weights, strict=True))
