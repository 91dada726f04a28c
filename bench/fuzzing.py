"""Valid files of every kind, something changed in each, and whether reading them ends in a result or in an error that names the
file: ``fuzzing.py [COUNT [SEED [READER…]]]``, so many files for each reader, a tenth where reading trains something.

A process reads many of them, with 2 GB of memory beyond what it began with and 10 seconds of processor time for each.
"""

from __future__ import annotations

import json
import mmap
import os
import random
import resource
import shutil
import signal
import struct
import sys
import tempfile
import time
import traceback
from collections import Counter
from collections.abc import Callable
from functools import partial
from pathlib import Path
from typing import Any

for name in ("OMP_NUM_THREADS", "NUMBA_NUM_THREADS", "LOSSWORKS_THREADS", "POLARS_MAX_THREADS", "RAYON_NUM_THREADS"):
    os.environ[name] = "1"  # a process that has threads cannot be forked

import _bench  # noqa: E402
import torch  # noqa: E402
from _mutants import mutant  # noqa: E402
from _readers import READERS, Reader  # noqa: E402

from lossworks.core.errors import LossworksError, UsageError  # noqa: E402

MEMORY, PROCESSOR, STUCK = 2 << 30, 10, 120  # bytes; seconds of processor time; seconds by the clock
KINDS = ("error of another class", "no file named", "hang", "crash")


class Hang(BaseException):
    """The time of a file is over."""


def changed(home: Path, reader: Reader, name: str, seed: int, number: int) -> tuple[Path, bytes]:
    """Which file of a valid one at ``home`` is changed, and its new content: a function of all but ``home``."""
    draw = random.Random(f"{name} {seed} {number}")
    files = (
        [home]
        if home.is_file()
        else sorted(path for path in home.rglob(reader.only) if path.is_file() and path.suffix != ".html")
    )
    path = draw.choice(files)
    return path, mutant(path.read_bytes(), draw)


def fuzzed(name: str, count: int, seed: int, scratch: Path) -> tuple[Counter[str], list[dict[str, Any]]]:
    """Counts of what came of the mutants of a reader, and the failures."""
    reader = READERS[name]
    place = scratch / str(list(READERS).index(name))
    place.mkdir()
    made = _forked(lambda: _made(reader, place), place / "said")
    if os.waitpid(made, 0)[1]:
        raise ChildProcessError(f"{name}: {(place / 'said').read_text()[-3000:]}")
    home, at = Path((place / "home").read_text()), mmap.mmap(-1, 8)
    counts, failures = Counter[str](mutants=count, read=0, refused=0, **dict.fromkeys(KINDS, 0)), []
    while (number := struct.unpack("<q", at[:])[0]) < count:
        out, into = os.pipe()
        child = _forked(partial(_read_many, name, home, place, seed, at, into, count), place / "said")
        os.close(into)
        came, code = _followed(child, out, at)
        counts.update(each["kind"] for each in came)
        failures += [each for each in came if each["kind"] in KINDS]
        if code:
            number = struct.unpack("<q", at[:])[0]
            kind = "hang" if code == -signal.SIGKILL else "crash"
            counts[kind] += 1
            said = (place / "said").read_text("utf-8", "replace")[-200:]
            failures.append({"kind": kind, "number": number, "why": f"ended with {code}: {said}", "where": ""})
            at[:] = struct.pack("<q", number + 1)
    return counts, failures


def _made(reader: Reader, place: Path) -> None:
    """Make a valid file, note where it is, and see that it can be read."""
    home = reader.make(place)
    (place / "home").write_text(str(home))
    reader.read(_copied(home, place))


def _forked(work: Callable[[], object], said: Path) -> int:
    """A child that does ``work``, what it prints in a file."""
    child = os.fork()
    if child:
        return child
    code = 1
    try:
        file = os.open(said, os.O_WRONLY | os.O_CREAT | os.O_TRUNC)
        os.dup2(file, 1)
        os.dup2(file, 2)
        work()
        code = 0
    except BaseException:  # noqa: BLE001
        traceback.print_exc()
    finally:
        sys.stderr.flush()
        os._exit(code)


def _followed(child: int, out: int, at: mmap.mmap) -> tuple[list[dict[str, Any]], int]:
    """What a child told, and its exit code; it is killed where one file takes it too long."""
    os.set_blocking(out, False)
    told, seen, since = b"", b"", time.monotonic()
    while True:
        ended = os.waitid(os.P_PID, child, os.WEXITED | os.WNOHANG | os.WNOWAIT) is not None
        try:
            while news := os.read(out, 1 << 16):
                told += news
        except BlockingIOError:
            pass
        if at[:] != seen:
            seen, since = at[:], time.monotonic()
        if time.monotonic() > since + STUCK:
            os.kill(child, signal.SIGKILL)
        if ended:
            break
        time.sleep(0.01)
    os.close(out)
    return [json.loads(line) for line in told.splitlines()], os.waitstatus_to_exitcode(os.waitpid(child, 0)[1])


def _copied(home: Path, place: Path) -> Path:
    copy = place / "copy" / home.name
    shutil.rmtree(place / "copy", ignore_errors=True)
    if home.is_dir():
        shutil.copytree(home, copy)
    else:
        copy.parent.mkdir()
        shutil.copy(home, copy)
    return copy


def _read_many(name: str, home: Path, place: Path, seed: int, at: mmap.mmap, into: int, count: int) -> None:
    """In a child: mutant after mutant, until the time is over."""

    def stop(number: int, frame: Any) -> None:
        raise Hang

    torch.set_num_threads(1)
    signal.signal(signal.SIGPROF, stop)
    reader = READERS[name]
    copy = _copied(home, place)
    reader.read(copy)
    taken = int(Path("/proc/self/statm").read_text().split()[0]) * mmap.PAGESIZE
    resource.setrlimit(resource.RLIMIT_AS, (taken + MEMORY, taken + MEMORY))
    resource.setrlimit(resource.RLIMIT_CORE, (0, 0))
    for number in range(struct.unpack("<q", at[:])[0], count):
        at[:] = struct.pack("<q", number)
        copy = _copied(home, place) if reader.writes or number % 500 == 0 else copy
        path, content = changed(copy, reader, name, seed, number)
        before = path.read_bytes()
        path.write_bytes(content)
        signal.setitimer(signal.ITIMER_PROF, PROCESSOR)
        found = _outcome(reader, copy, path)
        signal.setitimer(signal.ITIMER_PROF, 0)
        path.write_bytes(before) if path.parent.exists() else None
        os.write(into, json.dumps({"number": number, **found}).encode() + b"\n")
    at[:] = struct.pack("<q", count)


def _outcome(reader: Reader, copy: Path, path: Path) -> dict[str, str]:
    try:
        reader.read(copy)
    except Hang:
        return {"kind": "hang", "why": "", "where": _where(sys.exc_info()[1])}
    except LossworksError as error:
        if isinstance(error, UsageError) or any(part in str(error) for part in (str(path), str(copy), path.name)):
            return {"kind": "refused"}
        return {"kind": "no file named", "why": f"{type(error).__name__}: {error}"[:300], "where": _where(error)}
    except BaseException as error:  # noqa: BLE001  # it is what is looked for
        return {"kind": "error of another class", "why": f"{type(error).__name__}: {error}"[:300], "where": _where(error)}
    return {"kind": "read"}


def _where(error: BaseException | None) -> str:
    """The last frames of ours, as FILE:LINE."""
    frames = traceback.extract_tb(error.__traceback__) if error is not None else []
    ours = [f"{Path(frame.filename).name}:{frame.lineno}" for frame in frames if "lossworks/" in frame.filename]
    return " < ".join(ours[::-1][:4])


def main() -> None:
    """Print a row for each reader; failures, each place once, to stderr."""
    count, seed = (int(sys.argv[1]) if len(sys.argv) > 1 else 200), int(sys.argv[2]) if len(sys.argv) > 2 else 0
    rows = []
    with tempfile.TemporaryDirectory() as scratch:
        for name in sys.argv[3:] or READERS:
            few = max(1, count // (10 if READERS[name].trains else 1))
            try:
                counts, failures = fuzzed(name, few, seed, Path(scratch))
            except ChildProcessError as error:  # the others are read all the same
                print(error, file=sys.stderr, flush=True)
                continue
            once = {(each["kind"], each["where"], each["why"].partition(":")[0]): each for each in reversed(failures)}
            for each in once.values():
                print(json.dumps({"reader": name, **each}), file=sys.stderr, flush=True)
            rows.append((name, counts["mutants"], counts["read"], counts["refused"], *(counts[kind] for kind in KINDS)))
            print(rows[-1], file=sys.stderr, flush=True)
    _bench.table(("reader", "files", "read", "refused by an error of ours", *KINDS), rows)


if __name__ == "__main__":
    main()
