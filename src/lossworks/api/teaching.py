"""What ``--teach`` names, opened: a run, or another source of labels."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

from ..core.errors import UsageError
from ..fusion.sources import RunSource, kind_of, kinds
from ..fusion.votes import VotesSource
from ..tasks import LabelTask, label_task
from ..training.teaching import CUT, Answers, Teacher
from .loading import load_labels


def open_teacher(spec: str, device: str) -> Teacher:
    """The teacher of a spec: a run's directory, "votes:FILE", "lexicon:FILE" or "uniform"; after "cut:" the same, whose answers
    training deals out among the texts anew.

    Raises:
        UsageError, DataError, RecordError: there is none, or it cannot be read.
    """
    if spec.startswith(CUT):
        return replace(open_teacher(spec.removeprefix(CUT), device), name=spec)
    name, _, where = spec.partition(":")
    if name in kinds() and name != RunSource.kind and not Path(spec).is_dir():

        def opened(task: LabelTask) -> Answers:
            return kind_of(name).open(where, task).logits

        own = label_task("classify", VotesSource.labels_in(where)) if name == VotesSource.kind else None
        return Teacher(spec, own, opened)
    place = spec.removeprefix("run:")
    if not Path(place).is_dir() and name not in kinds():
        known = ", ".join(f"{kind}:FILE" for kind in sorted(kinds()) if kind not in ("run", "uniform"))
        raise UsageError(f"--teach {spec}: there is no such directory. Give a run's directory, {known}, or uniform.")
    predictor = load_labels(place, device).predictor
    known_labels = predictor.task.labels

    def answers(task: LabelTask) -> Answers:
        if missing := sorted({*task.labels} ^ {*known_labels}):
            whose = "the data has none" if missing[0] in known_labels else f"{spec} does not know it"
            raise UsageError(f"--teach {spec} is of other labels: {missing[0]!r} ({whose}). Teach with a run on the same labels.")
        order = [known_labels.index(label) for label in task.labels]
        source = RunSource(predictor)
        return lambda texts: source.logits(texts)[:, order]

    return Teacher(spec, predictor.task, answers)
