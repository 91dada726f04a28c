"""A trained language model as a user holds it, from ``fit`` or from a run directory."""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass, field, replace
from itertools import pairwise
from pathlib import Path
from typing import TYPE_CHECKING, Any, Unpack, overload

import numpy as np
from numpy.typing import NDArray

from ..core.errors import UsageError
from ..inference import Sampling, TextLanguage, check_stop, check_tokens
from ..metrics.segments import unknown_of
from .generating import Generation, Stream, beams_for, texts_after
from .held import Held, several
from .scored import Scored, perplexity

if TYPE_CHECKING:
    from ..attribution import Explanation
    from ..scores import Scores


@dataclass(slots=True)
class Language(Held):
    """A language model: how probable text is, and text that it generates.

    counts: how often each token was seen in training, for baselines; None where that is not known.
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
    def document_unit(self) -> str:
        """What of plain text was one text: "line", "paragraph" or "file"."""
        return str(self.record.get("config", {}).get("document_unit") or "line")

    def score(self, texts: Sequence[str]) -> list[Scored]:
        """Tokens, words and surprisals of each text."""
        texts = several(texts, self.record)
        encoded = self.trained.encode(texts)
        spelled, nats = self.trained.spelled(encoded), -self.model.logp(encoded)
        bounds = self.model.bounds(encoded).tolist()
        unspelled = np.append(0, unknown_of(encoded, self.tokenizer, lambda: [list(texts)])[1].cumsum())[encoded.offsets]
        parts = zip(texts, bounds[:-1], bounds[1:], np.diff(unspelled).tolist(), strict=True)
        return [
            Scored(text, tuple(spelled[first:last]), nats[first:last] + 0.0, self._spans(text), size)
            for text, first, last, size in parts
        ]

    def perplexity(self, texts: Sequence[str]) -> float:
        """exp of the mean surprisal over all positions of all texts."""
        return perplexity(-self.model.logp(self.trained.encode(several(texts, self.record))))

    def scores(self, texts: Sequence[str]) -> Scores:
        """Scores at every position, for any loss over outcomes and any metric. V numbers a position: give few texts."""
        scores: Scores = self.model.scores(self.trained.encode(several(texts, self.record)))
        return scores

    @overload
    def generate(self, prompt: str = "", **how: Unpack[Generation]) -> list[str]: ...

    @overload
    def generate(self, prompt: list[str] | tuple[str, ...], **how: Unpack[Generation]) -> list[list[str]]: ...

    def generate(
        self,
        prompt: str | Sequence[str] = "",
        *,
        max_new_tokens: int = 100,
        temperature: float = 1.0,
        top_k: int | None = None,
        top_p: float | None = None,
        min_p: float | None = None,
        repetition_penalty: float = 1.0,
        no_repeat_ngram: int | None = None,
        beam: int | None = None,
        length_penalty: float = 1.0,
        stop: str | Sequence[str] = (),
        samples: int = 1,
        seed: int = 0,
        stream: Stream | None = None,
    ) -> list[str] | list[list[str]]:
        """Texts that begin with ``prompt``, each up to ``max_new_tokens`` tokens longer; of several prompts a list for each.

        What is drawn is a function of the seed, the prompt's tokens and the sample's number, whatever stands beside it. What
        stands for unknown tokens is never drawn, however probable.

        Args:
            prompt: a text, or a list of them.
            max_new_tokens: at most so many are drawn for each text.
            temperature, top_k, top_p, min_p, repetition_penalty, no_repeat_ngram: as of ``models.Sampling``.
            beam: search for the most probable texts, so many at a time, and draw nothing; the ``samples`` are the best found. The
                first four of the arguments above are then left as they are. length_penalty: the more, the longer texts gain.
            stop: a text, or several; what is drawn ends before the first of them that stands in it.
            samples: how many texts for each prompt.
            seed: the same seed draws the same.
            stream: told of each text as it becomes settled: ``stream(piece, prompt, sample)``, the last two counted from 0. The
                first piece of a text is its prompt; together they are the text; none ends within what a reader takes for one
                character.

        Raises:
            UsageError: an argument is outside its domain.
        """
        if samples < 1:
            raise UsageError(f"samples is {samples}; wanted 1 or more.")
        check_tokens(max_new_tokens)
        sampling = Sampling(
            temperature=temperature,
            top_k=top_k,
            top_p=top_p,
            min_p=min_p,
            repetition_penalty=repetition_penalty,
            no_repeat_ngram=no_repeat_ngram,
        )
        beams = beams_for(beam, length_penalty, sampling, samples)
        ends = (stop,) if isinstance(stop, str) else tuple(stop)
        check_stop(ends)
        prompts = [prompt] if isinstance(prompt, str) else several(prompt, self.record)
        begun, tell = [self._ids(each) for each in prompts], stream or (lambda piece, number, sample: None)
        drawn = texts_after(self.trained, begun, sampling, beams, ends, max_new_tokens, samples, seed, tell)
        return drawn[0] if isinstance(prompt, str) else drawn

    def choose(self, prompt: str, choices: Sequence[str]) -> list[tuple[str, float]]:
        """Which of the ``choices`` goes on from ``prompt``: each with its probability, given that it is one of them; best first.

        A choice is the rest of the text: where the model predicts ends, the text ends after it. As in all probabilities of texts,
        longer choices are seldom the more probable ones.

        Raises:
            UsageError: there are fewer than two choices, one is empty or there twice, or all are impossible.
        """
        if len(set(choices)) < max(2, len(choices)) or not all(choices):
            raise UsageError(f"the choices are {list(choices)!r}; wanted two or more texts, none empty, none twice.")
        texts = self.trained.encode(several([prompt + choice for choice in choices], self.record))
        each = self.model.logp(texts)
        logp = np.array([each[first:after].sum() for first, after in pairwise(self.model.bounds(texts))])
        if logp.max() == -math.inf:
            raise UsageError("the model takes all of the choices for impossible. Choose others.")
        p = np.exp(logp - logp.max())
        order = np.argsort(-p, kind="stable")
        return [(choices[i], float(p[i] / p.sum())) for i in order]

    def sliding(self, stride: int | None) -> Language:
        """The same, reading texts beyond the model's context in windows ``stride`` tokens apart: with fewer than the default,
        half the context, it takes longer, and every token is predicted from more. None: as it is.

        Raises:
            UsageError: the model reads texts of any length, or the windows would leave tokens out.
        """
        if stride is None:
            return self
        try:
            model = self.model.sliding(stride)
        except UsageError as error:
            spec = self.record.get("config", {}).get("model", type(self.model).__name__)
            raise UsageError(f"--stride with {spec}: {error}") from None
        return replace(self, trained=replace(self.trained, model=model))

    def beyond(self, text: str) -> int:
        """How many tokens a text has beyond the model's context, its start counted; 0 where all of it is read at once.

        A text beyond the context is read in windows: of what comes first only the later part is still seen at its end.
        """
        context = self.model.context
        return 0 if context is None else max(0, 1 + len(self._ids(text)) - context)

    def next(self, text: str = "", top: int = 10) -> list[tuple[str, float]]:
        """The ``top`` most probable tokens after ``text``, and their probabilities."""
        if top < 1:
            raise UsageError(f"top is {top}; wanted 1 or more.")
        logp = self.model.next(self.model.read(self._ids(text)))
        best = np.argsort(-logp, kind="stable")[:top]
        return [(self.tokenizer.spelling(int(token)), math.exp(logp[token])) for token in best]

    def explain(
        self,
        texts: Sequence[str],
        *,
        part: int | None = None,
        by: str = "word",
        method: str = "auto",
        trial: bool = True,
        seed: int = 0,
    ) -> list[Explanation]:
        """Why texts, or a part of each, are as surprising as they are: the surprisal in bits, divided among the text's parts.

        Args:
            texts: raw texts.
            part: the number of the part whose surprisal is explained, given what stands before it: 1 is the first, -1 the last.
                None: the surprisal of the whole text, its end included where the model predicts it.
            by: what a text is divided into: "word", "char", or the model's own "token". "order", of n-gram models alone: the
                probability of the token that ``part`` names is divided among the orders of n-grams, and sums to it exactly.
            method: how shares are found. "leave_one_out": what the surprisal loses when the part is deleted. "marginal", of
                hidden Markov models: what it loses when the part's tokens are not looked at, though their places stay. "auto":
                the second where there is one.
            trial: whether to try if the shares may be believed, which takes some more readings of each text.
            seed: of what is random in the trial.

        Returns: an ``Explanation`` for each text: ``value``, ``baseline``, ``shares`` of the parts, ``residual``, ``trial``.
            ``details`` tell of each token its probability and surprisal; of n-grams the share of each order with its counts, of a
            hidden Markov model the most probable state and what that state says. A token of probability 0 counts as 1,074 bits,
            which a note says.

        Raises:
            UsageError: an argument does not fit the model; a text has no such part, or too many parts for the method.
        """
        from ..attribution.language import explain_language

        given = several(texts, self.record)
        return explain_language(self.trained, given, part=part, by=by, method=method, trial=trial, seed=seed)

    def __repr__(self) -> str:
        model, path = self.record.get("config", {}).get("model"), None if self.path is None else str(self.path)
        return f"Language(model={model!r}, vocabulary={self.tokenizer.vocabulary.size}, path={path!r})"

    def _spans(self, text: str) -> NDArray[np.int64]:
        """Which characters of a text each position stands for."""
        spans: NDArray[np.int64] = self.tokenizer.spans(text)
        return np.concatenate([spans, np.full((int(self.model.ends), 2), len(text))])

    def _ids(self, text: str) -> list[int]:
        return [int(token) for token in self.trained.encode(several([text], self.record)).ids]
