"""What a preparation is to make and of what: settings, sources, and the pieces they are read in, written down at its beginning.

Every process that works in the directory finds the same plan there, so the result depends on none of them.
"""

from __future__ import annotations

import json
import shutil
import time
from dataclasses import asdict, dataclass, field
from functools import cached_property
from pathlib import Path
from typing import Any

from ...core.errors import UsageError
from ...data.formats.prepared import MANIFEST, WORK
from ...data.options import ReadOptions
from ...data.sources import matching
from ...record.checksums import checksum
from ...record.files import read_object, unwritable, write_json
from ...record.locks import locked
from ..near import NEAR, check_threshold
from .sources import Piece, Source, against, changed, looked, state_of, unpacked_size
from .sources import pieces as pieces_of

PIECE = 16 << 20
"""Bytes of a file that one task reads, where the file can be cut at line ends; and of texts in a chunk."""
RANGE = 128 << 20
"""Bytes of sources for each range of hashes: what a task of duplicates holds is a few times that at most."""
WINDOW = 128 << 20
"""Bytes of texts that one task of the later stages goes over, and that are in a shard, at most, where a chunk has not more."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Wanted:
    """The settings of a preparation.

    sources, against: files as ``load`` takes them, in the order in which the earlier of two like texts is kept; and those whose
        texts must not be among them.
    rules: specs of quality rules, in the order they are tried in.
    exact, near: whether equal texts are kept once; the likeness from which two texts count as nearly the same (None: none do).
    valid, test: the shares of the texts to hold out, by hash, so that equal texts are together; seed: of the split.
    tokenizer: the file of one, or the spec of one to learn from the training part; None: no tokens are written.
    """

    sources: tuple[str, ...]
    against: tuple[str, ...] = ()
    read: ReadOptions = field(default_factory=lambda: ReadOptions(unlabelled=True, texts="line"))
    rules: tuple[str, ...] = ()
    exact: bool = True
    near: float | None = NEAR
    valid: float = 0.0
    test: float = 0.0
    seed: int = 0
    tokenizer: str | None = None

    def __post_init__(self) -> None:
        if self.near is not None:
            check_threshold(self.near)
            if not self.exact:
                raise UsageError("texts that are nearly the same are left out only where equal ones are. Set near to None too.")
        if min(self.valid, self.test) < 0 or self.valid + self.test >= 1:
            raise UsageError(f"cannot hold out valid={self.valid}, test={self.test}: wanted shares below 1 together.")
        for name in ("weight", "language"):
            if getattr(self.read, name) is not None:
                raise UsageError(f"a prepared directory keeps texts and labels, and no {name}. Leave --{name} out.")

    def to_json(self) -> dict[str, Any]:
        """Plain values."""
        value: dict[str, Any] = json.loads(json.dumps(asdict(self)))
        return value

    @classmethod
    def from_json(cls, value: dict[str, Any]) -> Wanted:
        """What ``to_json`` gave."""
        made: dict[str, Any] = {key: tuple(item) if isinstance(item, list) else item for key, item in value.items()}
        return cls(**{**made, "read": ReadOptions(**value["read"])})


@dataclass(frozen=True)
class Job:
    """A preparation in the directory ``out``.

    ranges: into how many the hashes are divided. full, window: bytes of texts in a chunk, and in a task of the later stages.
    """

    out: Path
    wanted: Wanted
    sources: tuple[Source, ...]
    pieces: tuple[Piece, ...]
    against: tuple[Source, ...]
    ranges: int
    full: int
    window: int
    tokenizer_checksum: str | None

    @classmethod
    def begin(cls, out: Path, wanted: Wanted) -> Job:
        """The preparation in ``out``: a new one, or the one of the same settings and sources that was begun there.

        Raises:
            DataError: a source is missing, empty, or cannot be told the format of.
            UsageError: something else is, or is being made, in ``out``.
            RecordError: the directory cannot be written.
        """
        job = cls._planned(out, wanted)
        if job.finished:
            shutil.rmtree(job.work, ignore_errors=True)  # of one that was killed at its very end
            return job
        try:
            if out.exists() and not (out / WORK).exists() and any(out.iterdir()):
                raise UsageError(f"{out} holds something else. Choose another --out.")
            (out / WORK).mkdir(parents=True, exist_ok=True)
        except OSError as error:
            raise unwritable(out, error) from error
        path = job.work / "plan.json"
        while True:
            with locked(job.lock("plan")) as ours:
                if not ours:  # whoever has it writes the plan
                    time.sleep(0.05)
                    continue
                if not path.exists():
                    write_json(path, job.to_json())
                begun = cls.open(out)
                job._check_same(begun)
                return begun

    @classmethod
    def open(cls, out: Path) -> Job:
        """The preparation that was begun in ``out``.

        Raises:
            RecordError: there is none.
        """
        plan = read_object(out / WORK / "plan.json")
        sources, others = (tuple(Source(**source) for source in plan[name]) for name in ("sources", "against"))
        pieces = tuple(Piece(*piece) for piece in plan["pieces"])
        rest = (plan[name] for name in ("ranges", "full", "window", "tokenizer_checksum"))
        return cls(out, Wanted.from_json(plan["wanted"]), sources, pieces, others, *rest)

    @classmethod
    def _planned(cls, out: Path, wanted: Wanted) -> Job:
        names, others = ([name for source in given for name in matching(source)] for given in (wanted.sources, wanted.against))
        if "-" in names + others:
            raise UsageError("standard input cannot be read again, as a preparation must be able to. Write it to a file first.")
        sources = tuple(looked(name, wanted.read) for name in dict.fromkeys(names))
        pieces = tuple(piece for number, source in enumerate(sources) for piece in pieces_of(number, source, wanted.read, PIECE))
        size = sum(map(unpacked_size, sources))
        kept_out = tuple(looked(name, against(wanted.read)) for name in dict.fromkeys(others))
        file = wanted.tokenizer if wanted.tokenizer and wanted.tokenizer.endswith(".json") else None
        learned = None if file is None else checksum(Path(file))
        return cls(out, wanted, sources, pieces, kept_out, 1 + size // RANGE, PIECE, WINDOW, learned)

    def to_json(self) -> dict[str, Any]:
        """The plan as it is written."""
        return {
            "wanted": self.wanted.to_json(),
            "sources": [asdict(source) for source in self.sources],
            "pieces": [[piece.source, piece.begin, piece.end] for piece in self.pieces],
            "against": [asdict(source) for source in self.against],
            **{name: getattr(self, name) for name in ("ranges", "full", "window", "tokenizer_checksum")},
        }

    def _check_same(self, begun: Job) -> None:
        old, new = begun.wanted.to_json(), self.wanted.to_json()
        if old != new:
            names = ", ".join(name for name in new if new[name] != old[name])
            raise UsageError(
                f"{self.out} holds a preparation begun with other settings ({names}). Give the same, or choose another --out."
            )
        then = {source.name: source for source in (*begun.sources, *begun.against)}
        for source in (*self.sources, *self.against):
            if then.get(source.name, source) != source:
                raise changed(source.name)
        if (begun.sources, begun.against, begun.tokenizer_checksum) != (self.sources, self.against, self.tokenizer_checksum):
            raise UsageError(f"{self.out} holds a preparation of other files or another tokenizer. Choose another --out.")

    @property
    def work(self) -> Path:
        """The folder of what is not finished."""
        return self.out / WORK

    @property
    def finished(self) -> bool:
        """Whether it is all done.

        Raises:
            UsageError: what was made there is something else.
        """
        if not (self.out / MANIFEST).exists():
            return False
        made = read_object(self.out / MANIFEST)
        same = made.get("settings") == self.wanted.to_json()
        same &= [source.get("name") for source in made.get("sources", [])] == [source.name for source in self.sources]
        if not same:
            raise UsageError(f"{self.out} already holds prepared data, of other settings or sources. Choose another --out.")
        written = (self.out / MANIFEST).stat().st_mtime_ns
        for source in self.sources:
            if source.state[1] > written:
                raise UsageError(f"{source.name} is newer than {self.out}, which was prepared from it. Choose another --out.")
        return True

    @cached_property
    def rules(self) -> list[Any]:
        """The quality rules, built."""
        from .. import rules

        return [rules.build(spec) for spec in self.wanted.rules]

    def output(self, stage: str, number: int) -> Path:
        """By what file a task that leaves arrays is known to be finished."""
        return self.work / stage / f"{number:05}.safetensors"

    def lock(self, name: str) -> Path:
        """The lock of one task."""
        return self.work / "locks" / name

    def check_unchanged(self, source: Source) -> None:
        """Raise DataError where a source is not what it was when the preparation began."""
        if state_of(Path(source.name)) != source.state:
            raise changed(source.name)
