"""Weights in a safetensors file: each stored once, also where several layers share it."""

from __future__ import annotations

import re
from collections.abc import Iterable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import torch
from safetensors import SafetensorError, safe_open
from safetensors.torch import save_file
from torch import Tensor, nn

from ...core.errors import RecordError
from ...record import write_atomic
from ...record.tensors import not_finite

_MERGE = re.compile(r"\.merge\.weight\Z")  # how names end in files of earlier versions


def write_weights(network: nn.Module, path: Path, notes: str) -> None:
    """Write every parameter once, under its first name, and ``notes`` into the file's head.

    Of the same weights and notes the bytes are the same: of several entries in the head the order would be random.
    """
    tensors = {name: value.detach().cpu().contiguous() for name, value in network.named_parameters()}
    write_atomic(path, lambda part: save_file(tensors, part, {"lossworks": notes}))


def fill_weights(network: nn.Module, tensors: dict[str, Tensor], path: Path) -> None:
    """Fill the network's parameters with the tensors that ``write_weights`` wrote to ``path``.

    Raises:
        RecordError: they have other names or shapes.
    """
    parameters = dict(network.named_parameters())
    if missing := sorted(parameters.keys() ^ tensors.keys()):
        raise RecordError(f"{path} does not fit the model: {', '.join(missing[:5])}. Restore it from a copy, or fit again.")
    for name, parameter in parameters.items():
        fill(parameter, tensors[name], f"{path}: {name}")


@torch.no_grad()
def fill(parameter: Tensor, value: Tensor, what: str) -> None:
    """Copy a tensor of the same shape.

    Raises:
        RecordError: it has another, or holds no floating-point numbers.
    """
    if parameter.shape != value.shape or not value.is_floating_point():
        raise RecordError(f"{what} is {list(value.shape)} of {value.dtype}; wanted {list(parameter.shape)} of {parameter.dtype}.")
    parameter.copy_(value)


def read_tensors(path: Path) -> tuple[dict[str, Tensor], dict[str, str]]:
    """All tensors of a safetensors file, by today's names, and the notes in its head.

    Raises:
        RecordError: it is missing or damaged, or a weight is not finite.
    """
    with _opened(path) as file:
        tensors, notes = {name: file.get_tensor(name) for name in file.keys()}, file.metadata() or {}  # noqa: SIM118
    check_finite(tensors.items(), path)
    return {_MERGE.sub(".o_proj.weight", name): tensor for name, tensor in tensors.items()}, notes


def read_shapes(path: Path) -> dict[str, list[int]]:
    """The shapes of all tensors of a safetensors file, from its head alone.

    Raises:
        RecordError: it is missing or damaged.
    """
    with _opened(path) as file:
        return {name: list(file.get_slice(name).get_shape()) for name in file.keys()}  # noqa: SIM118


@contextmanager
def _opened(path: Path) -> Iterator[Any]:
    try:
        with safe_open(path, "pt") as file:
            yield file
    except FileNotFoundError:
        raise RecordError(f"{path} is missing. Restore it from a copy; of a run that did not finish: fit --resume.") from None
    except (SafetensorError, OSError) as error:
        raise RecordError(f"{path} is damaged ({error}). Restore it from a copy, or fit again.") from None


def check_finite(tensors: Iterable[tuple[str, Tensor]], path: Path | str) -> None:
    """Raise RecordError where a tensor of those read from ``path`` holds nan or infinity."""
    for name, tensor in tensors:
        if tensor.is_floating_point() and tensor.numel():
            ends = torch.stack((tensor if tensor.itemsize > 1 else tensor.float()).aminmax())  # nan, if there is one
            if not bool(ends.isfinite().all()):
                raise not_finite(path, name)
