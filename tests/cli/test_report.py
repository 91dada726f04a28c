"""`lossworks report`: pages anew, and what `--serve` refuses."""

from __future__ import annotations

import socket
from pathlib import Path

import pytest

from .conftest import REVIEWS, SMALL, Command


def test_pages_anew(command: Command, fitted: Path) -> None:
    """The page is written anew from the record, and its place said."""
    page = fitted / "report.html"
    page.unlink()
    assert command("report", fitted).out == f"{page}\n"
    assert command("report", fitted, "--json").json == {"reports": [str(page)]}
    assert page.exists()


@pytest.mark.parametrize(
    ("flags", "said"),
    [
        (["--serve", "fitted", "fitted"], "--serve shows one run; got 2"),
        (["--port", "8000", "fitted"], "--port is for --serve"),
        (["--serve", "nowhere"], "no run directory at nowhere"),
        (["--serve", "--port", "70000", "fitted"], "less than or equal to 65535"),
    ],
)
def test_refused(command: Command, fitted: Path, flags: list[str], said: str) -> None:
    """Each wrong call ends with code 2 and says what is wrong."""
    ended = command("report", *flags)
    assert (ended.code, said in ended.err) == (2, True), ended.err


def test_port_in_use(command: Command, fitted: Path) -> None:
    """A port that somebody has is named, with the remedy."""
    with socket.create_server(("127.0.0.1", 0)) as taken:
        port = taken.getsockname()[1]
        ended = command("report", "--serve", fitted, "--port", port)
    assert (ended.code, f"port {port} is in use. Choose another --port" in ended.err) == (2, True)


def test_against(command: Command, fitted: Path) -> None:
    """A run before is named by --against: verdict, figures and changed settings are printed, or given as JSON."""
    assert command("fit", REVIEWS, *SMALL, "--loss", "focal", "--out", "again", "-q").code == 0
    ended = command("report", "again", "--against", fitted)
    assert ended.code == 0, ended.err
    assert all(said in ended.out for said in (f" {fitted}", "cross_entropy", "focal", "again/report.html", "95 % interval"))
    found = command("report", "again", "--against", fitted, "--json").json
    assert (found["reports"], found["against"][0]["settings"]) == (["again/report.html"], [["loss", "cross_entropy", "focal"]])
    assert "--serve watches one" in command("report", "--serve", "again", "--against", fitted).err
