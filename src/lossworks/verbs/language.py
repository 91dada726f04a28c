"""A trained model of language as a user holds it, from ``fit`` or from a run directory."""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np
from numpy.typing import NDArray

from ..core.errors import UsageError
from ..core.seeds import generator
from ..models import Sampling, TextLanguage, generate
from .model import several

if TYPE_CHECKING:
    from ..scores import Scores


@dataclass(frozen=True, slots=True)
class Scored:
    """A text's tokens (its end among them, where the model predicts it) and the surprisal of each, in nats."""

    text: str
    tokens: tuple[str, ...]
    nats: NDArray[np.float64]

    @property
    def logp(self) -> float:
        """log p of the whole text, in nats."""
        return -float(self.nats.sum())

    @property
    def perplexity(self) -> float:
        """exp of the mean surprisal; infinite of a text with an impossible token, nan of one without tokens."""
        return _perplexity(self.nats)

    def to_json(self) -> dict[str, Any]:
        """Everything as plain values; what is not finite as None."""
        nats = [float(each) if math.isfinite(each) else None for each in self.nats]
        tokens = [{"token": token, "nats": each} for token, each in zip(self.tokens, nats, strict=True)]
        total = {"logp": self.logp, "perplexity": self.perplexity}
        return {
            "text": self.text,
            **{key: value if math.isfinite(value) else None for key, value in total.items()},
            "tokens": tokens,
        }


@dataclass(slots=True)
class Language:
    """Tells how probable text is, and makes up more.

    counts: how often each token was seen in training, for baselines; None where that is not known.
    ``record`` is what the run's ``run.json`` says; ``path`` is its directory, if it has one.
    """

    trained: TextLanguage
    counts: NDArray[np.int64] | None
    record: dict[str, Any] = field(default_factory=dict)
    path: Path | None = None

    @property
    def model(self) -> Any:
        """The model over token numbers."""
        return self.trained.model

    @property
    def tokenizer(self) -> Any:
        """What makes token numbers of text."""
        return self.trained.tokenizer

    @property
    def texts(self) -> str:
        """What of plain text was one text: "line", "paragraph" or "file"."""
        return str(self.record.get("config", {}).get("texts", "line"))

    @property
    def metrics(self) -> dict[str, dict[str, float]]:
        """Figures on the held-out test part, each ``{"value", "low", "high"}``; empty where nothing was held out."""
        metrics: dict[str, dict[str, float]] = self.record.get("result", {}).get("metrics", {})
        return metrics

    def score(self, texts: Sequence[str]) -> list[Scored]:
        """Tokens and surprisals of each text."""
        encoded = self.trained.encode(several(texts))
        spelled, nats = self.trained.spelled(encoded), -self.model.logp(encoded)
        bounds = encoded.offsets + self.model.ends * np.arange(len(encoded) + 1)
        parts = zip(texts, bounds[:-1].tolist(), bounds[1:].tolist(), strict=True)
        return [Scored(text, tuple(spelled[first:last]), nats[first:last] + 0.0) for text, first, last in parts]

    def perplexity(self, texts: Sequence[str]) -> float:
        """exp of the mean surprisal over all positions of all texts."""
        return _perplexity(-self.model.logp(self.trained.encode(several(texts))))

    def scores(self, texts: Sequence[str]) -> Scores:
        """Scores at every position, for any loss over outcomes and any metric. V numbers a position: give few texts."""
        scores: Scores = self.model.scores(self.trained.encode(several(texts)))
        return scores

    def generate(
        self,
        prompt: str = "",
        *,
        tokens: int = 100,
        temperature: float = 1.0,
        top_k: int | None = None,
        top_p: float | None = None,
        samples: int = 1,
        seed: int = 0,
    ) -> list[str]:
        """Texts that begin with ``prompt``, each up to ``tokens`` tokens longer; the same seed draws the same.

        Raises:
            UsageError: an argument is outside its domain.
        """
        if samples < 1:
            raise UsageError(f"samples is {samples}; wanted 1 or more.")
        sampling = Sampling(temperature=temperature, top_k=top_k, top_p=top_p)
        begun = self._ids(prompt)
        drawn = (generate(self.model, begun, tokens, sampling, generator(seed, "generate", i)) for i in range(samples))
        return [self.tokenizer.decode([*begun, *more]) for more in drawn]

    def next(self, text: str = "", top: int = 10) -> list[tuple[str, float]]:
        """The ``top`` most probable tokens after ``text``, and their probabilities."""
        if top < 1:
            raise UsageError(f"top is {top}; wanted 1 or more.")
        state = self.model.start()
        for token in self._ids(text):
            state = self.model.advance(state, token)
        logp = self.model.next(state)
        best = np.argsort(-logp, kind="stable")[:top]
        return [(self.tokenizer.spelling(int(token)), math.exp(logp[token])) for token in best]

    def explain(self, text: str) -> list[dict[str, Any]]:
        """For each token of a text its probability and why: of n-grams the exact share of each order with its counts, of a hidden
        Markov model the most probable state and what that state says. ``LanguageModel.explain`` with its numbers spelled.
        """
        (text,) = several([text])
        return [self._spelled(each) for each in self.model.explain(self._ids(text))]

    def __repr__(self) -> str:
        model, path = self.record.get("config", {}).get("model"), None if self.path is None else str(self.path)
        return f"Language(model={model!r}, vocabulary={self.tokenizer.vocabulary.size}, path={path!r})"

    def _spelled(self, told: Any) -> Any:
        """The same with tokens spelled out."""
        if isinstance(told, list):
            return [self._spelled(each) for each in told]
        if not isinstance(told, dict):
            return told
        spell = self.tokenizer.spelling
        shown = {key: self._spelled(value) for key, value in told.items() if key not in ("token", "context", "says")}
        tokens = {key: [spell(token) for token in told[key]] for key in ("context", "says") if key in told}
        return ({"token": spell(told["token"])} if "token" in told else {}) | tokens | shown

    def _ids(self, text: str) -> list[int]:
        return [int(token) for token in self.trained.encode(several([text])).ids]


def _perplexity(nats: NDArray[np.float64]) -> float:
    with np.errstate(over="ignore"):
        return float(np.exp(nats.mean())) if len(nats) else math.nan
