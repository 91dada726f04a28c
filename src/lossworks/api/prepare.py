"""``prepare``: many files to one directory of shards that ``fit``, ``evaluate`` and ``compare`` take in the place of a file."""

from __future__ import annotations

import os
from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path
from typing import Any

from ..core import values
from ..core.errors import Interrupted, UsageError
from ..data import ReadOptions, read_options
from ..data.formats.prepared import MANIFEST
from ..engine import Callbacks
from ..preparation import NEAR
from ..preparation import rules as quality
from ..preparation.pipeline import Job, Wanted
from ..preparation.pipeline.executors import dask, pool
from ..record import read_object

Sources = str | os.PathLike[str] | Sequence[str | os.PathLike[str]]


def wanted(
    sources: Sources,
    *,
    against: Sources = (),
    read: ReadOptions | None = None,
    rules: Sequence[str] = (),
    near: float | None = NEAR,
    exact: bool = True,
    valid: float = 0.0,
    test: float = 0.0,
    seed: int = 0,
    tokenizer: str | None = None,
) -> Wanted:
    """The settings of ``prepare``, checked."""
    read = read_options(read)
    read = replace(read, unlabelled=read.label is None, texts=read.texts or "line")
    named = tuple(quality.render(quality.build(each)) for rule in rules for each in _in_set(rule))
    return Wanted(
        sources=_names(sources),
        against=_names(against),
        read=read,
        rules=named,
        near=near or None,
        exact=exact,
        valid=valid,
        test=test,
        seed=seed,
        tokenizer=tokenizer,
    )


def prepare(
    sources: Sources,
    out: Path | str,
    *,
    workers: int = 1,
    scheduler: str | None = None,
    callbacks: Callbacks | None = None,
    **settings: Any,
) -> dict[str, Any]:
    """Read many files, bring their texts into one spelling, leave out bad ones, doubles and leaks; what stays is in shards.

    A preparation that was stopped, however, goes on with the same call; several processes with the same call, on machines that
    share the folder, share the work. The bytes that result depend on neither.

    Args:
        sources: files, patterns, folders of classes or prepared directories; of two like texts the earlier stays.
        out: the directory to make.
        workers: processes on this machine. In a script, call this under ``if __name__ == "__main__"`` if there are several.
        scheduler: the address of a Dask scheduler, whose workers do the tasks instead.
        callbacks: how to watch it.
        against: a test set: texts that are, or nearly are, one of its are left out.
        read: which columns to read and how. Labels are kept where rows have any; where ``label`` names them, each row must.
        rules: specs of quality rules, such as "characters:min=50"; or "gopher", "c4", "fineweb": the rules from there.
        near: the Jaccard likeness from which the later of two texts is left out as nearly the same; None or 0: none is.
        exact: whether of equal texts the earliest alone stays.
        valid, test: shares to hold out; seed: of the split.
        tokenizer: write tokens too, by a ``tokenizer.json`` or by a spec to learn ("bpe:size=8000").

    Returns:
        What ``manifest.json`` in the directory says.

    Raises:
        DataError: a source cannot be read, has bad rows, or changed meanwhile.
        UsageError: the settings do not fit, or ``out`` holds something else.
        RecordError: the directory cannot be written.
        Interrupted: stopped by the user.
    """
    values.whole("workers", workers, least=1)
    watch = (callbacks or Callbacks()).watch

    def tell(stage: str, done: int, of: int) -> None:
        watch("prepare", {"stage": stage, "done": done, "of": of})

    job = Job.begin(Path(out), wanted(sources, **settings))
    try:
        if not job.finished:
            pool.run(job, workers, tell) if scheduler is None else dask.run(job, scheduler, tell)
    except KeyboardInterrupt:
        raise Interrupted("stopped; the same command goes on where it was.", "") from None
    return dict(read_object(job.out / MANIFEST))


def _in_set(rule: str) -> Sequence[str]:
    """The rules that the name of a set stands for; of anything else, itself."""
    return quality.SETS.get(rule, (rule,))


def _names(sources: Sources) -> tuple[str, ...]:
    names = [os.fspath(name) for name in ([sources] if isinstance(sources, str | os.PathLike) else sources)]
    if "" in names:
        raise UsageError("the path of a source is empty. Name a file, a pattern or a folder.")
    return tuple(names)
