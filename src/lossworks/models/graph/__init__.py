"""Families of models of knowledge graphs, one a file."""

from .complex import ComplExSpec
from .distmult import DistMultSpec
from .rotate import RotatESpec
from .transe import TransESpec

__all__ = ["ComplExSpec", "DistMultSpec", "RotatESpec", "TransESpec"]
