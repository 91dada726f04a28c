"""The page of a loss landscape: surface, contour plot, method and limitations."""

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
        "method": method(found),
        "limitations": limitations(found),
        "spots": [_row(spot) for spot in found.trajectory],
    }
    return write_page("landscape.html", context, path)


def sentence(found: Landscape) -> str:
    """Whether the trajectory ends in the saved model."""
    if found.exact:
        return (
            f"Training was repeated from the run's record and ended in the saved model's {found.weights:,} weights, bit for bit: "
            "the trajectory shown is the one that led there."
        )
    off = f"by up to {found.off:.3g}" if found.off < float("inf") else "even in their number"
    return (
        f"Training was repeated from the run's record, and its weights differ from the saved model's {off}: rounding depends on "
        "the machine and the versions. The trajectory shown is that of the repeated training, not of the run."
    )


def method(found: Landscape) -> list[str]:
    """The method, step by step."""
    first = found.trajectory[0].step, found.trajectory[-1].step
    which = " This is the final refit on training and validation rows." if found.second else ""
    steps = [
        f"{len(found.trajectory)} snapshots of all {found.weights:,} weights were taken, from step {first[0]:,} to step "
        f"{first[1]:,}, closer together at the start.{which}",
        _plane(found),
        f"At each of {len(found.x)} × {len(found.y)} points the {found.loss_name} is a mean over {found.rows:,} training rows, "
        f"sampled with seed {found.seed}, with dropout off.",
    ]
    if found.held_out is not None:
        steps.append(f"The {found.held_out_name} is a mean over {found.held_out_rows:,} held-out rows, not used in training.")
    return steps


def limitations(found: Landscape) -> list[str]:
    """What the charts do not show."""
    along, across = found.shares
    missing = max(0.0, 1 - along - across)
    found_limits = [
        f"{found.weights:,} weights span as many directions; two are shown. A valley in this plane may be a ridge in another "
        "direction, and barriers outside the plane are invisible.",
        f"The trajectory leaves the plane: {_percent(missing)} of its squared length lies outside. It is drawn on the surface "
        "anyway; the table has the losses at the actual weights.",
    ]
    if found.plane == "random":
        found_limits.append("Two random directions contain almost nothing of the direction of training: the trajectory is a dot.")
    else:
        found_limits.append(
            "Along its own principal directions even a random walk looks like a smooth curve (Antognini & Sohl-Dickstein 2018, "
            "arXiv:1806.08805): the shape of the trajectory says little by itself."
        )
    if found.penalty is not None:
        found_limits.append(f"The penalty {found.penalty} is not part of the surface, although training minimized it too.")
    if found.risk != "mean":
        found_limits.append(f"Training minimized the risk {found.risk} of the losses; the surface is their mean.")
    return found_limits


def _plane(found: Landscape) -> str:
    if found.plane == "random":
        return (
            "The plane is spanned by two random directions around the saved weights, scaled so that each row of a matrix has the "
            "norm of the weights' own; biases and other vectors are fixed (Li et al. 2018, arXiv:1712.09913, section 4). "
            f"1 on an axis is that norm, {found.unit:.3g} over all weights."
        )
    along, across = found.shares
    return (
        "The plane goes through the saved weights, along the two principal directions of the snapshots' distances from them: "
        f"{_percent(along)} of their squared length lies along the first, {_percent(across)} along the second (Li et al. "
        "2018, arXiv:1712.09913, section 7). 1 on an axis is a distance of 1 in weight space."
    )


def _percent(share: float) -> str:
    return f"{100 * share:.3g}{THIN}%" if share >= 1e-4 or share == 0 else f"under 0.01{THIN}%"


def _row(spot: Spot) -> list[str]:
    numbers = [f"{spot.step:,}", f"{spot.epoch:.2f}", f"{spot.x:.3g}", f"{spot.y:.3g}"]
    numbers += ["–" if value is None else f"{value:.4g}" for value in (spot.loss, spot.held_out)]
    return [number.replace("-", "−") for number in numbers]
