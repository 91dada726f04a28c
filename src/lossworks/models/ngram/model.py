"""A trained n-gram model: how probable texts are, what may come next, and why."""

from __future__ import annotations

import json
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from ...core.errors import UsageError
from ...data import Ragged
from ...tokens import Vocabulary
from ..language import LanguageModel, Watch
from .explain import explain
from .file import map_trie, write_trie
from .positions import check_tokens, depths, stretches
from .query import Query
from .trie import Trie

FILE = "model.safetensors"
State = tuple[int, ...]


@dataclass(frozen=True, slots=True, kw_only=True)
class Perplexity:
    """exp of the mean surprisal of positions, with and without those of unknown words, as KenLM's ``query`` has it."""

    including: float
    excluding: float
    unknown: int
    positions: int


class NgramModel(LanguageModel):
    """Probabilities by a trie of n-grams, which ``query`` looks up. ``notes``: what the estimation says of itself, as text."""

    def __init__(
        self,
        trie: Trie,
        vocabulary: Vocabulary,
        *,
        ends: bool = True,
        notes: dict[str, str] | None = None,
        origin: str = "the model",
    ) -> None:
        self.trie, self.vocabulary, self.ends, self.notes = trie, vocabulary, ends, notes or {}
        self.query = Query(trie, vocabulary, origin)

    @property
    def order(self) -> int:
        """The longest n-gram's length: one more than the tokens a prediction looks back on."""
        return self.trie.order

    def logp(self, texts: Ragged) -> NDArray[np.float64]:
        logp, done = np.empty(int(self.bounds(texts)[-1])), 0
        for tokens, depth, before in stretches(texts, self.vocabulary, self.ends, self._reach):
            found = self.query.logp(tokens, depth)[before:][depth[before:] > 0]
            logp[done : done + len(found)] = found
            done += len(found)
        return logp

    def distributions(self, texts: Ragged) -> NDArray[np.float64]:
        return self.at(texts)(np.arange(int(self.bounds(texts)[-1])))

    def at(self, texts: Ragged) -> Callable[[NDArray[np.int64]], NDArray[np.float64]]:
        contexts = [[np.empty(0, np.int64)] for _ in range(self.order)]
        for tokens, depth, before in stretches(texts, self.vocabulary, self.ends, self._reach):
            places, _ = self.query.walk(tokens, depth, self.order - 1)
            predicted = np.flatnonzero(depth[before:]) + before  # each by what ends just before it
            for of_order, place in zip(contexts, places, strict=False):
                of_order.append(place[predicted - 1])
        kept = [np.concatenate(of_order) for of_order in contexts]
        return lambda positions: self.query.following([place[positions] for place in kept])

    def start(self) -> State:
        return self._last((self.vocabulary.start,))

    def advance(self, state: State, token: int) -> State:
        return self._last((*state, token))

    def next(self, state: State) -> NDArray[np.float64]:
        places = [np.zeros(1, np.int64)]  # all that a model of single words looks back on
        if state:
            places, _ = self.query.walk(*self._sequence(state), self.order - 1)
        row: NDArray[np.float64] = self.query.following([place[-1:] for place in places[: len(state) + 1]])[0]
        return row

    def next_words(self, context: Sequence[int], top: int = 10) -> list[tuple[int, float]]:
        """The most probable tokens after ``context``, each with its probability, the most probable first.

        A context at a text's start begins with the vocabulary's ``start``.
        """
        logp = self.next(self._last(tuple(context)))
        best = np.argsort(-logp, kind="stable")[:top]
        return [(int(token), float(np.exp(logp[token]))) for token in best]

    def count(self, ngram: Sequence[int]) -> int:
        """The (adjusted) count of an n-gram; 0 where it is not in the model.

        Raises:
            UsageError: it is empty or longer than the order, or the model was read from an ARPA file, which has no counts.
        """
        if self.query.valued:
            raise UsageError("a model from an ARPA file has no counts. Fit one from text, to have them.")
        if not 1 <= len(ngram) <= self.order:
            raise UsageError(f"got an n-gram of {len(ngram)} tokens; wanted 1 to {self.order}.")
        places, _ = self.query.walk(*self._sequence(ngram), len(ngram))
        place = places[len(ngram)][-1:]
        return int(self.query.look_up(len(ngram), "count", "counts", place)[0]) if place[0] >= 0 else 0

    def perplexity(self, texts: Ragged) -> Perplexity:
        """Of the positions of texts; nan where there are none."""
        surprisal, targets = -self.logp(texts), self.targets(texts)
        known = np.ones(len(targets), bool) if self.vocabulary.unknown is None else targets != self.vocabulary.unknown
        including, excluding = (float(np.exp(s.mean())) if len(s) else np.nan for s in (surprisal, surprisal[known]))
        return Perplexity(including=including, excluding=excluding, unknown=int((~known).sum()), positions=len(targets))

    def explain(self, text: Sequence[int]) -> list[dict[str, Any]]:
        """Why each position of one text is as probable as it is; ``models.ngram.explain.explain`` says what the dicts hold."""
        whole = (self.vocabulary.start, *text, *([self.vocabulary.end] if self.ends else []))
        return explain(self.query, *self._sequence(whole), self.vocabulary.start)

    @property
    def facts(self) -> dict[str, Any]:
        return {key: json.loads(value) if key == "orders" else value for key, value in self.notes.items()}

    def save(self, folder: Path, watch: Watch = lambda event, fields: None) -> None:
        write_trie(folder / FILE, self.trie, self.notes, lambda done, of: watch("save", {"bytes": done, "of": of}))

    @classmethod
    def load(cls, folder: Path, vocabulary: Vocabulary, *, ends: bool = True) -> NgramModel:
        """The model that ``save`` wrote, mapped: ready at once, its pages read when they are asked for.

        Raises:
            RecordError: the file is missing or damaged, or is for another vocabulary.
        """
        trie, notes = map_trie(folder / FILE, vocabulary.size)
        return cls(trie, vocabulary, ends=ends, notes=notes, origin=str(folder / FILE))

    @property
    def _reach(self) -> int:
        """How far back the depths of a sequence count; 1 at least, to tell a text's tokens from the start token before them."""
        return max(self.order - 1, 1)

    def _last(self, tokens: State) -> State:
        return tokens[max(len(tokens) - self.order + 1, 0) :]

    def _sequence(self, tokens: Sequence[int]) -> tuple[NDArray[np.uint32], NDArray[np.uint8]]:
        """Tokens as one text's beginning, for ``Query.walk``."""
        ids = np.fromiter(tokens, np.int64, len(tokens))
        check_tokens(ids, self.vocabulary)
        return ids.astype(np.uint32), depths(len(ids), self._reach)
