"""The page of a loss landscape: the surface to turn, the same from above, what was done, and what it does not show."""

from __future__ import annotations

from pathlib import Path

from ..surfaces.landscape import Landscape, Spot
from . import landscape_charts, words
from .frame import write_page
from .words import THIN, Json


def write_landscape(found: Landscape, record: Json, run: Path, path: Path) -> Path:
    """Write the page of ``found`` and return its path.

    Raises:
        RecordError: the page cannot be written.
    """
    surfaces = [("loss", "Training loss", found.loss_name, found.rows)]
    if found.held_out is not None:
        surfaces.append(("held-out", f"Held-out {found.held_out_name}", found.held_out_name, found.held_out_rows))
    figures: dict[str, Json] = {}
    for name, title, _, _ in surfaces:
        figures[f"solid-{name}"] = landscape_charts.solid(found, title, held_out=name != "loss")
        figures[f"plane-{name}"] = landscape_charts.above(found, title, held_out=name != "loss")
    config = record.get("config") or {}
    context = {
        "name": f"Loss landscape of {run.resolve().name}",
        "facts": [words.smart(config[key]) for key in ("model", "loss", "optimizer") if config.get(key) is not None],
        "found": found,
        "surfaces": surfaces,
        "figures": figures,
        "tone": "good" if found.exact else "unsure",
        "headline": "The run's own trajectory" if found.exact else "Not the run's own trajectory",
        "sentence": sentence(found),
        "done": done(found),
        "not_shown": not_shown(found),
        "spots": [_row(spot) for spot in found.trajectory],
    }
    return write_page("landscape.html", context, path)


def sentence(found: Landscape) -> str:
    """Whether the trajectory is that of the saved model."""
    if found.exact:
        return (
            f"Training was done once more, from the run's record, and ended in the saved model's {found.weights:,} weights, bit "
            "for bit: the trajectory shown is the one that led there."
        )
    off = f"by as much as {found.off:.3g}" if found.off < float("inf") else "even in their number"
    return (
        f"Training was done once more, from the run's record, and its weights differ from the saved model's, {off}: another "
        "machine, or other versions, round otherwise. What is shown is the training done here, and not the run's own."
    )


def done(found: Landscape) -> list[str]:
    """What was done, step by step."""
    first = found.trajectory[0].step, found.trajectory[-1].step
    which = " This is the second of the fit's two trainings, on training and validation rows." if found.second else ""
    said = [
        f"{len(found.trajectory)} snapshots of all {found.weights:,} weights were taken, from step {first[0]:,} to step "
        f"{first[1]:,}, closer together at the start.{which}",
        _plane(found),
        f"At each of {len(found.x)} × {len(found.y)} places the model's {found.loss_name} is a mean over {found.rows:,} training "
        f"rows, drawn with seed {found.seed}, with dropout off.",
    ]
    if found.held_out is not None:
        said.append(
            f"The {found.held_out_name} is a mean over {found.held_out_rows:,} held-out rows, which no snapshot was trained on."
        )
    return said


def not_shown(found: Landscape) -> list[str]:
    """What the picture must not be taken for."""
    along, across = found.shares
    missing = max(0.0, 1 - along - across)
    said = [
        f"{found.weights:,} weights have as many directions; two are shown. What is a valley here may be a ridge in another, and "
        "walls that the plane does not meet are not seen.",
        f"The trajectory leaves the plane: {_percent(missing)} of its squared length lies outside. It is drawn on the surface "
        "nevertheless; the table has the losses of the weights themselves.",
    ]
    if found.plane == "random":
        said.append(
            "Two random directions among so many have next to nothing of the direction of training: the trajectory is a dot."
        )
    else:
        said.append(
            "On its own principal directions even a random walk looks like a smooth curve (Antognini & Sohl-Dickstein 2018, "
            "arXiv:1806.08805): the bend of the trajectory says little by itself."
        )
    if found.penalty is not None:
        said.append(f"The penalty {found.penalty} is not in the surface, though training lowered it too.")
    if found.risk != "mean":
        said.append(f"Training lowered the risk {found.risk} of the losses; the surface is their mean.")
    return said


def _plane(found: Landscape) -> str:
    if found.plane == "random":
        return (
            "The plane is spanned by two random directions around the weights that were kept, scaled so that each row of a "
            "matrix is as long as the weights' own; biases and other vectors stay (Li et al. 2018, arXiv:1712.09913, section 4). "
            f"1 on an axis is that length, {found.unit:.3g} for all weights together."
        )
    along, across = found.shares
    return (
        "The plane goes through the weights that were kept, along the two principal directions of the snapshots' distances from "
        f"them: {_percent(along)} of their squared length lies along the first, {_percent(across)} along the second (Li et al. "
        "2018, arXiv:1712.09913, section 7). 1 on an axis is a distance of 1 between weights."
    )


def _percent(share: float) -> str:
    return f"{100 * share:.3g}{THIN}%" if share >= 1e-4 or share == 0 else f"under 0.01{THIN}%"


def _row(spot: Spot) -> list[str]:
    numbers = [f"{spot.step:,}", f"{spot.epoch:.2f}", f"{spot.x:.3g}", f"{spot.y:.3g}"]
    numbers += ["–" if value is None else f"{value:.4g}" for value in (spot.loss, spot.held_out)]
    return [number.replace("-", "−") for number in numbers]
