"""The same model with its weights shuffled: what explains it just as well explains nothing of what was learned."""

from __future__ import annotations

import copy
from dataclasses import replace

import torch

from ..core.seeds import derive
from ..inference import NetworkPredictor, Predictor


def shuffled(predictor: Predictor, seed: int = 0) -> Predictor:
    """A copy whose parameters each have their numbers in another order."""
    if not isinstance(predictor, NetworkPredictor):
        raise NotImplementedError
    network = copy.deepcopy(predictor.network)
    for number, weight in enumerate(network.parameters()):
        draw = torch.Generator().manual_seed(derive(seed, "shuffle", number))
        order = torch.randperm(weight.numel(), generator=draw).to(weight.device)
        weight.data = weight.data.flatten()[order].view_as(weight)
    return replace(predictor, network=network)
