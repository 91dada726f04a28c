"""Optimisers, one a file, found by walking this folder.

``build(spec).over(model)`` is a PyTorch optimiser for any loop; ``Stepper`` steps a model with all that training needs besides.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from ..core import lazy

if TYPE_CHECKING:
    from .base import Group, Optimizer, optimizers
    from .custom import CustomOptimizer
    from .factory import Given, build, check_together, render
    from .health import Health
    from .roles import Role, roles
    from .stepper import Stepper
    from .whole import Suited

__all__ = [
    "CustomOptimizer",
    "Given",
    "Group",
    "Health",
    "Optimizer",
    "Role",
    "Stepper",
    "Suited",
    "build",
    "check_together",
    "optimizers",
    "render",
    "roles",
]

lazy.package(__name__)
