"""Programs that a test starts: forks of its own process, which has imported everything already."""

from __future__ import annotations

import atexit
import multiprocessing
import os
import sys
from collections.abc import Callable
from multiprocessing.context import ForkProcess
from pathlib import Path

from lossworks.cli import main

forked = multiprocessing.get_context("fork")
SAID = "said.txt"


def begun(work: Callable[[], object], folder: Path) -> ForkProcess:
    """``work`` in a process of its own, which ends as a program does: in ``folder``, what it says in ``said.txt`` there.

    Polars is not for it: its threads are those of the process that first used it.
    """
    process = forked.Process(target=_begin, args=(work, folder))
    process.start()
    return process


def command(*arguments: object) -> None:
    """What the command does."""
    sys.argv = ["lossworks", *map(str, arguments)]
    main()


def as_program(work: Callable[[], object]) -> None:
    """``work``, and at its end what it has asked for at the end of the program; nothing that others asked for."""
    atexit._clear()
    try:
        work()
    finally:
        atexit._run_exitfuncs()


def _begin(work: Callable[[], object], folder: Path) -> None:
    os.chdir(folder)
    said = os.open(SAID, os.O_WRONLY | os.O_CREAT | os.O_APPEND)
    os.dup2(said, 1)
    os.dup2(said, 2)
    sys.stdout = sys.stderr = open(1, "w", encoding="utf-8", buffering=1, closefd=False)  # noqa: SIM115  # until the end
    as_program(work)
