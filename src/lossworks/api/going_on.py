"""``fit --from``: a finished run opened to go on from, and whether going on forgot what it had learned."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from contextlib import closing
from pathlib import Path
from typing import Any

import numpy as np
import xxhash
from numpy.typing import NDArray

from .. import metrics
from ..core.errors import DataError, RecordError, UsageError
from ..data import Corpus, ReadOptions
from ..engine import checkpoint
from ..inference import NetworkPredictor, TextLanguage
from ..metrics.segments import Segments
from ..record import Run
from ..record.checksums import OPTIMIZER, check_optimizer
from ..training import Fitted, Settings
from ..training.start import Start, settings_after
from .evaluate import scores_of
from .language import Language
from .loading import load
from .model import Model
from .run_data import learned_by
from .side_by_side import measure
from .tested import corpus_for
from .trained_on import doubles

_NOTHING = "so nothing is said of what was forgotten"


class Origin:
    """The finished run that a fit goes on from: its record, and once ``open`` was called what it holds."""

    def __init__(self, path: Path | str) -> None:
        self.path, self.record = str(path), Run(path).summary
        if (status := self.record.get("status")) != "finished" or "given" not in self.record:
            what = status if status != "finished" else "not made by fit"
            raise UsageError(f"--from {path}: that run is {what}. Finish it with --resume, or name one that lossworks fit made.")
        self.model: Model | Language | None = None
        self.start: Start | None = None

    def settings(self, settings: Settings | None, choices: dict[str, Any]) -> Settings:
        """Of a training that goes on from it; as ``settings_after``."""
        return settings_after(self.path, self.record, settings, choices)

    @property
    def identity(self) -> dict[str, Any]:
        """Which run it is, for the record: where it is, and what it held."""
        files = sorted(self.record["files"].items())
        return {"run": self.path, "created": self.record["created"], "model": xxhash.xxh3_128(repr(files).encode()).hexdigest()}

    def open(self, device: str) -> Start:
        """Its model, and the state of its optimizer if that is there.

        Raises:
            RecordError: a file is damaged.
        """
        model = load(self.path, device)
        assert isinstance(model, Model | Language)
        trained = learned_by(model)
        assert isinstance(trained, NetworkPredictor | TextLanguage)
        check_optimizer(Path(self.path), self.record["files"])
        kept = checkpoint.load_newest(Path(self.path) / OPTIMIZER)
        self.model = model
        self.start = Start(self.path, trained, self.record["config"]["optimizer"], None if kept is None else kept[0])
        return self.start

    def told(self, fitted: Fitted, corpora: Sequence[Corpus], fixed: Sequence[int | None]) -> dict[str, Any]:
        """What the result says of it: labels that are new, whether the optimizer's state was taken up, and what was forgotten."""
        assert self.model is not None
        assert self.start is not None
        task = None if isinstance(fitted.trained, TextLanguage) else fitted.trained.task  # type: ignore[union-attr]
        new = [] if task is None else list(task.labels[len(self.model.labels) :])  # type: ignore[union-attr]
        return {**self.identity, "labels": new, "optimizer": self.start.said or None, **self._forgetting(fitted, corpora, fixed)}

    def _forgetting(self, fitted: Fitted, corpora: Sequence[Corpus], fixed: Sequence[int | None]) -> dict[str, Any]:
        """The test part of the run scored before and after; or why it is not."""
        assert self.model is not None
        try:
            with closing(corpus_for({self.path: self.model}, None, self._reading)) as tested:
                one = isinstance(self.model, Language) and self.model.document_unit == "file"
                given = corpora, fixed, fitted.settings, fitted.trained, fitted.result
                known, same = (np.empty(0, np.int64), 0) if one else doubles(self.path, self.model, tested, *given)
                rows = np.setdiff1d(np.arange(len(tested)), known)
                said = {"known": len(known), "learned": same}
                if not len(rows):
                    return {**said, "note": f"all of its test rows stand in the new training data, {_NOTHING}"}
                judge = _of_language if isinstance(self.model, Language) else _of_labels
                return {**said, "rows": len(rows), **judge(self.model, fitted, tested, rows)}  # type: ignore[arg-type]
        except (UsageError, DataError, RecordError) as error:
            return {"note": f"its test rows cannot be scored again, {_NOTHING}: {error}"}

    @property
    def _reading(self) -> ReadOptions:
        if not isinstance(self.model, Language):
            return ReadOptions()
        return ReadOptions(unlabelled=True, texts=self.model.document_unit)


def _of_labels(before: Model, fitted: Fitted, tested: Corpus, rows: NDArray[np.int64]) -> dict[str, Any]:
    """Every metric by rows of both models. Of label sets those labels alone that were known before: of new ones no row says."""
    after, old = Model(fitted.trained), before.predictor  # type: ignore[arg-type]
    new, known = after.predictor, len(before.labels)
    target, keys = old.task.targets(tested)[rows], tested.keys[rows]
    weight = None if tested.weights is None else tested.weights[rows]
    scores = [scores_of(model, tested)[rows] for model in (before, after)]
    cuts = [old.thresholds, new.thresholds]
    if old.task.kind == "multilabel":
        scores[1], cuts[1] = scores[1][:, :known], new.thresholds and new.thresholds[:known]
    tasks = old.task, old.task if old.task.kind == "multilabel" else new.task
    found = [
        task.by_row(score, target, weight, temperature=model.temperature, thresholds=cut)
        for task, model, score, cut in zip(tasks, (old, new), scores, cuts, strict=True)
    ]
    groups = np.unique(keys, return_inverse=True)[1]
    pairs = {name: metrics.paired(found[1][name], found[0][name], groups) for name in found[0]}
    lead = {"classify": "accuracy", "multilabel": "micro_f1"}.get(old.task.kind, old.task.proper)
    return _compared(old.task.proper, pairs, lead, before.record)


def _of_language(before: Language, fitted: Fitted, tested: Corpus, rows: NDArray[np.int64]) -> dict[str, Any]:
    """Bits a byte of both models, whose tokens are the same."""
    assert isinstance(fitted.trained, TextLanguage)
    after = Language(fitted.trained, fitted.counts, before.record, None)
    whole = before.document_unit == "file"
    texts = Segments.of(tested.blocks, whole=whole)
    own = slice(None) if whole else rows
    nats, sizes = [measure(model, texts).nats[own] for model in (after, before)], texts.bytes[own]
    of_both = [metrics.bits_per(each, sizes) for each in nats]
    pairs = {"bits_per_byte": (*of_both, metrics.bits_between(nats[0], nats[1], sizes))}
    return _compared("bits_per_byte", pairs, "bits_per_byte", before.record)


def _compared(
    proper: str, found: Mapping[str, tuple[metrics.Interval, ...]], lead: str, record: dict[str, Any]
) -> dict[str, Any]:
    """The verdict, by the proper metric; each metric after, before, and their difference; and what share is ``lost`` of what the
    run was better by than the constant baseline in the metric ``lead``, by its ``record``: 1 is all.
    """
    low, high = found[proper][2].low, found[proper][2].high
    verdict = "forgot" if low > 0 else "better" if high < 0 else "open"
    rows = {
        name: {"after": after.value, "before": before.value, "difference": apart.to_json()}
        for name, (after, before, apart) in found.items()
    }
    floor = record["result"].get("baseline", {}).get("metrics", {}).get(lead, {}).get("value")
    after, before, _ = found[lead]
    ahead = 0.0 if floor is None else floor - before.value
    better = ahead > 0 if lead not in metrics.RISING else ahead < 0
    lost = float((after.value - before.value) / ahead) if better else None
    return {"verdict": verdict, "metric": proper, "lead": lead, "lost": lost, "metrics": rows}
