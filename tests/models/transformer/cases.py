"""A small Transformer, and what a pass through it gives."""

from __future__ import annotations

from typing import Any

import pytest
import torch
from torch import Tensor

from lossworks.models.transformer import TransformerSpec
from lossworks.models.transformer import model as transformer
from lossworks.models.transformer.model import Transformer
from models.neural.checks import V, lively, tokens


def made(**keys: Any) -> Transformer:
    """In training, with weights that say something."""
    spec: dict[str, Any] = {"layers": 2, "heads": 4, "dim": 32, "context": 16, **keys}
    network = TransformerSpec(**spec).network(V)
    lively(network, 0.1)
    assert isinstance(network, Transformer)
    return network.train()


def gradients(
    network: Any, ids: Tensor | None = None, *, narrow: bool = False, one_by_one: bool = False
) -> tuple[Tensor, dict[str, Tensor]]:
    """The states, and the gradient of the sum of their squares."""
    network.zero_grad()
    with pytest.MonkeyPatch.context() as patch, torch.autocast("cpu", torch.bfloat16, enabled=narrow):
        if one_by_one:
            patch.setattr(transformer, "stackable", lambda body, x: False)
        states = network.hidden(tokens(4, 16) if ids is None else ids)
    states.square().sum().backward()
    return states.detach(), {name: p.grad for name, p in network.named_parameters() if p.grad is not None}
