"""What other packages' losses give on a few numbers, written to ``loss_reference.json``.

    python tests/parity/make_loss_reference.py

in an environment with ``torch``, ``entmax`` and ``trl`` < 0.12 (``pip install --no-deps`` will do).
Everything is in float64: values, and the gradients of their sum.

entmax: its sparsemax and 1.5-entmax losses, by sorting, of logits that lie near the largest, far from it, or all equal.

TRL: the methods of its trainers that take log-probabilities, called with the settings they read in place of a trainer. They need
PyTorch alone: what TRL's files import besides is stood in for by empty classes. Later TRL no longer has all of them as methods
of their own. Its ORPO gives what is to be made large, and leaves the likelihood to the model's own loss.
"""

from __future__ import annotations

import importlib.abc
import importlib.machinery
import json
import sys
from collections.abc import Callable
from importlib import metadata
from pathlib import Path
from types import ModuleType, SimpleNamespace
from typing import Any, ClassVar

import torch
from torch import Tensor

HERE = Path(__file__).parent
UNUSED = "accelerate", "datasets", "huggingface_hub", "transformers", "trl.models", "trl.trainer.callbacks", "trl.trainer.utils"


class Empty(type):
    """Of empty classes: whatever is asked of one is another, and an instance is False, so that nothing more seems available."""

    def __new__(cls, name: str, bases: tuple[type, ...] = (), body: dict[str, Any] | None = None) -> Empty:
        """As any class; what is left to say is how it is made."""
        quiet: dict[str, Any] = {"__init__": lambda self, *given, **named: None, "__bool__": lambda self: False}
        quiet["__call__"] = lambda self, decorated: decorated
        return super().__new__(cls, name, bases, {**quiet, **(body or {})})

    def __getattr__(cls, name: str) -> Any:
        if name.startswith("_"):
            raise AttributeError(name)
        return Empty(name)


class StandIn(ModuleType):
    """A module of empty classes."""

    __path__: ClassVar[list[str]] = []

    def __getattr__(self, name: str) -> Any:
        if name.startswith("__"):
            raise AttributeError(name)
        setattr(self, name, Empty(name))
        return getattr(self, name)


class StandIns(importlib.abc.MetaPathFinder, importlib.abc.Loader):
    """Finds a stand-in for each module that the losses do not use."""

    def find_spec(self, name: str, path: Any, target: Any = None) -> importlib.machinery.ModuleSpec | None:
        """None where the module is to be the real one."""
        unused = any(name == each or name.startswith(f"{each}.") for each in UNUSED)
        return importlib.machinery.ModuleSpec(name, self, is_package=True) if unused else None

    def create_module(self, spec: importlib.machinery.ModuleSpec) -> ModuleType:
        """Empty."""
        return StandIn(spec.name)

    def exec_module(self, module: ModuleType) -> None:
        """Nothing to run."""


def recorded(f: Callable[..., Tensor], **given: Tensor) -> dict[str, Any]:
    """What was given, the values, and the gradient of their sum into each floating tensor."""
    leaves = {name: tensor.requires_grad_() for name, tensor in given.items() if tensor.is_floating_point()}
    values = f(**given)
    slopes = torch.autograd.grad(values.sum(), list(leaves.values()), allow_unused=True)
    return {
        "given": {name: tensor.tolist() for name, tensor in given.items()},
        "values": values.tolist(),
        "gradients": {name: slope.tolist() for name, slope in zip(leaves, slopes, strict=True) if slope is not None},
    }


def entmax_runs() -> dict[str, Any]:
    """Each loss on each kind of logits."""
    import entmax

    rng, runs = torch.Generator().manual_seed(0), {}
    for name, theirs in (("sparsemax", entmax.sparsemax_loss), ("entmax15", entmax.entmax15_loss)):
        for kind, size in (("near", 0.1), ("normal", 1.0), ("far", 10.0), ("equal", 0.0)):
            logits = size * torch.randn(6, 7, generator=rng, dtype=torch.float64)
            target = torch.randint(7, (6,), generator=rng)
            runs[f"{name} {kind}"] = recorded(theirs, X=logits, target=target)
    return runs


def trl_runs() -> dict[str, Any]:
    """Each loss on the log-probabilities of eight pairs."""
    sys.meta_path.insert(0, StandIns())
    from trl.trainer.cpo_trainer import CPOTrainer
    from trl.trainer.dpo_trainer import DPOTrainer
    from trl.trainer.kto_trainer import KTOTrainer
    from trl.trainer.orpo_trainer import ORPOTrainer

    accelerator = SimpleNamespace(device="cpu", gather=lambda tensor: tensor)
    rng = torch.Generator().manual_seed(1)

    def trainer(**settings: Any) -> SimpleNamespace:
        return SimpleNamespace(accelerator=accelerator, **settings)

    def numbers(size: float, *names: str) -> dict[str, Tensor]:
        return {name: -size * (0.1 + torch.rand(8, generator=rng, dtype=torch.float64)) for name in names}

    def pairwise(**settings: Any) -> dict[str, Any]:
        me = trainer(
            reference_free=False, f_divergence_type="reverse_kl", f_divergence_params=None, aux_loss_enabled=False, **settings
        )
        given = numbers(40, "chosen", "rejected", "reference_chosen", "reference_rejected")
        return recorded(lambda **g: DPOTrainer.dpo_loss(me, *g.values())[0], **given)

    kto = trainer(beta=0.3, desirable_weight=1.5, undesirable_weight=0.7, calculate_KL=True, loss_type="kto")
    answers = [f"{who}{what}" for who in ("", "reference_") for what in ("chosen", "rejected", "mismatched")]
    orpo = trainer(beta=0.4)
    simpo = trainer(beta=2.5, simpo_gamma=0.8, label_smoothing=0.0, loss_type="simpo")
    return {
        "dpo:beta=0.2": pairwise(beta=0.2, label_smoothing=0.0, loss_type="sigmoid"),
        "dpo:beta=0.5,label_smoothing=0.1": pairwise(beta=0.5, label_smoothing=0.1, loss_type="sigmoid"),
        "ipo:tau=0.3": pairwise(beta=0.3, label_smoothing=0.0, loss_type="ipo"),
        "kto:beta=0.3,desirable=1.5,undesirable=0.7": recorded(
            lambda **g: KTOTrainer.kto_loss(kto, *g.values())[0], **numbers(20, *answers)
        ),
        "orpo:strength=0.4": recorded(
            lambda **g: ORPOTrainer.odds_ratio_loss(orpo, *g.values())[0], **numbers(3, "chosen", "rejected")
        ),
        "simpo:beta=2.5,gamma=0.8": recorded(
            lambda **g: CPOTrainer.cpo_loss(simpo, *g.values())[0], **numbers(3, "chosen", "rejected")
        ),
    }


if __name__ == "__main__":
    packages = {name: metadata.version(name) for name in ("entmax", "trl", "torch")}
    found = {"packages": packages, "entmax": entmax_runs(), "trl": trl_runs()}
    (HERE / "loss_reference.json").write_text(json.dumps(found) + "\n")
    print(packages, [name for kind in ("entmax", "trl") for name in found[kind]])
