"""A run as it stands, for the page that watches it: read from its directory, and from the log only what is new."""

from __future__ import annotations

from contextlib import suppress
from pathlib import Path
from threading import Lock
from typing import Any

from .. import record
from ..core.errors import RecordError
from . import live_comparison, page, words
from .words import Json, Verdict

TITLES = {
    "loss": ("Loss", "Line chart of the training loss and the validation loss, by epoch."),
    "curve": ("Loss", "Line chart of the loss as training goes on."),
    "metric": ("Validation", "Line chart of the validation metric, by epoch."),
    "rate": ("Learning rate", "Line chart of the learning rate, by epoch."),
    "gradient": ("Gradient norm", "Line chart of the norm of the gradient, by epoch, on a logarithmic axis."),
    "moves": ("How far a step moves the weights", "Line chart of the size of a step by the size of the weights, by epoch."),
    "clipped": ("Share of steps clipped", "Area chart of the share of steps whose gradient was clipped, by epoch."),
    "scores": ("Scores so far", "Dot plot of the score of every seed, one line an arm. The means stand in the table."),
    "rates": ("Score by learning rate", "Line chart of the trials' validation score by learning rate, one line an arm."),
}


class Live:
    """What a run directory says of its run, now.

    Raises:
        RecordError: there is no run.
    """

    def __init__(self, path: Path | str) -> None:
        self.run = record.Run(path)
        self.name = self.run.path.resolve().name
        self._events = record.Events(self.run.path / "log.jsonl")
        self._lock = Lock()
        _ = self.run.summary  # read once, so that what is no run is told at once

    @property
    def report(self) -> bytes | None:
        """The report, where one has been written."""
        try:
            return (self.run.path / "report.html").read_bytes()
        except OSError:
            return None

    @property
    def is_finished(self) -> bool:
        """Whether there is nothing to watch any more."""
        with suppress(RecordError):
            return bool(self.run.summary.get("status") == "finished")
        return False

    def state(self, seen: str = "") -> Json | None:
        """Status, numbers and figures as plain values; None where nothing has changed since the state called ``seen``."""
        with self._lock:
            try:
                held = self.run.is_held  # before the rest: whoever lets go has written its last words
                self._events.read()
                changed = (self.run.path / "run.json").stat().st_mtime_ns
                name = f"{changed}-{self._events.end}-{held:d}"
                return None if name == seen else {"seen": name, **self._state(held)}
            except (RecordError, OSError) as error:
                return self._unreadable(str(error))
            except (AttributeError, IndexError, KeyError, TypeError, ValueError) as error:
                return self._unreadable(f"{self.run.path} holds a record that cannot be shown ({type(error).__name__}: {error}).")

    def _state(self, held: bool) -> Json:
        summary, events = self.run.summary, self._events.all
        status = summary["status"]
        of = live_comparison.state if summary.get("kind") == "comparison" else _of_fit
        told = of(summary, events)
        figures = told.pop("figures")
        verdict = _verdict(summary, held)
        return {
            "name": self.name,
            "status": "gone" if status == "running" and not held else status,
            **{part: getattr(verdict, part) for part in ("tone", "headline", "sentence")},
            "report": status != "running" and (self.run.path / "report.html").exists(),
            "charts": [{"id": name, "title": TITLES[name][0], "label": TITLES[name][1]} for name in figures],
            "figures": figures,
            **told,
        }

    def _unreadable(self, why: str) -> Json:
        nothing: Json = {"facts": [], "numbers": [], "table": None, "done": 0, "of": 0, "charts": [], "figures": {}}
        told = {
            "name": self.name,
            "status": "unreadable",
            "tone": "bad",
            "headline": "The record cannot be read",
            "sentence": why,
        }
        return {"seen": "", "report": False, **told, **nothing}


def _verdict(summary: Json, held: bool) -> Verdict:
    """Where the run stands, in words."""
    status, comparison = summary["status"], summary.get("kind") == "comparison"
    error = str(summary.get("error") or "")
    if status == "running" and held:
        began = "data" in summary
        doing = ("Comparing" if comparison else "Training") if began else "Reading the data"
        more = " No verdict is made before all trainings are done." if comparison and began else ""
        return Verdict("plain", doing, f"The run is at work; this page follows it.{more}")
    if status == "running":
        again = "The same command with --resume goes on with it." if _resumable(summary) else "Nothing of it can be gone on with."
        return Verdict("bad", "Its process is gone", f"It was killed before it could say so. {again}")
    return {
        "finished": Verdict("good", "Finished", "The run has ended well."),
        "stopped": Verdict("unsure", "Stopped", "The time given was up. The same command with --resume goes on."),
        "interrupted": Verdict("unsure", "Interrupted", error or "The run was stopped. The same command with --resume goes on."),
        "diverged": Verdict("bad", "Diverged", error),
    }.get(status, Verdict("bad", "Failed", error))


def _resumable(summary: Json) -> bool:
    return "task" in summary and (summary.get("kind") == "comparison" or "batch_size" in (summary.get("config") or {}))


def _of_fit(summary: Json, events: list[Json]) -> Json:
    """A fit's numbers and curves."""
    last: dict[str, Json] = {event["event"]: event for event in events}
    train, valid = last.get("train", {}), last.get("valid", {})
    epochs = (summary.get("config") or {}).get("epochs")
    counted = last.get("iteration") or last.get("class") or {}
    done = train.get("epoch", counted.get("iteration", counted.get("number", 0)))
    of = counted.get("of") if counted and not train else epochs
    told: list[tuple[str, Any]] = []
    if done:
        told.append(("epoch" if train else "iteration" if "iteration" in counted else "class", _of(done, of)))
    told += [("step", train["step"])] if train else []
    told += [("rates tried", last["search"]["done"])] if "search" in last and not train else []
    told += [(name, train[key]) for name, key in (("loss", "loss"), ("learning rate", "lr")) if train.get(key) is not None]
    told += [("nll", counted["nll"])] if counted.get("nll") is not None else []
    kept = ((key, value) for key, value in valid.items() if key not in ("event", "step", "epoch") and isinstance(value, float))
    told += [(f"validation {words.NAMES.get(key, (key,))[0].lower()}", value) for key, value in kept]
    if train.get("examples_per_second"):
        told.append(("examples a second", f"{train['examples_per_second']:,.0f}"))
    return {
        "facts": page.facts(summary),
        "numbers": [[name, _shown(value)] for name, value in told],
        "table": None,
        "done": done,
        "of": of or 0,
        "figures": page.live_figures(summary, events),
    }


def _of(done: float, of: float | None) -> str:
    return f"{done:.4g} of {of:g}" if of else f"{done:.4g}"


def _shown(value: Any) -> str:
    return f"{value:.4g}" if isinstance(value, float) else words.smart(value)
