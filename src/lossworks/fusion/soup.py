"""The mean of several networks' weights, where they began as one (Wortsman et al. 2022, ICML, arXiv:2203.05482)."""

from __future__ import annotations

import copy
from collections.abc import Mapping, Sequence
from dataclasses import replace
from typing import Any, TypeVar

import torch
from torch import nn

from ..core.errors import UsageError
from ..inference import NetworkPredictor, Predictor, TextLanguage
from ..models.neural import NeuralModel

N = TypeVar("N", bound=nn.Module)


def check_start(records: Mapping[str, Mapping[str, Any]]) -> None:
    """Raise UsageError where runs did not begin with the same weights: the mean of such networks is none that does anything.

    Args:
        records: of each run by its name. First weights are a function of model and seed, and of the data by its features; those
            of a pretrained model are its own.
    """
    (first, base), *others = records.items()
    for name, record in [(first, base), *others]:
        if not record:
            raise UsageError(f"{name} is no run, and a soup is the mean of the weights of runs. Pool them: --kind linear.")
    wanted = base["config"]["model"]
    pretrained = str(wanted).startswith("hf:")
    for name, record in others:
        model, seed = record["config"]["model"], record["config"]["seed"]
        same_data = record["data"]["fingerprint"] == base["data"]["fingerprint"]
        if model != wanted:
            why = f"{name} is {model}, and {first} is {wanted}"
        elif not pretrained and seed != base["config"]["seed"]:
            why = f"{name} was trained with seed {seed}, and {first} with {base['config']['seed']}"
        elif not pretrained and not same_data:
            why = f"{name} was trained on other data than {first}, so with other features"
        else:
            continue
        raise UsageError(f"{why}: they began with other weights, whose mean is no model. Pool them instead: --kind linear.")


def mean_predictor(predictors: Sequence[Predictor]) -> NetworkPredictor:
    """The first, with the mean of all networks' weights.

    Raises:
        UsageError: one is no network, or reads other features.
    """
    first = predictors[0]
    networks = []
    for each in predictors:
        if not isinstance(each, NetworkPredictor) or not isinstance(first, NetworkPredictor):
            raise UsageError("a soup is of networks, and one of these is none. Pool them instead: --kind linear.")
        if len(each.features) != len(first.features):
            raise UsageError("these networks read other features, so their weights mean other things. Pool them: --kind linear.")
        networks.append(each.network)
    assert isinstance(first, NetworkPredictor)
    return replace(first, learned=_mean(networks))


def mean_language(models: Sequence[TextLanguage]) -> TextLanguage:
    """The same of language models over the same tokens."""
    found = [each.model for each in models]
    networks = [model.network for model in found if isinstance(model, NeuralModel)]
    if len(networks) < len(models):
        raise UsageError("a soup is of networks, and one of these is none. Pool them instead: --kind linear.")
    model = copy.copy(found[0])
    assert isinstance(model, NeuralModel)
    model.network = _mean(networks)
    return replace(models[0], model=model)


def _mean(networks: Sequence[N]) -> N:
    """A network with the mean of each weight, in float64."""
    found, states = copy.deepcopy(networks[0]), [network.state_dict() for network in networks]
    if any(state.keys() != states[0].keys() or any(state[k].shape != states[0][k].shape for k in state) for state in states):
        raise UsageError("these networks have weights of other shapes. Pool them instead: --kind linear.")
    mean = {}
    for name, value in states[0].items():
        every = torch.stack([state[name].double() for state in states])
        mean[name] = every.mean(0).to(value.dtype) if value.is_floating_point() else value
    found.load_state_dict(mean)
    return found.eval()
