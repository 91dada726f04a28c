"""Why a model answers as it does: a quantity, divided among parts, and a trial of whether the division may be believed."""

from .explanation import Explanation, Trial
from .quantity import Quantity

__all__ = ["Explanation", "Quantity", "Trial"]
