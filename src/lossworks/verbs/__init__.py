"""What the command's verbs do, as Python functions: the command and the top of the package both call these."""

from .compare import compare
from .comparison import Comparison
from .evaluate import evaluate
from .fit import fit
from .landscape import Landscape, landscape
from .model import Model, load, load_run
from .show import show

__all__ = ["Comparison", "Landscape", "Model", "compare", "evaluate", "fit", "landscape", "load", "load_run", "show"]
