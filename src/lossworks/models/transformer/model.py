"""A decoder of the present day: RMSNorm, rotary positions, a gated feed-forward layer, grouped query heads, no biases."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, ClassVar, Self

import torch
from torch import Tensor, nn

from ...core import domains
from ...core.errors import UsageError
from ...data import valid
from ..base import models
from ..neural.network import LanguageNetwork, TextEncoder, check_length, check_pooling, mean_of
from ..neural.spec import NeuralSpec
from .attention import Cache, Reading, attend, causal_mask, rotary_tables
from .decode import Weights
from .ops import RmsNorm, rotary_heads, swiglu
from .stack import stacked
from .stackable import stackable
from .workspace_pool import WorkspacePool

if TYPE_CHECKING:
    from jaxtyping import Bool, Float, Int


@models.add("transformer", source="Touvron et al. 2023, arXiv:2302.13971 (Llama); Vaswani et al. 2017, arXiv:1706.03762")
@dataclass(frozen=True, kw_only=True)
class TransformerSpec(NeuralSpec):
    """A Transformer of ``layers`` blocks of width ``dim``, in the form of Llama (Touvron et al. 2023, arXiv:2302.13971).

    Keys: layers; heads, and kv_heads of keys and values that they share (none: one each); dim; head_dim (none: dim / heads);
    context, tokens read at once; ffn, the width within the gated layer (none: 8/3 dim, to the nearest 16); window, how many
    of the last tokens each one sees (none: all); tied, whether the last layer is the embedding; dropout, on embeddings and on
    what each layer adds; theta, of the rotary positions; eps, of the norms; pooling of an encoder, mean or first.
    """

    layers: int = 4
    heads: int = 4
    kv_heads: int | None = None
    dim: int = 256
    head_dim: int | None = None
    context: int = 256
    ffn: int | None = None
    window: int | None = None
    tied: bool = True
    dropout: float = 0.0
    theta: float = 10_000.0
    eps: float = 1e-5
    pooling: str = "mean"
    optimizer: ClassVar[str] = "muon"
    classifier: ClassVar[str | None] = "transformer_encoder"

    def __post_init__(self) -> None:
        domains.count(self, "layers", "heads", "kv_heads", "dim", "head_dim", "context", "ffn", "window")
        domains.share(self, "dropout")
        if self.heads % self.shared_heads:
            raise UsageError(f"got heads={self.heads}, kv_heads={self.kv_heads}; wanted kv_heads that divide the heads.")
        if (self.head_dim is None and self.dim % self.heads) or self.head_width % 2:
            raise UsageError(f"got dim={self.dim}, heads={self.heads}, head_dim={self.head_dim}; wanted heads of an even width.")
        domains.positive(self, "theta", "eps")
        check_pooling(self.pooling, "mean", "first")

    @property
    def shared_heads(self) -> int:
        """How many heads of keys and values there are."""
        return self.heads if self.kv_heads is None else self.kv_heads

    @property
    def head_width(self) -> int:
        """The width of one head."""
        return self.dim // self.heads if self.head_dim is None else self.head_dim

    @property
    def ffn_width(self) -> int:
        """The width within the feed-forward layer."""
        return max(16, round(self.dim / 6) * 16) if self.ffn is None else self.ffn

    def parameters(self, vocabulary: int) -> int:
        """How many weights the network has."""
        attention = (2 * self.heads + 2 * self.shared_heads) * self.head_width * self.dim
        block = attention + 3 * self.dim * self.ffn_width + 2 * self.dim
        return self.layers * block + self.dim + vocabulary * self.dim * (1 if self.tied else 2)

    def _network(self, vocabulary: int) -> Transformer:
        return Transformer(self, vocabulary)

    def _encoder(self, vocabulary: int) -> TransformerEncoder:
        return TransformerEncoder(self, vocabulary)


class Block(nn.Module):
    """x + attention(norm x), then x + down(silu(gate) · up) of the norm of that."""

    def __init__(self, spec: TransformerSpec) -> None:
        super().__init__()
        self.heads, self.kv_heads, width = spec.heads, spec.shared_heads, spec.head_width
        self.attention_norm = RmsNorm(spec.dim, spec.eps)
        self.qkv = nn.Linear(spec.dim, (self.heads + 2 * self.kv_heads) * width, bias=False)
        self.o_proj = nn.Linear(self.heads * width, spec.dim, bias=False)
        self.ffn_norm = RmsNorm(spec.dim, spec.eps)
        self.gate_up = nn.Linear(spec.dim, 2 * spec.ffn_width, bias=False)
        self.down = nn.Linear(spec.ffn_width, spec.dim, bias=False)
        self.dropout = nn.Dropout(spec.dropout)

    def forward(
        self,
        x: Float[Tensor, "B T d"],
        tables: tuple[Tensor, Tensor],
        mask: Bool[Tensor, "*#B #T S"] | None,
        *,
        causal: bool = True,
        past: Float[Tensor, "two B kv S h"] | None = None,
    ) -> Float[Tensor, "B T d"]:
        """``past`` has room for this block's keys and values of all S tokens, of which the last T are written here."""
        queries, keys, values = rotary_heads(self.qkv(self.attention_norm(x)), self.heads, self.kv_heads, *tables)
        if past is not None:
            past[0, :, :, -x.shape[1] :], past[1, :, :, -x.shape[1] :] = keys, values
            keys, values = past[0], past[1]
        attn_out = attend(queries, keys, values, mask, causal=causal)
        x = x + self.dropout(self.o_proj(attn_out.transpose(1, 2).flatten(2)))
        added: Tensor = self.dropout(self.down(swiglu(self.gate_up(self.ffn_norm(x)))))
        return x + added


class Body(nn.Module):
    """Embedding, blocks and the last norm: what decoder and encoder share."""

    cosines: Tensor
    sines: Tensor

    def __init__(self, spec: TransformerSpec, vocabulary: int) -> None:
        super().__init__()
        self.spec = spec
        self.embedding = nn.Embedding(vocabulary, spec.dim)
        self.dropout = nn.Dropout(spec.dropout)
        self.blocks = nn.ModuleList(Block(spec) for _ in range(spec.layers))
        self.norm = RmsNorm(spec.dim, spec.eps)
        for name, table in zip(("cosines", "sines"), rotary_tables(spec.context, spec.head_width, spec.theta), strict=True):
            self.register_buffer(name, table, persistent=False)
        self.workspaces = WorkspacePool()
        _initialise(self, spec.layers)

    def train(self, mode: bool = True) -> Self:
        if not mode:
            self.workspaces.clear()
        return super().train(mode)

    def forward(
        self, ids: Int[Tensor, "B T"], mask: Tensor | None, *, causal: bool = True, past: Tensor | None = None
    ) -> Float[Tensor, "B T d"]:
        """The states of the last T of S places; ``past`` [layers, 2, B, kv, S, h] holds what was read before them."""
        size = ids.shape[1]
        stop = size if past is None else past.shape[4]
        tables = self.cosines[stop - size : stop], self.sines[stop - size : stop]
        x = self.dropout(self.embedding(ids))
        if causal and mask is None and past is None and stackable(self, x):
            return stacked(self, x)
        for layer, block in enumerate(self.blocks):
            x = block(x, tables, mask, causal=causal, past=None if past is None else past[layer])
        states: Tensor = self.norm(x)
        return states


class Transformer(LanguageNetwork):
    """See ``TransformerSpec``."""

    head: nn.Linear
    spec: TransformerSpec
    packs: ClassVar[bool] = True

    def __init__(self, spec: TransformerSpec, vocabulary: int) -> None:
        super().__init__()
        self.spec = spec
        self.context: int | None = spec.context
        self.body = Body(spec, vocabulary)
        self.head = nn.Linear(spec.dim, vocabulary, bias=False)
        if spec.tied:
            self.head.weight = self.body.embedding.weight
        else:
            _initialise(self.head, spec.layers)

    def hidden(self, ids: Int[Tensor, "B T"], documents: Int[Tensor, "B T"] | None = None) -> Float[Tensor, "B T d"]:
        check_length(ids.shape[1], self.context)
        states: Tensor = self.body(ids, causal_mask(ids.shape[1], 0, self.spec.window, documents, ids.device))
        return states

    def start(self, rows: int = 1) -> Reading:
        spec, weight = self.spec, self.head.weight
        cache = Cache(weight.new_empty(spec.layers, 2, rows, spec.shared_heads, 0, spec.head_width))
        return Reading(cache, 0, Weights.of(self.body) if rows == 1 and not self.training else None)

    @torch.no_grad()
    def advance(self, state: Reading, ids: Int[Tensor, "B T"]) -> tuple[Float[Tensor, "B T d"], Reading]:
        """Without gradient: keys and values are written where they stand. On a branch, what was read before is copied."""
        new, size = ids.shape[1], state.length + ids.shape[1]
        check_length(size, self.context)
        cache = state.cache.with_room(state.length, size, self.spec.context)
        if state.weights is not None and new == 1:
            one = state.weights.state(int(ids.item()), cache.block[:, :, 0].numpy(), state.length)
            states = torch.from_numpy(one).view(1, 1, -1)
        else:
            mask = causal_mask(new, state.length, self.spec.window, None, ids.device)
            states = self.body(ids, mask, past=cache.block[..., :size, :])
        cache.written = size
        return states, Reading(cache, size, state.weights)


class TransformerEncoder(TextEncoder):
    """The same blocks, every token seeing all of its text; the mean of the last states, or the first one."""

    def __init__(self, spec: TransformerSpec, vocabulary: int) -> None:
        super().__init__()
        self.spec, self.dim = spec, spec.dim
        self.body = Body(spec, vocabulary)

    @property
    def table(self) -> nn.Embedding:
        return self.body.embedding

    def encode(self, ids: Int[Tensor, "B T"], lengths: Int[Tensor, "B"]) -> Float[Tensor, "B dim"]:
        check_length(ids.shape[1], self.spec.context)
        seen = valid(lengths, ids.shape[1])[:, None, None, :]
        if (window := self.spec.window) is not None:
            places = torch.arange(ids.shape[1], device=ids.device)
            away = (places[:, None] - places).abs()
            seen = (seen & (away < window)) | (away == 0)  # padding far behind a text's end sees itself, rather than nothing
        states = self.body(ids, seen, causal=False)
        return mean_of(states, lengths) if self.spec.pooling == "mean" else states[:, 0]


@torch.no_grad()
def _initialise(module: nn.Module, layers: int) -> None:
    """Normal with deviation 0.02; of what is added to the stream, 1/√(2 layers) of that (Radford et al. 2019, section 2.3)."""
    for name, weight in module.named_parameters():
        if weight.ndim == 2:
            added = name.endswith(("o_proj.weight", "down.weight"))
            weight.normal_(std=0.02 / (2 * layers) ** 0.5 if added else 0.02)
