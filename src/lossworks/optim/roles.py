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

from ..core.errors import UsageError
from ..data import SparseEmbedding
from .parts import part_of

Role = Literal["matrix", "embedding", "head", "vector"]
Model = nn.Module | Iterable[Tensor]
_HEADS = ("head", "lm_head", "classifier", "score", "unembedding", "output")  # what layers that make outputs are called


def roles(model: Model) -> dict[Tensor, Role]:
    """The role of every parameter that is trained; of parameters without a model, by their dimensions alone.

    Where parameters are divided among processes, of this one's part of each.
    """
    parameters: list[Any] = list(model.parameters() if isinstance(model, nn.Module) else model)
    if strange := [p for p in parameters if not isinstance(p, Tensor)]:
        raise UsageError(f"got a {type(strange[0]).__name__} among the parameters. Give a module, or its parameters.")
    found: dict[Tensor, Role] = {p: "vector" if _is_vector(p) else "matrix" for p in parameters if p.requires_grad}
    if not found:
        raise UsageError("got no parameter that is trained. Give a module, or its parameters, with requires_grad.")
    if isinstance(model, nn.Module):
        matrices = {p for p, role in found.items() if role == "matrix"}
        found |= {p: "head" for p in _heads(model) if p in matrices}
        found |= {p: "embedding" for p in _looked_up(model) if p in matrices}  # after: a tied head is an embedding
        found |= {p: "vector" for m in model.modules() if "Norm" in type(m).__name__ for p in m.parameters(False) if p in found}
    return {part_of(p): role for p, role in found.items()}


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


def _is_vector(p: Tensor) -> bool:
    """Whether no more than one dimension is longer than 1: a bias, a gain, a token of its own."""
    return sum(length > 1 for length in p.shape) < 2 and (p.ndim != 2)


def _looked_up(model: nn.Module) -> Iterator[Tensor]:
    for module in model.modules():
        if isinstance(module, nn.Embedding | nn.EmbeddingBag) or (isinstance(module, SparseEmbedding) and not module.is_head):
            yield module.weight
        for name, p in module.named_parameters(recurse=False):
            if "embed" in name:  # a table of positions without a module of its own
                yield p


def _heads(model: nn.Module) -> Iterator[Tensor]:
    """The weights of tables that make the outputs, of linear layers called so, else of the last linear layer.

    A layer within a list of blocks makes no outputs, whatever it is called.
    """
    blocks = [name for name, module in model.named_modules() if isinstance(module, nn.ModuleList)]
    linear = {
        name: module
        for name, module in model.named_modules()
        if isinstance(module, nn.Linear) and not any(name.startswith(f"{block}.") for block in blocks)
    }
    tables = [module for module in model.modules() if isinstance(module, SparseEmbedding) and module.is_head]
    named = [module for name, module in linear.items() if name.rpartition(".")[2] in _HEADS]
    for module in tables or named or list(linear.values())[-1:]:
        yield module.weight
