"""The grid of trainings: what is to be done, done by one process or by several, in any order, killed and gone on with at will."""

from __future__ import annotations

import math
import multiprocessing
import os
import signal
import threading
import time
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from contextlib import ExitStack, contextmanager, suppress
from dataclasses import replace
from multiprocessing.connection import wait
from typing import Any

import torch

from ..core.errors import Interrupted, LossworksError, UnknownName, UsageError
from ..core.own import raised, run_again
from ..data import ReadOptions, load_all
from ..data.room import compared
from ..record.scratch import temporary
from ..training.teaching import Teacher
from .benchmark import Benchmark, Watch
from .design import Design
from .labels import LabelBenchmark
from .outcome import Outcome
from .store import RUN, Key, Store
from .texts import TextBenchmark

_POLL = 1.0  # seconds between looks at what other machines have finished


@contextmanager
def opened(
    sources: Sequence[tuple[Any, int | None]],
    read: ReadOptions | None,
    common: dict[str, Any],
    of_language: bool,
    watch: Watch = lambda event, fields: None,
    stop: threading.Event | None = None,
    teachers: Mapping[str, Callable[[], Teacher]] | None = None,
) -> Iterator[Benchmark[Any]]:
    """The data of a comparison, as one process has it.

    Args:
        sources, read: as ``fit`` takes them, each source with the part it was given as.
        common: what all arms have in common. of_language: whether they are language models.
        watch, stop: how to watch and stop it.
        teachers: what opens those of the arms.
    """
    with ExitStack() as stack:
        scratch = stack.enter_context(temporary())
        corpora = stack.enter_context(load_all(sources, read, scratch, compared))
        kind = TextBenchmark if of_language else LabelBenchmark
        parts = [part for _, part in sources]
        yield kind(corpora, parts, common, scratch, watch, stop or threading.Event(), teachers or {})


def work(
    design: Design, benchmark: Benchmark[Any], store: Store, watch: Watch, is_over: Callable[[], bool] = lambda: False
) -> None:
    """Do trainings until none is left, or the time ``is_over``; what others are at is left to them.

    Raises:
        Interrupted: the benchmark's ``stop`` was set; the training at hand is lost, those finished are kept.
    """
    while True:
        tasks = design.ready(store.finished())
        if not tasks or is_over():
            return
        for key, point, settings in tasks:
            with store.claim(key) as ours:
                if not ours or store.has(key):
                    continue
                settings = replace(settings, seed=design.seed(key))
                counts = key.stage == RUN
                outcome = benchmark.train(settings, design.metric if counts else None, keep=counts and key.arm in design.members)
                store.add(key, point, outcome)
                watch("training", told(design, key, point, outcome))
                break
        else:
            if benchmark.stop.wait(_POLL):
                raise Interrupted("stopped while other processes were at the last trainings.")


def told(design: Design, key: Key, point: dict[str, float], outcome: Outcome) -> dict[str, Any]:
    """A finished training as an event."""
    score = outcome.metrics.get(design.metric, outcome.judged)
    return {
        "stage": key.stage, "arm": design.arms[key.arm].name, "number": key.number, "seed": design.seed(key), **point,
        "score": score if outcome.note == "" else None, "seconds": outcome.seconds, "note": outcome.note,
    }  # fmt: skip


def work_together(design: Design, jobs: int, watch: Watch, stop: threading.Event, deadline: float | None) -> None:
    """The same by ``jobs`` processes of this machine, until ``time.monotonic()``, which they share, is the ``deadline``; an
    error in one ends all.

    Raises:
        LossworksError: what a worker raised.
    """
    context = multiprocessing.get_context("spawn")
    threads = max(1, len(os.sched_getaffinity(0)) // jobs)
    ours: dict[Any, Any] = {}  # a pipe to each worker: nothing is shared that one who is killed could hold on to
    error: Exception | None = None
    try:
        for _ in range(jobs):
            own, theirs = context.Pipe()
            ours[own] = context.Process(target=_worker, args=(design, theirs, deadline, threads))
            ours[own].start()
            theirs.close()
        talking = set(ours)
        while talking:
            if stop.is_set() or error is not None:
                _tell_to_stop(talking)
            heard: list[Any] = wait(list(talking), 0.2)
            for pipe in heard:
                try:
                    event, fields = pipe.recv()
                except (EOFError, OSError):
                    talking.discard(pipe)
                    continue
                if event == "error":
                    error = error or fields
                else:
                    watch(event, fields)
    finally:
        _tell_to_stop(ours)
        for worker in ours.values():
            worker.join()
    if error is not None:
        raise error
    if stop.is_set():
        raise Interrupted("stopped; the trainings that had finished are kept.")
    if lost := [worker.exitcode for worker in ours.values() if worker.exitcode]:
        raise LossworksError(
            f"a worker ended with code {lost[0]}. The same command with --resume goes on without what it was at."
        )


def _tell_to_stop(pipes: Iterable[Any]) -> None:
    for pipe in pipes:
        with suppress(OSError):  # it has ended already
            pipe.send("stop")


def _worker(design: Design, pipe: Any, deadline: float | None, threads: int) -> None:
    """One process of several: ends with its parent, and when told to."""
    signal.signal(signal.SIGINT, signal.SIG_IGN)  # the parent has heard it too, and says what to do
    os.environ["LOSSWORKS_THREADS"] = str(threads)
    torch.set_num_threads(threads)
    stop = threading.Event()
    threading.Thread(target=_listen, args=(pipe, stop), daemon=True).start()
    try:
        run_again(design.own)
        how = design.sources, design.read, design.common, design.of_language
        with opened(*how, stop=stop, teachers=design.teachers) as benchmark:
            over = math.inf if deadline is None else deadline
            work(design, benchmark, design.store(), lambda *told: pipe.send(told), lambda: time.monotonic() >= over)
    except Interrupted:
        pass
    except LossworksError as error:
        pipe.send(
            ("error", error if type(error) is not UnknownName else UsageError(str(error)))
        )  # that one's parts do not travel
    except Exception as error:
        if not (said := raised(error)):
            raise
        pipe.send(("error", UsageError(said)))  # here: the way it came, by which its line is found, does not travel


def _listen(pipe: Any, stop: threading.Event) -> None:
    """Hear the parent's word to stop; leave at once where it is gone, for killed it cannot say so."""
    parent = multiprocessing.parent_process()
    assert parent is not None
    if parent.sentinel in wait([parent.sentinel, pipe]):
        os._exit(1)
    stop.set()
    wait([parent.sentinel])
    os._exit(1)
