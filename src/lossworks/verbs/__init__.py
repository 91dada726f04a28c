"""What the command's verbs do, as Python functions: the command and the top of the package both call these.

``compare`` is in its module alone: what it needs would make every fit begin later.
"""

from .evaluate import evaluate
from .fit import fit
from .landscape import Landscape, landscape
from .model import Model, load, load_run
from .show import show

__all__ = ["Landscape", "Model", "evaluate", "fit", "landscape", "load", "load_run", "show"]
