"""Transformers: the blocks, the kernels that make them fast on a CPU, and the encoder of whole texts."""

from .encoder import TransformerEncoderSpec
from .model import TransformerSpec

__all__ = ["TransformerEncoderSpec", "TransformerSpec"]
