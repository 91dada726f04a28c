"""Train, compare and explain text classifiers and language models by their loss.

    import lossworks
    model = lossworks.fit([("I love this product!", "positive"), ("It broke in a week.", "negative"), ...])
    model.predict(["What a lovely thing."])

The names here are loaded when first used, so importing the package costs next to nothing.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from .core import lazy

if TYPE_CHECKING:
    from . import api as api
    from . import attribution as attribution
    from . import balances as balances
    from . import catalog as catalog
    from . import checks as checks
    from . import core as core
    from . import data as data
    from . import engine as engine
    from . import evidence as evidence
    from . import fusion as fusion
    from . import inference as inference
    from . import interop as interop
    from . import losses as losses
    from . import metrics as metrics
    from . import models as models
    from . import optim as optim
    from . import penalties as penalties
    from . import record as record
    from . import report as report
    from . import risks as risks
    from . import scaling as scaling
    from . import schedules as schedules
    from . import scores as scores
    from . import surfaces as surfaces
    from . import tasks as tasks
    from . import tokens as tokens
    from . import training as training
    from .api import Graph as Graph
    from .api import Language as Language
    from .api import Model as Model
    from .api import evaluate as evaluate
    from .api import languages as languages
    from .api import load as load
    from .api import load_run as load_run
    from .api.against import against as against
    from .api.check_data import check_data as check_data
    from .api.check_glosses import check_glosses as check_glosses
    from .api.check_labels import check_labels as check_labels
    from .api.compare import compare as compare
    from .api.comparison import Comparison as Comparison
    from .api.explain_data import explain_data as explain_data
    from .api.fit import fit as fit
    from .api.fuse import fuse as fuse
    from .api.labels_worth import labels_worth as labels_worth
    from .api.landscape import landscape as landscape
    from .api.learning import learning as learning
    from .api.plan import plan as plan
    from .api.prepare import prepare as prepare
    from .api.show import show as show
    from .data import ReadOptions as ReadOptions
    from .interop.exporting import export as export
    from .interop.importing import import_model as import_model
    from .interop.quantizing import quantize as quantize
    from .interop.sklearn import TextClassifier as TextClassifier
    from .interop.sklearn import TextRegressor as TextRegressor
    from .losses.fused import fused as fused
    from .record import Run as Run

__version__ = "0.1.0"

__all__ = [
    "Comparison",
    "Graph",
    "Language",
    "Model",
    "ReadOptions",
    "Run",
    "against",
    "check_data",
    "check_glosses",
    "check_labels",
    "compare",
    "evaluate",
    "explain_data",
    "export",
    "fit",
    "fuse",
    "fused",
    "import_model",
    "labels_worth",
    "landscape",
    "languages",
    "learning",
    "load",
    "load_run",
    "plan",
    "prepare",
    "quantize",
    "show",
]  # scikit-learn's estimators only by name: it may be missing

lazy.package(__name__)
