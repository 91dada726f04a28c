"""Training: settings, the data made ready, the step and the loop, checkpoints, and the figures at the end.

The only room that divides a loss or steps a parameter.
"""

from ..engine.callbacks import Callbacks
from .choosing import choose, toml, with_labels
from .fitting import Fitted, fit_corpora
from .generative import fit_generative
from .language import FittedLanguage, fit_language
from .language_settings import LanguageSettings
from .sequences import train_sequences
from .settings import Settings

__all__ = [
    "Callbacks",
    "Fitted",
    "FittedLanguage",
    "LanguageSettings",
    "Settings",
    "choose",
    "fit_corpora",
    "fit_generative",
    "fit_language",
    "toml",
    "train_sequences",
    "with_labels",
]
