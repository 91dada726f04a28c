"""A comparison while it runs: the directory that keeps it, written as its trainings end."""

from __future__ import annotations

import json
import math
import time
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import replace
from datetime import UTC, datetime
from importlib.metadata import version
from pathlib import Path
from typing import Any

from .. import report
from ..core.errors import Interrupted, LossworksError, RecordError, UsageError
from ..core.machine import machine, versions
from ..data.duplicates import Duplicates
from ..engine import Callbacks
from ..evidence.benchmark import Benchmark
from ..evidence.design import Design
from ..evidence.plan import plan
from ..evidence.results import results, write_table
from ..evidence.runs import work, work_together
from ..evidence.store import RUN, Store
from ..record import Run
from ..report import words
from ..report.comparison_next import resumed
from .comparison import Comparison
from .comparison_asked import Asked
from .recording import check_own_files, ended_by, keep_own_files, own_files

_ROOM = 0.9  # of the time, what may be planned for when something is said to fit


class Recorder:
    """Does the comparison and writes its directory."""

    def __init__(self, out: Path, asked: Asked, callbacks: Callbacks, command: str | None, resume: bool, kept: bool) -> None:
        self.asked, self.callbacks, self.kept = asked, callbacks, kept
        self.resume, self.in_parts = resume and (out / "run.json").exists(), resume
        self.run = Run(out) if self.resume else Run.create(out)
        self.summary: dict[str, Any] = {
            "kind": "comparison",
            "lossworks": version("lossworks"),
            "created": datetime.now(UTC).isoformat(timespec="seconds"),
            "command": command or "lossworks.compare",
            "status": "running",
            "given": json.loads(json.dumps(asked.given(), default=str)),
            "versions": versions("torch", "numpy", "numba", "scipy"),
            "machine": machine(),
            **own_files(asked.given()),
        }

    def record(self, minutes: float | None) -> Comparison:
        """Train what is to be trained, judge, and leave a whole record whatever happens."""
        with self.run.held():
            if self.resume:  # now that no other process changes it
                self._take_up()
            else:
                Run.create(self.run.path)
            return self._record(minutes)

    def _record(self, minutes: float | None) -> Comparison:
        clock = self.callbacks.clock
        end = math.inf if minutes is None else clock() + 60 * minutes
        try:
            if not self.resume:
                self.run.write_summary(self.summary)
            with self.asked.opened(self.callbacks) as benchmark:
                design = self.asked.design(benchmark, self.run.path)
                if minutes is not None and not self.in_parts:
                    self._check_time(benchmark, design, minutes, end)
                store = design.store()
                doubles = self._begin(benchmark, design, len(store.finished()))
                with self._stopping(design, store):
                    if self.asked.jobs > 1:
                        deadline = None if minutes is None else time.monotonic() + end - clock()
                        work_together(design, self.asked.jobs, self._watch, self.callbacks.stop, deadline)
                    else:
                        work(design, benchmark, store, self._watch, lambda: clock() >= end)
                done = store.finished()
                found = results(design, done, benchmark, self.asked.margin, doubles.test_rows)
            whole = sum(key.stage == RUN for key in done) == len(design.arms) * design.seeds
            self.summary |= {"status": "finished" if whole else "stopped", "result": found}
            self.run.note("end", finished=found["done"], of=found["of"])
            write_table(self.run.path / "results.parquet", design, done)
        except BaseException as error:
            self.summary |= ended_by(error)
            self._leave()
            raise
        self.run.close()
        report.write(self.run.path, self.summary)  # first, so that no record says it is finished without one
        self.run.write_summary(self.summary)
        comparison = Comparison.load(self.run.path)
        return comparison if self.kept else replace(comparison, path=None)

    def _check_time(self, benchmark: Benchmark[Any], design: Design, minutes: float, end: float) -> None:
        """Raise UsageError where the trainings would not end in time, with what would."""
        clock, jobs = self.callbacks.clock, self.asked.jobs
        planned = plan(design, benchmark, {}, jobs, self.callbacks.watch, clock)
        left = end - clock() - (planned.reading if jobs > 1 else 0.0)  # each process reads for itself
        if planned.working <= left or design.storage is not None:  # which other machines may share
            return
        fewer = planned.fitting(left - (1 - _ROOM) * 60 * minutes) or {}
        ways = [" ".join(f"--{name} {number}" for name, number in fewer.items())] if fewer else []
        ways.append(f"--minutes {math.ceil((60 * minutes - left + planned.working) / 60 / _ROOM)}")
        takes, leaves = (words.duration(max(0.0, seconds), " ") for seconds in (planned.working, left))
        raise UsageError(
            f"{planned.trainings} trainings take about {takes}, and --minutes {minutes:g} leaves {leaves} for them. What fits: "
            f"{', or '.join(ways)}. With --resume --minutes is a part of the work, and the same command goes on."
        )

    @contextmanager
    def _stopping(self, design: Design, store: Store) -> Iterator[None]:
        """Who stops it is told what is done, and how to go on."""
        try:
            yield
        except Interrupted:
            done = f"stopped: {len(store.finished())} of {design.total} trainings are done"
            if not self.kept:
                raise Interrupted(f"{done}, and without out none is kept.", "") from None
            stopped = Interrupted(f"{done} and kept.", "goes on")
            stopped.command = resumed(str(self.summary["command"]), self.run.path, "--minutes")
            raise stopped from None

    def _begin(self, benchmark: Benchmark[Any], design: Design, done: int) -> Duplicates:
        """Describe data and protocol, and how many trainings are ``done``, in the record and to whoever watches."""
        doubles = benchmark.duplicates()
        about = benchmark.describe()
        self.summary |= {
            "task": about.pop("task"),
            "labels": about.pop("labels"),
            "data": about,
            "duplicates": doubles.to_json(),
            "protocol": {
                "name": design.name, "arms": [{"name": arm.name, **arm.spelled()} for arm in design.arms],
                "untrained": {arm.name: found for arm in design.arms if (found := benchmark.untrained(arm.settings))},
                "epochs": [arm.settings.epochs for arm in design.arms],
                "steps": [getattr(arm.settings, "steps", None) for arm in design.arms],
                "seeds": design.seeds, "trials": design.trials,
                "tune": self.asked.spelled_tune if design.trials else [], "metric": design.metric,
                "split_seed": design.split_seed, "jobs": self.asked.jobs, "shared": design.storage is not None,
                "trainings": design.total,
            },
        }  # fmt: skip
        before = self.run.summary["data"]["fingerprint"] if self.resume and "data" in self.run.summary else None
        if before not in (None, about["fingerprint"]):
            raise UsageError(
                "--resume: the data is not what it was when the comparison began. Restore it, or choose another --out."
            )
        keep_own_files(self.run.path, self.summary["given"])
        self.run.write_summary(self.summary)
        self.run.note("resume" if self.resume else "start", step=0, trainings=design.total)
        told = {key: self.summary[key] for key in ("task", "data", "duplicates", "protocol")}
        self.callbacks.watch("comparison", {**told, "done": done})
        return doubles

    def _watch(self, event: str, fields: dict[str, Any]) -> None:
        if event == "training":
            self.run.note(event, time=datetime.now(UTC).isoformat(timespec="seconds"), **fields)
        self.callbacks.watch(event, fields)

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
            self.run.tidy()
            raise UsageError(f"{path} is finished; there is nothing to resume. Choose another --out to compare again.")
        for key in [*told, *self.summary["given"]]:
            if told.get(key) != (value := self.summary["given"].get(key)):
                raise UsageError(
                    f"--resume: {key} was {told.get(key)!r} and is now {value!r}. "
                    "Repeat the command as it was, or choose another --out."
                )
        check_own_files(before, self.summary, path)
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
