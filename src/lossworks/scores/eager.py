"""What ``torch.compile`` leaves alone."""

from __future__ import annotations

import sys
from collections.abc import Callable
from functools import wraps
from typing import Any, TypeVar, cast

import torch

_REASON = "fused scores run chunk by chunk"
F = TypeVar("F", bound=Callable[..., Any])


def eager(method: F) -> F:
    """Under ``torch.compile`` the graph is broken here: chunks run as they are written.

    ``torch.compiler.disable`` does that, but loads the compiler (a second) also where nobody compiles: so it is asked only
    once the compiler is there.
    """
    made: list[Callable[..., Any]] = []

    @wraps(method)
    def run(*args: Any, **named: Any) -> Any:
        if "torch._dynamo" not in sys.modules:
            return method(*args, **named)
        if not made:
            made.append(torch.compiler.disable(method, reason=_REASON))  # type: ignore[no-untyped-call]
        return made[0](*args, **named)

    run._torchdynamo_disable = True  # type: ignore[attr-defined]  # what the compiler looks for
    run._torchdynamo_disable_msg = _REASON  # type: ignore[attr-defined]
    return cast(F, run)
