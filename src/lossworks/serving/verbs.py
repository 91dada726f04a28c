"""What a run can be asked: how a request is read, and how requests are answered, in the words of the command's verbs."""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Sequence
from itertools import accumulate, chain, pairwise
from typing import Any, ClassVar, NamedTuple

import msgspec
import numpy as np

from ..api import Graph, Language, Model, answered
from ..api.predicted import TOP, answers, asked, check_answering, told
from ..core import values
from ..core.errors import UsageError
from ..record import encode_json
from .asked import check_length, fields, numbers, strings, texts
from .batches import Asked
from .limits import Limits
from .refusals import naming

_MOST = 1_000_000  # probabilities of an answer


class Work(NamedTuple):
    """What a request asks for: texts, and how they are to be answered. ``stream``: as it is made, not at its end."""

    texts: list[str]
    how: dict[str, Any]
    stream: bool = False

    @property
    def length(self) -> int:
        """Characters of the texts."""
        return sum(map(len, self.texts))


class Verb(ABC):
    """A verb of one run: ``name`` is its name there, ``model`` what answers."""

    fields: ClassVar[tuple[str, ...]]
    gathers: ClassVar[bool] = True  # whether a call answers several requests

    def __init__(self, name: str, model: Any, limits: Limits) -> None:
        self.name, self.model, self.limits = name, model, limits

    def read(self, body: bytes) -> Work:
        """What the body of a request asks for.

        Raises:
            Refused: it asks for nothing that can be answered.
        """
        return self.work(fields(body, self.fields))

    def answer(self, batch: Sequence[Asked]) -> list[bytes | Exception]:
        """The answers to requests, as JSON; where they cannot be answered together, each by itself, or why not."""
        try:
            return [_encoded(found) for found in self.answers(batch)]
        except Exception as error:  # noqa: BLE001  # whatever it is, the one who asked learns of it, and nobody else
            return [error] if len(batch) == 1 else [self.answer([one])[0] for one in batch]

    @abstractmethod
    def work(self, given: dict[str, Any]) -> Work:
        """The same of the request's fields."""

    @abstractmethod
    def answers(self, batch: Sequence[Asked]) -> list[dict[str, Any]]:
        """The answers, as the command prints them."""


def _encoded(answer: dict[str, Any]) -> bytes:
    """An answer as JSON. msgspec makes it ten times as fast, and knows all but labels that are true and false."""
    try:
        return msgspec.json.encode(answer)
    except TypeError:
        return encode_json(answer).encode()


class Predict(Verb):
    """Labels with their probabilities, numbers, or answers to queries of a knowledge graph."""

    fields = ("texts", "top", "threshold")
    model: Model | Graph

    def work(self, given: dict[str, Any]) -> Work:
        asked_for = texts(given, "texts", self.model, self.limits)
        top, threshold = given.get("top"), given.get("threshold")
        with naming("top"):
            values.whole("top", top, least=1)
        if isinstance(self.model, Graph):
            with naming("threshold"):
                if threshold is not None:
                    raise UsageError("threshold is for labels, and this is a model of a knowledge graph. Leave it out.")
            return Work(asked_for, {"top": top or TOP})
        with naming("threshold" if top is None else "top"):
            check_answering(self.model, top, None if threshold is None and top is not None else threshold)
        labels = len(self.model.labels)
        with naming("texts"):
            if len(asked_for) * min(labels, top or labels) > _MOST:
                raise UsageError(
                    f"{len(asked_for):,} texts of {labels:,} labels each are more than {_MOST:,} probabilities. "
                    "Send fewer texts, or a smaller top."
                )
        return Work(asked_for, {"top": top, "threshold": threshold})

    def answers(self, batch: Sequence[Asked]) -> list[dict[str, Any]]:
        model = self.model
        if isinstance(model, Graph):
            rows = [answered.facts(model, one.work.texts, one.work.how["top"]) for one in batch]
        elif len(batch) == 1:
            rows = [list(answers(model, one.work.texts, **one.work.how)) for one in batch]
        else:
            rows = self._together(model, batch)
        return [answered.predictions(self.name, model, each) for each in rows]

    def _together(self, model: Model, batch: Sequence[Asked]) -> list[list[dict[str, Any]]]:
        """Answers to several requests. Those that ask alike are put into words at once."""
        every = [*chain.from_iterable(one.work.texts for one in batch)]
        found, bounds = asked(model, every), [*accumulate((one.size for one in batch), initial=0)]
        if all(one.work.how == batch[0].work.how for one in batch):
            rows = list(told(model, every, found, **batch[0].work.how))
            return [rows[first:last] for first, last in pairwise(bounds)]
        parts = zip(batch, np.split(found, bounds[1:-1]), strict=True)
        return [list(told(model, one.work.texts, part, **one.work.how)) for one, part in parts]


class Score(Verb):
    """How surprised a language model is by texts."""

    fields = ("texts",)
    model: Language

    def work(self, given: dict[str, Any]) -> Work:
        return Work(texts(given, "texts", self.model, self.limits), {})

    def answers(self, batch: Sequence[Asked]) -> list[dict[str, Any]]:
        scored = self.model.score([*chain.from_iterable(one.work.texts for one in batch)])
        bounds = pairwise(accumulate((one.size for one in batch), initial=0))
        return [answered.scores(self.name, scored[first:last]) for first, last in bounds]


class Generate(Verb):
    """Texts that a language model draws, or the probabilities of choices."""

    whole = ("max_new_tokens", "top_k", "no_repeat_ngram", "beam", "samples", "seed")
    others = ("temperature", "top_p", "min_p", "repetition_penalty", "length_penalty")
    fields = ("prompts", *whole, *others, "stop", "choices", "stream")
    gathers = False
    model: Language

    def work(self, given: dict[str, Any]) -> Work:
        prompts = texts({"prompts": [""], **given}, "prompts", self.model, self.limits)
        how = numbers(given, self.whole, self.others)
        stop, choices, stream = strings(given, "stop"), strings(given, "choices"), given.get("stream")
        with naming("stream"):
            values.flag("stream", stream)
        if choices:
            with naming("choices"):
                if how or stop or stream:
                    raise UsageError(
                        "choices draw nothing: the probability of each is told. Leave the other fields of drawing out."
                    )
                check_length(len(choices) * sum(map(len, prompts)) + len(prompts) * sum(map(len, choices)), self.limits)
            return Work(prompts, {"choices": choices})
        with naming("stop"):
            check_length(sum(map(len, stop)), self.limits)
        each = max(how.get("samples", 1), how.get("beam", 1))
        drawn = len(prompts) * each * how.setdefault("max_new_tokens", 100)
        with naming("max_new_tokens"):
            if drawn > self.limits.new_tokens:
                raise UsageError(
                    f"{drawn:,} tokens are asked for, all prompts, samples and beams together, and {self.limits.new_tokens:,} "
                    "are the most. Ask for fewer."
                )
        return Work(prompts, {**how, "stop": stop}, bool(stream))

    def answers(self, batch: Sequence[Asked]) -> list[dict[str, Any]]:
        (one,) = batch
        prompts, how = one.work.texts, one.work.how
        if "choices" in how:
            found = (self.model.choose(prompt, how["choices"]) for prompt in prompts)
            return [answered.choices(self.name, prompts, found)]

        def stream(piece: str, prompt: int, sample: int) -> None:
            if one.withdrawn:
                raise InterruptedError("nobody waits for this text any more")
            if one.tell is not None:
                one.tell({"prompt": prompt, "sample": sample, "text": piece})

        drawn = self.model.generate(prompts, **how, stream=stream)
        return [answered.samples(self.name, how.get("seed", 0), prompts, drawn)]
