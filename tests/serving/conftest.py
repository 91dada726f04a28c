"""Small runs, and servers of them at work in a thread."""

from __future__ import annotations

import http.client
import json
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any, NamedTuple

import pytest

import lossworks
from lossworks.serving import Limits, Runs, Server

TEXTS = [f"a {word} thing, number {i}" for i, word in enumerate(["lovely", "awful", "great", "broken"] * 10)]


class Answer(NamedTuple):
    """A response."""

    status: int
    headers: dict[str, str]
    body: bytes

    @property
    def json(self) -> Any:
        """Its JSON."""
        return json.loads(self.body)


class Asker:
    """Asks a server, each time by a connection of its own."""

    def __init__(self, server: Server) -> None:
        self.server, self.port = server, int(server.address.split(":")[2].strip("/"))

    def __call__(self, path: str, asked: Any = None, method: str = "POST", **headers: str) -> Answer:
        body = asked if isinstance(asked, bytes | None) else json.dumps(asked).encode()
        sent = {"Content-Type": "application/json"} | {name.replace("_", "-"): value for name, value in headers.items()}
        connection = http.client.HTTPConnection("127.0.0.1", self.port, timeout=30)
        try:
            connection.request(method, path, body, sent)
            response = connection.getresponse()
            return Answer(response.status, {k.lower(): v for k, v in response.getheaders()}, response.read())
        finally:
            connection.close()


@contextmanager
def served(paths: dict[str, Path], limits: Limits | None = None, **how: Any) -> Iterator[Asker]:
    """A server at work, its runs loaded."""
    server = Server(Runs(paths, limits), **how)
    thread = threading.Thread(target=server.run, daemon=True)
    thread.start()
    try:
        until(lambda: server.runs.ready)
        yield Asker(server)
    finally:
        server.should_exit = True
        thread.join(20)
    assert not thread.is_alive()


def until(condition: Callable[[], Any]) -> None:
    """Wait for something that comes soon."""
    end = time.monotonic() + 60
    while not condition():
        assert time.monotonic() < end, "it did not come"
        time.sleep(0.005)


@pytest.fixture(scope="session")
def runs(tmp_path_factory: pytest.TempPathFactory) -> dict[str, Path]:
    """A linear classifier and an n-gram model."""
    folder = tmp_path_factory.mktemp("served")
    rows = [(text, ("good", "bad")[i % 2]) for i, text in enumerate(TEXTS)]
    lossworks.fit(rows, model="linear:bits=10,chars=3", epochs=2, out=folder / "labels")
    lossworks.fit([text for text in TEXTS for _ in range(2)], task="lm", model="ngram:order=2", out=folder / "words")
    return {"labels": folder / "labels", "words": folder / "words"}


@pytest.fixture(scope="session")
def ask(runs: dict[str, Path]) -> Iterator[Asker]:
    """A server of both."""
    with served(runs, Limits(body=10_000, texts=40, characters=2_000, new_tokens=200)) as asker:
        yield asker
