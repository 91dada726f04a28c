"""The current state of a run, for the live page: read from its directory, and from the log only what is new."""

from __future__ import annotations

from contextlib import suppress
from pathlib import Path
from threading import Lock
from typing import Any, BinaryIO

from .. import record
from ..core.errors import RecordError
from . import live_comparison, page, words
from .words import Json, Verdict

TITLES = {
    "loss": ("Loss", "Line chart of the training loss and the validation loss, by epoch."),
    "curve": ("Loss", "Line chart of the loss during training."),
    "metric": ("Validation", "Line chart of the validation metric, by epoch."),
    "rate": ("Learning rate", "Line chart of the learning rate, by epoch."),
    "gradient": ("Gradient norm", "Line chart of the norm of the gradient, by epoch, on a logarithmic axis."),
    "update_ratios": ("Update-to-weight ratio", "Line chart of the norm of the update by the norm of the weights, by epoch."),
    "clipped": ("Share of steps clipped", "Area chart of the share of steps whose gradient was clipped, by epoch."),
    "scores": ("Scores so far", "Dot plot of the score of every seed, one line per arm. The table has the means."),
    "rates": ("Score by learning rate", "Line chart of the trials' validation score by learning rate, one line per arm."),
}


class Live:
    """The current state of a run directory.

    Raises:
        RecordError: there is no run.
    """

    def __init__(self, path: Path | str) -> None:
        self.run = record.Run(path)
        self.name = self.run.path.resolve().name
        self._events = record.Events(self.run.path / "log.jsonl")
        self._lock = Lock()
        _ = self.run.summary  # fails at once if there is no run

    def report(self) -> BinaryIO | None:
        """The report, if it has been written, to be read and closed."""
        try:
            return (self.run.path / "report.html").open("rb")
        except OSError:
            return None

    @property
    def is_finished(self) -> bool:
        """Whether the run is finished."""
        with suppress(RecordError):
            return bool(self.run.summary.get("status") == "finished")
        return False

    def state(self, seen: str = "") -> Json | None:
        """Status, numbers and figures as plain values; None if nothing has changed since the state named ``seen``."""
        with self._lock:
            try:
                held = self.run.is_held  # before the rest: a process that releases the run has written everything
                self._events.read()
                changed = (self.run.path / "run.json").stat().st_mtime_ns
                name = f"{changed}-{self._events.end}-{held:d}"
                return None if name == seen else {"seen": name, **self._state(held)}
            except (RecordError, OSError) as error:
                return self._unreadable(str(error))
            except (ArithmeticError, AttributeError, IndexError, KeyError, TypeError, ValueError) as error:
                return self._unreadable(f"{self.run.path} holds a record that cannot be shown ({type(error).__name__}: {error}).")

    def _state(self, held: bool) -> Json:
        summary, events = self.run.summary, self._events.all
        status = summary["status"]
        state_of = live_comparison.state if summary.get("kind") == "comparison" else _fit_state
        state = state_of(summary, events)
        figures = state.pop("figures")
        verdict = _verdict(summary, held)
        return {
            "name": self.name,
            "status": "gone" if status == "running" and not held else status,
            **{part: getattr(verdict, part) for part in ("tone", "headline", "sentence")},
            "report": status != "running" and (self.run.path / "report.html").exists(),
            "charts": [{"id": name, "title": TITLES[name][0], "label": TITLES[name][1]} for name in figures],
            "figures": figures,
            **state,
        }

    def _unreadable(self, why: str) -> Json:
        verdict = {"tone": "bad", "headline": "The record cannot be read", "sentence": why}
        fixed = {"seen": "", "report": False, "name": self.name, "status": "unreadable", "charts": []}
        return {**fixed, **verdict, **live_comparison.EMPTY}


def _verdict(summary: Json, held: bool) -> Verdict:
    """The state of the run in words."""
    status, comparison = summary["status"], summary.get("kind") == "comparison"
    error = str(summary.get("error") or "")
    if status == "running" and held:
        began = "data" in summary
        doing = ("Comparing" if comparison else "Training") if began else "Reading the data"
        more = " Verdicts follow when all runs are finished." if comparison and began else ""
        return Verdict("plain", doing, f"The run is in progress; this page follows it.{more}")
    if status == "running":
        return Verdict("bad", "The process is gone", f"It was killed. {_remedy(summary)}")
    return {
        "finished": Verdict("good", "Finished", "The run finished normally."),
        "stopped": Verdict("unsure", "Stopped", f"The time limit was reached. {_remedy(summary)}"),
        "interrupted": Verdict("unsure", "Interrupted", error or f"The run was stopped. {_remedy(summary)}"),
        "diverged": Verdict("bad", "Diverged", error),
    }.get(status, Verdict("bad", "Failed", error))


def _remedy(summary: Json) -> str:
    """What to do about a run that ended early; only ``fit`` and ``compare`` can resume, and an import cannot."""
    if summary.get("kind") == "comparison":
        return "The same command with --resume continues it; finished runs are kept."
    return words.RESUME if "seed" in (summary.get("given") or {}) else "Repeat the command with another --out."


def _fit_state(summary: Json, events: list[Json]) -> Json:
    """The numbers and curves of a fit."""
    last: dict[str, Json] = {event["event"]: event for event in events}
    train, valid = last.get("train", {}), last.get("valid", {})
    epochs = (summary.get("config") or {}).get("epochs")
    counted = last.get("iteration") or last.get("class") or {}
    done = train.get("epoch", counted.get("iteration", counted.get("number", 0)))
    of = counted.get("of") if counted and not train else epochs
    shown: list[tuple[str, Any]] = []
    if done:
        shown.append(("epoch" if train else "iteration" if "iteration" in counted else "class", _of(done, of)))
    shown += [("step", train["step"])] if train else []
    shown += [("rates tried", last["search"]["done"])] if "search" in last and not train else []
    shown += [(name, train[key]) for name, key in (("loss", "loss"), ("learning rate", "lr")) if train.get(key) is not None]
    shown += [("nll", counted["nll"])] if counted.get("nll") is not None else []
    kept = ((key, value) for key, value in valid.items() if key not in ("event", "step", "epoch") and isinstance(value, float))
    shown += [(f"validation {words.NAMES.get(key, (key,))[0].lower()}", value) for key, value in kept]
    if train.get("examples_per_second"):
        shown.append(("examples per second", f"{train['examples_per_second']:,.0f}"))
    return {
        "facts": page.facts(summary),
        "numbers": [[name, _text(value)] for name, value in shown],
        "table": None,
        "done": done,
        "of": of or 0,
        "figures": page.live_figures(summary, events),
    }


def _of(done: float, of: float | None) -> str:
    return f"{done:.4g} of {of:g}" if of else f"{done:.4g}"


def _text(value: Any) -> str:
    return f"{value:.4g}" if isinstance(value, float) else words.smart(value)
