"""What a run would take: seconds and memory, by plain arithmetic from what smaller runs took or what a machine is said to do."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from ..core.errors import UsageError
from .runs import FLOPS, Runs, Target

UTILISATION = 0.4  # of the floating-point operations that are promised: what training large models on GPUs reaches
BYTES = 16  # a parameter: weight, gradient and AdamW's two averages, 4 bytes each


@dataclass(frozen=True, slots=True)
class Machine:
    """``cores``, ``gpus``: how many; ``flops``: operations a second that one of them promises; ``bandwidth``: bytes a second
    between GPUs; ``batch_tokens``: of a step, which is when gradients are summed.
    """

    cores: int | None = None
    gpus: int | None = None
    flops: float | None = None
    bandwidth: float | None = None
    batch_tokens: float = 500_000

    def __post_init__(self) -> None:
        for name in ("cores", "gpus", "flops", "bandwidth", "batch_tokens"):
            value = getattr(self, name)
            if value is not None and not (np.isfinite(value) and value > 0):
                raise UsageError(f"{name} of the machine is {value}; wanted a number above 0.")
        if self.gpus and not self.flops:
            raise UsageError(
                "how fast the GPUs are is not known; say it: --flops 1e15, the operations a second that each promises."
            )


@dataclass(frozen=True, slots=True)
class Cost:
    """``seconds``: None where nothing tells the speed. ``memory``: bytes; where no run tells its peak (``measured`` is False), of
    weights, gradients and optimiser alone.
    """

    seconds: float | None
    memory: float
    measured: bool
    assumptions: tuple[str, ...]


def rate(runs: Runs, machine: Machine, measured_cores: int | None = None) -> tuple[float | None, str]:
    """Operations a second, and where that is from: the machine as given, else the median of the larger half of the runs."""
    if machine.flops:
        many = machine.gpus or machine.cores or 1
        return (
            machine.flops * many * UTILISATION,
            f"{many} × {machine.flops:.3g} operations a second, {UTILISATION:.0%} of which are reached",
        )
    if runs.seconds is None or not np.isfinite(runs.seconds).any():
        return None, "no run says how long it took: name the machine's --flops"
    speeds = np.where(runs.seconds > 0, runs.compute / runs.seconds, np.nan)
    large = runs.compute >= np.median(runs.compute)
    speed, said = float(np.nanmedian(speeds[large])), "the larger runs' median speed"
    if machine.cores and measured_cores:
        speed, said = speed * machine.cores / measured_cores, f"{said}, times {machine.cores} cores for {measured_cores}"
    return speed, f"{said}: {speed:.3g} operations a second"


def _memory(runs: Runs, target: Target) -> tuple[float, bool, str]:
    """The bytes of a training, whether runs tell them, and how that is reckoned."""
    if runs.memory is None or not (np.isfinite(runs.memory) & (runs.memory > 0)).all():
        return BYTES * target.params, False, f"{BYTES} bytes a parameter (AdamW in float32), activations not counted."
    slope = max(float(np.polyfit(runs.params, runs.memory, 1)[0]) if np.ptp(runs.params) > 0 else 0.0, BYTES)
    largest = float(runs.memory.max())
    more = max(target.params - float(runs.params.max()), 0.0)
    said = f"The runs' processes held {largest / 2**20:,.0f} MiB at most; {slope:,.0f} bytes more for each parameter more"
    return largest + slope * more, True, f"{said} (their slope, {BYTES} or more), with batches as theirs."


def cost(runs: Runs, target: Target, machine: Machine | None = None, measured_cores: int | None = None) -> Cost:
    """What training ``target`` takes.

    Args:
        runs: whose ``seconds`` tell the speed, where the machine does not, and whose ``memory`` tells the peak.
        target: what would be trained.
        machine: where; the one the runs were trained on, if not given.
        measured_cores: that the runs were trained with.
    """
    machine = machine or Machine()
    speed, said = rate(runs, machine, measured_cores)
    memory, measured, remembered = _memory(runs, target)
    assumptions = [
        f"{FLOPS} operations a parameter and a token; {said}.",
        remembered,
    ]
    seconds = None if speed is None else target.compute / speed
    if seconds is not None and machine.bandwidth and (machine.gpus or 1) > 1:
        many = int(machine.gpus or 1)
        steps = target.tokens / machine.batch_tokens
        seconds += steps * 2 * 4 * target.params * (many - 1) / many / machine.bandwidth
        assumptions.append(
            f"Gradients of 4 bytes are summed in a ring, one step each {machine.batch_tokens:,.0f} tokens, not beside other work."
        )
    return Cost(seconds, memory, measured, tuple(assumptions))
