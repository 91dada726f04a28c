"""An optimiser of ours as one of PyTorch's: over the parameters of a module, with the decay that it does not do itself."""

from __future__ import annotations

import functools
from typing import Any

import torch

from .base import Optimizer, check_state, name
from .custom import check_whole, restore
from .roles import Model, grouped


def optimizer_over(optimizer: Optimizer, model: Model) -> torch.optim.Optimizer:
    """``Optimizer.over``."""
    groups = grouped(model, optimizer.weight_decay, optimizer.decay_all)
    by_itself = optimizer.decays == ("coupled" if optimizer.coupled else "decoupled")
    if not by_itself:
        for group in groups:
            group["decay"], group["weight_decay"] = group["weight_decay"], 0.0
    made = optimizer.torch(groups)
    if not optimizer.needs_closure and (optimizer.weight_decay or not optimizer.takes_sparse):
        by_hand = None if by_itself or not optimizer.weight_decay else "coupled" if optimizer.coupled else "decoupled"
        made.register_step_pre_hook(functools.partial(_before_step, by_hand=by_hand))
    _name_state(made, name(optimizer))
    return made


@torch.no_grad()
def _before_step(
    optimizer: torch.optim.Optimizer, args: tuple[Any, ...], kwargs: dict[str, Any], *, by_hand: str | None
) -> tuple[tuple[Any, ...], dict[str, Any]]:
    """Look at the gradients and decay ``by_hand``. A closure is evaluated first: only then do they stand ready."""
    closure = kwargs.get("closure", args[1] if len(args) > 1 else None)
    if closure is not None:
        with torch.enable_grad():
            loss = closure()
        args, kwargs = (args[0],), {"closure": lambda: loss}
    check_whole(optimizer)
    for group in optimizer.param_groups if by_hand else []:
        moved = [p for p in group["params"] if p.grad is not None and group["decay"]]
        if moved and by_hand == "coupled":
            torch._foreach_add_([p.grad for p in moved], moved, alpha=group["decay"])
        elif moved:
            torch._foreach_mul_(moved, 1 - group["lr"] * group["decay"])
    return args, kwargs


def _name_state(made: torch.optim.Optimizer, own: str) -> None:
    """Write the optimiser's name into state dicts, refuse those of another, and take up the others' exactly."""
    taken: list[dict[str, Any]] = []

    def write(_: torch.optim.Optimizer, state: dict[str, Any]) -> dict[str, Any]:
        return {**state, "lossworks": own}

    def read(_: torch.optim.Optimizer, state: dict[str, Any]) -> dict[str, Any]:
        check_state(state.get("lossworks", own), own)
        taken[:] = [state]
        return state

    made.register_state_dict_post_hook(write)
    made.register_load_state_dict_pre_hook(read)
    made.register_load_state_dict_post_hook(lambda optimizer: restore(optimizer, taken.pop()))
