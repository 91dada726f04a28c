"""A hidden Markov chain as a language model: probabilities, states, and its file."""

from __future__ import annotations

import itertools
from collections.abc import Sequence
from functools import cached_property
from pathlib import Path
from typing import TYPE_CHECKING, Any, Self

import numpy as np
import torch
from numpy.typing import NDArray
from safetensors.torch import save_file

from ...core.errors import RecordError
from ...data import Ragged
from ...record import write_atomic
from ...tokens import Vocabulary
from ..language import LanguageModel
from ..neural.weights import read_tensors
from . import per_sequence
from .chain import Chain
from .expectation import filtered, sizes, smoothed
from .packing import Packed, pack

if TYPE_CHECKING:
    from .network import HmmNetwork

_FILE = "model.safetensors"
_CHUNK = 1 << 22  # probabilities that are made at once
_SAID = 5  # tokens that a state is explained by


class HmmModel(LanguageModel):
    """The vocabulary's ``start`` is never emitted; its ``end``, where texts have one, is emitted as any other token.

    The state between two tokens is the distribution of the hidden state that emits the next one. A token that the chain
    cannot emit has log-probability -inf, and says nothing of the states (in blocks: but the block).
    """

    def __init__(self, chain: Chain, vocabulary: Vocabulary, *, ends: bool = True) -> None:
        self.chain = chain
        self.vocabulary = vocabulary
        self.ends = ends

    @torch.no_grad()
    def logp(self, texts: Ragged) -> NDArray[np.float64]:
        found = np.empty(self.bounds(texts)[-1])
        batches, rows = self._batches(texts)
        for batch, part in filtered(self.chain, batches, rows):
            new = part.segment.new
            found[batch.positions[part.segment.rows][new]] = part.scale[new].double().log().cpu().numpy()
        return found

    @torch.no_grad()
    def distributions(self, texts: Ragged) -> NDArray[np.float64]:
        found = np.empty((self.bounds(texts)[-1], self.vocabulary.size))
        batches, rows = self._batches(texts)
        most = max(1, _CHUNK // max(self.vocabulary.size, self.chain.states))
        for batch, part in filtered(self.chain, batches, rows):
            positions = batch.positions[part.segment.rows]
            if not part.segment.known:
                found[positions[part.segment.step(0)]] = self._logp(self.chain.start[None])
            if len(part.segment) == 1:
                continue
            before, new = part.segment.pairs
            for number, chosen in enumerate(torch.split(before, most)):
                states = self._spread(part.alpha[chosen], part.segment.ids[chosen])
                here = positions[new][number * most : number * most + len(chosen)]
                found[here] = self._logp(self.chain.step(states))
        return found

    def start(self) -> NDArray[np.float64]:
        return self._tables[0]

    def advance(self, state: NDArray[np.float64], token: int) -> NDArray[np.float64]:
        _, factors, emission = self._tables
        m = emission.shape[1]
        first = int(self.chain.block[token]) * m
        inside = state[first : first + m]
        after = inside * emission[token]
        after = next((each / each.sum() for each in (after, inside) if each.sum() > 0), np.full(m, 1 / m))
        for factor in (factors[0][first : first + m], *factors[1:]):
            after = after @ factor
        return np.asarray(after)

    def next(self, state: NDArray[np.float64]) -> NDArray[np.float64]:
        return np.asarray(self._logp(torch.from_numpy(state)[None].to(self.chain.start))[0])

    @torch.no_grad()
    def viterbi(self, texts: Ragged) -> NDArray[np.int32]:
        """The states of the most probable way through each text, one a position; of equals, the first state."""
        chain, found = self.chain.to("cpu"), np.empty(self.bounds(texts)[-1], np.int32)
        batches, _ = self._batches(texts)
        for batch in batches:
            (whole,) = batch.segments(len(batch.ids))
            path = np.empty(len(batch.ids), np.int32)
            per_sequence.viterbi(chain, whole, path)
            found[batch.positions] = path
        return found

    @torch.no_grad()
    def posteriors(self, texts: Ragged) -> NDArray[np.float64]:
        """The probability of each state at each position given the whole text [positions, S]."""
        found = np.empty((self.bounds(texts)[-1], self.chain.states))
        batches, rows = self._batches(texts)
        for batch, part, _, gamma in smoothed(self.chain, batches, rows):
            new = part.segment.new
            whole = self._spread(gamma[new].double(), part.segment.ids[new])
            found[batch.positions[part.segment.rows][new]] = (whole / whole.sum(1, keepdim=True)).cpu().numpy()
        return found

    def top_tokens(self, count: int = 10) -> NDArray[np.int64]:
        """For each state the tokens that it emits most probably, the most probable first [S, count]."""
        return np.asarray(self.chain.emissions().topk(min(count, self.vocabulary.size), 0).indices.T.cpu().numpy())

    @property
    def facts(self) -> dict[str, Any]:
        return {"states": self.chain.states}

    def explain(self, text: Sequence[int]) -> list[dict[str, Any]]:
        """One dict for each position of a text.

        token: its number; ``probability``, given what stands before it.
        state: of the most probable way through the whole text (Viterbi); ``posterior``: that state's probability given the text.
        says: the tokens that the state emits most probably.
        """
        one = Ragged(np.asarray(text, np.uint32), np.array([0, len(text)]))
        states, posterior, top = self.viterbi(one), self.posteriors(one), self.top_tokens(_SAID)
        columns = zip(self.targets(one), np.exp(self.logp(one)), states, posterior, strict=True)
        return [
            {"token": int(token), "probability": float(p), "state": int(s), "posterior": float(row[s]), "says": top[s].tolist()}
            for token, p, s, row in columns
        ]

    def to(self, device: str) -> Self:
        if self.chain.blocks == 1:  # blocks run on the CPU alone
            self.chain = self.chain.to(device)
        return self

    def network(self) -> HmmNetwork:
        """A network to train by gradients, which begins with these probabilities."""
        from .network import HmmNetwork

        return HmmNetwork(self.chain, self.vocabulary, ends=self.ends)

    def save(self, folder: Path) -> None:
        """Write ``model.safetensors``, in one step. ``load_model`` reads it."""
        start, *factors, emission = (table.cpu().contiguous() for table in self.chain.tables())
        tensors = {"start": start, "emission": emission, "block": self.chain.block.cpu()}
        tensors |= {f"factor.{number}": factor for number, factor in enumerate(factors)}
        write_atomic(folder / _FILE, lambda part: save_file(tensors, part))

    @cached_property
    def _tables(self) -> tuple[NDArray[np.float64], tuple[NDArray[np.float64], ...], NDArray[np.float64]]:
        """Start, factors and emission as NumPy arrays."""
        start, *factors, emission = (table.double().cpu().numpy() for table in self.chain.tables())
        return start, tuple(factors), emission

    def _logp(self, states: torch.Tensor) -> NDArray[np.float64]:
        return np.asarray(self.chain.predict(states).double().log().cpu().numpy())

    def _spread(self, inside: torch.Tensor, ids: torch.Tensor) -> torch.Tensor:
        """Rows over the states of each token's block as rows over all states."""
        return inside if self.chain.blocks == 1 else self.chain.spread(inside, self.chain.block[ids])

    def _batches(self, texts: Ragged) -> tuple[list[Packed], int]:
        width, rows = sizes(self.chain)
        end = self.vocabulary.end if self.ends else None
        return list(pack(texts, self.vocabulary.size, end, width, rows, self.chain.start.device)), rows


def load_model(folder: Path, vocabulary: Vocabulary, *, ends: bool = True) -> HmmModel:
    """The model that ``HmmModel.save`` wrote.

    Raises:
        RecordError: the file is missing or damaged, or of another vocabulary; nothing in it is ever executed.
    """
    path = folder / _FILE
    tensors, _ = read_tensors(path)
    try:
        factors = tuple(tensors[f"factor.{number}"] for number in range(len(tensors) - 3))
        chain = Chain(tensors["start"], factors, tensors["emission"], tensors["block"])
        _check(chain, vocabulary.size)
    except (KeyError, TypeError, ValueError, RuntimeError, IndexError) as error:
        raise RecordError(f"{path} is damaged ({error}). Restore it from a copy, or fit again.") from None
    return HmmModel(chain, vocabulary, ends=ends)


def _check(chain: Chain, vocabulary: int) -> None:
    """Raise ValueError where the tables are none of a chain over so many tokens: compiled code trusts them."""
    states, (tokens, m) = len(chain.start), chain.emission.shape
    sizes = [states, *(factor.shape[1] for factor in chain.factors)]
    shapes = list(itertools.pairwise(sizes))
    if [factor.shape for factor in chain.factors] != shapes or sizes[-1] != states or len(shapes) not in (1, 2):
        raise ValueError(f"the transitions do not go from {states} states to as many")
    if tokens != vocabulary or m < 1 or states % m or (m < states and len(shapes) > 1):
        raise ValueError(f"{states} states, {m} a token, over {tokens} tokens; the vocabulary has {vocabulary}")
    block = chain.block
    if block.dtype != torch.int64 or block.shape != (tokens,) or not bool(((block >= 0) & (block < states // m)).all()):
        raise ValueError("a token is in no block")
    if len({table.dtype for table in chain.tables()}) > 1 or chain.start.dtype not in (torch.float32, torch.float64):
        raise ValueError("the tables are not in one precision")
    emitted = chain.emission.new_zeros(chain.blocks, m).index_add_(0, block, chain.emission)
    sums = [chain.start.sum()[None], *(factor.sum(1) for factor in chain.factors), emitted[torch.unique(block)].flatten()]
    if not all(bool((table >= 0).all()) for table in chain.tables()) or not bool(((torch.cat(sums) - 1).abs() < 1e-3).all()):
        raise ValueError("what should be probabilities does not sum to 1")
