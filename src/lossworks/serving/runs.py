"""The runs that are served: loaded beside the event loop, and what each can be asked."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from ..api import Language, Model, answered
from ..core.errors import RecordError, UsageError
from ..record import Run
from .batches import Batches
from .limits import Limits
from .meters import Meters
from .refusals import SOON, Refused
from .verbs import Generate, Predict, Score, Verb

VERBS: Mapping[str, type[Verb]] = {"predict": Predict, "score": Score, "generate": Generate}


@dataclass(slots=True)
class Served:
    """A run: ``verbs`` are what it can be asked, each with what gathers its requests; there are none before it is loaded."""

    name: str
    path: Path
    facts: dict[str, Any] = field(default_factory=dict)
    verbs: dict[str, tuple[Verb, Batches]] = field(default_factory=dict)


class Runs:
    """Finished runs by their names.

    Args:
        paths: their directories, by the names that paths of the server have for them.
        limits: how much is taken on.
        device: that models run on.

    Raises:
        UsageError: there is none.
        RecordError: a directory holds no finished run; the rest is seen when they are loaded.
    """

    def __init__(self, paths: Mapping[str, Path | str], limits: Limits | None = None, device: str = "cpu") -> None:
        if not paths:
            raise UsageError("there is no run to serve. Name one or more directories made by `lossworks fit`.")
        for path in paths.values():
            if (status := Run(path).summary.get("status")) != "finished":
                raise RecordError(f"{path} is {status}, and only finished runs are served. Finish it with --resume.")
        self.limits, self.device, self.meters = limits or Limits(), device, Meters()
        self.served = {name: Served(name, Path(path)) for name, path in paths.items()}
        self.failed: Exception | None = None
        self.ready = False

    def load(self) -> None:
        """Load all models; takes its time.

        Raises:
            RecordError: a directory holds no finished run, or is damaged.
        """
        try:
            for run in self.served.values():
                self._load(run)
        except Exception as error:
            self.failed = error
            raise
        self.ready = True

    def _load(self, run: Served) -> None:
        from ..api import load

        model = load(run.path, self.device)
        config = model.record.get("config", {})
        run.facts = {"task": answered.task_of(model), "model": config.get("model")}
        if isinstance(model, Model):
            run.facts["labels"] = list(model.labels)
        for name in ("score", "generate") if isinstance(model, Language) else ("predict",):
            verb = VERBS[name](run.name, model, self.limits)
            most, told = self.limits.batch if verb.gathers else 1, self.meters.batch(run.name, name)
            batches = Batches(verb.answer, most=most, foreseen=verb.gathers, room=self.limits.queue, told=told)
            self.meters.waiting(run.name, name, batches)
            run.verbs[name] = verb, batches

    def asked(self, name: str | None, verb: str) -> tuple[Verb, Batches]:
        """What answers a verb of the run of this name; None: of the only one.

        Raises:
            Refused: there is no such run, it cannot be asked this, or it is not loaded yet.
        """
        if name is None and len(self.served) > 1:
            raise Refused(404, f"several runs are served. Name one: {', '.join(f'/runs/{each}/{verb}' for each in self.served)}.")
        run = next(iter(self.served.values())) if name is None else self.served.get(name)
        if run is None:
            raise Refused(404, f"no run is called {str(name)[:80]!r}. Served: {', '.join(self.served)}.")
        if not self.ready:
            raise Refused(
                503, "the runs are still being loaded. Try again soon; GET /health says when they are ready.", headers=SOON
            )
        if verb not in run.verbs:
            holds = {"lm": "a language model, which knows no labels", "graph": "a model of a knowledge graph"}
            what = holds.get(run.facts["task"], "no language model")
            ask = " or ".join(f"/runs/{run.name}/{each}" for each in run.verbs)
            raise Refused(404, f"{run.name} holds {what}. Ask {ask}.")
        return run.verbs[verb]

    def health(self) -> dict[str, Any]:
        """Whether models are loaded, and what they are."""
        status = "ready" if self.ready else "failed" if self.failed else "loading"
        return {"status": status, "runs": [{"name": run.name, **run.facts} for run in self.served.values()]}

    def close(self) -> None:
        """Have the threads end."""
        for run in self.served.values():
            for _, batches in run.verbs.values():
                batches.close()


def named(given: Iterable[str]) -> dict[str, str]:
    """The directories given, by the names to serve them by: NAME=DIRECTORY, or else the directory's own name.

    Raises:
        UsageError: two have one name, or a name cannot stand in a path.
    """
    found: dict[str, str] = {}
    for each in given:
        name, mark, path = each.partition("=")
        if not mark or "/" in name:
            name, path = Path(each).resolve().name, each
        if not name or not name.isprintable():
            raise UsageError(f"{each!r} has no name to serve it by. Give it one: NAME={path}.")
        if name in found:
            raise UsageError(f"two runs are called {name}: {found[name]} and {path}. Give one another name: NAME={path}.")
        found[name] = path
    return found
