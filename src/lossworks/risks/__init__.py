"""Risks, one a file, found by walking this folder: how the losses of many positions become one number."""

from .base import Risk, build, render, risks

__all__ = ["Risk", "build", "render", "risks"]
