"""What the command's verbs do, as Python functions: the command and the top of the package both call these."""

from .evaluate import evaluate
from .fit import fit
from .model import Model, load, load_run
from .show import show

__all__ = ["Model", "evaluate", "fit", "load", "load_run", "show"]
