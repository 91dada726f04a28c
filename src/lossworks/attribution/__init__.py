"""Why a model answers as it does: a quantity, divided among parts, and a trial of whether the division may be believed."""
