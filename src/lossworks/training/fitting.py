"""From corpora to something trained and the record of how good it is: the one way in, whatever the task and the family."""

from __future__ import annotations

import sys
from collections import deque
from collections.abc import Iterator, Sequence
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass, replace
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np
from numpy.typing import NDArray

from ..core.errors import DataError, OutOfMemory, UsageError
from ..core.memory import is_out_of_memory
from ..data import Corpus
from ..data.shards import BUDGET
from ..engine import Callbacks, checkpoint
from ..engine.distributed import World
from ..engine.joining import check_alone
from ..inference import Predictor, TextLanguage
from ..models import CountedSpec, LanguageSpec
from ..record.checksums import OPTIMIZER
from .settings import Settings
from .start import Start
from .teaching import Teacher
from .unigrams import write_counts

if TYPE_CHECKING:
    from ..inference import KnowledgeGraph


@dataclass(slots=True)
class Fitted:
    """What a fit gives: the model, the settings it was made with, and the record of data and result.

    counts: of a language model, how often each token was seen, for its baseline; None where that is not known.
    optimizer: its steps and its state after the last one, where a training may go on from here.
    """

    trained: Predictor | TextLanguage | KnowledgeGraph
    settings: Settings
    data: dict[str, Any]
    result: dict[str, Any]
    counts: NDArray[np.int64] | None = None
    optimizer: tuple[int, dict[str, Any]] | None = None

    def save(self, folder: Path) -> None:
        """Write the model's files, and in a folder of its own what another training needs to go on from it."""
        self.trained.save(folder)
        if self.optimizer is not None:
            checkpoint.save(folder / OPTIMIZER, *self.optimizer, {})
        if self.counts is not None:
            write_counts(folder, self.counts)


def fit_corpora(
    corpora: Sequence[Corpus],
    fixed: Sequence[int | None],
    settings: Settings,
    callbacks: Callbacks | None = None,
    *,
    scratch: Path,
    resume: bool = False,
    budget: int = BUDGET,
    teacher: Teacher | None = None,
    start: Start | None = None,
) -> Fitted:
    """Train on ``corpora``: the first is split where no others were given as (``fixed``) validation or test part.

    Args:
        corpora: the data; a task of "auto" is decided by its labels.
        fixed: the part that each corpus was given as; None for the one to split.
        settings: what to train and how.
        callbacks: how to watch and stop it.
        scratch: a folder for temporary files.
        resume: go on from the newest of the callbacks' checkpoints; what keeps none starts again, and ends in the same bits.
        budget: bytes of text of each part held in memory.
        teacher: what the settings' ``teach`` names, opened.
        start: the run to go on from; the settings are then ``settings_after`` it.

    Raises:
        DataError, UsageError: the data or the settings do not fit.
        Diverged, Interrupted, OutOfMemory: training ended early.
    """
    callbacks = (callbacks or Callbacks()).with_shards(settings.shards)
    if settings.teach is not None and teacher is None:
        raise UsageError(f"this does not train with a teacher ({settings.teach}) yet. Leave teach out, or use lossworks fit.")
    with gradients_wanted(), memory_named(settings):
        if settings.of_graph:
            from . import graph

            return Fitted(*graph.fit(corpora, fixed, settings, callbacks, resume=resume))
        if isinstance(settings.spec, CountedSpec):
            from . import counted_classifier

            return Fitted(*counted_classifier.fit(corpora, fixed, settings, callbacks))
        last: deque[tuple[int, dict[str, Any]]] = deque(maxlen=1)
        if not settings.spec.no_further:
            callbacks = replace(callbacks, ended=lambda stepper: last.append((stepper.steps, stepper.whole_tensors())))
        if not is_labelled(settings, corpora):
            from . import language

            how: dict[str, Any] = {"resume": resume, "teacher": teacher, "start": start}
            return Fitted(*language.fit(corpora, fixed, settings, callbacks, scratch, **how), *last)
        if settings.of_language:
            _check_labels(corpora)
            spec = settings.spec
            assert isinstance(spec, LanguageSpec)
            if spec.classifier is None:
                from . import generative

                check_alone(World())  # one after another, a model a class
                return Fitted(*generative.fit(corpora, fixed, settings, callbacks, scratch))
            settings = settings.for_labels()
        from . import classifier

        how = {"resume": resume, "budget": budget, "teacher": teacher, "start": start}
        return Fitted(*classifier.fit(corpora, fixed, settings, callbacks, scratch, **how), None, *last)


def is_labelled(settings: Settings, corpora: Sequence[Corpus]) -> bool:
    """Whether labels are what is learned: the task says so, or the family leaves it to the data, which has some."""
    if settings.task != "auto":
        return settings.task != "lm"
    return not settings.of_language or any(label is not None for corpus in corpora for label in corpus.labels)


def _check_labels(corpora: Sequence[Corpus]) -> None:
    """Raise DataError where some texts have labels and others none."""
    for corpus in corpora:
        missing = [row for row, label in enumerate(corpus.labels) if label is None]
        if missing:
            raise DataError(
                f"{corpus.place(missing[0])}: the label is missing ({len(missing):,} such rows). "
                "Label or remove them, or train a language model on all texts: --task lm."
            )


@contextmanager
def gradients_wanted() -> Iterator[None]:
    """Out of the modes in which PyTorch makes none; who has not imported it is in none of them."""
    with ExitStack() as stack:
        if "torch" in sys.modules:
            import torch

            stack.enter_context(torch.inference_mode(False))
            stack.enter_context(torch.enable_grad())
        yield


@contextmanager
def memory_named(settings: Settings) -> Iterator[None]:
    """Turn the machine's word for too little memory into ours, with what to do about it."""
    try:
        yield
    except (MemoryError, RuntimeError) as error:
        if not is_out_of_memory(error):
            raise
        raise OutOfMemory(
            f"out of memory with {settings.model}{f', batches of {settings.batch_size}' if settings.batch_size else ''}. "
            "Try fewer bits, a smaller dim or vocabulary, a smaller --micro-batch, or for counts of n-grams less --memory."
        ) from error
