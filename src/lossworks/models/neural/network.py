"""What a neural language model is: token numbers to states, and a last layer from a state to the scores of the next token."""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Iterator
from typing import TYPE_CHECKING, Any, ClassVar

from torch import Tensor, nn

from ...core.errors import UsageError
from ...data import valid
from ..language import LanguageSpec

if TYPE_CHECKING:
    from jaxtyping import Float, Int


class LanguageNetwork(nn.Module, ABC):
    """A network that reads from left to right. It never sees a loss.

    Training takes ``scores.fused(network.hidden(ids), network.head, target, softcap=network.softcap)``, for any loss.

    head: the last layer, d → V; where weights are tied its weight is the embedding's own.
    context: how many tokens it reads at most at once; None: any number.
    softcap: logits become softcap · tanh(logits / softcap); None: they stay.
    spec: the hyperparameters that it was made from; None: it comes from elsewhere.
    packs: whether several documents may stand in one row (``documents``).
    carries: whether ``advance`` has a gradient and goes on from a state of tensors [1, B, width], a tuple of them for each layer.
    """

    head: nn.Module
    context: int | None
    softcap: float | None = None
    spec: LanguageSpec | None = None
    packs: ClassVar[bool] = False
    carries: ClassVar[bool] = False

    @abstractmethod
    def hidden(self, ids: Int[Tensor, "B T"], documents: Int[Tensor, "B T"] | None = None) -> Float[Tensor, "B T d"]:
        """The state after each token, from which ``head`` predicts the next.

        Args:
            ids: token numbers. What stands to the right of a token has no influence, so rows may be padded there by any token.
            documents: the number of the document that each token belongs to; no document sees another. None: a row is one.

        Raises:
            UsageError: a row is longer than ``context``, or the network reads no documents in one row.
        """

    @abstractmethod
    def start(self, rows: int = 1) -> Any:
        """The state of ``rows`` texts of which nothing was read."""

    @abstractmethod
    def advance(self, state: Any, ids: Int[Tensor, "B T"]) -> tuple[Float[Tensor, "B T d"], Any]:
        """The states after each of the next tokens of every text, and what to go on with; ``state`` itself stays as it is."""

    def passes(self, ids: Int[Tensor, "B T"]) -> Iterator[Float[Tensor, "B t d"]]:
        """``hidden``, in as many parts along T as keep the memory bounded."""
        yield self.hidden(ids)

    def logits(self, hidden: Float[Tensor, "*position d"]) -> Float[Tensor, "*position V"]:
        """Unnormalised log-probabilities of the next token."""
        logits: Tensor = self.head(hidden)
        return logits if self.softcap is None else self.softcap * (logits / self.softcap).tanh()


class TextEncoder(nn.Module, ABC):
    """A network from a whole text to one vector of ``dim`` numbers, for a classifier's or a regression's last layer."""

    dim: int

    @property
    @abstractmethod
    def table(self) -> nn.Embedding:
        """The vectors of tokens."""

    @abstractmethod
    def encode(self, ids: Int[Tensor, "B T"], lengths: Int[Tensor, "B"]) -> Float[Tensor, "B dim"]:
        """One vector a text. ``ids`` are padded on the right by any token; ``lengths`` are 1 or more.

        Raises:
            UsageError: a row is longer than the context.
        """

    def forward(self, ids: Int[Tensor, "B T"], lengths: Int[Tensor, "B"]) -> Float[Tensor, "B dim"]:
        """``encode``."""
        return self.encode(ids, lengths)


def mean_of(states: Float[Tensor, "B T d"], lengths: Int[Tensor, "B"]) -> Float[Tensor, "B d"]:
    """The mean, over each row's tokens, of their states."""
    inside = valid(lengths, states.shape[1])[..., None]
    return states.masked_fill(~inside, 0).sum(1) / lengths[:, None].to(states.dtype)


def check_length(length: int, context: int | None) -> None:
    """Raise UsageError where a row is longer than what is read at once."""
    if context is not None and length > context:
        raise UsageError(
            f"got {length} tokens in a row, and the model reads {context} at once. Cut it, or make a model of a longer context."
        )


def check_pooling(pooling: str, *known: str) -> None:
    """Raise UsageError for a pooling that the family has not."""
    if pooling not in known:
        raise UsageError(f"pooling is {pooling!r}; wanted {' or '.join(map(repr, known))}.")
