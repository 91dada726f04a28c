"""`lossworks serve`: what is refused before anything is served. What it serves: tests/serving."""

from __future__ import annotations

import socket
import sys
from pathlib import Path

import pytest

from lossworks.serving import Server

from .conftest import Command


@pytest.mark.parametrize(
    ("flags", "said"),
    [
        (["nowhere", "--port", "0"], "no run directory at nowhere"),
        (["fitted", "begun", "--port", "0"], "begun is running, and only finished runs are served"),
        (["fitted", "fitted", "--port", "0"], "two runs are called fitted: fitted and fitted"),
        (["fitted", "--queue", "0"], "limit of queue is 0; wanted a whole number, 1 or more"),
        (["fitted", "--timeout", "0"], "timeout is 0.0; wanted a finite number above 0"),
        (["fitted", "--host", "0.0.0.0", "--port", "0"], "--host 0.0.0.0 is open to others, and nothing keeps them out"),
        (["fitted", "--host", "no.such.invalid", "--port", "0"], "--host no.such.invalid is no address"),
        (["fitted", "--token-file", "nowhere"], "nowhere cannot be read"),
        (["fitted", "--token-file", "empty"], "empty is empty; wanted a token"),
    ],
)
def test_refused(command: Command, fitted: Path, flags: list[str], said: str) -> None:
    """Each wrong call ends with code 2 and says what is wrong, a run that cannot be loaded too."""
    Path("empty").touch()
    Path("begun").mkdir()
    Path("begun/run.json").write_text('{"format": 1, "status": "running"}')
    ended = command("serve", *flags)
    assert (ended.code, said in ended.err, ended.out) == (2, True, ""), ended.err


def test_port_in_use(command: Command, fitted: Path) -> None:
    """A port that somebody has is named, with the remedy."""
    with socket.create_server(("127.0.0.1", 0)) as taken:
        port = taken.getsockname()[1]
        ended = command("serve", fitted, "--port", port)
    assert (ended.code, f"port {port} is in use. Choose another --port, or say --port 0" in ended.err) == (2, True)


def test_not_installed(command: Command, fitted: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """What is missing is named, with how to install it."""
    for name in [name for name in sys.modules if name.startswith("lossworks.serving")]:
        monkeypatch.delitem(sys.modules, name)
    monkeypatch.setitem(sys.modules, "uvicorn", None)
    ended = command("serve", fitted)
    assert (ended.code, "serve needs uvicorn. Install it: pip install 'lossworks[serve]'." in ended.err) == (2, True)


def test_says_where(command: Command, fitted: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """The address is said, to programs as JSON; a token of the environment is asked for."""
    monkeypatch.setenv("LOSSWORKS_TOKEN", "sesame\n")
    monkeypatch.setattr(Server, "_stop", lambda self: None)
    monkeypatch.setattr(Server, "on_tick", _one_tick)
    told = command("serve", fitted, "--port", "0", "--json").json
    assert told["runs"] == ["fitted"]
    assert told["address"].startswith("http://127.0.0.1:")


async def _one_tick(self: Server, counter: int) -> bool:
    return self.runs.ready
