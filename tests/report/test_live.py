"""A run watched as it goes: what its directory tells, what is served, and to whom."""

from __future__ import annotations

import json
import os
import signal
import socket
import subprocess
import sys
import threading
import time
import tracemalloc
import urllib.error
import urllib.request
from collections.abc import Callable, Iterator
from contextlib import ExitStack, contextmanager
from pathlib import Path
from typing import Any

import pytest

from lossworks import report
from lossworks.core.errors import RecordError, UsageError
from lossworks.record import Run
from lossworks.report import serving
from lossworks.report.live import Live
from lossworks.report.serving import Server

from .browsing import DRAWN, INVALID, illegible, look, requests, said
from .records import classify_run, summary
from .test_comparison import arm, comparison

ROOT = Path(__file__).parents[2]
REVIEWS = ROOT / "src/lossworks/data/reviews.csv"
Json = dict[str, Any]


@contextmanager
def served(run: Path) -> Iterator[Server]:
    """The run's server, at work."""
    with Server(run) as server:
        thread = threading.Thread(target=server.serve_forever, args=(0.01,), daemon=True)
        thread.start()
        try:
            yield server
        finally:
            server.shutdown()
            thread.join()


def got(address: str, **headers: str) -> tuple[int, bytes]:
    """Status and body of an answer."""
    try:
        with urllib.request.urlopen(urllib.request.Request(address, headers=headers), timeout=10) as answer:
            return answer.status, answer.read()
    except urllib.error.HTTPError as error:
        with error:
            return error.code, error.read()


def begun(path: Path, status: str = "running", **more: Any) -> Run:
    """A fit that has begun."""
    run = Run.create(path / "run")
    record = summary("classify", ["no", "yes"], **more)
    record |= {"given": {"seed": 0}}
    run.write_summary(record | {"status": status, "config": record["config"] | {"epochs": 8, "batch_size": 10}})
    return run


def steps(run: Run, first: int, last: int) -> None:
    """Notes on some steps, twenty an epoch."""
    for step in range(first, last):
        run.note("train", step=step, epoch=step / 20, loss=1 / step, examples_per_second=1e4, lr=0.1, gradient_norm=0.5)


def waited(condition: Callable[[], Any], seconds: float = 60) -> Any:
    """What the condition says as soon as it says anything."""
    end = time.monotonic() + seconds
    while not (value := condition()):
        assert time.monotonic() < end, "nothing came in time"
        time.sleep(0.05)
    return value


def test_follows_the_log(tmp_path: Path) -> None:
    """New lines are in the next state, one that is half written is not, nothing new is no state; a resumed run replaces."""
    run = begun(tmp_path)
    live = Live(run.path)
    first = live.state()
    assert first is not None
    assert (first["figures"], live.state(first["seen"])) == ({}, None)
    steps(run, 1, 41)
    with (run.path / "log.jsonl").open("a") as log:
        log.write('{"event": "train", "step": 41')
    second = live.state(first["seen"])
    assert second is not None
    assert (second["done"], second["of"], second["numbers"][0]) == (2.0, 8, ["epoch", "2 of 8"])
    assert len(second["figures"]["gradient"]["data"][0]["x"]) == 40
    assert {chart["id"] for chart in second["charts"]} == set(second["figures"])
    run.close()
    resumed = Run(run.path)
    resumed.note("resume", step=20)
    steps(resumed, 21, 31)
    resumed.close()
    third = live.state(second["seen"])
    assert third is not None
    assert third["figures"]["gradient"]["data"][0]["x"] == [step / 20 for step in range(1, 31)]


def test_status(tmp_path: Path) -> None:
    """At work while a process holds the run, gone when none does; interrupted, diverged, finished as the record says."""
    run = begun(tmp_path)
    live = Live(run.path)

    def status() -> tuple[str, str]:
        state = live.state()
        assert state is not None
        return state["status"], state["sentence"]

    with run.held():
        assert status()[0] == "running"
        with pytest.raises(RecordError, match="another process is writing"), Run(run.path).held():
            pass
    assert status()[0] == "gone"
    assert "--resume" in status()[1]
    for word, error in (("interrupted", "stopped after step 7."), ("diverged", "not finite at step 9"), ("failed", "no room")):
        run.write_summary(
            {key: value for key, value in run.summary.items() if key != "format"} | {"status": word, "error": error}
        )
        assert status() == (word, error)


def test_every_fit_can_be_resumed(tmp_path: Path) -> None:
    """A killed n-gram fit, which has no batches, is resumed like any other; an import is not, and is to be repeated."""
    run = begun(tmp_path)
    for given, remedy in (({"seed": 0}, "--resume"), ({}, "Repeat the command")):
        record = {key: value for key, value in run.summary.items() if key != "format"}
        run.write_summary(record | {"task": "lm", "config": {"model": "ngram:order=3"}, "given": given})
        state = Live(run.path).state()
        assert state is not None
        assert (state["status"], remedy in state["sentence"]) == ("gone", True)


def test_finished_is_served_as_it_is(tmp_path: Path) -> None:
    """A finished run's address is its report, byte for byte; a running one's is the page that watches."""
    path = classify_run(tmp_path)
    page = report.write(path).read_bytes()
    with served(path) as server:
        assert got(server.address) == (200, page)
        assert got(server.address + "report.html") == (200, page)
        assert json.loads(got(server.address + "state.json")[1])["report"]
        assert got(server.address + "run.json")[0] == 404
        assert got(server.address + "../run.json")[0] == 404
    run = begun(tmp_path)
    with served(run.path) as server:
        assert b"Lossworks, live" in got(server.address)[1]
        assert got(server.address + "report.html")[0] == 404
        state = json.loads(got(server.address + "state.json")[1])
        assert got(server.address + f"state.json?seen={state['seen']}") == (204, b"")


@pytest.mark.parametrize(
    "host",
    ["evil.example", "evil.example:80", "127.0.0.1.evil.example", "[::2]:80", "localhost.evil", "", "[::1].evil", "[::1]x:80"],
)
def test_other_names_are_refused(tmp_path: Path, host: str) -> None:
    """A page that has its own name lead here gets nothing of the run, whatever it asks for."""
    run = begun(tmp_path)
    with served(run.path) as server:
        for place in ("", "state.json", "report.html"):
            status, body = got(server.address + place, Host=host)
            assert (status, body) == (403, b"This page is for this machine only.\n")
        assert got(server.address, Origin="http://evil.example")[0] == 403


@pytest.mark.parametrize("host", ["127.0.0.1", "localhost:9000", "LOCALHOST", "[::1]:8080"])
def test_this_machine_is_served(tmp_path: Path, host: str) -> None:
    """This machine's names are served with any port, as of a tunnel; and the socket listens on the loopback interface alone."""
    run = begun(tmp_path)
    with served(run.path) as server:
        assert got(server.address + "state.json", Host=host)[0] == 200
        assert server.socket.getsockname()[0] == "127.0.0.1"


def test_no_address(tmp_path: Path, capfd: pytest.CaptureFixture[str]) -> None:
    """What is no address is a bad request, and no traceback."""
    with served(begun(tmp_path).path) as server, socket.create_connection(server.server_address) as client:
        client.sendall(b"GET http://[x/ HTTP/1.0\r\nHost: localhost\r\n\r\n")
        assert client.makefile("rb").readline() == b"HTTP/1.0 400 Bad Request\r\n"
    assert capfd.readouterr().err == ""


@pytest.mark.parametrize(
    "path",
    [
        "/../run.json",
        "/%2e%2e/run.json",
        "/..%2frun.json",
        "//run.json",
        "/run.json",
        "/log.jsonl",
        "/\\run.json",
        "/report.html/",
    ],
)
def test_no_other_file(tmp_path: Path, path: str, capfd: pytest.CaptureFixture[str]) -> None:
    """No path leads to another file, of the run or beside it, and no method but GET is known."""
    run = begun(tmp_path)
    (tmp_path / "run.json").write_text("secret")
    with served(run.path) as server:
        for method, status in (("GET", b"404"), ("POST", b"501"), ("DELETE", b"501")):
            with socket.create_connection(server.server_address) as client:
                client.sendall(f"{method} {path} HTTP/1.0\r\nHost: localhost\r\n\r\n".encode())
                answer = client.makefile("rb").read()
            assert answer.split()[1] == status
            assert not any(part in answer for part in (b"secret", b"format"))
    assert (run.path / "run.json").exists()
    assert capfd.readouterr().err == ""


def test_clients_that_never_end(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """So many connections and no more, each for so long and no longer: then there is room again."""
    monkeypatch.setattr(serving, "_AT_ONCE", 3)
    monkeypatch.setattr(serving, "_LONGEST", 0.5)
    monkeypatch.setattr(serving._Handler, "timeout", None)
    with served(begun(tmp_path).path) as server, ExitStack() as stack:
        clients = [stack.enter_context(socket.create_connection(server.server_address, 20)) for _ in range(4)]
        for client in clients[:3]:
            client.sendall(b"GET")
        ended = clients[3].recv(1) == b""  # at once, while the others are still served
        assert (ended, waited(lambda: [client.recv(9) for client in clients[:3]])) == (True, [b""] * 3)

        def answered() -> int | None:
            try:
                return got(server.address)[0]
            except ConnectionError:  # a place is free some time after its client was hung up on
                return None

        assert waited(answered) == 200


def test_client_that_never_reads(tmp_path: Path) -> None:
    """A report that nobody takes is not held in memory."""
    run = begun(tmp_path, "finished")
    (run.path / "report.html").write_bytes(b"x" * (1 << 24))
    with served(run.path) as server, socket.create_connection(server.server_address, 30) as client:
        tracemalloc.start()
        client.sendall(b"GET /report.html HTTP/1.0\r\nHost: localhost\r\n\r\n")
        taken = b""
        while b"xxx" not in taken:  # until it is being sent
            taken += client.recv(4096)
        assert tracemalloc.get_traced_memory()[1] < 1 << 22
        tracemalloc.stop()


def test_comparison(tmp_path: Path) -> None:
    """Trainings done of how many, the best trial and the scores so far, an arm a row."""
    path = comparison(tmp_path, [arm("a", "baseline", 0), arm("b <i>", "worse", 1)], result=None, status="running")
    run, live = Run(path), Live(path)
    with run.held():
        for number, (name, score) in enumerate([("a", 0.5), ("b <i>", None), ("a", 0.4)]):
            run.note(
                "training", stage="tune", arm=name, number=number, seed=0, lr=0.1 * 3**number, score=score, seconds=2.0, note=""
            )
        run.note("training", stage="run", arm="a", number=0, seed=1, lr=0.9, score=0.45, seconds=2.0, note="")
        run.close()
        state = live.state()
    assert state is not None
    assert (state["done"], state["of"], state["headline"]) == (4, 6, "Comparing")
    assert state["numbers"] == [["runs finished", "4 of 6"], ["estimated time left", "4.0\u202fs"], ["diverged", "1"]]
    assert state["table"]["rows"] == [
        ["a", "2 of 4", "0.4 at 0.9", "1 of 2", "0.45", "–"],
        ["b <i>", "1 of 4", "–", "0 of 2", "–", "–"],
    ]
    assert set(state["figures"]) == {"scores", "rates"}
    assert "<i>" not in json.dumps(state["figures"])


def test_damaged(tmp_path: Path) -> None:
    """A damaged log is said on the page, again and again; what is no run is refused before anything is served."""
    run = begun(tmp_path)
    (run.path / "log.jsonl").write_text('{"event": "start", "step": 0}\nno JSON\n{"event": "train"}\n')
    live = Live(run.path)
    for _ in range(2):
        state = live.state("x")
        assert state is not None
        assert (state["status"], "line 2 is damaged" in state["sentence"]) == ("unreadable", True)
    with pytest.raises(RecordError, match="no run directory"):
        Server(tmp_path / "nowhere")


def test_port_in_use(tmp_path: Path) -> None:
    """A port that somebody has is named, with the remedy."""
    run = begun(tmp_path)
    with socket.create_server(("127.0.0.1", 0)) as taken, pytest.raises(UsageError, match=r"is in use. Choose another --port"):
        Server(run.path, taken.getsockname()[1])


def command(*arguments: object) -> subprocess.Popen[str]:
    """The command in a process of its own."""
    environment = os.environ | {"PYTHONPATH": str(ROOT / "src")}
    whole = [sys.executable, "-m", "lossworks", *map(str, arguments)]
    return subprocess.Popen(whole, env=environment, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True)


def test_a_real_fit(tmp_path: Path) -> None:
    """A fit is watched by the command at work, and seen to be gone when killed; Ctrl-C ends the watching with code 0."""
    fit = command(
        "fit", REVIEWS, "--model", "linear:bits=10", "--epochs", 100000, "--patience", 100000, "--out", tmp_path / "run", "-q"
    )
    server = None
    try:
        waited(lambda: (tmp_path / "run/log.jsonl").exists() and Run(tmp_path / "run").events())
        server = command("report", "--serve", tmp_path / "run", "--json")
        assert server.stdout is not None
        address = json.loads(server.stdout.readline())["address"]

        def state() -> Json:
            told: Json = json.loads(got(address + "state.json")[1])
            return told

        one = state()
        assert one["status"] == "running"
        waited(lambda: state()["done"] > one["done"])
        fit.kill()
        fit.wait()
        assert state()["status"] == "gone"
        server.send_signal(signal.SIGINT)
        assert (server.wait(20), server.stderr and server.stderr.read()) == (0, "")
    finally:
        for process in (fit, server):
            if process is not None:
                process.kill()
                process.communicate()


@pytest.mark.parametrize(("theme", "width"), [("light", 1100), ("dark", 375)])
def test_in_a_browser(browser: Any, tmp_path: Path, theme: str, width: int) -> None:
    """The page draws, draws anew as the log grows, says when the run has ended and when nobody answers; nothing is complained
    of, nothing fetched from elsewhere, nothing too wide.
    """
    run = begun(tmp_path)
    shown = "return document.getElementById(arguments[0]).textContent"
    points = "return document.getElementById('chart-gradient').data[0].x.length"
    said(browser), requests(browser)
    with run.held():
        steps(run, 1, 21)
        with served(run.path) as server:
            look(browser, server.address, theme=theme, width=width)
            waited(lambda: dict(browser.execute_script(DRAWN)).keys() >= {"loss", "gradient"})
            assert browser.execute_script(points) == 20
            assert browser.execute_script(shown, "headline") == "Training"
            steps(run, 21, 41)
            run.close()
            waited(lambda: browser.execute_script(points) == 40)
            assert "epoch2 of 8" in browser.execute_script(shown, "numbers")
            assert browser.execute_script(INVALID) == []
            assert browser.execute_script("return document.documentElement.scrollWidth") <= width
            assert said(browser) == []
            assert illegible(browser) == []
            assert [url for url in requests(browser) if not url.startswith((server.address, "data:", "blob:"))] == []
            run.write_summary({key: value for key, value in run.summary.items() if key != "format"} | {"status": "finished"})
            waited(lambda: browser.execute_script(shown, "headline") == "Finished")
    waited(lambda: browser.execute_script(shown, "headline") == "Not connected")
