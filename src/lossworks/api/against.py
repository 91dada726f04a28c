"""A run against the run before it: both on the test rows that they share, and which settings differ."""

from __future__ import annotations

from collections.abc import Mapping
from contextlib import closing
from pathlib import Path
from typing import Any

from ..core.errors import UsageError
from ..data import ReadOptions
from ..metrics.by_language import FEW
from .graph import Graph
from .language import Language
from .loading import load
from .model import Model
from .paired import paired_labels, paired_texts
from .tested import corpus_for

Json = dict[str, Any]


def against(run: Path | str, before: Path | str) -> Json:
    """What is different of a run, held against one before it; ``report.write(run, against=…)`` makes a section of it.

    Both are judged on those rows that were the test part of both: rows that neither was trained on. An interval is of those two
    models, and says nothing of other seeds: ``compare`` does.

    Args:
        run: a finished run of labels, numbers or a language model. before: another, of the same task and labels.

    Returns: ``run`` and ``against``, the two paths; ``held_out``, as ``paired_labels`` or ``paired_texts`` tells it; ``tested``,
    how many rows each was tested on; ``verdict``, its ``word`` ("better", "worse", "mixed", "open", "few" or "same") and a
    ``headline``; ``settings``, each that differs as [name, before, after].

    Raises:
        UsageError: other tasks or labels, no test row in common, or their data is gone.
        RecordError: there is no such run, or it is damaged.
    """
    models = {str(path): load(path) for path in (run, before)}
    if len(models) == 1:
        raise UsageError(f"{run} cannot be held against itself. Name the run before it.")
    new, old = models.values()
    _check_alike(models)
    read = ReadOptions(unlabelled=True, texts=new.document_unit) if isinstance(new, Language) else None
    with closing(corpus_for(models, None, read, shared=True)) as corpus:
        if isinstance(new, Language):
            assert isinstance(old, Language)
            found = paired_texts(old, new, corpus)
        else:
            assert isinstance(old, Model)
            assert isinstance(new, Model)
            found = paired_labels(old, new, corpus)
    return {
        "run": str(run),
        "against": str(before),
        "tested": [model.record["result"]["rows"] for model in (old, new)],
        "held_out": found,
        "verdict": verdict(found, str(before)),
        "settings": changed(old.record, new.record),
    }


def _check_alike(models: Mapping[str, Model | Language | Graph]) -> None:
    """Raise UsageError where the two have no metric in common."""
    (run, new), (before, old) = models.items()
    tasks = [str(model.record["task"]) for model in (new, old)]
    if tasks[0] != tasks[1]:
        raise UsageError(f"{run} is of the task {tasks[0]} and {before} of {tasks[1]}, so no metric is of both.")
    if isinstance(new, Graph):
        raise UsageError(f"--against is for models of text, and {run} is of a knowledge graph. lossworks evaluate tells of each.")
    if isinstance(new, Model) and isinstance(old, Model) and new.labels != old.labels:
        apart = sorted(map(str, {*new.labels} ^ {*old.labels})) or ["their order"]
        raise UsageError(
            f"{run} and {before} have other labels ({', '.join(apart[:6])}{' …' if len(apart) > 6 else ''}), so their figures do "
            "not compare."
        )
    if isinstance(new, Language) and isinstance(old, Language) and new.document_unit != old.document_unit:
        raise UsageError(
            f"{run} reads a {new.document_unit} as a text and {before} a {old.document_unit}, so their figures do not compare."
        )


def verdict(found: Json, before: str) -> Json:
    """The word for all metrics together, each corrected for their number: it claims no more than what is shown in some metric and
    contradicted in none. ``before``: the name of the other run.
    """
    words = {name: one["word"] for name, one in found["metrics"].items() if one["word"] is not None}
    better, worse = ([name for name, word in words.items() if word == wanted] for wanted in ("better", "worse"))
    if better and worse:
        return {"word": "mixed", "headline": f"Better than {before} in {_listed(better)}, worse in {_listed(worse)}"}
    for word, names in (("better", better), ("worse", worse)):
        if names:
            rest = [name for name in words if name not in names]
            more = f"; in {_listed(rest)} no difference is shown" if rest else ""
            return {"word": word, "headline": f"{word.capitalize()} than {before} in {_listed(names)}{more}"}
    if set(words.values()) == {FEW}:
        return {"word": "few", "headline": f"Too few test texts are shared with {before} to tell a difference"}
    if not found["broken"] and not found["fixed"] and not found.get("largest_change"):
        return {"word": "same", "headline": f"The same answers as {before}"}
    return {"word": "open", "headline": f"Not shown to differ from {before}"}


def changed(old: Json, new: Json) -> list[list[Any]]:
    """What differs: the data, each setting as it was resolved, and the version."""
    told: list[list[Any]] = []
    if old["data"].get("fingerprint") != new["data"].get("fingerprint"):
        told.append(["data", *(f"{of['data']['source']}, {of['data']['rows']:,} rows" for of in (old, new))])
    told += [["from", *((of["result"].get("from") or {}).get("run") for of in (old, new))]]
    names = dict.fromkeys([*old["config"], *new["config"]])
    told += [[name, old["config"].get(name), new["config"].get(name)] for name in names]
    told.append(["lossworks", old["lossworks"], new["lossworks"]])
    return [[name, was, now] for name, was, now in told if was != now or name == "data"]


def _listed(names: list[str]) -> str:
    return names[0] if len(names) == 1 else f"{', '.join(names[:-1])} and {names[-1]}"
