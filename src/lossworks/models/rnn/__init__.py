"""Recurrent networks (LSTM, GRU), and the encoder of whole texts."""

from .encoder import RnnEncoderSpec
from .model import RnnSpec

__all__ = ["RnnEncoderSpec", "RnnSpec"]
