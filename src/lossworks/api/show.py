"""``show``: what a registered loss, penalty, risk, optimiser or model is."""

from __future__ import annotations

from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

from ..catalog import Member, find, text


@dataclass(frozen=True, slots=True, repr=False)
class Shown:
    """The members that a spec spells. At a prompt, and printed, it is what the command prints: facts and curves."""

    members: tuple[Member, ...]

    def __repr__(self) -> str:
        return text(self.members)

    def to_json(self) -> dict[str, Any]:
        """Facts and points as one JSON object."""
        return {"members": [asdict(member) for member in self.members]}

    def write(self, path: Path | str) -> Path:
        """Write a page with curves to look at closely, which needs no other file, and return its path.

        Raises:
            RecordError: the page cannot be written.
        """
        from ..report import write_members

        return write_members(self.members, Path(path))


def show(name: str) -> Shown:
    """Formula, domain, limit, gradient, hyperparameters, source and curves of what ``name`` spells.

    Args:
        name: of a loss, penalty, risk, optimiser or model, or a spec: ``"focal:gamma=5"``, ``"cross_entropy+1e-4*z_loss"``.

    Raises:
        UnknownName: nothing is registered by that name.
        UsageError: a key or a value is wrong.
    """
    return Shown(find(name))
