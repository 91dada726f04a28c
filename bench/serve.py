"""Answers over HTTP: `lossworks serve` of a linear run, and FastAPI with uvicorn around fastText; one process each.

FastAPI calls fastText either from a coroutine, which holds up the event loop meanwhile, or in its threads. A request is one text.
The client is the same for all: so many connections, each of which asks again as soon as it is answered.
"""

from __future__ import annotations

import asyncio
import itertools
import json
import statistics
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager
from functools import partial
from pathlib import Path
from typing import Any

import _bench
import uvloop

import lossworks

SECONDS, ROUNDS = 1.2, 3
CONNECTIONS = (1, 16, 64)
SIDES = {8231: "ours", 8232: "FastAPI, coroutine", 8233: "FastAPI, threads"}
FASTTEXT = """
import sys
import fasttext, uvicorn
from fastapi import FastAPI
from pydantic import BaseModel

model = fasttext.train_supervised(sys.argv[1], epoch=25, lr=0.5, wordNgrams=2, thread=2, verbose=0)
app = FastAPI()

class Asked(BaseModel):
    texts: list[str]

@app.post("/predict")
WAY predict(asked: Asked):
    found = zip(asked.texts, *model.predict(asked.texts, k=-1))
    return {"predictions": [
        {"text": text, "label": labels[0][9:], "probability": float(p[0]),
         "probabilities": {label[9:]: float(each) for label, each in zip(labels, p)}}
        for text, labels, p in found
    ]}

uvicorn.run(app, port=int(sys.argv[2]), log_level="critical", access_log=False)
"""


def main() -> None:
    """Print requests per second, latencies in milliseconds, and memory; medians of rounds, the sides in turn."""
    _bench.machine()
    train, test = _bench.movie_reviews(0)
    requests = [_request(text) for text, _ in test]
    with tempfile.TemporaryDirectory() as folder:
        table, lines = Path(folder) / "train.csv", Path(folder) / "train.txt"
        _bench.write_csv(table, train)
        lines.write_text("".join(f"__label__{label} {text}\n" for text, label in train), "utf-8")
        lossworks.fit(table, out=f"{folder}/run")
        commands = {8231: [sys.executable, "-m", "lossworks", "serve", f"{folder}/run", "--port", "8231"]}
        for port, way in ((8232, "async def"), (8233, "def")):
            commands[port] = [_bench.peers(), "-c", FASTTEXT.replace("WAY", way), str(lines), str(port)]
        with ExitStack() as stack:
            memory = {port: stack.enter_context(_served(command, port)) for port, command in commands.items()}
            sides = {
                f"{name}, {connections}": partial(_measured, port, connections, requests)
                for connections in CONNECTIONS
                for port, name in SIDES.items()
            }
            found = _bench.in_turn(sides, ROUNDS)
            rows = [(name, side["rate"], side["p50"], side["p99"]) for name, side in found.items()]
            _bench.table(("side, connections", "requests/s", "p50 ms", "p99 ms"), rows)
            _bench.table(("", "memory, MB"), [(name, memory[port]()) for port, name in SIDES.items()])


def _measured(port: int, connections: int, requests: list[bytes]) -> dict[str, Any]:
    return uvloop.run(_load(port, connections, requests))


def _request(text: str) -> bytes:
    body = json.dumps({"texts": [text]}).encode()
    head = f"POST /predict HTTP/1.1\r\nHost: 127.0.0.1\r\nContent-Type: application/json\r\nContent-Length: {len(body)}\r\n\r\n"
    return head.encode() + body


class _Client(asyncio.Protocol):
    """A connection that asks one request after another, and notes how long each took."""

    def __init__(self, requests: Iterator[bytes], until: float, took: list[float]) -> None:
        self.requests, self.until, self.took = requests, until, took
        self.done = asyncio.get_running_loop().create_future()
        self.answer = b""

    def connection_made(self, transport: Any) -> None:
        self.transport = transport
        self.ask()

    def ask(self) -> None:
        self.answer, self.began = b"", time.perf_counter()
        self.transport.write(next(self.requests))

    def data_received(self, data: bytes) -> None:
        self.answer += data
        head, mark, body = self.answer.partition(b"\r\n\r\n")
        if not mark or len(body) < int(head.lower().partition(b"content-length:")[2].split()[0]):
            return
        if not head.startswith(b"HTTP/1.1 200"):
            sys.exit(self.answer.decode())
        self.took.append(time.perf_counter() - self.began)
        if time.perf_counter() < self.until:
            self.ask()
        else:
            self.transport.close()
            self.done.set_result(None)


async def _load(port: int, connections: int, requests: list[bytes]) -> dict[str, Any]:
    took: list[float] = []
    began = time.perf_counter()
    client = partial(_Client, itertools.cycle(requests), began + SECONDS, took)
    loop = asyncio.get_running_loop()
    clients = [await loop.create_connection(client, "127.0.0.1", port) for _ in range(connections)]
    await asyncio.gather(*(one.done for _, one in clients))
    cuts = statistics.quantiles(took, n=100)
    return {"rate": len(took) / (time.perf_counter() - began), "p50": cuts[49] * 1e3, "p99": cuts[98] * 1e3}


@contextmanager
def _served(command: list[str], port: int) -> Iterator[Any]:
    """A server at work; yields what tells its memory in MB."""
    server = subprocess.Popen(command, stdout=subprocess.DEVNULL)
    try:
        for _ in range(600):
            try:
                uvloop.run(_ready(port))
                break
            except (OSError, AssertionError):
                time.sleep(0.1)
        yield lambda: int(Path(f"/proc/{server.pid}/status").read_text("utf-8").partition("VmRSS:")[2].split()[0]) / 1024
    finally:
        server.terminate()
        server.wait()


async def _ready(port: int) -> None:
    reader, writer = await asyncio.open_connection("127.0.0.1", port)
    writer.write(_request("good"))
    assert b" 200 " in await reader.readline()
    writer.close()


if __name__ == "__main__":
    main()
