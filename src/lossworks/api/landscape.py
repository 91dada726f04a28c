"""``landscape``: the loss around a run's weights, with the trajectory that training took, found by training again."""

from __future__ import annotations

from dataclasses import asdict, dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

from ..core.errors import UnknownName, UsageError
from ..data import ReadOptions
from ..engine import Callbacks
from .reading import Source
from .replayed import replayed

if TYPE_CHECKING:
    from ..surfaces.landscape import Landscape as Surface


@dataclass(frozen=True, slots=True, repr=False)
class Landscape:
    """The losses over a plane through a run's weights, and the trajectory of its training. ``write`` makes a page of it."""

    found: Surface
    run: Path
    record: dict[str, Any]

    def __repr__(self) -> str:
        from ..report.landscape import sentence

        return f"Landscape of {self.run}: {sentence(self.found)}"

    def to_json(self) -> dict[str, Any]:
        """Grid and trajectory as one JSON object."""
        return {"run": str(self.run), **asdict(self.found)}

    def write(self, path: Path | str | None = None) -> Path:
        """Write a page with the surface to turn and look at, ``landscape.html`` in the run where no path is given.

        Raises:
            RecordError: the page cannot be written.
        """
        from ..report import write_landscape

        return write_landscape(self.found, self.record, self.run, Path(path) if path else self.run / "landscape.html")


def landscape(
    run: Path | str,
    data: Source | None = None,
    *,
    plane: str = "trajectory",
    resolution: int = 25,
    rows: int = 2000,
    span: float | None = None,
    seed: int = 0,
    valid: Source | None = None,
    test: Source | None = None,
    read: ReadOptions | None = None,
    device: str | None = None,
    callbacks: Callbacks | None = None,
) -> Landscape:
    """Train once more as the run's record says, and look at the loss in a plane around the weights it ended with.

    Args:
        run: a run directory made by ``fit``.
        data: what it was trained on, where that is no longer where the record says, or was no file.
        plane: "trajectory", along the two principal directions of the trajectory, or "random", along two random ones.
        resolution: points along each side of the plane.
        rows: of the training rows, how many the loss is a mean over.
        span: how far a random plane reaches, 1 being as far as the weights are long, row by row.
        seed: of the rows and the random directions.
        valid, test: held-out rows that were given as data of their own, likewise.
        read: which columns to read and how, as it was then.
        device: where to train; where the run was trained, if not given.
        callbacks: how to watch.

    Raises:
        RecordError: no run, not a finished one, damaged, or of a version that knows other settings.
        UsageError, DataError: the data is not there, or is other data; an argument is wrong.
    """
    from ..surfaces.landscape import PLANES
    from ..surfaces.landscape import landscape as look

    if plane not in PLANES:
        raise UnknownName("plane", plane, PLANES)
    if not 2 <= resolution <= 401:
        raise UsageError(f"resolution is {resolution}; wanted 2 to 401 points along each side: 25.")
    if rows < 1:
        raise UsageError(f"rows is {rows}; wanted 1 or more: 2000.")
    if span is not None and plane != "random":
        raise UsageError("span is for the random plane; that of the trajectory reaches as far as the trajectory does.")
    if span is not None and not 0 < span < 1e6:
        raise UsageError(f"span is {span}; wanted a number above 0: 1.")
    callbacks, given = callbacks or Callbacks(), {"data": data, "valid": valid, "test": test}
    with replayed(run, given, read, device, callbacks, f"lossworks landscape {run} DATA") as again:
        found = look(
            again.done,
            again.saved,
            plane="random" if plane == "random" else "trajectory",
            resolution=resolution,
            rows=rows,
            span=span or 1.0,
            seed=seed,
            tell=lambda number, of: callbacks.watch("surface", {"done": number, "of": of}),
        )
    return Landscape(found, again.path, again.record)
