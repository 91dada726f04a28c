"""Texts of different lengths trained on without padding: the blocks of a model are given all tokens in one row.

Everything in a block but attention works on each token by itself, so it need not know where a text ends. Of short texts of mixed
lengths, padded to the longest of a step, half would be padding.
"""

from __future__ import annotations

import threading
from collections.abc import Iterator
from contextlib import AbstractContextManager, contextmanager
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import torch
from torch import Tensor, nn
from torch.autograd import Function
from torch.autograd.function import once_differentiable

from ..neural.dropout import Dropout, drop, new_seed
from .library import package

if TYPE_CHECKING:
    from jaxtyping import Bool, Float, Int

_NAME = "lossworks_unpadded"  # of the attention function, as transformers knows it
_now = threading.local()


@dataclass(frozen=True, slots=True)
class Group:
    """Texts whose attention is made together, n of them padded to L tokens.

    outside [n, L]: where padding is. apart [n · heads · L]: which of all tokens' heads side by side, N · heads, stand there; in
    the place of padding those of the text's first token. beside [tokens · heads]: where those of the group's tokens stand there.
    """

    outside: Bool[Tensor, "n L"]
    apart: Int[Tensor, "apart"]
    beside: Int[Tensor, "beside"]

    @classmethod
    def of(cls, lengths: Int[Tensor, "n"], starts: Int[Tensor, "n"], heads: int) -> Group:
        """Of the texts that begin there in the row of all tokens."""
        size, head = int(lengths[0]), torch.arange(heads)
        at = torch.arange(size)
        outside = at >= lengths[:, None]
        tokens = starts[:, None] + at.masked_fill(outside, 0)
        text, place = (~outside).nonzero(as_tuple=True)
        beside = (text[:, None] * heads + head) * size + place[:, None]
        return cls(outside, (tokens[:, None] * heads + head[:, None]).flatten(), beside.flatten())

    def heads(self, x: Float[Tensor, "N heads h"]) -> Float[Tensor, "n_heads L h"]:
        """The group's, [n · heads, L, h]."""
        return x.reshape(-1, x.shape[-1]).index_select(0, self.apart).view(-1, self.outside.shape[1], x.shape[-1])

    def rows(self, x: Float[Tensor, "n_heads L h"]) -> Float[Tensor, "tokens heads h"]:
        """The other way round, of the group's tokens alone."""
        count = len(x) // len(self.outside)
        return x.reshape(-1, x.shape[-1]).index_select(0, self.beside).view(-1, count, x.shape[-1])


@dataclass(frozen=True, slots=True)
class Layout:
    """Where the tokens of padded rows [B, T] stand in one row [N] of texts by falling length, and back.

    tokens [N]: of each token its place among the B·T. places [B·T]: of each place its token; of padding any.
    """

    shape: tuple[int, int]
    tokens: Int[Tensor, "N"]
    places: Int[Tensor, "BT"]
    groups: tuple[Group, ...]

    @classmethod
    def of(cls, lengths: Int[Tensor, "B"], size: int, heads: int) -> Layout:
        """Of rows padded to ``size``, for so many ``heads``. A group's texts are at least half as long as its longest."""
        ordered, order = lengths.sort(descending=True, stable=True)
        starts = ordered.cumsum(0) - ordered
        tokens = torch.repeat_interleave(order * size - starts, ordered) + torch.arange(int(ordered.sum()))
        places = torch.zeros(len(lengths) * size, dtype=torch.int64)
        places[tokens] = torch.arange(len(tokens))
        groups, first = [], 0
        while first < len(ordered):
            last = int((2 * ordered >= ordered[first]).sum())
            groups.append(Group.of(ordered[first:last], starts[first:last], heads))
            first = last
        return cls((len(lengths), size), tokens, places, tuple(groups))

    def pack(self, padded: Tensor) -> Tensor:
        """[B, T, d] as [1, N, d]."""
        return padded.flatten(0, 1).index_select(0, self.tokens)[None]

    def pad(self, packed: Tensor) -> Tensor:
        """The other way round; in the place of padding stands a state of some token."""
        return packed[0].index_select(0, self.places).view(*self.shape, -1)


def without_padding(model: Any, lengths: Int[Tensor, "B"], size: int) -> AbstractContextManager[None]:
    """While the block lasts, a model that was ``prepared`` runs its blocks without the padding of rows of these ``lengths``."""
    return laid_out(Layout.of(lengths, size, model.config.get_text_config().num_attention_heads))


@contextmanager
def laid_out(layout: Layout) -> Iterator[None]:
    """While the block lasts, models of this thread that were ``prepared`` run their blocks so."""
    _now.layout = layout
    try:
        yield
    finally:
        _now.layout = None


def prepared(model: Any) -> bool:
    """Have the blocks of a model go by ``laid_out``; whether they can, and give the same.

    They cannot where something else in them looks at places, as rotary positions do, or where attention is the model's own.
    """
    for module in model.modules():
        if type(module) is nn.Dropout:
            module.__class__ = Dropout
    blocks = _blocks(model)
    if blocks is None:
        return False
    before = model.config._attn_implementation
    classes = package("transformers")
    classes.AttentionInterface.register(_NAME, _attention)
    classes.AttentionMaskInterface.register(_NAME, classes.AttentionMaskInterface()["sdpa"])
    hooks = [blocks[0].register_forward_pre_hook(_pack, with_kwargs=True), blocks[-1].register_forward_hook(_pad)]
    try:
        model.set_attn_implementation(_NAME)
        same = _gives_the_same(model)
    except (AttributeError, KeyError, RuntimeError, TypeError, ValueError):  # whatever is raised by a model that cannot
        same = False
    if not same:
        for hook in hooks:
            hook.remove()
        model.set_attn_implementation(before)
    return same


@torch.no_grad()
def _gives_the_same(model: Any) -> bool:
    lengths = torch.tensor([2, 9, 1, 8])
    config, inside = model.config.get_text_config(), torch.arange(9) < lengths[:, None]
    ids = ((torch.arange(36).view(4, 9) * 7 + 5) % config.vocab_size).masked_fill(~inside, config.pad_token_id)
    was = model.training
    model.eval()
    wanted = model(input_ids=ids, attention_mask=inside.long())[0]
    with without_padding(model, lengths, 9):
        found = model(input_ids=ids, attention_mask=inside.long())[0]
    model.train(was)
    if found.ndim == 3:  # states, of which those of padding are nobody's
        wanted, found = wanted[inside], found[inside]
    return bool(torch.allclose(found, wanted, rtol=1e-3, atol=1e-4 * float(wanted.abs().max())))


def _blocks(model: Any) -> nn.ModuleList | None:
    """The list of a model's blocks: as many modules of one kind as its configuration says."""
    count = model.config.get_text_config().num_hidden_layers
    lists = (module for module in model.base_model.modules() if isinstance(module, nn.ModuleList))
    return next((blocks for blocks in lists if len(blocks) == count and len({type(block) for block in blocks}) == 1), None)


def _layout() -> Layout | None:
    return getattr(_now, "layout", None)


def _pack(block: nn.Module, args: tuple[Any, ...], kwargs: dict[str, Any]) -> tuple[tuple[Any, ...], dict[str, Any]]:
    layout = _layout()
    if layout is None:
        return args, kwargs
    if args:
        return (layout.pack(args[0]), *args[1:]), kwargs
    return args, kwargs | {"hidden_states": layout.pack(kwargs["hidden_states"])}


def _pad(block: nn.Module, args: tuple[Any, ...], output: Any) -> Any:
    layout = _layout()
    if layout is None:
        return output
    return (layout.pad(output[0]), *output[1:]) if isinstance(output, tuple) else layout.pad(output)


def _attention(
    module: nn.Module,
    query: Tensor,
    key: Tensor,
    value: Tensor,
    attention_mask: Tensor | None,
    *,
    dropout: float = 0.0,
    scaling: float | None = None,
    is_causal: bool | None = None,
    **more: Any,
) -> tuple[Tensor, None]:
    """As transformers asks for it: of [B, heads, T, h], answered [B, T, heads, h]."""
    layout = _layout()
    if layout is None:
        theirs = package("transformers").AttentionInterface()["sdpa"]
        given = {"dropout": dropout, "scaling": scaling, "is_causal": is_causal, **more}
        return theirs(module, query, key, value, attention_mask, **given)  # type: ignore[no-any-return]
    causal = getattr(module, "is_causal", False) if is_causal is None else is_causal
    scale = query.shape[-1] ** -0.5 if scaling is None else scaling
    own = (x[0].transpose(0, 1) for x in (query, key, value))
    return _Attention.apply(*own, layout.groups, bool(causal), scale, dropout)[None], None  # type: ignore[no-untyped-call]


class _Attention(Function):
    """Of the rows [N, heads, h] of all texts, group by group."""

    @staticmethod
    def forward(
        ctx: Any, query: Tensor, key: Tensor, value: Tensor, groups: tuple[Group, ...], causal: bool, scale: float, p: float
    ) -> Tensor:
        found, saved, seeds = [], list[Tensor](), [new_seed() if p else 0 for _ in groups]
        for group, seed in zip(groups, seeds, strict=True):
            q, k, v = (group.heads(x) for x in (query, key, value))
            scores = torch.bmm(q * scale, k.transpose(1, 2)).view(len(group.outside), -1, q.shape[1], q.shape[1])
            scores.masked_fill_(group.outside[:, None, None], -torch.inf)
            if causal:
                size = scores.shape[-1]
                scores.masked_fill_(torch.ones(size, size, dtype=torch.bool).triu_(1), -torch.inf)
            probs = scores.softmax(-1).flatten(0, 1)
            found.append(group.rows(torch.bmm(drop(probs, p, seed) if p else probs, v)))
            saved += [q, k, v, probs]
        ctx.save_for_backward(*saved)
        ctx.given = groups, seeds, scale, p
        return torch.cat(found)

    @staticmethod
    @once_differentiable
    def backward(ctx: Any, grad_output: Tensor) -> tuple[Tensor | None, ...]:
        groups, seeds, scale, p = ctx.given
        found: tuple[list[Tensor], list[Tensor], list[Tensor]] = ([], [], [])
        for number, (group, seed) in enumerate(zip(groups, seeds, strict=True)):
            q, k, v, probs = ctx.saved_tensors[4 * number : 4 * number + 4]
            grad = group.heads(grad_output).view(len(group.outside), -1, *q.shape[1:])
            grad = grad.masked_fill_(group.outside[:, None, :, None], 0.0).flatten(0, 1)
            of_probs = torch.bmm(grad, v.transpose(1, 2))
            dropped, of_probs = (drop(x, p, seed) if p else x for x in (probs, of_probs))
            of_scores = torch._softmax_backward_data(of_probs, probs, -1, probs.dtype).mul_(scale)
            of = torch.bmm(of_scores, k), torch.bmm(of_scores.transpose(1, 2), q), torch.bmm(dropped.transpose(1, 2), grad)
            for rows, each in zip(found, of, strict=True):
                rows.append(group.rows(each))
        return *map(torch.cat, found), None, None, None, None
