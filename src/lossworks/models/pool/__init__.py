"""Several models over the same outcomes as one: mixed (linear) or multiplied (log-linear); and sources that are not trained."""

from .by_text import TextPoolModel
from .cache import CacheModel, CacheSpec
from .files import read_pool, write_pool
from .model import PoolModel
from .nearest import NearestModel, NearestSpec
from .rule import BY_TEXT, FLOOR, KINDS, Rule
from .spec import PoolSpec, pool
from .uniform import UniformModel, UniformSpec
from .untrained import UntrainedSpec

__all__ = [
    "BY_TEXT",
    "FLOOR",
    "KINDS",
    "CacheModel",
    "CacheSpec",
    "NearestModel",
    "NearestSpec",
    "PoolModel",
    "PoolSpec",
    "Rule",
    "TextPoolModel",
    "UniformModel",
    "UniformSpec",
    "UntrainedSpec",
    "pool",
    "read_pool",
    "write_pool",
]
