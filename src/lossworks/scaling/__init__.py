"""Scaling laws fitted to finished runs: what a larger run would reach, with an interval that past forecasts have earned."""

from .cost import Cost, Machine, cost
from .forecast import Forecast, forecast
from .forms import FORMS
from .past import Past
from .planned import Planned
from .runs import Runs, Target

__all__ = ["FORMS", "Cost", "Forecast", "Machine", "Past", "Planned", "Runs", "Target", "cost", "forecast"]
