"""``check_data``: what is wrong with a data set before anything is trained on it."""

from __future__ import annotations

from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

from ..checks import plain_faults as faults
from ..data import Corpus, ReadOptions, load_all, read_options
from ..data.room import compared
from ..preparation import NEAR, Texts
from ..preparation.near import check_threshold
from ..preparation.personal import masked
from ..record.scratch import temporary
from ..tokens.scripts import scripts, scripts_of
from .reading import Source

_LONGEST = 2000  # characters of a text that is shown


@dataclass(frozen=True, slots=True, repr=False)
class DataCheck:
    """What was found; ``found`` holds it in plain values."""

    found: dict[str, Any]

    def __repr__(self) -> str:
        from ..report.data_check import sentences

        return f"DataCheck of {self.found['source']}: {' '.join(sentences(self.found))}"

    @property
    def doubles(self) -> int:
        """Rows that repeat an earlier one, exactly or nearly."""
        return int(self.found["doubles"]["exact"] + self.found["doubles"]["near"])

    @property
    def leaks(self) -> int:
        """Rows of the held-out data that stand in the data, exactly or nearly."""
        return sum(int(each["exact"] + each["near"]) for each in self.found["against"])

    def to_json(self) -> dict[str, Any]:
        """Everything, in plain values."""
        return self.found

    def write(self, path: Path | str) -> Path:
        """Write the page, and return its path.

        Raises:
            RecordError: the page cannot be written.
        """
        from ..report.data_check import write_data_check

        return write_data_check(self.found, Path(path))


def check_data(
    data: Source,
    *,
    against: str | Path | Sequence[Source] = (),
    read: ReadOptions | None = None,
    threshold: float = NEAR,
) -> DataCheck:
    """Look for what is wrong with a data set that needs no model to be seen.

    Rows that repeat an earlier one and held-out rows that stand in the data, exactly or nearly, each with its pair and the true
    Jaccard similarity of their letters' shingles; texts with several labels; spelling and damaged characters; scripts; lengths;
    lines and openings that recur; what looks like personal data, counted, and masked in the texts that are shown. Texts are
    compared in their normal form (line ends, NFC, no control characters, no white space at the ends of lines), and are held in
    memory.

    Args:
        data: text as ``fit`` takes it, labelled or not.
        against: held-out data, a path or several, read in the same way. Rows as Python objects are one source in a list.
        read: which columns to read and how.
        threshold: the similarity from which two texts are nearly the same, 0.6 to 1.

    Raises:
        DataError, UsageError: the data, or an argument, does not fit.
    """
    check_threshold(threshold)
    others: list[Source] = [against] if isinstance(against, str | Path) else list(against)
    read = replace(read_options(read), unlabelled=True, normalize="none")  # what is not composed is to be told
    if read.texts is None and (read.format or "lines") == "lines":
        read = replace(read, texts="line")  # blank lines part texts, and are none
    with temporary() as scratch:
        sources = [(source, None) for source in (data, *others)]
        with load_all(sources, read, scratch, compared) as corpora:
            return DataCheck(_checked(corpora, threshold))


def _checked(corpora: Sequence[Corpus], threshold: float) -> dict[str, Any]:
    corpus, *others = corpora
    raw = Texts.joined([Texts.of(block) for block in corpus.blocks()])
    texts, spelled = faults.spelling(raw)
    labelled, earliest = any(label is not None for label in corpus.labels), faults.earliest_of(texts)
    conflicts = faults.conflicts(earliest, corpus.labels) if labelled else []
    found = faults.doubles(texts, earliest, threshold)
    return {
        "source": corpus.source,
        "rows": len(corpus),
        "bytes": len(raw.bytes),
        "skipped": corpus.skipped,
        "bad": corpus.bad,
        "labelled": labelled,
        "threshold": threshold,
        "doubles": _doubles(found, corpus, corpus),
        "against": [_against(texts, corpus, other, threshold) for other in others],
        "conflicts": {
            "texts": len(conflicts),
            "rows": sum(len(conflict.rows) for conflict in conflicts),
            "shown": [
                {
                    "text": _text(corpus, conflict.rows[0]),
                    "labels": faults.labels_of(conflict),
                    "rows": [corpus.place(row) for row in conflict.rows[: faults.SHOWN]],
                }
                for conflict in conflicts[: faults.SHOWN]
            ],
        },
        "spelling": spelled,
        "scripts": _scripts(corpus),
        "lengths": faults.lengths(texts),
        "recurring": {
            kind: [{**each, "text": masked(each["text"]), "row": corpus.place(each["row"])} for each in rows]
            for kind, rows in faults.recurring(texts, earliest).items()
        },
        "personal": faults.looks_personal(texts),
    }


def _against(texts: Texts, corpus: Corpus, other: Corpus, threshold: float) -> dict[str, Any]:
    held = faults.spelling(Texts.joined([Texts.of(block) for block in other.blocks()]))[0]
    found = faults.leaked(texts, held, threshold)
    return {"source": other.source, "rows": len(other), **_doubles(found, other, corpus)}


def _doubles(found: faults.Doubles, corpus: Corpus, other: Corpus) -> dict[str, Any]:
    shown = []
    for pair in found.shown:
        row = {"row": corpus.place(pair.row), "of": other.place(pair.of), "likeness": pair.likeness, "exact": pair.exact}
        row |= {"text": _text(corpus, pair.row), "original": _text(other, pair.of)}
        shown.append(row | {"labels": [corpus.labels[pair.row], other.labels[pair.of]]})
    return {"exact": found.exact, "near": found.near, "others": found.others, "shown": shown}


def _scripts(corpus: Corpus) -> list[dict[str, Any]]:
    """How many texts are mainly in each script, the most frequent first."""
    names, counts = scripts(), Counter[str]()
    for block in corpus.blocks():
        counts.update(scripts_of(block))
    return [{"script": code, "name": names[code], "texts": count} for code, count in counts.most_common()]


def _text(corpus: Corpus, row: int) -> str:
    text = masked(corpus.texts([row])[0])
    return text if len(text) <= _LONGEST else f"{text[:_LONGEST]} …"
