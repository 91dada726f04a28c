"""Training: settings, the data made ready, the step and the loop, checkpoints, and the figures at the end.

The only room that divides a loss or steps a parameter.
"""

from .control import Control
from .fitting import Fitted, fit_corpora
from .sequences import train_sequences
from .settings import Settings

__all__ = ["Control", "Fitted", "Settings", "fit_corpora", "train_sequences"]
