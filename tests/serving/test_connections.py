"""Who may connect, and for how long: hosts, origins, tokens, slow clients, floods, and ends."""

from __future__ import annotations

import json
import os
import signal
import socket
import subprocess
import sys
import time
from contextlib import ExitStack
from pathlib import Path
from typing import Any

import pytest

from lossworks.core.errors import UsageError
from lossworks.serving import Limits, Runs, Server

from .conftest import Asker, served, until

HEAD = b"POST /runs/labels/predict HTTP/1.1\r\nHost: localhost\r\nContent-Type: application/json\r\n"
WHOLE = HEAD + b'Content-Length: 18\r\n\r\n{"texts":["good"]}'
SOON = Limits(reading=0.3, timeout=3)


def said(ask: Asker, data: bytes, *, drip: bytes = b"") -> bytes:
    """All that the server says until it closes the connection; meanwhile bytes drip in."""
    found = b""
    with socket.create_connection(("127.0.0.1", ask.port), 20) as client:
        try:
            client.sendall(data)
            while True:
                if drip:
                    client.settimeout(0.05)
                    client.sendall(drip)
                try:
                    piece = client.recv(1 << 16)
                except TimeoutError:
                    continue
                if not piece:
                    return found
                found += piece
        except ConnectionError:
            return found


@pytest.mark.parametrize("host", ["evil.example", "evil.example:80", "localhost.evil", "", "127.0.0.2"])
def test_other_hosts(ask: Asker, host: str) -> None:
    """A page that has its own name lead here gets nothing, whatever it asks for."""
    for method, path in (("GET", "/health"), ("GET", "/metrics"), ("POST", "/runs/labels/predict"), ("GET", "/nothing")):
        answer = ask(path, {"texts": ["good"]}, method, Host=host)
        assert answer.status == 403
        assert "--allow-host" in answer.json["error"]


@pytest.mark.parametrize(
    ("origin", "status"), [("http://evil.example", 403), ("null", 403), ("http://localhost:1", 403), ("", 200)]
)
def test_origins(ask: Asker, origin: str, status: int) -> None:
    """A page of another origin is refused; one that is of this server, by any port of a tunnel, is not."""
    host = "localhost:9000"
    assert ask("/health", None, "GET", Host=host, Origin=origin or f"http://{host}").status == status


def test_tokens(runs: dict[str, Path]) -> None:
    """Nobody asks without the token, where there is one; where others can ask, there must be one; other names are let in."""
    with pytest.raises(UsageError, match=r"--host 0\.0\.0\.0 is open to others"):
        Server(Runs(runs), "0.0.0.0")
    with served({"labels": runs["labels"]}, host="0.0.0.0", token="sesame", names=["Model.example"]) as ask:
        for given in ({}, {"Authorization": "Bearer open"}, {"Authorization": "sesame"}, {"Authorization": "Bearer \xe9"}):
            answer = ask("/predict", {"texts": ["good"]}, **given)
            assert (answer.status, answer.headers["www-authenticate"]) == (401, "Bearer")
        token = {"Authorization": "Bearer sesame"}
        assert ask("/predict", {"texts": ["good"]}, **token).status == 200
        assert ask("/health", None, "GET", Host="model.example:80", **token).status == 200
        assert ask("/health", None, "GET", Host="other.example", **token).status == 403


@pytest.mark.parametrize(
    ("data", "status"),
    [
        (b"\x16\x03\x01\x00\xff" * 50, 400),
        (b"GET /health HTTP/1.1\r\nHost: localhost\r\n" + b"a: b\r\n" * 200 + b"\r\n", 400),
        (HEAD + b"Content-Length: 5\r\nTransfer-Encoding: chunked\r\n\r\n0\r\n\r\n", 400),
        (HEAD + b"Content-Length: " + b"9" * 40 + b"\r\n\r\n", 400),
    ],
)
def test_no_http(ask: Asker, data: bytes, status: int) -> None:
    """What is no request, or an ambiguous one, is answered with JSON and ended."""
    head, _, body = said(ask, data).partition(b"\r\n\r\n")
    assert head.startswith(b"HTTP/1.1 %d " % status)
    assert json.loads(body)["status"] == status


def test_large_bodies(ask: Asker) -> None:
    """Are refused by their length, or as soon as they are too long; what comes on is not kept, the connection stays usable."""
    piece = b"2000\r\n" + b"a" * 0x2000 + b"\r\n"
    for body in (
        b"Content-Length: 3000000\r\n\r\n" + b"a" * 3_000_000,
        b"Transfer-Encoding: chunked\r\n\r\n" + piece * 300 + b"0\r\n\r\n",
    ):
        with socket.create_connection(("127.0.0.1", ask.port), 20) as client:
            client.sendall(HEAD + body + WHOLE)
            found = b""
            while b"predictions" not in found:
                found += client.recv(1 << 16)
        assert found.startswith(b"HTTP/1.1 413 ")
        assert b"HTTP/1.1 200 " in found


def test_slow_clients(runs: dict[str, Path]) -> None:
    """Who sends headers, a body, empty lines or nothing at all, byte by byte, is cut off; so is who reads no answer."""
    with served(runs, SOON) as ask:
        assert said(ask, b"GET / HTTP/1.1\r\nX: ", drip=b"a").startswith(b"HTTP/1.1 408 ")
        assert said(ask, HEAD + b"Content-Length: 500\r\n\r\n", drip=b" ").startswith(b"HTTP/1.1 408 ")
        assert said(ask, b"", drip=b"\r\n").startswith(b"HTTP/1.1 408 ")
        assert said(ask, b"") == b""
        with socket.socket() as client:
            client.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, 4096)
            client.connect(("127.0.0.1", ask.port))
            body = json.dumps({"texts": ["a b " * 15_000]}).encode()  # so long that the system has no room for the answer
            client.sendall(HEAD.replace(b"labels/predict", b"words/score") + b"Content-Length: %d\r\n\r\n" % len(body) + body)
            until(lambda: b'status="200"' in ask("/metrics", None, "GET").body)
            until(lambda: not ask.server.server_state.connections)


def test_many_connections(runs: dict[str, Path]) -> None:
    """Idle ones are closed for one too many, the oldest first; who asks is served."""
    with served({"labels": runs["labels"]}, Limits(connections=5)) as ask, ExitStack() as stack:
        idle = [stack.enter_context(socket.create_connection(("127.0.0.1", ask.port), 20)) for _ in range(20)]
        assert ask("/predict", {"texts": ["good"]}).status == 200
        assert idle[0].recv(1) == b""
        until(lambda: len(ask.server.server_state.connections) <= 5)


def test_who_leaves(runs: dict[str, Path]) -> None:
    """Frees its place, whether it waits or its text is being drawn."""
    with served({"words": runs["words"]}, Limits(new_tokens=10**9)) as ask:
        batches = ask.server.runs.served["words"].verbs["generate"][1]
        answer, ended = batches._answer, list[Any]()
        batches._answer = lambda batch: ended.extend(found := answer(batch)) or found
        body = json.dumps({"max_new_tokens": 1000, "samples": 5000}).encode()
        request = HEAD.replace(b"/runs/labels/predict", b"/generate") + b"Content-Length: %d\r\n\r\n" % len(body) + body
        with ExitStack() as stack:
            for waiting in range(4):
                stack.enter_context(socket.create_connection(("127.0.0.1", ask.port), 20)).sendall(request)
                until(lambda waiting=waiting: batches._running and len(batches) == waiting)
        until(lambda: not batches._running)
        assert [type(each) for each in ended] == [InterruptedError]
        assert len(batches) == 0
        assert ask("/generate", {"max_new_tokens": 2}).status == 200


def test_a_process_and_its_end(runs: dict[str, Path], tmp_path: Path) -> None:
    """SIGTERM has what runs finished, and ends with 0; a linear and an n-gram model are served without PyTorch; nothing is said
    but the address.
    """
    program = (
        "import sys, atexit\n"
        "atexit.register(lambda: print(sorted({'torch', 'polars', 'jinja2'} & set(sys.modules))))\n"
        "from lossworks.cli import main; main()"
    )
    command = [sys.executable, "-c", program, "serve", f"labels={runs['labels']}", str(runs["words"]), "--port", "0"]
    with subprocess.Popen(
        command, stdout=subprocess.PIPE, stderr=subprocess.PIPE, env={**os.environ, "PYTHONUNBUFFERED": "1"}
    ) as server:
        assert server.stdout is not None
        port = int(server.stdout.readline().split(b":")[2].split(b"/")[0])
        with socket.create_connection(("127.0.0.1", port), 30) as client:
            end = time.monotonic() + 30
            while True:
                client.sendall(b"GET /health HTTP/1.1\r\nHost: localhost\r\n\r\n")
                if b'"ready"' in client.recv(1 << 16) or time.monotonic() > end:
                    break
                time.sleep(0.02)
            body = b'{"samples": 20, "max_new_tokens": 100}'
            client.sendall(HEAD.replace(b"labels/predict", b"words/generate") + b"Content-Length: %d\r\n\r\n" % len(body) + body)
            server.send_signal(signal.SIGTERM)
            answer = b""
            while piece := client.recv(1 << 16):
                answer += piece
        out, err = server.communicate(timeout=60)
    assert answer.startswith(b"HTTP/1.1 200 ")
    assert answer.count(b'"samples"') == 1
    assert (server.returncode, out, err) == (0, b"[]\n", b"")
