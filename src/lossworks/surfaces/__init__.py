"""Loss surfaces: the loss around a run's weights, and the trajectory of its training."""
