"""Votes of labelling rules, made one answer a text without any label that is known to be right."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import Any

import numpy as np
import xxhash
from numpy.typing import NDArray

from ..core.errors import DataError, RecordError, UsageError
from ..core.seeds import generator
from ..record import read_object, write_json
from ..record.tensors import map_tensors, write_tensors
from ..tasks import LabelTask
from .label_model import ABSTAINS, fit_label_model
from .sources import LabelSource
from .votes_file import Votes, read_votes

_TENSORS, _RULES = "votes.safetensors", "rules.json"


class VotesSource(LabelSource):
    """What rules say of the texts in a file, weighed by how right each is found to be; silent of others, and where none votes.

    Args:
        keys: of the texts, as ``key_of`` has them [texts]; of equal ones the first counts.
        logp: log-probabilities of the labels [texts, labels].
        rules: of each rule its name, and how right it is thought to be, and on which share of the texts it votes.
    """

    kind = "votes"

    def __init__(self, keys: NDArray[np.uint64], logp: NDArray[np.float64], rules: Sequence[dict[str, Any]]) -> None:
        self.keys, self.logp, self.rules = keys, logp, list(rules)
        self._rows = dict(zip(keys[::-1].tolist(), range(len(keys))[::-1], strict=True))

    @classmethod
    def open(cls, where: str, task: LabelTask) -> VotesSource:
        """Read a file of votes, and fit the label model to all of it.

        Raises:
            UsageError: no file is named, or the task is not of classes.
            DataError: a vote is no label, or the file cannot be used; names the line.
        """
        if task.kind != "classify":
            raise UsageError(f"votes are for one class a text; the task is {task.kind}.")
        found = read_votes(_path(where))
        votes = _numbered(found, task.labels, where)
        model = fit_label_model(votes, len(task.labels))
        shares = (votes != ABSTAINS).mean(0)
        told = zip(found.rules, model.accuracy.tolist(), shares.tolist(), strict=True)
        rules = [{"rule": rule, "accuracy": accuracy, "coverage": share} for rule, accuracy, share in told]
        keys = np.fromiter(map(key_of, found.texts), np.uint64, len(found.texts))
        return cls(keys, model.logp, rules)

    @staticmethod
    def labels_in(where: str) -> list[str]:
        """The labels that the rules of a file vote for."""
        return read_votes(_path(where)).labels

    def logits(self, texts: Sequence[str]) -> NDArray[np.float64]:
        rows = np.array([self._rows.get(key_of(text), -1) for text in texts], np.int64)
        found = self.logp[rows]
        found[rows < 0] = np.nan
        return found

    def cut(self, seed: int) -> VotesSource:
        """The same answers, each given of another text, at random among those of which it speaks."""
        speaks = np.flatnonzero(~np.isnan(self.logp).any(1))
        logp = self.logp.copy()
        logp[speaks] = logp[generator(seed, "votes").permutation(speaks)]
        return VotesSource(self.keys, logp, self.rules)

    def save(self, folder: Path) -> None:
        write_tensors(folder / _TENSORS, {"keys": self.keys, "logp": self.logp}, {})
        write_json(folder / _RULES, {"rules": self.rules})

    @classmethod
    def load(cls, folder: Path, task: LabelTask) -> VotesSource:
        arrays, _ = map_tensors(folder / _TENSORS)
        keys, logp = arrays["keys"], arrays["logp"]
        if keys.shape != (len(logp),) or logp.shape[1:] != (len(task.labels),):
            raise RecordError(f"{folder / _TENSORS} is not for {len(task.labels)} labels. Restore it from a copy, or fuse again.")
        return cls(np.array(keys), np.array(logp), read_object(folder / _RULES)["rules"])


def key_of(text: str) -> int:
    """What a text is known by."""
    return xxhash.xxh3_64_intdigest(text.encode("utf-8", "surrogatepass"))


def _path(where: str) -> Path:
    if not where:
        raise UsageError("votes: which file? Give votes:FILE, with a text and the votes of rules in each row.")
    return Path(where)


def _numbered(found: Votes, labels: Sequence[str], where: str) -> NDArray[np.int64]:
    """The votes as numbers of labels [texts, rules]."""
    number: dict[str | None, int] = {label: at for at, label in enumerate(labels)} | {None: ABSTAINS}
    for place, row in zip(found.places, found.votes, strict=True):
        if wrong := [vote for vote in row if vote not in number]:
            raise DataError(f"{where}, {place}: a rule votes for {wrong[0]!r}, which is no label. Labels: {', '.join(labels)}.")
    return np.array([[number[vote] for vote in row] for row in found.votes], np.int64)
