"""The installed command in processes of its own: the main job, without a terminal and in one."""

from __future__ import annotations

import os
import pty
import re
import subprocess
import sys
from pathlib import Path

from lossworks.record import Run
from lossworks.report import words

from .conftest import REVIEWS, SMALL

CALL = [sys.executable, "-m", "lossworks"]


def _run(*arguments: object, **more: object) -> subprocess.CompletedProcess[str]:
    env = {name: value for name, value in os.environ.items() if name != "COLUMNS"}  # which pytest-xdist sets; a pipe has no width
    return subprocess.run([*CALL, *map(str, arguments)], capture_output=True, text=True, check=False, env=env, **more)  # type: ignore[call-overload, no-any-return]


def test_main_job(tmp_path: Path) -> None:
    """Fit, predict from a pipe, report: plain lines on stderr, results on stdout, what to do next at the end."""
    fit = _run("fit", REVIEWS, "--epochs", "2", "--out", "run", cwd=tmp_path)
    assert fit.returncode == 0, fit.stderr
    assert "656 rows (524 train, 66 valid, 66 test)" in fit.stderr
    assert "\x1b" not in fit.stderr + fit.stdout
    assert "majority class 'negative'  before scaling" in fit.stdout
    found = words.verdict(Run(tmp_path / "run").summary)
    assert f"\n{found.headline}. {found.sentence}\n".replace(words.THIN, " ") in fit.stdout
    assert 'Next:  open run/report.html\n       lossworks predict run "some text"' in fit.stdout
    assert "Then refitted on all 590 training and validation rows, for as many epochs as were best." in fit.stdout
    assert "590 training and validation rows" in (tmp_path / "run/report.html").read_text("utf-8")
    predict = _run("predict", "run", cwd=tmp_path, input="I love it, wonderful!\n非常失望，退货了。\n")
    assert [line.split("\t")[0] for line in predict.stdout.splitlines()] == ["predicted", "positive", "negative"]
    assert (tmp_path / "run/report.html").stat().st_size > 100_000


def test_terminal(tmp_path: Path) -> None:
    """In a terminal there is one progress bar, with loss, metric, speed and time."""
    master, terminal = pty.openpty()
    call = [*CALL, "fit", str(REVIEWS), *SMALL, "--epochs", "300", "--patience", "300", "--out", str(tmp_path / "run")]
    env = os.environ | {"COLUMNS": "150", "TERM": "xterm-256color"}
    child = subprocess.Popen(call, stdout=subprocess.DEVNULL, stderr=terminal, env=env)
    os.close(terminal)
    shown = b""
    while True:
        try:
            piece = os.read(master, 65536)
        except OSError:  # the other end is closed
            break
        if not piece:
            break
        shown += piece
    os.close(master)
    assert child.wait() == 0
    screen = re.sub(r"\x1b\[[0-9;?]*[A-Za-z]", "", shown.decode())
    assert re.search(
        r"training .*━.*loss [\d.]+  nll [\d.]+  accuracy [\d.]+  [\d,]+ examples/s .*0:00:0\d about \d+ s left", screen
    )
    assert "training 1" not in screen  # the plain lines are for other places
