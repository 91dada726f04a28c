"""How much a server takes on."""

from __future__ import annotations

from dataclasses import dataclass

from ..core import values


@dataclass(frozen=True, slots=True, kw_only=True)
class Limits:
    """How much a server takes on. Memory for requests is at most ``connections`` times ``body``, and some times that when read.

    Args:
        timeout: seconds until a request is answered, waiting counted; then 504.
        queue: requests that wait for a run; then 429.
        batch: texts of several requests that are answered in one call; 1: each request by itself.
        body: bytes of a request; then 413.
        texts: texts of a request. characters: theirs, all together.
        new_tokens: tokens that a request may have drawn, all prompts, samples and beams together.
        connections: open at once; further ones are closed.
        reading: seconds in which a request must be sent, and after which a connection that is idle is closed.

    Raises:
        UsageError: one of them is no number above 0.
    """

    timeout: float = 30.0
    queue: int = 256
    batch: int = 64
    body: int = 1 << 20
    texts: int = 1000
    characters: int = 100_000
    new_tokens: int = 2048
    connections: int = 512
    reading: float = 10.0

    def __post_init__(self) -> None:
        for name in ("timeout", "reading"):
            values.number(name, getattr(self, name))
        for name in ("queue", "batch", "body", "texts", "characters", "new_tokens", "connections"):
            values.whole(f"limit of {name}", getattr(self, name), least=1)
