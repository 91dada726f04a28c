"""Servers of this machine: who may ask them, and what is said where a port cannot be had."""

from __future__ import annotations

import errno
import re
from collections.abc import Collection

from .errors import UsageError

HOST = "127.0.0.1"
NAMES = frozenset({HOST, "localhost", "[::1]"})
"""The host names of this machine. A web page whose own name resolves to it (DNS rebinding) sends that name instead."""


def wrong_asker(host: str, origin: str | None, names: Collection[str] = NAMES) -> str | None:
    """What is wrong with who asks, in words: with the ``Host`` that was asked for, whose port a tunnel may have changed, or with
    the ``Origin`` of the page that asks, which must be that host; None where nothing is.
    """
    host = host.lower()
    if re.sub(r":\d*\Z", "", host) not in names:
        return f"the request asks for the host {host[:80]!r}"
    if origin is not None and origin.lower() not in (f"http://{host}", f"https://{host}"):
        return f"the request comes from a page of {origin[:80]!r}"
    return None


def no_port(port: int, error: OSError, free: str = "leave it out") -> UsageError:
    """The error where a server cannot listen at a port; ``free``: how a free one is asked for."""
    reason = "is in use" if error.errno == errno.EADDRINUSE else f"cannot be used ({error.strerror})"
    return UsageError(f"port {port} {reason}. Choose another --port, or {free} to use a free one.")
