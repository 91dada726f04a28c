"""A loss of a task as compiled code makes it: its tape, played on a network's outputs.

Tapes are kept for later processes, which then need not load PyTorch to record them.
"""

from __future__ import annotations

import functools
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import xxhash
from numpy.typing import NDArray

from ..core import cached
from ..core.errors import RecordError
from ..core.kernels import kernel
from ..losses import Loss
from ..record.tensors import map_tensors, write_tensors
from ..tasks import LabelTask
from .tape import Tape, play

_LINKS = ("softmax", "sigmoid", "identity")
_SOFTMAX, _SIGMOID, _IDENTITY = range(len(_LINKS))
_TRIED = 5  # rows of random outputs that the tape must say the same of as the loss itself
_KEPT = 100  # tapes; losses that know how often classes occur have one for each data set
_HOME = Path(__file__).parents[1]


@dataclass(frozen=True, slots=True)
class Played:
    """A loss of a task as compiled code makes it from a network's outputs, and its derivative by them."""

    link: int
    tape: Tape

    @classmethod
    def of(cls, task: LabelTask, loss: Loss) -> Played | None:
        """None: the loss has no tape."""
        link, path = _LINKS.index(task.link), _place(task, loss)
        if path is not None and (kept := _kept(path)) is not None:
            return cls(link, kept)
        from .loss_tape import recorded

        tape = recorded(task, loss)
        made = None if tape is None else cls(link, tape)
        if made is None or not made._agrees(task, loss):
            return None
        if path is not None:
            _keep(path, made.tape)
        return made

    def __call__(self, outputs: NDArray[np.float64], target: NDArray[np.float64]) -> tuple[NDArray[np.float64], ...]:
        """The loss of each row, and its derivative by the outputs [N, outputs]; target [N, 1] or [N, labels]."""
        values, made = np.empty(len(outputs)), np.empty_like(outputs)
        slopes(self.link, *self.tape, outputs, target, self.registers(outputs.size), values, made)
        return values, made

    def registers(self, positions: int) -> NDArray[np.float64]:
        """Room to play the tape in."""
        return np.empty((2 + self.tape.constants.shape[1] + len(self.tape.operations), positions))

    def _agrees(self, task: LabelTask, loss: Loss) -> bool:
        """Whether it says what the loss says: one that looks at numbers in Python may go another way than on its tape."""
        import torch

        draw = np.random.default_rng(0)
        outputs = draw.normal(scale=2, size=(_TRIED, task.outputs))
        target = draw.normal(size=_TRIED) if task.link == "identity" else draw.integers(0, 2, (_TRIED, *task.positions))
        if task.link == "softmax":
            target = draw.integers(0, task.outputs, _TRIED)
        given = torch.from_numpy(outputs).requires_grad_()
        values = task.losses(loss, given, torch.from_numpy(target))
        (by_outputs,) = torch.autograd.grad(values.sum(), given)
        found = self(outputs, target.astype(np.float64).reshape(_TRIED, -1))
        both = zip(found, (values, by_outputs), strict=True)
        return all(np.allclose(own, its.detach().numpy(), rtol=1e-6, atol=1e-9) for own, its in both)


def _place(task: LabelTask, loss: Loss) -> Path | None:
    """The file of a loss's tape, by all that it follows from; None: the loss is not one of ours, or nothing can be kept."""
    terms = [term for _, term in getattr(loss, "terms", ((1.0, loss),))]
    folder = cached.folder(__file__) if all(type(term).__module__.startswith("lossworks.losses.") for term in terms) else None
    key = repr((task.link, task.outputs, task.positions, loss, _sources()))
    return None if folder is None else folder / f"tape-{xxhash.xxh3_128_hexdigest(key.encode())}.safetensors"


@functools.cache
def _sources() -> str:
    """A digest of the code that tapes are recorded from and by."""
    made = xxhash.xxh3_128(cached.stamp("torch").encode())
    for path in sorted([*_HOME.glob("losses/*.py"), *_HOME.glob("scores/*.py"), *_HOME.glob("training/*tape.py")]):
        made.update(path.read_bytes())
    return made.hexdigest()


def _keep(path: Path, tape: Tape) -> None:
    with suppress(OSError, RecordError):
        write_tensors(path, tape._asdict(), {"checksum": _checksum(tape)})
        for old in sorted(path.parent.glob("tape-*.safetensors"), key=lambda each: each.stat().st_mtime)[:-_KEPT]:
            old.unlink()


def _kept(path: Path) -> Tape | None:
    try:
        arrays, notes = map_tensors(path)
        tape = Tape(**{name: np.array(array) for name, array in arrays.items()})
    except (RecordError, TypeError):
        return None
    return tape if notes.get("checksum") == _checksum(tape) else None


def _checksum(tape: Tape) -> str:
    made = xxhash.xxh3_128()
    for array in tape:
        made.update(repr((array.shape, array.dtype)).encode() + array.tobytes())
    return made.hexdigest()


@kernel(error_model="numpy")
def slopes(link, operations, constants, ends, outputs, target, registers, values, made):  # type: ignore[no-untyped-def]
    """The losses of rows and their derivative by the outputs, into ``values`` and ``made``."""
    rows, width = outputs.shape
    labels = 1 if link == _SOFTMAX else width
    for row in range(rows):
        for label in range(labels):
            at, cell = row * labels + label, 0
            if link == _IDENTITY:
                registers[0, at], registers[1, at] = outputs[row, label], target[row, label]
            elif link == _SIGMOID:
                cell = int(target[row, label]) * labels + label
                registers[0, at], registers[1, at] = _binary(
                    outputs[row, label], target[row, label], made[row, label : label + 1]
                )
            else:
                cell = int(target[row, 0])
                registers[0, at], registers[1, at] = _dense(outputs[row], cell, made[row])
            for number in range(constants.shape[1]):
                registers[2 + number, at] = constants[cell, number]
    play(operations, registers, rows * labels)
    for row in range(rows):
        values[row] = 0
        for label in range(labels):
            at = row * labels + label
            values[row] += registers[ends[0], at] / labels
            if link == _IDENTITY:
                made[row, label] = registers[ends[1], at] / labels
                continue
            by_own, by_mean = registers[ends[1], at], registers[ends[2], at]
            if link == _SIGMOID:
                p = made[row, label]
                made[row, label] = (by_own * (target[row, label] - p) + by_mean * (0.5 - p)) / labels
                continue
            for outcome in range(width):
                made[row, outcome] = by_mean / width - (by_own + by_mean) * made[row, outcome]
            made[row, int(target[row, 0])] += by_own


@kernel(error_model="numpy")
def _dense(outputs, target, p):  # type: ignore[no-untyped-def]
    """log p of the target, the mean log p, and the probabilities into ``p``; the gradient of a log p is e - p."""
    peak, rest, mean = 0, 0.0, 0.0
    for outcome in range(len(outputs)):
        peak = outcome if outputs[outcome] > outputs[peak] else peak
    for outcome in range(len(outputs)):
        p[outcome] = np.exp(outputs[outcome] - outputs[peak])
        rest += p[outcome] if outcome != peak else 0.0
        mean += (outputs[outcome] - outputs[peak]) / len(outputs)
    for outcome in range(len(outputs)):
        p[outcome] /= 1 + rest
    log_sum = np.log1p(rest)
    return outputs[target] - outputs[peak] - log_sum, mean - log_sum


@kernel(error_model="numpy")
def _binary(output, target, p):  # type: ignore[no-untyped-def]
    """The same of two outcomes with the logits 0 and ``output``; the probability of 1 into ``p``."""
    log_sum = max(output, 0.0) + np.log1p(np.exp(-abs(output)))
    p[0] = np.exp(output - log_sum)
    return target * output - log_sum, output / 2 - log_sum
