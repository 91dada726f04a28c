"""Optimisers, one a file, found by walking this folder.

``build(spec).over(model)`` is a PyTorch optimiser for any loop; ``Shell`` steps a model with all that training needs besides.
"""

from .base import Group, Optimizer, optimizers
from .health import Health
from .making import Given, build, render
from .own import Own
from .roles import Role, roles
from .shell import Shell, check_together

__all__ = [
    "Given",
    "Group",
    "Health",
    "Optimizer",
    "Own",
    "Role",
    "Shell",
    "build",
    "check_together",
    "optimizers",
    "render",
    "roles",
]
