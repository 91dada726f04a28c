"""Which training rows raised a loss of a network, to first order: products of gradients of rows and texts while it trains.

A step on a row moves the weights by its gradient, scaled as the optimizer scales it, and so changes the loss of a text by the
product with that text's gradient; these are added up over the training (TracIn, Pruthi et al. 2020, arXiv:2002.08484, eq. 1).
What later steps make of the change is not followed, so sizes are rough, and so is the order. Other seeds give other networks,
in which other rows matter: the training is done again with some, and a row's figure is told with its interval over them.
"""

from __future__ import annotations

import copy
import math
from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace

import numpy as np
import torch
from numpy.typing import NDArray
from scipy.special import stdtrit
from torch import Tensor

from .. import optim
from ..core.seeds import derive
from ..data import TRAIN, Selected
from ..engine import Callbacks, Loop
from ..evidence.statistics import LEVEL
from ..models import MICRO, TextModel
from ..training.drawing import cut
from ..training.examples import ExampleObjective, in_numpy
from ..training.refit import training
from ..training.replay import Replayed, evaluating
from ..training.settings import Settings
from .linear_rows import Losses

Floats = NDArray[np.float64]
LOOKS = 8
_ASIDE = 1e-4  # how far the weight moves that moves most, for differences of losses


def obstacle(settings: Settings) -> str:
    """Why steps cannot be told apart by rows; empty where they can."""
    optimizer = optim.build(settings.optimizer or "")
    if optimizer.needs_closure:
        return f"{optim.render(optimizer)} searches along the loss of all rows"
    if settings.balance not in (None, "proportional"):
        return f"the balance {settings.balance} draws some rows more often than others"
    return "" if settings.risk in (None, "mean") else f"in the risk {settings.risk} what a row weighs depends on the others"


@dataclass
class Products:
    """Products of gradients at ``LOOKS`` steps of a loop's training, evenly spread; called after each of its steps.

    texts: as the model reads them. losses: theirs. last: the step that training is looked at until.
    """

    loop: Loop
    texts: Selected
    losses: Losses
    last: int

    def __post_init__(self) -> None:
        objective = self.loop.objective
        assert isinstance(objective, ExampleObjective)
        self.objective, self.data = objective, objective.data
        self.numbers = np.flatnonzero(self.data.parts == TRAIN)
        self.first = [p.detach().clone() for p in self.loop.objective.network.parameters()]
        self.edges = np.linspace(0, self.last, min(LOOKS, self.last) + 1)
        self.products, self.rates = (
            np.zeros((len(self.edges) - 1, len(self.numbers), len(self.texts))),
            np.zeros(len(self.edges) - 1),
        )

    def __call__(self) -> None:
        step = self.loop.state.step
        if step > self.last:
            return
        look = int(np.searchsorted(self.edges, step)) - 1
        self.rates[look] += self.loop.stepper.lr
        if step == math.ceil((self.edges[look] + self.edges[look + 1]) / 2):
            with evaluating(self.loop) as network:
                still = copy.deepcopy(network).double()
            scales = [self.loop.stepper.divisor(p) for p in network.parameters()]
            self.products[look] = self._look(still, scales)  # type: ignore[arg-type]

    @property
    def influence(self) -> Floats:
        """The loss of each text less that without the row, to first order [training rows, texts]."""
        weight = self.data.loss_weight[self.numbers].astype(np.float64)
        found: Floats = -np.einsum("l,lrt->rt", self.rates, self.products) * (weight / weight.sum())[:, None]
        return found

    def _look(self, network: TextModel, scales: Sequence[Tensor | float]) -> Floats:
        """The products at the weights of a network [training rows, texts]."""
        parameters = list(network.parameters())
        found = np.zeros((len(self.numbers), len(self.texts)))
        for text in range(len(self.texts)):
            gradients = zip(self._gradient(network, text), scales, parameters, self.first, strict=True)
            # What has not moved yet has no scale yet: the optimizer would divide by nearly 0.
            way = [torch.where(now == first, 0.0, gradient / scale) for gradient, scale, now, first in gradients]
            far = max((float(each.abs().max()) for each in way if each.numel()), default=0.0)
            if far == 0 or not math.isfinite(far):
                continue
            ends = list[Floats]()
            for side in (1.0, -2.0, 1.0):
                torch._foreach_add_([p.data for p in parameters], way, alpha=side * _ASIDE / far)
                ends += [self._losses(network)] if len(ends) < 2 else []
            found[:, text] = (ends[0] - ends[1]) * far / (2 * _ASIDE)
        return found

    def _gradient(self, network: TextModel, text: int) -> Sequence[Tensor]:
        """Of one text's loss."""
        nothing, own = torch.empty(0), Losses(self.losses.task, self.losses.targets[text : text + 1], self.losses.temperature)
        with torch.enable_grad(), torch.backends.cudnn.flags(enabled=False):  # which has no gradient of what is evaluated
            outputs = network(self.texts.batch(np.array([text]), nothing, nothing))
            return torch.autograd.grad(own.of(outputs).sum(), list(network.parameters()), materialize_grads=True)

    @torch.no_grad()
    def _losses(self, network: TextModel) -> Floats:
        """Of every training row, as it is trained on."""
        assert self.data.train is not None
        found = np.empty(len(self.numbers))
        for rows, selected in self.data.train.pieces():
            for chosen in cut(np.arange(len(rows)), MICRO):
                batch = self.data.batch(selected, rows, chosen)
                outputs = network(batch)
                values = self.data.task.losses(self.objective.loss, outputs, batch.target.to(outputs.device))
                found[np.searchsorted(self.numbers, rows[chosen])] = in_numpy(values)
        return found


@dataclass(frozen=True, slots=True)
class Judged:
    """Figures of K rows, by their places among the training rows, and M texts: the mean over other seeds, and half of its 95 %
    interval [K, M]. chosen: whether a row was for that text [K, M].
    """

    rows: NDArray[np.int64]
    chosen: NDArray[np.bool_]
    mean: Floats
    half: Floats


def judged(
    done: Replayed, own: Floats, texts: Selected, losses: Losses, top: int, seeds: int, tell: Callable[[int, int], None]
) -> Judged:
    """The rows that did most in the run's own training, as trainings with other seeds have them.

    The run's own training chooses and the others judge, so the largest figure by chance is not believed for being the largest.

    Args:
        done: the run's training. own: ``Products.influence`` of it.
        top: how many rows are chosen on either side of each text. seeds: other trainings, two or more.
        tell: told the number of the training that begins, and of how many.
    """
    most = min(top, len(own))
    ranked = np.argsort(own, axis=0, kind="stable")
    ends = np.concatenate([ranked[:most], ranked[-most:]])
    rows = np.unique(ends)
    chosen = np.stack([np.isin(rows, ends[:, text]) for text in range(len(texts))], 1)
    found = np.empty((seeds, len(rows), len(texts)))
    for number in range(seeds):
        tell(number + 1, seeds)
        settings = replace(done.settings, seed=derive(done.settings.seed, "rows", number))
        loop = training(done.data, done.spec, done.loss, settings, Callbacks())
        loop.micro_batch_size, loop.last_epoch, loop.followed = done.kept.micro_batch, done.kept.epochs, done.kept.scores
        seen = Products(loop, texts, losses, loop.objective.per_epoch * done.kept.epochs)  # type: ignore[attr-defined]
        loop.callbacks.stepped = seen
        loop.run()
        found[number] = seen.influence[rows]
    half = abs(stdtrit(seeds - 1, LEVEL / 2)) * found.std(0, ddof=1) / math.sqrt(seeds)
    return Judged(rows, chosen, found.mean(0), half)
