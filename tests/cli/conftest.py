"""The command, called within the test's own process, and small labelled texts to call it on."""

from __future__ import annotations

import io
import json
import multiprocessing
import pickle
import signal
import sys
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import pytest
import torch

from lossworks.cli.app import main
from lossworks.evidence import runs

REVIEWS = Path(__file__).parents[2] / "src/lossworks/data/reviews.csv"
TOPICS = Path(__file__).parents[1] / "data/topics.jsonl"
STARS = Path(__file__).parents[1] / "data/stars.csv"
SMALL = ["--model", "linear:bits=12,chars=3", "--epochs", "2"]
"""Flags of a fit that takes no time."""

Rows = list[tuple[str, str]]


@dataclass(frozen=True)
class Ended:
    """How a call of the command ended."""

    code: int
    out: str
    err: str

    @property
    def json(self) -> dict[str, Any]:
        """The one JSON object that stdout must be, and nothing beside it."""
        value = json.loads(self.out)
        assert isinstance(value, dict)
        assert self.out.count("\n") == 1
        return value


Command = Callable[..., Ended]


@pytest.fixture(autouse=True, scope="session")
def one_thread() -> Iterator[None]:
    """PyTorch's threads are no help with numbers this small."""
    before = torch.get_num_threads()
    torch.set_num_threads(1)
    yield
    torch.set_num_threads(before)


class _Stdin:
    def __init__(self, data: bytes) -> None:
        self.buffer = io.BufferedReader(io.BytesIO(data))  # type: ignore[type-var]
        self.close = self.buffer.close


@pytest.fixture
def command(monkeypatch: pytest.MonkeyPatch, capfd: pytest.CaptureFixture[str], tmp_path: Path) -> Command:
    """``command("fit", …, stdin=b"")``: the command's exit code and outputs; the working folder is the test's own."""
    monkeypatch.chdir(tmp_path)
    monkeypatch.delenv("COLUMNS", raising=False)  # which pytest-xdist sets; what is piped has no width
    handlers = {number: signal.getsignal(number) for number in (signal.SIGINT, signal.SIGTERM)}

    def call(*arguments: object, stdin: bytes = b"") -> Ended:
        monkeypatch.setattr(sys, "argv", ["lossworks", *map(str, arguments)])
        monkeypatch.setattr(sys, "stdin", _Stdin(stdin))
        capfd.readouterr()
        code = 0
        try:
            main()
        except SystemExit as end:
            code = end.code if isinstance(end.code, int) else int(end.code is not None)
        finally:
            for number, handler in handlers.items():
                signal.signal(number, handler)
        sys.stdout.flush()
        return Ended(code, *capfd.readouterr())

    return call


@pytest.fixture
def fitted(command: Command, tmp_path: Path) -> Path:
    """The directory of a small finished run."""
    assert command("fit", REVIEWS, "--out", tmp_path / "fitted", *SMALL, "--quiet").code == 0
    return tmp_path / "fitted"


@pytest.fixture
def workers_here(monkeypatch: pytest.MonkeyPatch) -> Callable[..., None]:
    """``workers_here(first)``: a comparison's workers are no processes, but calls in turn, ``first`` before each. What each is
    given has been sent to it all the same.
    """

    def install(first: Callable[[], object] = lambda: None) -> None:
        class Process:
            exitcode = 0

            def __init__(self, target: Callable[..., None], args: tuple[Any, ...]) -> None:
                design, pipe, *more = args
                sent = pickle.dumps(design)
                self.start = lambda: (first(), target(pickle.loads(sent), pipe, *more), pipe.close())
                self.join = lambda: None

        context = SimpleNamespace(Pipe=multiprocessing.Pipe, Process=Process)
        monkeypatch.setenv("LOSSWORKS_THREADS", "1")
        monkeypatch.setattr(runs, "_listen", lambda pipe, stop: None)
        monkeypatch.setattr(runs, "multiprocessing", SimpleNamespace(get_context=lambda kind: context))

    return install


def reviews(count: int = 60) -> Rows:
    """Rows of two classes that a bag of words tells apart, no text twice."""
    good, bad = ["lovely", "great", "fine", "superb"], "awful broken poor dreadful"
    words = (good, bad.split())
    return [(f"a {words[i % 2][i // 2 % 4]} thing, number {i}", ("good", "bad")[i % 2]) for i in range(count)]


def csv_of(rows: Rows, header: str = "text,label") -> str:
    """CSV with every text quoted."""
    return header + "\n" + "".join(f'"{text}",{label}\n' for text, label in rows)
