"""Quality rules, found by walking this folder: named tests with thresholds, each counted."""

from .base import Measured, Rule, Screened, build, registry, render, screen

__all__ = ["Measured", "Rule", "Screened", "build", "registry", "render", "screen"]
