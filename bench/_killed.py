"""Commands that are killed at random moments and gone on with, and whether they end in the bits of a run that nobody disturbed.

Each is a process of its own, forked from one that has imported what it needs, so that a moment in it is a moment of its work.
Polars is never used in that one: its threads would be missing in a forked process, which may then wait for them.
"""

from __future__ import annotations

import hashlib
import json
import os
import random
import shutil
import signal
import sys
import time
from collections import Counter
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from lossworks.cli import main

OFTEN = "--checkpoint-every 0 --quiet"
JOBS = {
    "linear": f"fit rows.csv --model linear:bits=10 --epochs 5 {OFTEN}",
    "bag": f"fit rows.csv --model bag:dim=4 --epochs 5 {OFTEN}",
    "encoder": f"fit rows.csv --model transformer:layers=1,heads=1,dim=8,context=16 --epochs 2 {OFTEN}",
    "naive_bayes": f"fit rows.csv --model naive_bayes {OFTEN}",
    "rnn": f"fit text.txt --task lm --model rnn:layers=1,dim=8 --tokenizer chars --steps 12 --batch-tokens 400 {OFTEN}",
    "transformer": "fit text.txt --task lm --model transformer:layers=1,heads=1,dim=8,context=16 --tokenizer bpe:size=270 "
    f"--steps 12 --batch-tokens 200 {OFTEN}",
    "hmm": f"fit text.txt --task lm --model hmm:states=3,iterations=5 {OFTEN}",
    "ngram": f"fit text.txt --task lm --model ngram:order=3 {OFTEN}",
    "graph": f"fit facts.tsv --task graph --model complex:dim=8 --epochs 4 {OFTEN}",
    "folds": f"fit rows.csv --model linear:bits=10 --epochs 3 --folds 3 {OFTEN}",
    "compare": "compare rows.csv --loss cross_entropy --loss mse --model linear:bits=10 --epochs 2 --seeds 2 --trials 2 --quiet",
    "prepare": "data prepare text.txt --near 0.8 --tokenizer bpe:size=270 --test 0.1 --quiet",
}
"""What is run; where it is killed, the same command goes on."""
EVENTS = {"open", "os.mkdir", "os.rename", "os.remove", "os.rmdir", "os.truncate"}
UNEQUAL = ("second", "created", "command", "machine", "bytes_free", "memory", "versions", "log", "curve")
"""Parts of keys whose values are of the clock or the machine, not of the work."""
FINISHED = "is finished; there is nothing to resume"
_PATIENCE = 600  # seconds for a command that was not killed; the first of its kind compiles


def write_data(folder: Path) -> None:
    """Small files of labels, text and facts."""
    words = (("lovely", "good"), ("awful", "bad"))
    rows = [f'"a {words[i % 2][0]} thing, number {i % 17} of {i % 5}",{words[i % 2][1]}' for i in range(120)]
    (folder / "rows.csv").write_text("\n".join(["text,label", *rows]) + "\n")
    (folder / "text.txt").write_text("".join(f"a {words[i % 2][0]} thing, {i % 17} of {i % 5}, and {i}\n" for i in range(200)))
    (folder / "facts.tsv").write_text("".join(f"e{i % 9}\tr{i % 3}\te{(i * i + i % 3) % 9}\n" for i in range(60)))


@dataclass(frozen=True)
class Ended:
    """How a process ended: its exit code, negative for a signal, after ``seconds`` and so many file events; what it said."""

    code: int
    seconds: float
    events: int
    said: str


def _kill() -> None:
    os.kill(os.getpid(), signal.SIGKILL)


def call(line: str, folder: Path, *, after: float | None = None, at: int = 0, strike: Callable[[], None] = _kill) -> Ended:
    """Run a command in ``folder``, and kill it ``after`` seconds, or ``strike`` it at file event number ``at`` in its output."""
    said, seen = folder / "said", folder / "seen"
    began = time.perf_counter()
    child = os.fork()
    if not child:
        _child(line, folder, said, seen, at, strike)
    if after is not None:
        while time.perf_counter() < began + after and not _over(child):
            time.sleep(0.001)
        os.kill(child, signal.SIGKILL)
    while not _over(child):
        if time.perf_counter() > began + _PATIENCE:
            os.kill(child, signal.SIGKILL)
        time.sleep(0.002)
    code = os.waitstatus_to_exitcode(os.waitpid(child, 0)[1])
    return Ended(code, time.perf_counter() - began, int(seen.read_text() or 0) if seen.exists() else 0, said.read_text("utf-8"))


def _over(child: int) -> bool:
    return os.waitid(os.P_PID, child, os.WEXITED | os.WNOHANG | os.WNOWAIT) is not None


def _child(line: str, folder: Path, said: Path, seen: Path, at: int, strike: Callable[[], None]) -> None:
    """The process that runs the command; it never returns."""
    count, code = 0, 1

    def look(event: str, arguments: tuple[Any, ...]) -> None:
        nonlocal count
        if event in EVENTS and str(arguments[0]).startswith(("out", "disk/")):
            count += 1
            if count == at:
                strike()

    try:
        os.chdir(folder)
        file = os.open(said, os.O_WRONLY | os.O_CREAT | os.O_TRUNC)
        os.dup2(file, 1)
        os.dup2(file, 2)
        sys.argv = ["lossworks", *line.split()]
        sys.addaudithook(look)
        main()
        code = 0
    except SystemExit as ended:
        code = ended.code if isinstance(ended.code, int) else int(ended.code is not None)
    except BaseException:  # noqa: BLE001  # it is what is looked for
        import traceback

        traceback.print_exc()
    finally:
        sys.stdout.flush()
        sys.stderr.flush()
        seen.write_text(str(count))
        os._exit(code)


def bits(out: Path) -> dict[str, str]:
    """The files of a run, each by a digest of what the clock and the machine have no part in; a run that was killed once it was
    finished may still have a checkpoint. What a comparison found stands in its ``run.json``, of which its table is made.
    """
    found = {}
    for path in sorted(path for path in out.rglob("*") if path.is_file() and path.parent.name != "checkpoints"):
        name = path.relative_to(out).as_posix()
        if path.suffix == ".json":
            found[name] = json.dumps(_timeless(json.loads(path.read_text("utf-8"))), sort_keys=True)
        elif path.suffix not in (".jsonl", ".html", ".db") and path.name != "results.parquet" and path.parent.name != "locks":
            found[name] = hashlib.sha256(path.read_bytes()).hexdigest()
    return found


def _timeless(value: Any) -> Any:
    if isinstance(value, dict):
        return {key: _timeless(item) for key, item in value.items() if not any(part in key for part in UNEQUAL)}
    return [_timeless(item) for item in value] if isinstance(value, list) else value


def _line(job: str, resume: bool) -> str:
    return f"{JOBS[job]} --out out{' --resume' * (resume and job != 'prepare')}"  # which always goes on


def killed(job: str, kills: int, draw: random.Random, scratch: Path, tell: Callable[[str], None] = print) -> Counter[str]:
    """Kill a job so many times: ``kills``, ``runs`` that were brought to their ends, of these ``lost`` (the command could not go
    on) and ``mixed`` (it ended in other bits). A run that was finished when its process was killed is refused, and compared.
    """
    folder = scratch / job.replace(" ", "-")
    wanted, seconds, events = undisturbed(job, folder)
    found = Counter[str](kills=0, runs=0, lost=0, mixed=0)
    while found["kills"] < kills:
        shutil.rmtree(folder / "out", ignore_errors=True)
        for _ in range(draw.randint(1, 3)):
            moment: dict[str, Any] = (
                {"after": draw.uniform(0, seconds)} if draw.random() < 0.5 else {"at": draw.randint(1, events)}
            )
            ended = call(_line(job, (folder / "out").exists()), folder, **moment)
            found["kills"] += ended.code == -signal.SIGKILL
            if ended.code != -signal.SIGKILL:  # it was quicker, or it failed
                break
        last = call(_line(job, resume=True), folder) if ended.code == -signal.SIGKILL else ended
        found["runs"] += 1
        if last.code and FINISHED not in last.said:
            found["lost"] += 1
            tell(f"{job}: {last.said[-1500:]}")
        elif (now := bits(folder / "out")) != wanted:
            found["mixed"] += 1
            tell(f"{job}: {[name for name in wanted.keys() | now.keys() if wanted.get(name) != now.get(name)]}")
    return found


def undisturbed(job: str, folder: Path) -> tuple[dict[str, str], float, int]:
    """The bits of a job that nobody disturbs, made twice and found equal; the seconds and file events that it takes.

    Raises:
        ChildProcessError: it fails, or its own bits differ.
    """
    folder.mkdir()
    write_data(folder)
    made = []
    for _ in range(3):  # the first may have to compile
        shutil.rmtree(folder / "out", ignore_errors=True)
        ended = call(_line(job, resume=False), folder)
        if ended.code:
            raise ChildProcessError(f"{job}: {ended.said}")
        made.append(bits(folder / "out"))
    if made[0] != made[1] or made[1] != made[2]:
        raise ChildProcessError(f"{job}: {[name for name in made[0] if made[0][name] != made[1].get(name)]}")
    return made[0], ended.seconds, ended.events
