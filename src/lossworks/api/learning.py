"""``learning``: when each training row was learned, and which were hard, found by training again."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

from ..core.errors import UsageError
from ..data import ReadOptions
from ..engine import Callbacks
from .reading import Source
from .replayed import replayed

if TYPE_CHECKING:
    import polars

    from ..attribution.learning import Learning as Looked

SHOWN = 50
"""Rows that each list names."""


@dataclass(frozen=True, slots=True, repr=False)
class Learning:
    """When the rows that a run was trained on were learned. ``write`` makes a page of it, ``table`` a data frame.

    found: all looks at all rows.
    lists: "hard", "ambiguous" and "easy", the most extreme of each first: what ``table`` says of a row, its ``text``, and the
    ``place`` where it stands in the data.
    """

    found: Looked
    lists: dict[str, list[dict[str, Any]]]
    run: Path
    record: dict[str, Any]

    def __repr__(self) -> str:
        from ..report.learning import sentence

        return f"Learning of {self.run}: {sentence(self.found)}"

    def table(self) -> polars.DataFrame:
        """A row for each training row: its number in the data (``row``), counted from 0, its label, and the mean, spread and last
        of the probability of that label, of numbers of the squared error. Where there are labels, ``correctness``, ``forgotten``,
        the epochs ``first_learned``, ``last_wrong`` and ``learned`` (for good), and ``el2n`` too.
        """
        import polars as pl

        found = self.found
        columns: dict[str, Any] = {
            "row": found.rows,
            "label": found.labels,
            "mean": found.mean,
            "spread": found.spread,
            "last": found.course[-1],
        }
        if found.right is not None:
            names = ("correctness", "forgotten", "first_learned", "last_wrong", "learned", "el2n")
            columns |= {name: getattr(found, name) for name in names}
        return pl.DataFrame(columns, strict=False).with_columns(pl.selectors.float().fill_nan(None))

    def to_json(self) -> dict[str, Any]:
        """The looks' epochs, every training row, and the lists, as one JSON object."""
        from ..report.learning import sentence

        found = self.found
        return {
            "run": str(self.run),
            "verdict": sentence(found),
            "exact": found.exact,
            "second": found.second,
            "epochs": found.epochs.tolist(),
            "el2n_epoch": found.early,
            "rows": self.table().to_dicts(),
            **self.lists,
        }

    def write(self, path: Path | str | None = None) -> Path:
        """Write a page with the map of the rows, ``learning.html`` in the run where no path is given.

        Raises:
            RecordError: the page cannot be written.
        """
        from ..report import write_learning

        return write_learning(self.found, self.lists, self.record, self.run, Path(path) if path else self.run / "learning.html")


def learning(
    run: Path | str,
    data: Source | None = None,
    *,
    looks: int = 30,
    valid: Source | None = None,
    test: Source | None = None,
    read: ReadOptions | None = None,
    device: str | None = None,
    callbacks: Callbacks | None = None,
) -> Learning:
    """Train once more as the run's record says, and look after each epoch at what the model says of its training rows.

    The training ends in the bits of the saved model, whatever was looked at on the way (``found.exact``). Nothing is stored.

    Args:
        run: a run directory made by ``fit``, of a classifier or regression trained by steps.
        data: what it was trained on, where that is no longer where the record says, or was no file.
        looks: at most so many, evenly spread over the epochs; a training of fewer than five epochs is looked at within them too.
        valid, test: held-out rows that were given as data of their own, likewise.
        read: which columns to read and how, as it was then.
        device: where to train; where the run was trained, if not given.
        callbacks: how to watch.

    Raises:
        RecordError: no run, not a finished one, damaged, or of a version that knows other settings.
        UsageError, DataError: the data is not there, or is other data; the model was not trained by steps; an argument is wrong.
    """
    from ..attribution.learning import Looks
    from ..attribution.learning import learning as looked

    if looks < 2:
        raise UsageError(f"looks is {looks}; wanted 2 or more: 30.")
    callbacks, seen = callbacks or Callbacks(), list[Looks]()

    def observer(loop: Any, ends: Any) -> Looks:
        seen.append(Looks(loop, ends, looks, lambda done, of: callbacks.watch("look", {"done": done, "of": of})))
        return seen[0]

    given = {"data": data, "valid": valid, "test": test}
    remedy = f"lossworks explain {run} --learning --data FILE"
    with replayed(run, given, read, device, callbacks, remedy, observer) as again:
        found = looked(again.done, seen[0], again.saved)
        result = Learning(found, {}, again.path, again.record)
        table, corpus = result.table(), again.done.data
        for name, choose in (("hard", found.hard), ("ambiguous", found.ambiguous), ("easy", found.easy)):
            places = choose(SHOWN)
            rows = zip(table[places].to_dicts(), found.rows[places], corpus.texts(found.rows[places]), strict=True)
            result.lists[name] = [told | {"text": text, "place": corpus.place(int(row))} for told, row, text in rows]
    return result
