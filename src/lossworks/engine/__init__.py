"""The engine: it trains whatever has parameters, and knows no task.

objective     what it asks of what it trains        loop         epochs, scores, early stopping
step          gradients in micro-batches            reduction    losses of a step to one number
state         where a training stands               checkpoint   what a killed run needs to go on
monitors      health, spikes, overfitting           distributed  the processes that train together
"""

from .callbacks import Callbacks
from .loop import Loop
from .objective import Losses, Objective, Stretch
from .state import TrainState

__all__ = ["Callbacks", "Loop", "Losses", "Objective", "Stretch", "TrainState"]
