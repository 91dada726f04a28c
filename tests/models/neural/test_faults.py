"""The checks catch what they are there for: a fault of each kind, planted."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import pytest
import torch
from torch import Tensor, nn

from lossworks.models.neural import model, windows
from lossworks.models.rnn import model as rnn
from lossworks.models.transformer import TransformerSpec, attention
from lossworks.models.transformer import model as transformer
from lossworks.models.transformer.attention import Cache
from lossworks.models.transformer.model import Body, Transformer
from models.neural import checks
from models.neural.checks import SPECS, V, lively, made

Check = Callable[[], Any]


def caught(check: Check) -> None:
    """It fails."""
    with pytest.raises(AssertionError):
        check()


def test_mask_off_by_one(monkeypatch: pytest.MonkeyPatch) -> None:
    """A token that sees its successor; a window that is one wider or narrower."""
    honest = attention.causal_mask

    def shifted(new: int, before: int, window: int | None, documents: Tensor | None, device: torch.device) -> Tensor:
        places = torch.arange(before + new)
        return places[before:, None] - places >= -1

    monkeypatch.setattr(transformer, "causal_mask", shifted)
    caught(lambda: checks.check_causal(made("transformer")))
    for by in (1, -1):
        monkeypatch.setattr(transformer, "causal_mask", lambda n, b, w, d, v, by=by: honest(n, b, w + by, d, v))
        network = TransformerSpec(layers=1, heads=2, dim=16, context=16, window=5).network(V).eval()
        lively(network)
        caught(lambda network=network: checks.check_window(network, 5))


def test_leaked_document(monkeypatch: pytest.MonkeyPatch) -> None:
    """Documents that see those before them."""
    honest = attention.causal_mask
    monkeypatch.setattr(transformer, "causal_mask", lambda n, b, w, d, v: honest(n, b, w, None, v))
    caught(lambda: checks.check_packing(made("transformer")))


def test_rotary_offset(monkeypatch: pytest.MonkeyPatch) -> None:
    """Positions that begin anew, or one late, where reading goes on."""
    for wrong in (lambda table, stop, size: table[:size], lambda table, stop, size: table[stop - size + 1 : stop + 1]):

        def forward(self: Body, ids: Tensor, mask: Tensor | None, *, past: Tensor | None = None, wrong: Any = wrong) -> Tensor:
            stop, size = ids.shape[1] if past is None else past.shape[4], ids.shape[1]
            tables = [wrong(table, stop, size) if past is not None and stop > size else table[stop - size : stop]
                      for table in (self.cosines, self.sines)]  # fmt: skip
            x = self.embedding(ids)
            for layer, block in enumerate(self.blocks):
                x = block(x, tables, mask, past=None if past is None else past[layer])
            return self.norm(x)

        monkeypatch.setattr(Body, "forward", forward)
        caught(lambda: checks.check_cache(made("transformer")))


def test_overwritten_branch(monkeypatch: pytest.MonkeyPatch) -> None:
    """A cache that is written on although another text went on from it."""
    honest = Cache.with_room

    def careless(self: Cache, length: int, size: int, limit: int) -> Cache:
        self.written = length
        return honest(self, length, size, limit)

    monkeypatch.setattr(Cache, "with_room", careless)
    caught(lambda: checks.check_cache(made("transformer")))


def test_tied_weights_copied() -> None:
    """A last layer that begins as the embedding and then goes its own way."""
    network = made("transformer")
    assert isinstance(network, Transformer)
    network.head.weight = nn.Parameter(network.body.embedding.weight.detach().clone())
    caught(lambda: checks.check_tied(network, network.body.embedding))


def test_stride_differs(monkeypatch: pytest.MonkeyPatch) -> None:
    """Generation that begins its windows elsewhere than scoring does."""
    monkeypatch.setattr(model, "stride", lambda context: windows.stride(context) + 1)
    caught(lambda: checks.check_generation(made("transformer")))


def test_padding_counts(monkeypatch: pytest.MonkeyPatch) -> None:
    """Encoders that take padding for text: in attention, in the mean, and on the way back."""
    encoders = {name: SPECS[name].encoder(V).eval() for name in ("transformer", "lstm")}
    for each in encoders.values():
        lively(each)
        checks.check_padding(each)
    with monkeypatch.context() as patch:
        patch.setattr(transformer, "valid", lambda lengths, size: torch.ones(len(lengths), size, dtype=torch.bool))
        caught(lambda: checks.check_padding(encoders["transformer"]))
    with monkeypatch.context() as patch:
        patch.setattr(transformer, "mean_of", lambda states, lengths: states.mean(1))
        caught(lambda: checks.check_padding(encoders["transformer"]))
    with monkeypatch.context() as patch:
        patch.setattr(rnn, "turned_round", lambda lengths, size: torch.arange(size).flip(0).expand(len(lengths), -1))
        caught(lambda: checks.check_padding(encoders["lstm"]))
