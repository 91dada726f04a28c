"""The field on which models of language are compared: a text divided once, and read once by each tokenizer."""

from __future__ import annotations

import math
import time
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field, replace
from functools import partial
from pathlib import Path
from threading import Event
from typing import Any

import numpy as np
import torch
from numpy.typing import NDArray

from .. import metrics, models
from ..core.errors import Diverged, UsageError
from ..data import TEST, TRAIN, VALID, Corpus
from ..data.duplicates import Duplicates, find, nothing
from ..engine import Callbacks
from ..engine.config import TrainConfig
from ..metrics.segments import Segments
from ..models.neural import NeuralSpec
from ..tasks import Task
from ..tokens import Tokenizer
from ..training import LanguageSettings
from ..training.fitting import TURN
from ..training.held_out import HeldOut
from ..training.language import describe
from ..training.language_metrics import logp_of
from ..training.layouts import Positions
from ..training.objective import fitting_loss
from ..training.planning import by_texts
from ..training.sequences import sequence_loop
from ..training.token_parts import Division, Encoded, divide, encode
from .behind_language import apart
from .language_arms import resolve
from .learning import ByGradients, Counted
from .outcome import Outcome
from .verdicts import Measured

_JUDGED, _JUDGED_TOKENS = 8, 10_000  # scores on the way, each of so many validation tokens, the same for all; the last is of all


@dataclass(frozen=True, slots=True)
class Reading:
    """The parts as a tokenizer reads them, and the test part's units."""

    tokenizer: Tokenizer
    parts: dict[int, Encoded]
    units: metrics.SegmentCounts


@dataclass(slots=True)
class LanguageField:
    """The texts of a comparison of models of language; the interface is that of ``training.Field``.

    Figures stand on the test part's texts, or on segments of one long text, between the same characters whatever the tokens.
    """

    corpora: list[Corpus]
    fixed: list[int | None]
    common: LanguageSettings
    scratch: Path
    watch: Callable[[str, dict[str, Any]], None] = lambda event, fields: None
    stop: Event = field(default_factory=Event)
    _division: Division | None = None
    _segments: Segments | None = None
    _read: dict[str, Reading] = field(default_factory=dict)

    kind = "lm"

    @property
    def ends(self) -> bool:
        """Whether texts have an end to be predicted."""
        return self.common.texts != "file"

    @property
    def segments(self) -> Segments:
        """What the rows of figures are."""
        if self._segments is None:
            division = self._divided()
            self._segments = Segments.of(lambda: division.blocks(TEST), whole=not self.ends)
        return self._segments

    @property
    def rows_are(self) -> str:
        """What the rows of figures are."""
        return "test texts" if self.ends else "test segments"

    def describe(self) -> dict[str, Any]:
        """What the record says of the data, in the tokens of the settings in common."""
        reading = self.ready(self._resolved)
        return {**describe(self._divided(), reading.tokenizer, reading.parts), "units": self.segments.name}

    def resolve(self, shared: Mapping[str, Any], chosen: Mapping[str, Any]) -> LanguageSettings:
        """An arm with every choice made."""
        return resolve(self.common, shared, chosen)

    def check(self, settings: LanguageSettings) -> None:
        """Raise UsageError where an arm's loss does not fit models of language."""
        if settings.loss is not None:
            size = self.ready(settings).tokenizer.vocabulary.size
            fitting_loss(settings.loss, Task("classify", tuple(map(str, range(size)))))

    def metric(self, asked: str | None, arms: Sequence[LanguageSettings]) -> str:
        """The metric of the verdicts.

        Raises:
            UsageError: it is none of models of language, or does not compare the arms' tokens.
        """
        mixed = len({one.tokens for one in arms}) > 1
        metric = asked or ("bits_per_byte" if mixed else metrics.PROPER[self.kind])
        metrics.check_metric(self.kind, metric)
        if mixed and metric != "bits_per_byte":
            raise UsageError(f"{metric} does not compare between the arms' tokens, which differ. Say --metric bits_per_byte.")
        if mixed and (lossy := [one.tokens for one in arms if self.ready(one).units.unknown.any()]):
            raise UsageError(
                f"{lossy[0]} does not know some tokens of the test part, which cost too little then beside other arms' tokens. "
                "Compare tokens that spell everything: chars of a closed alphabet, bytes, bpe."
            )
        return metric

    def duplicates(self) -> Duplicates:
        """Test texts that stand among the training texts; of one long text none are sought."""
        division = self._divided()
        return nothing() if division.parts is None else find(division.corpora, division.parts)

    def train(self, settings: LanguageSettings, metric: str | None) -> Outcome:
        """Train one arm to the end of its schedule; with a ``metric``, measure the test part, else the validation part alone."""
        curve: list[tuple[float, float, float]] = []
        started = time.monotonic()

        def note(event: str, fields: dict[str, Any]) -> None:
            if event == "valid":
                curve.append((fields["epoch"], time.monotonic() - started, fields["nll"]))

        with TURN:
            learning = self.loop(settings, Callbacks(watch=note, stop=self.stop))
            tokens, started = learning.tokens, time.monotonic()
            try:
                seconds = learning.run().seconds
            except Diverged as error:
                return Outcome(math.inf, None, {}, curve, time.monotonic() - started, tokens, str(error))
            judged, rows = self.measure(learning, settings, metric is not None)
        metrics = {name: float(values.mean()) for name, values in (rows or {}).items()}
        if not math.isfinite(judged) or not all(map(math.isfinite, metrics.values())):
            return Outcome(math.inf, None, {}, curve, seconds, tokens, "the held-out scores are not finite")
        return Outcome(judged, None if rows is None else rows[metric or ""], metrics, curve, seconds, tokens)

    def loop(self, settings: LanguageSettings, control: Callbacks) -> ByGradients | Counted:
        """A training of an arm, not begun. It ends with its schedule, and the weights are those it ends with."""
        reading, spec = self.ready(settings), models.build_language(settings.model)
        train, valid, vocabulary = reading.parts[TRAIN], reading.parts[VALID], reading.tokenizer.vocabulary
        if not settings.by_gradients:
            how: dict[str, Any] = {"ends": self.ends, "valid": valid.texts, "seed": settings.seed, "memory": settings.memory}
            learn = partial(spec.fit, train.texts, vocabulary, scratch=self.scratch, **how)
            return Counted(learn, len(Positions.of(train.texts, vocabulary, self.ends)), control)
        spec, recipe = self._recipe(settings, reading)
        network = spec.sequence_network(train.texts, vocabulary, ends=self.ends, seed=settings.seed).to(settings.device)
        if settings.dtype is not None:
            network.dtype = getattr(torch, settings.dtype)
        vocabulary = network.model().vocabulary  # a model that was made elsewhere has its own marks
        held_out = HeldOut.of(Positions.of(valid.texts, vocabulary, self.ends), recipe, self.common.seed)
        how = {"ends": self.ends, "held_out": held_out, "seed": settings.seed, "control": control}
        loop = sequence_loop(network, train.texts, vocabulary, recipe, **how)
        loop.keeps_best = False
        return ByGradients(loop)

    def lasts(self, learning: ByGradients | Counted, settings: LanguageSettings) -> tuple[int, int]:
        """Steps of a whole training, and scores of the validation part on the way."""
        return learning.lasts

    def measure(
        self, learning: ByGradients | Counted, settings: LanguageSettings, tested: bool
    ) -> tuple[float, dict[str, NDArray[np.float64]] | None]:
        """The validation part's nats a token, and each metric by the test part's units where they are to be ``tested``."""
        reading, model = self.ready(settings), learning.model
        judged = float(-logp_of(model, reading.parts[VALID].texts).mean())
        if not tested:
            return judged, None
        return judged, metrics.by_segment(reading.units.sums(-logp_of(model, reading.parts[TEST].texts)), reading.units)

    def behind(
        self, outcomes: list[list[Outcome]], measured: Sequence[Measured], metric: str, arms: Sequence[LanguageSettings]
    ) -> dict[str, Any]:
        """The texts, or segments, that an arm and the baseline differ about."""
        units = [self.ready(one).units for one in arms]
        sizes = [one.bytes if metric == "bits_per_byte" else one.positions.astype(np.float64) for one in units]
        return {"slices": None, "reading": {"hard": [], "apart": apart(self.segments, sizes, measured)}}

    def prior(self, metric: str) -> NDArray[np.float64]:
        """The metric by the test part's units for the answer that never reads the text: how frequent each token is."""
        reading = self.ready(self._resolved)
        vocabulary, test = reading.tokenizer.vocabulary, reading.parts[TEST].texts
        counts = Positions.of(reading.parts[TRAIN].texts, vocabulary, self.ends).counts(vocabulary.size)
        positions = Positions.of(test, vocabulary, self.ends)
        text = np.repeat(np.arange(len(test)), np.diff(positions.bounds))
        logp = metrics.unigram(counts, vocabulary.start)[positions.tokens(np.arange(len(positions)), text)]
        return metrics.by_segment(reading.units.sums(-logp), reading.units)[metric]

    def ready(self, settings: LanguageSettings) -> Reading:
        """The parts as an arm's tokenizer, learnt from the training part, reads them."""
        tokens = settings.tokens or ""
        if tokens not in self._read:
            folder = self.scratch / str(len(self._read))
            folder.mkdir()
            tokenizer, parts = encode(self._divided(), settings, Callbacks(watch=self.watch, stop=self.stop), folder)
            for part, name in ((VALID, "validation"), (TEST, "test")):
                if not len(parts[part].texts.ids):
                    raise UsageError(
                        f"{self.corpora[0].source}: no {name} texts are held out, and compare judges by them. Give more text (40 "
                        "texts, or a file of 1,000 characters), or files with --valid and --test."
                    )
            units = self.segments.of_tokens(parts[TEST].texts, tokenizer, self.ends)
            self._read[tokens] = Reading(tokenizer, parts, units)
        return self._read[tokens]

    @property
    def _resolved(self) -> LanguageSettings:
        return self.common.resolved("lm")

    def _divided(self) -> Division:
        if self._division is None:
            if self.common.task == "auto" and any(label is not None for corpus in self.corpora for label in corpus.labels):
                raise UsageError(
                    f"{self.corpora[0].source} has labels. To compare models of language on its texts, say --task lm; to tell "
                    "the labels apart, name classifiers: --model bag, or linear."
                )
            self._division = divide(self.corpora, self.fixed, self.common)
        return self._division

    def _recipe(self, settings: LanguageSettings, reading: Reading) -> tuple[models.LanguageSpec, TrainConfig]:
        """The family with every number chosen, and how it is trained: to the end, with few looks on the way."""
        spec = models.build_language(settings.model)
        if isinstance(spec, NeuralSpec):
            spec, recipe = by_texts(reading.parts[TRAIN].texts, reading.tokenizer.vocabulary, settings, ends=self.ends)
        else:
            recipe = TrainConfig(**{name: value for name, value in settings.of_gradients().items() if name != "lr"})
        epochs = settings.epochs or settings.steps or 1  # an epoch has a step or more
        looks: dict[str, Any] = {"judged": _JUDGED, "judged_tokens": _JUDGED_TOKENS, "patience": _JUDGED + 1}
        return spec, replace(recipe, epochs=epochs, **looks)
