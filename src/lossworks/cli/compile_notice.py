"""That code is being compiled, said once, where it takes long: it happens after an install, and what is made is kept."""

from __future__ import annotations

import sys
from collections.abc import Callable
from typing import Any

from ..core import kernels

LONG = 2.0
"""Seconds of compiling that nobody need be told of."""
SAID = "code is being compiled for this machine; that is done once, and kept for later commands"


class Compiling:
    """Tells ``say`` once code has been compiled for so long. It listens while it is open, from when Numba is imported on."""

    def __init__(self, say: Callable[[str], None]) -> None:
        self._say = say
        self._listener: Any = None
        self._is_open = False

    def open(self) -> None:
        """Listen from now on."""
        self._is_open = True
        kernels.before_compiling.append(self.look)

    def look(self) -> None:
        """Listen to Numba if it has been imported by now."""
        if not self._is_open or self._listener is not None or "numba.core.event" not in sys.modules:
            return
        from numba.core import event

        say, said = self._say, list[str]()

        class Listener(event.TimingListener):
            def on_end(self, ended: Any) -> None:
                super().on_end(ended)  # type: ignore[no-untyped-call]  # Numba has no types
                if self.done and self.duration > LONG and not said:
                    said.append(SAID)
                    say(SAID)

        self._listener = Listener()  # type: ignore[no-untyped-call]
        event.register("numba:compile", self._listener)

    def close(self) -> None:
        """Listen no more."""
        if not self._is_open:
            return
        self._is_open = False
        kernels.before_compiling.remove(self.look)
        if self._listener is not None:
            from numba.core import event

            event.unregister("numba:compile", self._listener)
