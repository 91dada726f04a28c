"""What ``fuse`` makes, on its way to a run directory."""

from __future__ import annotations

from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from ..data import Corpus, ReadOptions
from ..engine import Callbacks
from ..fusion.labels import LabelPool
from ..fusion.sources import LabelSource
from ..inference import Predictor, TextLanguage
from ..models import LanguageModel
from ..models.pool import PoolSpec, Rule, pool
from ..record import Run
from ..training.describing import form
from ..training.unigrams import write_counts
from .evaluate import evaluate
from .language import Language
from .model import Model
from .reading import Source
from .soup import SOUP
from .sources import Opened


@dataclass(slots=True)
class PoolRun:
    """A pool on its way to a run directory."""

    opened: Opened
    trained: Predictor | TextLanguage
    facts: dict[str, Any]
    on: Corpus
    result: dict[str, Any] = field(default_factory=dict)

    def record(self) -> dict[str, Any]:
        """What a run's record says of settings and data."""
        opened, base = self.opened, self.opened.base
        if self.facts["kind"] == SOUP and base is not None:
            return {"config": base.record["config"], "data": base.record["data"]}
        config = {"task": self.facts["task"], "model": "pool", "loss": None, "optimizer": None, "seed": 0}
        data = {"source": self.on.source, "rows": len(self.on), "skipped": self.on.skipped, "fingerprint": self.on.fingerprint}
        data |= {"text_column": self.on.text_column, "label_sep": self.on.label_sep, "parts": {"train": len(self.on)}}
        data |= form([self.on])
        if opened.task is None:
            assert isinstance(base, Language)
            config |= {name: base.record["config"].get(name) for name in ("tokenizer", "document_unit")}
            data["vocabulary"] = base.tokenizer.vocabulary.size
        else:
            counts = opened.task.counts(opened.task.targets(self.on))
            data |= {"train_counts": counts, "label_counts": dict(zip(opened.task.labels, counts or [], strict=False))}
        return {"config": config, "data": data}

    def held(self, run: Run | None) -> Model | Language:
        """It as a user holds it."""
        record, path = (self.record(), None) if run is None else (run.summary, run.path)
        trained = self.trained
        if isinstance(trained, TextLanguage):
            assert isinstance(self.opened.base, Language)
            return Language(trained, self.opened.base.counts, record, path)
        return Model(trained, record, path)

    def judged(self, callbacks: Callbacks, test: Source | None, read: ReadOptions) -> PoolRun:
        """With what ``evaluate`` says of it on the test text."""
        record = self.record()
        labels = None if self.opened.task is None else list(self.opened.task.labels)
        callbacks.watch("data", {"task": self.facts["task"], "labels": labels, **record["data"], "config": record["config"]})
        callbacks.watch("start", {"step": 0})
        self.result = {"part": None, "rows": 0, "note": "no text was given to judge it on"}
        if test is not None:
            self.result = {"part": "test", **evaluate(self.held(None), test, read)}
        self.result |= {"seconds": 0.0, "fused": self.facts}
        return self

    def save(self, folder: Path) -> None:
        """Write the model's files."""
        self.trained.save(folder)
        if isinstance(self.opened.base, Language) and self.opened.base.counts is not None:
            write_counts(folder, self.opened.base.counts)


def pool_of(opened: Opened, rule: Rule) -> Predictor | TextLanguage:
    """The sources as one model."""
    if opened.task is not None:
        sources = [source for source in opened.sources if isinstance(source, LabelSource)]
        return LabelPool(opened.task, sources=sources, names=opened.names, rule=rule)
    assert isinstance(opened.base, Language)
    models = [source for source in opened.sources if isinstance(source, LanguageModel)]
    return TextLanguage(PoolSpec(), opened.base.tokenizer, pool(list(zip(opened.specs, models, strict=True)), rule))
