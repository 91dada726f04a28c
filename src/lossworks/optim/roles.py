"""Which part each parameter plays in a model, and the groups that optimisers treat alike.

matrix      a hidden weight, of two dimensions or more
embedding   rows looked up by number, also where the head is tied to them
head        the matrix that makes the outputs
vector      a bias, a norm's gain, a number
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from typing import Any, Literal

from torch import Tensor, nn

from ..batches import Table
from ..core.errors import UsageError

Role = Literal["matrix", "embedding", "head", "vector"]
Model = nn.Module | Iterable[Tensor]
_HEADS = ("head", "lm_head", "classifier", "score", "unembedding", "output")  # what modules that make outputs are called


def roles(model: Model) -> dict[Tensor, Role]:
    """The role of every parameter that is trained; of parameters without a model, by their dimensions alone."""
    parameters: list[Any] = list(model.parameters() if isinstance(model, nn.Module) else model)
    if strange := [p for p in parameters if not isinstance(p, Tensor)]:
        raise UsageError(f"got a {type(strange[0]).__name__} among the parameters. Give a module, or its parameters.")
    found: dict[Tensor, Role] = {p: "vector" if p.ndim < 2 else "matrix" for p in parameters if p.requires_grad}
    if not found:
        raise UsageError("got no parameter that is trained. Give a module, or its parameters, with requires_grad.")
    if isinstance(model, nn.Module):
        found |= {p: "head" for p in _heads(model) if p in found and p.ndim > 1}
        found |= {p: "embedding" for p in _looked_up(model) if p in found}  # last: a tied head is an embedding
    return found


def grouped(model: Model, weight_decay: float, everywhere: bool) -> list[dict[str, Any]]:
    """Parameter groups for a PyTorch optimiser, one a role: ``params``, ``role``, and the ``weight_decay`` that the role gets.

    Matrices and the head decay; embeddings, biases and norms only where ``everywhere`` asks for it.
    """
    found = roles(model)
    kinds: tuple[Role, ...] = ("matrix", "embedding", "head", "vector")
    return [
        {
            "params": [p for p, role in found.items() if role == kind],
            "role": kind,
            "weight_decay": weight_decay if everywhere or kind in ("matrix", "head") else 0.0,
        }
        for kind in kinds
        if kind in found.values()
    ]


def _looked_up(model: nn.Module) -> Iterator[Tensor]:
    for module in model.modules():
        if isinstance(module, nn.Embedding | nn.EmbeddingBag) or (isinstance(module, Table) and not module.is_head):
            yield module.weight


def _heads(model: nn.Module) -> Iterator[Tensor]:
    """The weights of the modules called so, of tables that make the outputs, else of the last linear layer."""
    named = [
        module
        for name, module in model.named_modules()
        if name.rpartition(".")[2] in _HEADS or (isinstance(module, Table) and module.is_head)
    ]
    linear = [module for module in model.modules() if isinstance(module, nn.Linear)]
    for module in named or linear[-1:]:
        yield from module.parameters()
