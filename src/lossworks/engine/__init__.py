"""The engine: it trains whatever has parameters, and knows no task.

objective     what it asks of what it trains        course       epochs, scores, early stopping
loop          the course of a network               step         its gradients, in micro-batches
reduction     losses of a step to one number
state         where a training stands               checkpoint   what a killed run needs to go on
monitors      health, spikes, overfitting           distributed  the processes that train together
contracts     what a course asks of others
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from ..core import lazy

if TYPE_CHECKING:
    from .callbacks import Callbacks
    from .contracts import Stretch
    from .course import Course
    from .loop import Loop
    from .objective import Losses, Objective
    from .state import TrainState

__all__ = ["Callbacks", "Course", "Loop", "Losses", "Objective", "Stretch", "TrainState"]

lazy.package(__name__)
