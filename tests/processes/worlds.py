"""Worlds of processes for a test: forks of this one, in which everything is imported already."""

from __future__ import annotations

import multiprocessing
import os
import socket
import sys
import traceback
from collections.abc import Callable

import torch
import torch._dynamo  # once, not in each of them, as the next two
import torch.distributed.fsdp

from lossworks.engine import parted  # noqa: F401
from lossworks.engine.joining import leave

forked = multiprocessing.get_context("fork")


def run(size: int, work: Callable[[int], None], timeout: float = 100.0) -> list[int | None]:
    """``work`` of each rank in a process of its own; their exit codes, None of one that was ended after ``timeout`` seconds."""
    with socket.socket() as free:
        free.bind(("127.0.0.1", 0))
        place = {"MASTER_ADDR": "127.0.0.1", "MASTER_PORT": str(free.getsockname()[1]), "WORLD_SIZE": str(size)}
    processes = [forked.Process(target=_process, args=(work, rank, place)) for rank in range(size)]
    for process in processes:
        process.start()
    for process in processes:
        process.join(timeout)
    codes = [process.exitcode for process in processes]
    for process in processes:
        process.kill()
        process.join()
    return codes


def _process(work: Callable[[int], None], rank: int, place: dict[str, str]) -> None:
    os.environ |= {**place, "RANK": str(rank), "OMP_NUM_THREADS": "1"}
    torch.set_num_threads(1)
    code = 0
    try:
        work(rank)
    except BaseException as error:  # noqa: BLE001  # told by the code
        traceback.print_exc()
        code = int(getattr(error, "exit_code", 1))
    finally:
        sys.stderr.flush()
        leave()
    os._exit(code)
