"""Completion in a new zsh, at a terminal."""

from __future__ import annotations

import fcntl
import os
import pty
import select
import shutil
import subprocess
import sys
import termios
from pathlib import Path

import pytest

from .conftest import Command


@pytest.mark.skipif(shutil.which("zsh") is None, reason="there is no zsh")
def test_the_first_tab_completes(tmp_path: Path, monkeypatch: pytest.MonkeyPatch, command: Command) -> None:
    """Where zsh finds the script in its path of functions and loads it at the first Tab, that Tab completes already."""
    monkeypatch.setenv("HOME", str(tmp_path))
    monkeypatch.setattr("shellingham.detect_shell", lambda *of: ("zsh", "zsh"))
    assert command("--install-completion").code == 0
    home = tmp_path / "bin"
    home.mkdir()
    (home / "lossworks").write_text(f'#!/bin/sh\nexec {sys.executable} -m lossworks "$@"\n')
    (home / "lossworks").chmod(0o755)
    terminal, theirs = pty.openpty()
    places = {"HOME": str(tmp_path), "PATH": f"{home}:{os.environ['PATH']}", "TERM": "dumb", "PS1": "ready> "}
    shell = subprocess.Popen(
        ["zsh", "-i"], stdin=theirs, stdout=theirs, stderr=theirs, env={**os.environ, **places}, start_new_session=True,
        preexec_fn=lambda: fcntl.ioctl(0, termios.TIOCSCTTY, 0),  # it hangs up, and so ends, where this process is killed
    )  # fmt: skip
    try:
        read_until(terminal, "ready> ")
        os.write(terminal, b"lossworks expla\t")
        read_until(terminal, "in ")
    finally:
        os.write(terminal, b"\x03\nexit\n")  # so that what it has started ends too; killed, it would leave that behind
        os.close(terminal)
        shell.kill()
        shell.wait()
        os.close(theirs)


def read_until(terminal: int, wanted: str) -> None:
    """Until the terminal has shown something."""
    shown, looks = "", iter(range(600))  # a minute or two, however busy the machine is
    while wanted not in shown:
        assert next(looks, None) is not None, f"shown: {shown!r}"
        if select.select([terminal], [], [], 0.2)[0]:
            shown += os.read(terminal, 4096).decode(errors="replace")
