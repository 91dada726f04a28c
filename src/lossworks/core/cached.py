"""Where what is made once is kept for later processes."""

from __future__ import annotations

import os
from importlib.util import find_spec
from pathlib import Path


def folder(source: str) -> Path | None:
    """Beside ``source``, the file of the module that asks, as Python and Numba do; where that cannot be written, with the user's
    caches. It exists. None: neither can be written.
    """
    home = Path(os.environ.get("XDG_CACHE_HOME") or "~/.cache").expanduser() / "lossworks"
    for place in (Path(source).parent / "__pycache__", home):
        try:
            place.mkdir(parents=True, exist_ok=True)
        except OSError:
            continue
        if os.access(place, os.W_OK):
            return place
    return None


def stamp(package: str) -> str:
    """What another version of an installed package has another of: its first file, with size and date. It is not imported."""
    found = find_spec(package)
    if found is None or found.origin is None:
        return package
    status = Path(found.origin).stat()
    return f"{found.origin} {status.st_size} {status.st_mtime_ns}"
