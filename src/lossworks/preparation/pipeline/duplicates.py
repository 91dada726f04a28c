"""The stages that find duplicates, each in a memory that does not grow with the data.

Equal texts, and pairs that may be nearly equal, are found in ranges of hashes, range by range. Pairs are then looked at, by the
place of their later text; and at last, in one pass in the order of the sources, it is decided which texts go.
"""

from __future__ import annotations

from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from ...record.tensors import map_tensors, write_tensors
from .. import Pairs, candidates, removed, repeats, verified
from ..near import each_once
from .layout import Layout

KEPT, EXACT, NEAR = 0, 1, 2
"""What becomes of a text."""
_AT_ONCE = 32 << 20  # bytes of texts looked at together
_NOTHING = Pairs(np.empty(0, np.int64), np.empty(0, np.int64), np.empty(0))


def exact(layout: Layout, number: int, output: Path) -> None:
    """Of the texts in a range of hashes, those that equal an earlier one, and which."""
    keys, rows, _ = _gathered(layout, number, "digest", 1)
    first = rows[repeats(keys)] if len(rows) else rows
    later = np.flatnonzero(first != rows)
    later = later[np.argsort(rows[later])]
    write_tensors(output, {"rows": rows[later], "of": first[later]}, {})


def unique(layout: Layout, _: int, output: Path) -> None:
    """The state of all texts, once equal ones are out."""
    state = np.zeros(len(layout), np.uint8)
    for found in _outputs(layout, "exact", layout.job.ranges):
        state[found["rows"]] = EXACT
    write_tensors(output, {"state": state}, {})


def pairs(layout: Layout, number: int, output: Path) -> None:
    """Of the texts in a range of hashes, pairs that share a band: the later text and the earlier one."""
    state = map_tensors(layout.job.output("unique", 0))[0]["state"]
    columns = _columns(layout)
    keys, rows, column = _gathered(layout, number, "band", columns)
    left = state[rows] == KEPT
    found = [np.empty((0, 2), np.int64)]
    for each in range(columns):
        chosen = np.flatnonzero(left & (column == each))
        found.append(candidates(keys[chosen, None], rows[chosen]))
    together = each_once(np.concatenate(found))
    write_tensors(output, {"rows": np.ascontiguousarray(together[:, 0]), "of": np.ascontiguousarray(together[:, 1])}, {})


def compared(layout: Layout, window: int, output: Path) -> None:
    """Of the pairs whose later text is in a window, those that are really as like as is asked for."""
    first, last = layout.span(window)
    pairs = [np.empty((0, 2), np.int64)]
    for each in _outputs(layout, "pairs", layout.job.ranges):
        begin, end = np.searchsorted(each["rows"], (first, last))
        pairs.append(np.stack([each["rows"][begin:end], each["of"][begin:end]], 1))
    together = each_once(np.concatenate(pairs))
    sizes = layout.sizes(together.reshape(-1)).reshape(-1, 2).sum(1).cumsum()
    found = [_NOTHING]
    begin = 0
    while begin < len(together):
        before = sizes[begin - 1] if begin else 0
        end = max(begin + 1, int(np.searchsorted(sizes, before + _AT_ONCE, "right")))
        rows, places = np.unique(together[begin:end], return_inverse=True)
        texts = layout.texts(rows)
        near = verified(texts, texts, places.reshape(-1, 2), layout.job.wanted.near or 1)
        found.append(Pairs(rows[near.rows], rows[near.of], near.likeness))
        begin = end
    _write_pairs(output, found)


def decided(layout: Layout, _: int, output: Path) -> None:
    """What becomes of every text: the earliest of like ones stays; and for each that is near another, which and how near."""
    wanted = layout.job.wanted
    state = np.zeros(len(layout), np.uint8)
    if wanted.exact:
        state = np.array(map_tensors(layout.job.output("unique", 0))[0]["state"])
    found = [_NOTHING]
    for near in _outputs(layout, "compared", len(layout.windows) if wanted.near is not None else 0):
        stays = state[near["of"]] == KEPT  # else it went in an earlier window; in this one, `removed` sees to it
        found.append(removed(Pairs(near["rows"][stays], near["of"][stays], near["likeness"][stays])))
        state[found[-1].rows] = NEAR
    _write_pairs(output, found, state=state)


def _write_pairs(output: Path, parts: list[Pairs], **more: NDArray[np.uint8]) -> None:
    arrays = {name: np.concatenate([getattr(part, name) for part in parts]) for name in Pairs.__slots__}
    write_tensors(output, {**arrays, **more}, {})


def _outputs(layout: Layout, stage: str, count: int) -> list[dict[str, NDArray[np.int64]]]:
    return [map_tensors(layout.job.output(stage, number))[0] for number in range(count)]


def _columns(layout: Layout) -> int:
    """How many bands a text has."""
    if not layout.paths:
        return 0
    return (len(layout.chunk(0)["band_starts"]) - 1) // layout.job.ranges


def _gathered(
    layout: Layout, number: int, name: str, columns: int
) -> tuple[NDArray[np.uint64], NDArray[np.int64], NDArray[np.uint8]]:
    """The keys in a range of hashes, of all chunks in their order, the texts that they are of, and of each its column."""
    keys = [np.empty((0, 2) if name == "digest" else 0, np.uint64)]
    rows, column = [np.empty(0, np.int64)], [np.empty(0, np.uint8)]
    for path, start in zip(layout.paths, layout.starts, strict=False):
        arrays = map_tensors(path)[0]  # let go of at once: of many chunks, pages that were read would count as memory
        starts = arrays[f"{name}_starts"][number * columns : (number + 1) * columns + 1]
        begin, end = starts[0], starts[-1]
        keys.append(np.array(arrays[f"{name}_keys"][begin:end]))
        rows.append(arrays[f"{name}_rows"][begin:end] + start)
        column.append(np.repeat(np.arange(columns, dtype=np.uint8), np.diff(starts)))
    return np.concatenate(keys), np.concatenate(rows), np.concatenate(column)
