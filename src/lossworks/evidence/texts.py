"""Language models as arms of a comparison: a text divided once, and read once by each tokenizer."""

from __future__ import annotations

import time
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from .. import losses, metrics, optim, schedules
from ..core.errors import UsageError
from ..data import TEST, TRAIN, VALID, Languages, TextLanguages
from ..data.duplicates import Duplicates, find, nothing
from ..data.layouts import Positions
from ..engine import Callbacks
from ..metrics.segments import Segments
from ..models.neural import NeuralSpec
from ..models.pool.weights import constant
from ..models.transformer import TransformerSpec
from ..tasks import LanguageModeling
from ..training import Settings
from ..training.balancing import check_languages
from ..training.choices import for_family
from ..training.config import OPTIMIZER
from ..training.division import Division, divide
from ..training.language import describe
from ..training.planning import BATCH_TOKENS, CLIP, SCHEDULE
from ..training.resolving import for_language
from ..training.token_parts import encode
from .benchmark import Benchmark, Scored
from .each import EachSettings, for_arm
from .ngram_rival import beside_counts
from .outcome import Outcome
from .text_diagnostics import apart
from .text_trainings import Reading, by_gradients, in_one_call
from .trainings import Constant, Training
from .verdicts import Measured


@dataclass(slots=True)
class TextBenchmark(Benchmark[Reading]):
    """Texts. Metrics stand on the test part's texts, or on segments of one long text between the same characters."""

    _division: Division | None = None
    _segments: Segments | None = None
    _balanced: dict[str | None, TextLanguages | None] = field(default_factory=dict)

    @property
    def task(self) -> LanguageModeling:
        return LanguageModeling()

    @property
    def ends(self) -> bool:
        """Whether texts have an end to be predicted."""
        return self.common.get("document_unit") != "file"

    @property
    def segments(self) -> Segments:
        """What the rows of metrics are."""
        if self._segments is None:
            division = self._divided()
            self._segments = Segments.of(lambda: division.blocks(TEST), whole=not self.ends)
        return self._segments

    @property
    def unit(self) -> str:
        return "test texts" if self.ends else "test segments"

    @property
    def languages(self) -> Languages | None:
        return self._divided().languages(TEST)

    def sizes(self, metric: str, settings: Settings) -> NDArray[np.float64]:
        units = self.ready(settings).units
        return units.bytes if metric == "bits_per_byte" else units.positions.astype(np.float64)

    def describe(self) -> dict[str, Any]:
        """In the tokens of the first arm that was read, or of what is common."""
        reading = self.ready(self._usual())
        return {**describe(self._divided(), reading.tokenizer, reading.parts), "units": self.segments.name}

    def duplicates(self) -> Duplicates:
        """Of one long text none are sought."""
        division = self._divided()
        return nothing() if division.parts is None else find(division.corpora, division.parts)

    def resolve(self, own: Mapping[str, Any]) -> Settings:
        """A family that learns by a method of its own takes nothing of what is common but for a loss or an optimizer: those say
        that it is to be trained by gradients.
        """
        settings = for_language(for_arm({**self.common, "task": "lm"}, own), "lm")
        if not settings.by_gradients:
            return settings
        spec, given = settings.spec, str(settings.model)
        tokens = settings.batch_tokens or BATCH_TOKENS
        if isinstance(spec, TransformerSpec) and "context=" in given and spec.context > tokens:
            raise UsageError(
                f"the context is {spec.context:,} tokens, and a step has {tokens:,}, in every arm as many. "
                f"Say --batch-tokens {spec.context} or more."
            )
        neural = isinstance(spec, NeuralSpec)
        optimizer = settings.optimizer_or(spec.optimizer if isinstance(spec, NeuralSpec) else OPTIMIZER)
        _check_length(settings, optimizer)
        return replace(
            settings,
            loss=losses.render(losses.build(settings.loss or self.task.default_loss)),
            optimizer=optim.render(optimizer),
            lr=optimizer.lr,
            schedule=schedules.render(schedules.build(settings.schedule or SCHEDULE)),
            clip=settings.clip or (CLIP if neural and not optimizer.needs_closure else None),
            batch_tokens=tokens,
            dtype=settings.dtype or ("float32" if neural else None),
        )

    def check(self, settings: Settings) -> None:
        check_languages(settings, self.corpora)
        if settings.loss is not None:
            self.task.loss(settings.loss)

    def metric(self, asked: str | None, arms: Sequence[Settings]) -> str:
        """As of every benchmark; it must compare the arms' tokens too."""
        mixed = len({one.tokenizer for one in arms}) > 1
        metric = Benchmark.metric(self, asked or ("bits_per_byte" if mixed else None), arms)
        if mixed and metric != "bits_per_byte":
            raise UsageError(f"{metric} does not compare between the arms' tokens, which differ. Say --metric bits_per_byte.")
        if mixed and (lossy := [one.tokenizer for one in arms if self.ready(one).unknown > metrics.MOST_UNKNOWN]):
            raise UsageError(
                f"to {lossy[0]} more than {metrics.MOST_UNKNOWN:.0%} of the test part's tokens are unknown, and too much of its "
                "bits a byte is what spelling these is charged. Compare tokenizers that know more: chars, bytes, bpe."
            )
        return metric

    def _training(self, settings: Settings, callbacks: Callbacks, parts: Sequence[int]) -> Training:
        whole = reading = self.ready(settings)
        languages = self._drawn(settings.balance)
        if isinstance(settings, EachSettings):
            reading, languages = self._only(whole, settings), None
        if not len(reading.parts[TRAIN].texts.ids):
            return Constant([whole.unigram(reading.parts[part].texts) for part in parts])
        if settings.by_gradients:
            return by_gradients(settings, reading, languages, callbacks, parts, int(self.common.get("seed", 0)))
        return in_one_call(settings, reading, languages, callbacks, parts, self.scratch)

    def places(self, settings: Settings, part: int) -> dict[str, NDArray[np.int64]]:
        texts, languages = self.ready(settings).parts[part].texts, self._divided().languages(part)
        assert languages is not None
        sizes = np.diff(texts.offsets) + self.ends
        found = Languages(languages.names, np.repeat(languages.of_row, sizes)).rows()
        return {name: places for name, places in found.items() if len(places)}

    def scored(self, answers: Sequence[NDArray[Any]], settings: Settings) -> Scored:
        validation, units = float(-answers[0].mean()), self.ready(settings).units
        if len(answers) == 1:
            return Scored(validation)
        return Scored(validation, metrics.by_segment(units.sums(-answers[1]), units), logp=np.concatenate(answers))

    def pooled(self, members: Sequence[Outcome], settings: Settings, metric: str) -> Outcome:
        reading, began = self.ready(settings), time.monotonic()
        vocabulary, said = reading.tokenizer.vocabulary, np.stack([one.logp for one in members if one.logp is not None])
        valid = len(Positions.of(reading.parts[VALID].texts, vocabulary, self.ends))
        logp = constant(said[:, :valid]).of_targets(said, vocabulary.size)
        seconds = sum(one.seconds for one in members) + time.monotonic() - began
        scored = self.scored([logp[:valid], logp[valid:]], settings)
        return self._outcome(scored, metric, [], seconds, sum(one.texts for one in members))

    def prior(self, metric: str) -> NDArray[np.float64]:
        """How frequent each token is, whatever stands before it."""
        reading = self.ready(self._usual())
        logp = reading.unigram(reading.parts[TEST].texts)
        return metrics.by_segment(reading.units.sums(-logp), reading.units)[metric]

    def can_train(self, settings: EachSettings) -> bool:
        return len(self._only(self.ready(settings), settings).parts[TRAIN].texts.ids) > 0

    def _only(self, reading: Reading, settings: EachSettings) -> Reading:
        """The texts of the settings' language, in the same tokens."""
        found = {}
        for part, encoded in reading.parts.items():
            languages = self._divided().languages(part)
            assert languages is not None
            rows = languages.rows().get(str(settings.language), np.empty(0, np.int64))
            found[part] = replace(encoded, texts=encoded.texts.take(rows))
        return replace(reading, parts=found)

    def diagnostics(
        self, outcomes: list[list[Outcome]], measured: Sequence[Measured], metric: str, arms: Sequence[Settings]
    ) -> dict[str, Any]:
        sizes = [self.sizes(metric, one) for one in arms]
        return {"slices": None, "reading": {"hard": [], "apart": apart(self.segments, sizes, measured)}}

    def counted(self, arms: Sequence[Measured], metric: str, settings: Sequence[Settings], unit: str) -> dict[str, Any]:
        return beside_counts(self, arms, metric, settings, self._usual(), unit)

    def _key(self, settings: Settings) -> Any:
        return settings.tokenizer

    def _reading(self, settings: Settings, folder: Path) -> Reading:
        tokenizer, parts = encode(self._divided(), settings, Callbacks(watch=self.watch, stop=self.stop), folder)
        for part, name in ((VALID, "validation"), (TEST, "test")):
            if not len(parts[part].texts.ids):
                raise UsageError(
                    f"{self.corpora[0].source}: no {name} texts are held out, and compare judges by them. Give more text (40 "
                    "texts, or a file of 1,000 characters), or files with --valid and --test."
                )
        return Reading(tokenizer, parts, self.segments.of_tokens(parts[TEST].texts, tokenizer, self.ends), self.ends)

    def _usual(self) -> Settings:
        """What is common to all arms, with the family and tokenizer of the first where they are arms' own. How languages
        are drawn does not matter: arms that differ in it have the same tokens.
        """
        return for_language(for_family({**self.common, "task": "lm"}, {"balance": None}), "lm")

    def _drawn(self, balance: str | None) -> TextLanguages | None:
        """The languages of the training texts as an arm draws them."""
        if balance not in self._balanced:
            self._balanced[balance] = self._divided().balanced(balance).text_languages()
        return self._balanced[balance]

    def _divided(self) -> Division:
        if self._division is None:
            if self.common.get("task", "auto") == "auto" and any(
                label is not None for corpus in self.corpora for label in corpus.labels
            ):
                raise UsageError(
                    f"{self.corpora[0].source} has labels. To compare language models on its texts, say --task lm; to predict "
                    "the labels, name classifiers: --model bag, or linear."
                )
            self._division = divide(self.corpora, self.fixed, self._usual())
        return self._division


def _check_length(settings: Settings, optimizer: optim.Optimizer) -> None:
    """Every arm is trained as long as the others: as many steps, or as many passes over the text."""
    if settings.minutes is not None:
        raise UsageError("minutes of a training hold more steps at one time than at another. Compare with --steps or --epochs.")
    if (settings.steps is None) == (settings.epochs is None):
        raise UsageError("say how long every arm is trained: --steps 500, or --epochs 2 for passes over the text; one of them.")
    if optimizer.full_batch and settings.steps is not None:
        raise UsageError(
            f"a step of {optim.render(optimizer)} is a pass over the whole text, so as many steps would be many more tokens than "
            "the other arms'. Say --epochs."
        )
