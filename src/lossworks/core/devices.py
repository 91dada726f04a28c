"""What a model may run on."""

from __future__ import annotations

from .errors import UsageError


def check_device(name: str) -> None:
    """Raise UsageError where there is no device ``name``."""
    if name == "cpu":
        return
    import torch

    try:
        torch.empty(0, device=name)
    except (RuntimeError, AssertionError) as error:  # the latter is how a build without CUDA says so
        reason = str(error).partition("\n")[0].rstrip(".")
        raise UsageError(f"device {name!r} cannot be used ({reason}). Wanted cpu, or cuda where there is one.") from None
    if torch.device(name).type == "meta":
        raise UsageError("device 'meta' holds no numbers to train. Wanted cpu, or cuda where there is one.")
