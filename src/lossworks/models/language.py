"""What a language model is, whatever its family: a probability for each token given those before it in its text.

A *text* is a row of token ids (``Ragged``), without special tokens: the model itself puts the vocabulary's ``start`` before it
and, unless texts have no end (a whole file as one stream), predicts its ``end`` after it. The *positions* of texts are what is
predicted of them, in order.
"""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any, ClassVar, Self

import numpy as np
from numpy.typing import NDArray

from ..core.errors import UsageError
from ..data import Ragged
from ..tokens import Vocabulary

if TYPE_CHECKING:
    from ..scores import Scores
    from .networks import SequenceNetwork

Watch = Callable[[str, dict[str, Any]], None]
AT_ONCE = 1 << 24
"""Numbers of distributions in memory at once."""


class LanguageModel(ABC):
    """A trained model over token numbers. ``ends``: whether the end of a text is predicted."""

    vocabulary: Vocabulary
    ends: bool

    @abstractmethod
    def logp(self, texts: Ragged) -> NDArray[np.float64]:
        """Log-probability, in nats, of what stands at each position: of each text's tokens and then (``ends``) its end."""

    def logp_in_parts(self, texts: Ragged) -> Iterator[tuple[NDArray[np.int64], NDArray[np.float64]]]:
        """``logp`` part by part, as families that take their time find it: positions, in any order, and what it is there."""
        found = self.logp(texts)
        yield np.arange(len(found)), found

    @abstractmethod
    def distributions(self, texts: Ragged) -> NDArray[np.float64]:
        """Log-probabilities [positions, V] of every token at each position. V numbers a position: give few texts at a time."""

    def at(self, texts: Ragged) -> Callable[[NDArray[np.int64]], NDArray[np.float64]]:
        """What answers for positions of ``texts``: from their numbers [n], in any order, to their ``distributions`` [n, V].

        Families that can keep less than V numbers a position between the questions.
        """
        return self.distributions(texts).__getitem__

    @abstractmethod
    def start(self) -> Any:
        """The state before a text's first token."""

    @abstractmethod
    def advance(self, state: Any, token: int) -> Any:
        """The state after one more token; ``state`` itself stays as it is."""

    @abstractmethod
    def next(self, state: Any) -> NDArray[np.float64]:
        """Log-probabilities [V] of the token that follows."""

    def logits(self, state: Any) -> NDArray[np.float64]:
        """What ``next`` is the log-softmax of [V]; of families that have no logits, the log-probabilities."""
        return self.next(state)

    def read(self, text: Sequence[int]) -> Any:
        """The state after a text's first tokens."""
        state = self.start()
        for token in text:
            state = self.advance(state, token)
        return state

    @property
    def context(self) -> int | None:
        """How many tokens are read at once, the start token among them; None: a text of any length."""
        return None

    def sliding(self, stride: int) -> LanguageModel:
        """The same model, which reads a text beyond its context in windows ``stride`` tokens apart.

        Raises:
            UsageError: it reads texts of any length, or the windows would leave tokens out.
        """
        raise UsageError("it has no context that could slide over a text: it reads texts of any length. Leave --stride out.")

    def to(self, device: str) -> Self:
        """Move to ``device`` what runs there (of counts, nothing); returns itself."""
        return self

    @abstractmethod
    def save(self, folder: Path) -> None:
        """Write the model's file or files; ``LanguageSpec.load`` reads them."""

    @property
    def facts(self) -> dict[str, Any]:
        """What was learned, in plain values, for the record; ``orders`` are rows of a table."""
        return {}

    def explain(self, text: Sequence[int]) -> list[dict[str, Any]]:
        """A dict for each position of a text: ``token``, its ``probability``, and why, as far as the family can tell.

        Token numbers stand under the keys ``token``, ``context`` and ``says``.
        """
        one = Ragged(np.asarray(text, np.uint32), np.array([0, len(text)]))
        tokens, p = self.targets(one), np.exp(self.logp(one))
        return [{"token": int(token), "probability": float(each)} for token, each in zip(tokens, p, strict=True)]

    def targets(self, texts: Ragged) -> NDArray[np.int64]:
        """What stands at each position: each text's tokens and then (``ends``) its end."""
        ids = texts.ids[: texts.offsets[-1]].astype(np.int64)
        return np.insert(ids, texts.offsets[1:], self.vocabulary.end) if self.ends else ids

    def bounds(self, texts: Ragged) -> NDArray[np.int64]:
        """The positions that texts begin with, and the one after the last [texts + 1]."""
        return texts.bounds(self.ends)

    def logp_from_distributions(self, texts: Ragged, numbers: int) -> NDArray[np.float64]:
        """``logp`` for families that know whole distributions alone, of which one takes so many ``numbers``."""
        answers, targets = self.at(texts), self.targets(texts)
        found = np.empty(len(targets))
        for part in parts(len(targets), numbers):
            found[part] = np.take_along_axis(answers(part), targets[part, None], 1)[:, 0]
        return found

    def scores(self, texts: Ragged) -> Scores:
        """Scores of what stands at each position, for any loss over outcomes and any metric."""
        import torch

        from ..scores import dense

        return dense(torch.from_numpy(self.distributions(texts)), torch.from_numpy(self.targets(texts)))


def parts(count: int, numbers: int) -> list[NDArray[np.int64]]:
    """The numbers of positions, as many together as have ``AT_ONCE`` numbers, each so many ``numbers``."""
    size = max(1, AT_ONCE // numbers)
    return [np.arange(first, min(first + size, count)) for first in range(0, count, size)]


@dataclass(frozen=True, kw_only=True)
class LanguageSpec(ABC):
    """The hyperparameters of a family of language models."""

    tokens: ClassVar[str] = "words"
    """The tokenizer where none is named."""
    classifier: ClassVar[str | None] = None
    """The family that has its place where texts have labels; None: it is its own, a model for each class."""
    made_by: ClassVar[str] = ""
    """Of what is not fitted to text, how it is made, in words."""
    no_further: ClassVar[str] = "it keeps probabilities and not what they were counted from, so more cannot be added exactly"
    """Why no training goes on from a model of this family; empty where one does."""
    by_gradients: ClassVar[bool] = False
    """Whether it is always trained by gradients, as a ``sequence_network``; else only with a loss or an optimiser named."""

    def fit(
        self,
        texts: Ragged,
        vocabulary: Vocabulary,
        *,
        ends: bool = True,
        valid: Ragged | None = None,
        seed: int = 0,
        memory: int | None = None,
        scratch: Path | None = None,
        watch: Watch = lambda event, fields: None,
    ) -> LanguageModel:
        """Learn from texts.

        Args:
            texts: the training texts; ``ids`` may be mapped from a file.
            vocabulary: what the token numbers mean.
            ends: whether the end of each text is learned too.
            valid: held-out texts, for families that choose by them.
            seed: of whatever is random.
            memory: bytes to stay below; what is beyond goes to files in ``scratch``. None: no limit.
            scratch: a folder for temporary files.
            watch: told of what happens: ``watch(event, fields)``, and of progress as ``("read", {"rows": done, "of": all})``.

        Raises:
            DataError, UsageError: the texts or the settings do not fit, or the family is trained by gradients alone.
        """
        raise UsageError(self.made_by or "the model is trained by gradients: training.train_sequences does that.")

    def sequence_network(self, texts: Ragged, vocabulary: Vocabulary, *, ends: bool = True, seed: int = 0) -> SequenceNetwork:
        """A network of this family to train by gradients, its first weights a function of the seed; its ``model`` is the result.

        Raises:
            UsageError: the family is not trained so.
        """
        raise UsageError("the model is counted, not trained by gradients. Leave such settings out, or choose hmm.")

    @abstractmethod
    def load(self, folder: Path, vocabulary: Vocabulary, *, ends: bool = True) -> LanguageModel:
        """The model that ``save`` wrote into ``folder``.

        Raises:
            RecordError: a file is missing or damaged; nothing in it is ever executed.
        """
