"""Every error a user can meet, in one tree.

    LossworksError            exit code 2
    ├── UsageError            a flag, a name, a spec or an argument is wrong
    │   ├── UnknownName       a name nobody knows, with what was probably meant
    │   └── NotInstalled      a package that this needs is missing
    ├── DataError             the user's data cannot be used; names the place and the remedy
    ├── RecordError           a run directory cannot be read or written
    ├── Diverged              exit code 3: the loss stopped being finite; nothing was updated with it
    ├── OutOfMemory           exit code 4
    ├── PeerLost              exit code 5, or that of the other: a process that trained with this one has ended
    └── Interrupted           exit code 130: stopped by the user, resumable

A message says what was got, what was wanted, and what to do about it.
"""

from __future__ import annotations

import difflib
from collections.abc import Iterable

_FEW = 12  # names, that are shown all
_HINTS = 3


class LossworksError(Exception):
    """The root of the tree. ``exit_code`` is what the command ends with."""

    exit_code = 2


class UsageError(LossworksError, ValueError):
    """A flag, a spec or an argument is wrong."""


class UnknownName(UsageError):
    """A name that is not among the known ones. ``known`` feeds the suggestion, ``near`` are those of them that speak of it;
    ``others`` are kinds that have the name. Where nothing is like it all are told, or instead ``where`` they are.
    """

    def __init__(
        self, kind: str, name: str, known: Iterable[str], others: Iterable[str] = (), near: Iterable[str] = (), where: str = ""
    ) -> None:
        known = sorted(set(known))
        within = [each for each in known if name.lower() in each.split("_")]
        short = [each for each in known if name.lower() == "".join(word[:1] for word in each.split("_"))]  # ce: cross_entropy
        alike = short or difflib.get_close_matches(name.lower(), known, n=1, cutoff=0.6)
        close = dict.fromkeys([*near, *within[:_HINTS], *alike])
        hints = [f"It names a kind of {other}, not of {kind}: give it as {other}={name!r}." for other in others]
        if close:
            hints.append(f"Did you mean {' or '.join(map(repr, close))}?")
        if not close or len(known) <= _FEW:
            hints.append(where or f"Known: {', '.join(known)}.")
        super().__init__(f"unknown {kind} {name!r}. {' '.join(hints)}")
        self.name = name


class NotInstalled(UsageError):
    """A package that is only needed for some things is missing."""


class DataError(LossworksError, ValueError):
    """The data cannot be used as it is."""


class RecordError(LossworksError):
    """A run directory, or a file in it, cannot be read or written."""


class Diverged(LossworksError):
    """The loss stopped being finite. Raised before the weights are updated."""

    exit_code = 3


class OutOfMemory(LossworksError):
    """The work does not fit in memory."""

    exit_code = 4


class Interrupted(LossworksError):
    """The user has stopped it. ``how``: what --resume then does, empty where there is nothing to resume; ``command``: the whole
    command that does, where it is known.
    """

    exit_code = 130
    command = ""

    def __init__(self, said: str, how: str = "goes on from there") -> None:
        super().__init__(said, how)

    def __str__(self) -> str:
        said, how = self.args
        if self.command:
            return f"{said} Go on with:\n  {self.command}"
        return f"{said} The same command with --resume {how}." if how else str(said)


class PeerLost(LossworksError):
    """A process that trained with this one has ended; ``code`` is what it said to end with.

    speaks: whether this process is the one to say so.
    """

    exit_code = 5

    def __init__(self, said: str, code: int = exit_code, *, speaks: bool = True) -> None:
        super().__init__(said)
        self.exit_code, self.speaks = code, speaks
