"""Several models over the same outcomes as one: mixed (linear) or multiplied (log-linear); and sources that are not trained."""

from .cache import CacheModel, CacheSpec
from .files import read_pool, write_pool
from .model import PoolModel
from .nearest import NearestModel, NearestSpec
from .rule import FLOOR, KINDS, Rule
from .spec import PoolSpec
from .uniform import UniformModel, UniformSpec
from .untrained import UntrainedSpec

__all__ = [
    "FLOOR",
    "KINDS",
    "CacheModel",
    "CacheSpec",
    "NearestModel",
    "NearestSpec",
    "PoolModel",
    "PoolSpec",
    "Rule",
    "UniformModel",
    "UniformSpec",
    "UntrainedSpec",
    "read_pool",
    "write_pool",
]
