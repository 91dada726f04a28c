"""Requests that nobody should send to `serve` and to `report --serve`: ``hostile.py [COUNT [SEED]]``, so many to each.

Each is a valid one with something changed: bytes, path (out of the folder, percent signs), Host, Origin, lengths, method, JSON.
The server must answer each with HTTP or hang up, tell no file of the run and nothing of its inside, say nothing on stderr, and
still answer a good request at the end.
"""

from __future__ import annotations

import json
import random
import socket
import subprocess
import sys
import tempfile
import time
from collections import Counter
from pathlib import Path
from typing import Any

import _bench
import _valid_files as valid
from _mutants import mutant

import lossworks

PATHS = (
    "/",
    "/health",
    "/metrics",
    "/state.json?seen=0",
    "/report.html",
    "/runs/run/predict",
    "/runs/lm/score",
    "/runs/lm/generate",
)
BODIES: tuple[dict[str, Any], ...] = (
    {"texts": ["lovely"]},
    {"texts": ["a", "b"], "top": 2},
    {"prompts": ["a"], "max_new_tokens": 3, "seed": 1},
    {},
)
OUT: tuple[str, ...] = (
    "/../run.json",
    "/%2e%2e/run.json",
    "/..%2frun.json",
    "//etc/passwd",
    "/log.jsonl",
    "/run.json",
    "/\\..\\run.json",
    "/%00",
)
OUT += (
    "/runs/../../run.json",
    "/runs/%2e%2e%2frun/predict",
    "/runs/run%00/predict",
    "http://x/run.json",
    "/" + "a" * 20_000,
    "*",
)
HEADERS: tuple[str, ...] = (
    "Host: evil.example",
    "Host:",
    "Host: 127.0.0.1\r\nHost: evil.example",
    "Origin: http://evil.example",
    "Origin: null",
)
HEADERS += ("Content-Length: -1", "Content-Length: 99999999999999", "Transfer-Encoding: chunked", "Expect: 100-continue")
HEADERS += ("X: " + "a" * 70_000, "Content-Length: 5\r\nContent-Length: 6", "Range: bytes=0-1", "Upgrade: websocket", "\0: \0")
METHODS = ("GET", "POST", "HEAD", "PUT", "DELETE", "OPTIONS", "TRACE", "CONNECT", "get", "PRI")
SECRETS = (b'"fingerprint"', b"Traceback", b"root:x:", b'.py"', b"site-packages")


def request(draw: random.Random) -> bytes:
    """One of them."""
    body = json.dumps(draw.choice(BODIES)).encode()
    if draw.random() < 0.5:
        body = mutant(body, draw)
    path = draw.choice(OUT) if draw.random() < 0.35 else draw.choice(PATHS)
    lines = [f"{draw.choice(METHODS if draw.random() < 0.3 else ('GET', 'POST'))} {path} HTTP/1.{draw.choice('0111')}"]
    lines += ["Host: localhost", "Content-Type: application/json", f"Content-Length: {len(body)}", "Connection: close"]
    if draw.random() < 0.35:
        lines.insert(draw.randint(1, len(lines)), draw.choice(HEADERS))
    if draw.random() < 0.2:
        del lines[draw.randrange(1, len(lines))]
    whole = "\r\n".join(lines).encode() + b"\r\n\r\n" + body
    return mutant(whole, draw) if draw.random() < 0.3 else whole


def answered(port: int, data: bytes) -> bytes:
    """All that the server says to ``data``, after which nothing more comes from us."""
    found = b""
    with socket.create_connection(("127.0.0.1", port), 30) as client:
        try:
            client.sendall(data)
            client.shutdown(socket.SHUT_WR)
            while piece := client.recv(1 << 16):
                found += piece
        except OSError:  # it has hung up
            pass
    return found


def tried(command: list[str], port: int, good: bytes, count: int, seed: int) -> Counter[str]:
    """Counts of the answers by their status, and of what should not be."""
    found, draw = Counter[str](), random.Random(seed)
    with tempfile.TemporaryFile() as said:
        server = subprocess.Popen([sys.executable, "-m", "lossworks", *command], stdout=subprocess.DEVNULL, stderr=said)
        try:
            _awaited(port)
            said.seek(0, 2)
            begun = said.tell()
            for _ in range(count):
                answer = answered(port, data := request(draw))
                status = _status(answer)
                found[status] += 1
                if wrong := [secret for secret in SECRETS if secret in answer and secret not in data]:
                    found["told too much"] += b"<html" not in answer  # a report holds what it is to show
                    print(wrong, data[:200], answer[:500], file=sys.stderr)
                if status == "500":
                    print(status, data[:300], answer[:300], file=sys.stderr)
            found["alive"] = int(answered(port, good).startswith(b"HTTP/1.") and server.poll() is None)
            said.seek(begun)
            if news := said.read():
                found["said"] = len(news)
                print(news[-2000:].decode("utf-8", "replace"), file=sys.stderr)
        finally:
            server.terminate()
            server.wait()
    return found


def _status(answer: bytes) -> str:
    """HTTP/0.9, in which Python's server answers what seems to be asked in it, has none."""
    return answer[9:12].decode("ascii", "replace") if answer.startswith(b"HTTP/1.") else "HTTP/0.9" if answer else "hung up"


def _awaited(port: int) -> None:
    for _ in range(600):
        try:
            socket.create_connection(("127.0.0.1", port), 1).close()
        except OSError:
            time.sleep(0.1)
        else:
            return
    raise TimeoutError(f"nobody listens on port {port}")


def main() -> None:
    """Print a row for each server."""
    count, seed = (int(sys.argv[1]) if len(sys.argv) > 1 else 2000), int(sys.argv[2]) if len(sys.argv) > 2 else 0
    _bench.machine()
    rows = []
    with tempfile.TemporaryDirectory() as scratch:
        lossworks.fit(valid.ROWS, model="linear:bits=8", epochs=1, out=Path(scratch, "run"))
        lossworks.fit(valid.TEXTS, task="lm", model="ngram:order=2", out=Path(scratch, "lm"))
        head = b"Host: localhost\r\nConnection: close\r\n\r\n"
        for port, command, good in (
            (8241, ["serve", f"{scratch}/run", f"{scratch}/lm", "--port", "8241"], b"GET /health HTTP/1.1\r\n" + head),
            (8242, ["report", f"{scratch}/run", "--serve", "--port", "8242"], b"GET / HTTP/1.1\r\n" + head),
        ):
            found = tried(command, port, good, count, seed)
            wrong = {name: found.pop(name, 0) for name in ("500", "told too much", "said")}
            alive = found.pop("alive")
            rows.append(
                (command[0], count, ", ".join(f"{n} {status}" for status, n in found.most_common()), *wrong.values(), alive)
            )
    _bench.table(("server", "requests", "answers", "500", "told too much", "bytes on stderr", "alive"), rows)


if __name__ == "__main__":
    main()
