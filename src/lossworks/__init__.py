"""Train, compare and explain text classifiers and language models by their loss.

    import lossworks
    model = lossworks.fit([("I love this product!", "positive"), ("It broke in a week.", "negative"), ...])
    model.predict(["What a lovely thing."])

The names here are loaded when first used, so importing the package costs next to nothing.
"""

from __future__ import annotations

import importlib
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from .api import Graph as Graph
    from .api import Language as Language
    from .api import Model as Model
    from .api import languages as languages
    from .api import load as load
    from .api import load_run as load_run
    from .api.check_data import check_data as check_data
    from .api.check_glosses import check_glosses as check_glosses
    from .api.check_labels import check_labels as check_labels
    from .api.compare import compare as compare
    from .api.comparison import Comparison as Comparison
    from .api.explain_data import explain_data as explain_data
    from .api.fit import fit as fit
    from .api.labels_worth import labels_worth as labels_worth
    from .api.landscape import landscape as landscape
    from .api.learning import learning as learning
    from .api.plan import plan as plan
    from .api.prepare import prepare as prepare
    from .api.show import show as show
    from .data import ReadOptions as ReadOptions
    from .interop.exporting import export as export
    from .interop.importing import import_model as import_model
    from .interop.sklearn import TextClassifier as TextClassifier
    from .interop.sklearn import TextRegressor as TextRegressor
    from .losses.fused import fused as fused
    from .record import Run as Run

__version__ = "0.1.0"

_HOMES = {
    "explain_data": "api",
    "check_data": "api.check_data",
    "check_glosses": "api.check_glosses",
    "check_labels": "api.check_labels",
    "export": "interop.exporting",
    "compare": "api.compare",
    "Comparison": "api.comparison",
    "fit": "api",
    "fuse": "api.fuse",
    "fused": "losses.fused",
    "import_model": "interop.importing",
    "Graph": "api",
    "labels_worth": "api.labels_worth",
    "landscape": "api",
    "learning": "api",
    "Language": "api",
    "languages": "api",
    "load": "api",
    "load_run": "api",
    "Model": "api",
    "prepare": "api.prepare",
    "ReadOptions": "data",
    "Run": "record",
    "plan": "api.plan",
    "show": "api",
    "TextClassifier": "interop.sklearn",
    "TextRegressor": "interop.sklearn",
}
_ROOMS = (
    "api",
    "attribution",
    "balances",
    "catalog",
    "checks",
    "core",
    "data",
    "engine",
    "evidence",
    "fusion",
    "inference",
    "interop",
    "losses",
    "metrics",
    "models",
    "optim",
    "penalties",
    "record",
    "report",
    "risks",
    "scaling",
    "schedules",
    "scores",
    "surfaces",
    "tasks",
    "tokens",
    "training",
)

__all__ = [
    "Comparison",
    "Graph",
    "Language",
    "Model",
    "ReadOptions",
    "Run",
    "check_labels",
    "compare",
    "explain_data",
    "export",
    "fit",
    "fuse",
    "fused",
    "import_model",
    "landscape",
    "languages",
    "learning",
    "load",
    "load_run",
    "plan",
    "prepare",
    "show",
]  # scikit-learn's estimators only by name: it may be missing


def __getattr__(name: str) -> Any:
    if name in _HOMES:
        return getattr(importlib.import_module(f"{__name__}.{_HOMES[name]}"), name)
    if name in _ROOMS:
        return importlib.import_module(f"{__name__}.{name}")
    raise AttributeError(f"module {__name__!r} has no attribute {name!r}")


def __dir__() -> list[str]:
    return sorted([*globals(), *_HOMES, *_ROOMS])
