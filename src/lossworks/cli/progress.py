"""What is shown while a fit runs: one bar in a terminal, plain lines elsewhere; always on stderr."""

from __future__ import annotations

import sys
import time
from collections.abc import Callable
from types import TracebackType
from typing import Any

from rich.progress import BarColumn, Progress, TextColumn, TimeElapsedColumn

from ..core.wording import amount, counted, leaked_note, remaining, skipped_note
from ..tokens.graphemes import composed_note
from .compile_notice import Compiling
from .running import is_first
from .tables import console, number, say, say_notes

_LINE_EVERY = 2.0  # seconds between plain lines
_RARER = 20  # and a part of the time gone by: some 60 lines an hour


class Pace:
    """How long work will still take, by how long its part so far has taken."""

    def __init__(self, clock: Callable[[], float]) -> None:
        self.clock = clock
        self.began = clock()
        self._what, self._done, self._first, self._since = "", 0.0, 0.0, 0.0

    def left(self, what: str, done: float, total: float) -> float | None:
        """Seconds, once so much is ``done`` of the ``total`` of work that is called ``what``; None: it has just begun.

        What is done by the first call does not count: code is compiled then, and data read.
        """
        if what != self._what or done < self._done:
            self._what, self._first, self._since = what, done, self.clock()
        self._done = done
        gone, made = self.clock() - self._since, done - self._first
        return gone * (total - done) / made if made > 0 else None


class Watcher:
    """Turns the events of a fit into something to look at. Use as a context manager, and as the callbacks' ``watch``."""

    def __init__(self, quiet: bool, clock: Callable[[], float] = time.monotonic) -> None:
        self.quiet = quiet
        self.training = False  # in steps, after each of which it can be ended and gone on with
        self.bar: Progress | None = None
        self._task: Any = None
        self._epochs = 1.0
        self._pace = Pace(clock)
        self._told = clock()
        self._metric = ""
        self._compiling = Compiling(lambda said: self._note({"text": said}))
        self._more = 0.0  # how much of a training's time another one will take, on the validation rows too

    def __enter__(self) -> Watcher:
        if not self.quiet:
            self._compiling.open()
        if not self.quiet and sys.stderr.isatty():
            columns = (
                TextColumn("{task.description}"),
                BarColumn(None),
                TextColumn("{task.fields[now]}"),
                TimeElapsedColumn(),
                TextColumn("{task.fields[left]}"),
            )
            self.bar = Progress(*columns, console=console(stderr=True), transient=True)
            self.bar.start()
            self._task = self.bar.add_task("reading", total=None, now="", left="")
        return self

    def __exit__(self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None) -> None:
        self._compiling.close()
        if self.bar is not None:
            self.bar.stop()

    def __call__(self, event: str, fields: dict[str, Any]) -> None:
        """Show one event."""
        self.training |= event in ("train", "resume")
        if not self.quiet:
            self._compiling.look()
            getattr(self, f"_{event}", lambda _: None)(fields)
        elif event in ("data", "comparison") and is_first():  # rows that are not there are no progress
            data = fields if event == "data" else fields["data"]
            say_notes(skipped_note(data.get("skipped", 0), data.get("bad", ())))

    def _data(self, fields: dict[str, Any]) -> None:
        if fields.get("imported"):
            return
        config, parts = fields["config"], fields["parts"]
        self._epochs = config.get("epochs") or 0
        sizes = ", ".join(f"{parts[name]:,} {name}" for name in ("train", "valid", "test"))
        what = "piece" if config.get("document_unit") == "file" else "row"  # of whole lines: the parts of one long text
        say(f"{fields['source']}: {counted(fields['rows'], what)} ({sizes})")
        say(f"task   {fields['reason']}")
        columns = [
            f"{name} from {fields[key]!r}" for name, key in (("text", "text_column"), ("label", "label_column")) if fields[key]
        ]
        if columns:
            say("read   " + ", ".join(columns))
        if languages := fields.get("languages"):
            say(f"lang   {_languages(languages)}")
        say(f"train  {_plan(fields)}")
        say_notes([*composed_note(fields.get("composed", 0), fields["rows"]), *fields.get("notes", [])])
        say_notes(skipped_note(fields["skipped"], fields["bad"]))
        if note := leaked_note(fields["leaked"], parts):
            say(f"note   {note}", "yellow")
        if fields["parts"]["test"] == 0 and "folds" not in fields:
            say("note   no rows are held out to test on: there will be no figures on how good this is", "yellow")

    def _fold(self, fields: dict[str, Any]) -> None:
        self._show("training without each fold", fields["number"], fields["of"], fields["model"] or "")

    def _rows(self, fields: dict[str, Any]) -> None:
        self._show("reading", fields["rows"], fields["of"], "", "rows")

    def _read(self, fields: dict[str, Any]) -> None:
        self._show("reading", fields["rows"], fields["of"], "")

    def _write(self, fields: dict[str, Any]) -> None:
        self._show("writing", fields["rows"], fields["of"], "")

    def _tokens(self, fields: dict[str, Any]) -> None:
        self._show("training the tokenizer", fields["rows"], fields["of"], "")

    def _count(self, fields: dict[str, Any]) -> None:
        self._show("counting", fields["done"], fields["of"], "")

    def _iteration(self, fields: dict[str, Any]) -> None:
        held_out = f"  held out {number(fields['held_out'])}" if "held_out" in fields else ""
        self._show("expectation maximization", fields["iteration"], fields["of"], f"nll {number(fields['nll'])}{held_out}")

    def _note(self, fields: dict[str, Any]) -> None:
        say(f"note   {fields['text']}", "yellow")

    def _class(self, fields: dict[str, Any]) -> None:
        self._show("classes", fields["number"], fields["of"], fields["label"])

    def _search(self, fields: dict[str, Any]) -> None:
        score = fields["note"] if fields["score"] is None else number(fields["score"])
        say(f"search rate {fields['lr']:g}: {score}")

    def _memory(self, fields: dict[str, Any]) -> None:
        if "was" in fields:
            say(f"note   memory ran out: batches in parts of {fields['micro_batch']:,} rows from here, as much a step", "yellow")
        else:
            say(f"memory room for {fields['micro_batch']:,} rows at once")

    def _resume(self, fields: dict[str, Any]) -> None:
        say(f"resumed at step {fields['step']:,}")

    def _plan(self, fields: dict[str, Any]) -> None:
        say(f"plan   {fields['text']}")

    def _train(self, fields: dict[str, Any]) -> None:
        things = "tokens" if "tokens_per_second" in fields else "examples"
        done, total = (fields["step"], fields["of"]) if things == "tokens" else (fields["epoch"], self._epochs)
        self._show(
            "training", done, total, self._figures(fields, things), "steps" if things == "tokens" else "epochs", self._more
        )

    def _twice(self, fields: dict[str, Any]) -> None:
        self._more = fields["rows"] / fields["of"]

    def _refit(self, fields: dict[str, Any]) -> None:
        self._metric = ""
        self._show("training on all rows", fields["epoch"], fields["epochs"], self._figures(fields, "examples"), "epochs")

    def _figures(self, fields: dict[str, Any], things: str) -> str:
        return f"loss {number(fields['loss'])}{self._metric}  {fields[f'{things}_per_second']:,.0f} {things}/s"

    def _contrast(self, fields: dict[str, Any]) -> None:
        self._metric = ""
        self._show("contrasting", fields["step"], fields["of"], self._figures(fields, "examples"), "steps")

    def _valid(self, fields: dict[str, Any]) -> None:
        names = [name for name in ("divergence", "weighted_nll", "nll", "mse", "accuracy", "mrr") if name in fields]
        self._metric = "".join(f"  {name} {number(fields[name])}" for name in names)

    def _judge(self, fields: dict[str, Any]) -> None:
        self._show("testing", fields["done"], fields["of"], "", fields["things"])

    def _explain(self, fields: dict[str, Any]) -> None:
        self._show("explaining", fields["done"], fields["of"], "texts")

    def _retrain(self, fields: dict[str, Any]) -> None:
        self._show("training again", fields["number"], fields["of"], "models")

    def _show(self, what: str, done: float, total: float | None, now: str, unit: str = "", again: float = 0.0) -> None:
        """``total``: None where it is not known. ``unit``: what is counted, where ``what`` does not say it. ``again``: work that
        follows, as a share of the total.
        """
        seconds = self._pace.left(what, done, total * (1 + again)) if total and done else None
        left = "" if seconds is None else remaining(seconds)
        if self.bar is not None:
            self.bar.update(self._task, description=what, completed=done, total=total, now=now, left=left)
        elif self._is_due():
            so_far = f"{what} {amount(done)}" + (f" of {amount(total)}" if total else "")
            say("  ".join(filter(None, (f"{so_far} {unit}".rstrip(), left, now))))

    def _is_due(self) -> bool:
        """Whether it is time for another plain line."""
        now = self._pace.clock()
        due = now - self._told >= max(_LINE_EVERY, (now - self._pace.began) / _RARER)
        self._told = now if due else self._told
        return due


class Repeating(Watcher):
    """Shows a training that is done again as a fit's, and then what is made of it."""

    def _again(self, fields: dict[str, Any]) -> None:
        self._epochs = fields["epochs"]

    def _surface(self, fields: dict[str, Any]) -> None:
        self._show("surface", fields["done"], fields["of"], "")

    def _follow(self, fields: dict[str, Any]) -> None:
        self._show("following the training back", fields["done"], fields["of"], "steps")

    def _copies(self, fields: dict[str, Any]) -> None:
        self._show("training without each row", fields["done"], fields["of"], "steps")

    def _look(self, fields: dict[str, Any]) -> None:
        self._metric = f"  look {fields['done']} of {fields['of']}"


def _plan(fields: dict[str, Any]) -> str:
    """What is trained and how, in a line."""
    config = fields["config"]
    if "batch_size" not in config:
        learnt = [config["model"], *filter(None, [config.get(name) for name in ("tokenizer", "loss", "optimizer")])]
        read = f", {fields['tokens']['train']:,} tokens, {fields['vocabulary']:,} different" if "tokens" in fields else ""
        return " · ".join(learnt) + read
    chosen = [config["model"], config["loss"], config["optimizer"], *filter(None, [config.get("penalty")])]
    schedule = "" if config["schedule"] == "constant" else f", {config['schedule']}"
    return f"{' · '.join(chosen)}{schedule}, batches of {config['batch_size']}, at most {counted(config['epochs'], 'epoch')}"


def _languages(counts: dict[str, dict[str, int]]) -> str:
    """How many languages the rows are in, the rarest and the most frequent, and those that nothing is known of in the end."""
    rows = sorted((sum(of.values()), name) for name, of in counts.items())
    few, many = (f"{name} ({size:,})" for size, name in (rows[0], rows[-1]))
    spread = f"{few} to {many} rows" if len(rows) > 1 else few + (" row" if rows[0][0] == 1 else " rows")
    untested = sorted(name for name, of in counts.items() if not of["test"])
    some = ", ".join(untested[:3]) + (", …" if len(untested) > 3 else "")
    gap = f"; no test rows of {len(untested)}: {some}" if untested and any(of["test"] for of in counts.values()) else ""
    return f"{counted(len(rows), 'language')}, {spread}{gap}"
