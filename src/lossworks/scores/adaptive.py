"""Adaptive softmax: frequent outcomes in a short list, the others in clusters that are worked on only where they are needed.

Source: Grave et al. 2017, arXiv:1609.04309, sec. 4.
"""

from __future__ import annotations

from functools import cached_property
from typing import TYPE_CHECKING, Any, NoReturn

import torch
from torch import Tensor, nn

from ..core.errors import UsageError
from .base import Scores, flat, upcast
from .dense import Dense, check_given, check_range

if TYPE_CHECKING:
    from jaxtyping import Float, Int

    from .teacher import Teacher


class AdaptiveHead(nn.Module):
    """A head over V outcomes whose ids are sorted, the most frequent first.

    The first ``cutoffs[0]`` outcomes are scored at once, beside one logit for each cluster of rarer ones, which reads
    fewer and fewer of the ``dim`` features: log p of an outcome in a cluster is that of the cluster plus its own within it.
    The parameters are named as those of ``torch.nn.AdaptiveLogSoftmaxWithLoss`` (``head``, ``tail``), and fit it.

    Args:
        dim: how many features the hidden states have.
        cutoffs: where the short list and each cluster end; the last is V.
        div: how many times fewer features each cluster reads than the one before it; at least one is left.

    Raises:
        UsageError: cutoffs that do not grow from 1 or more, fewer than two of them, or div below 1.
    """

    def __init__(self, dim: int, cutoffs: tuple[int, ...], div: float = 4.0) -> None:
        super().__init__()
        if len(cutoffs) < 2 or any(a >= b for a, b in zip((0, *cutoffs), cutoffs, strict=False)):
            raise UsageError(f"cutoffs are {cutoffs}; wanted at least two that grow, the last of them the number of outcomes.")
        if not 1 <= div < float("inf"):
            raise UsageError(f"div is {div}; wanted a finite number, at least 1.")
        self.cutoffs = tuple(cutoffs)
        self.head = nn.Linear(dim, cutoffs[0] + len(cutoffs) - 1, bias=False)
        self.tail = nn.ModuleList(
            nn.Sequential(
                nn.Linear(dim, max(1, int(dim // div ** (i + 1))), bias=False),
                nn.Linear(max(1, int(dim // div ** (i + 1))), stop - start, bias=False),
            )
            for i, (start, stop) in enumerate(self.clusters)
        )

    @property
    def classes(self) -> int:
        """V."""
        return self.cutoffs[-1]

    @property
    def clusters(self) -> list[tuple[int, int]]:
        """The first outcome of each cluster, and the one after its last."""
        return list(zip(self.cutoffs[:-1], self.cutoffs[1:], strict=True))

    def scores(
        self,
        hidden: Float[Tensor, "*position d"],
        target: Int[Tensor, "*position"],
        *,
        teacher: Teacher | None = None,
        negatives: Int[Tensor, "*position k"] | None = None,
    ) -> Adaptive:
        """Scores in which ``logp`` is exact, and costs the clusters of the targets alone.

        Raises:
            UsageError: the shapes do not fit, or the target is not whole numbers.
        """
        return Adaptive(self, hidden, target, teacher, negatives)

    def log_probabilities(self, hidden: Float[Tensor, "*position d"]) -> Float[Tensor, "*position V"]:
        """log p of every outcome, every cluster worked out."""
        top = self.top(hidden)
        first = self.cutoffs[0]
        parts = [top[..., first + i, None] + self.within(i, hidden) for i in range(len(self.tail))]
        return torch.cat([top[..., :first], *parts], -1)

    def top(self, hidden: Float[Tensor, "*position d"]) -> Float[Tensor, "*position top"]:
        """log p of the short list, then of each cluster."""
        return _log_softmax(self.head(hidden))

    def within(self, cluster: int, hidden: Float[Tensor, "*position d"]) -> Float[Tensor, "*position size"]:
        """log p of a cluster's outcomes, given the cluster."""
        return _log_softmax(self.tail[cluster](hidden))


def _refused(statistic: str) -> Any:
    """In the place of a statistic that needs every outcome."""

    def refuse(scores: Adaptive) -> NoReturn:
        raise UsageError(
            f"adaptive scores work out only the clusters that are asked for, and {statistic} needs them all. Give scores.whole() "
            "to the loss, at the cost of the whole softmax, or use a loss of logp alone, such as cross_entropy."
        )

    return property(refuse)


class Adaptive(Scores):
    """Statistics of the outcomes that are asked for, and of no others; the rest raises, and ``whole`` gives it.

    Half-precision logits are read in float32. The logits are the log-probabilities, so ``logsumexp`` is 0, up to rounding.
    """

    def __init__(
        self,
        head: AdaptiveHead,
        hidden: Float[Tensor, "*position d"],
        target: Int[Tensor, "*position"],
        teacher: Teacher | None = None,
        negatives: Int[Tensor, "*position k"] | None = None,
    ) -> None:
        if hidden.shape != (*target.shape, head.head.in_features):
            raise UsageError(
                f"adaptive: got hidden {tuple(hidden.shape)} and target {tuple(target.shape)} for a head that reads "
                f"{head.head.in_features} features; wanted [*position, {head.head.in_features}] and [*position]."
            )
        check_given(target, teacher, negatives)
        check_range(target, head.classes)
        self._head = head
        self._hidden = hidden
        self.target = target
        self.classes = head.classes
        self.teacher = teacher
        self.negatives = negatives

    def whole(self) -> Dense:
        """Scores with every outcome worked out, [*position, V] in memory, for what needs them all."""
        return Dense(self._head.log_probabilities(self._hidden), self.target, self.teacher, self.negatives)

    @cached_property
    @torch.enable_grad()
    def _top(self) -> Float[Tensor, "M top"]:
        return self._head.top(flat(self._hidden))

    @property
    def logsumexp(self) -> Float[Tensor, "*position"]:
        return self._top.logsumexp(-1).view(self.target.shape)

    def logp_of(self, ids: Int[Tensor, "*position k"]) -> Float[Tensor, "*position k"]:
        wanted, first = ids.reshape(self.target.numel(), ids.shape[-1]).long().contiguous(), self._head.cutoffs[0]
        if ((wanted < 0) | (wanted >= self.classes)).any():
            raise UsageError(f"adaptive: got an id that is not among the {self.classes} outcomes (0 to {self.classes - 1}).")
        cluster = torch.bucketize(wanted, torch.tensor(self._head.cutoffs, device=wanted.device), right=True)  # 0: the short list
        logp = self._top.gather(-1, torch.where(cluster == 0, wanted, first + cluster - 1))
        for i, (start, _) in enumerate(self._head.clusters):
            rows, columns = (cluster == i + 1).nonzero(as_tuple=True)
            if len(rows):
                needed, place = torch.unique(rows, return_inverse=True)
                within = self._head.within(i, flat(self._hidden)[needed])
                logp = logp.index_put((rows, columns), within[place, wanted[rows, columns] - start], accumulate=True)
        return logp.view(ids.shape)

    @cached_property
    @torch.no_grad()
    def argmax(self) -> Int[Tensor, "*position"]:
        """Exact: a cluster is looked into where it is more probable than the best outcome so far."""
        first = self._head.cutoffs[0]
        best, where = self._top[:, :first].max(-1)
        for i, (start, _) in enumerate(self._head.clusters):
            mass = self._top[:, first + i]
            rows = (mass > best).nonzero().squeeze(-1)
            if len(rows):
                logp, place = (mass[rows, None] + self._head.within(i, flat(self._hidden)[rows])).max(-1)
                better = logp > best[rows]
                best[rows] = torch.where(better, logp, best[rows])
                where[rows] = torch.where(better, start + place, where[rows])
        return where.view(self.target.shape)

    def rows(self, rows: Int[Tensor, "M"] | slice) -> Adaptive:
        return Adaptive(self._head, flat(self._hidden)[rows], *self._given_at(rows))

    def explain(self) -> str:
        sizes = ", ".join(str(stop - start) for start, stop in self._head.clusters)
        return f"adaptive: a short list of {self._head.cutoffs[0]} outcomes and clusters of {sizes}, worked out where asked for"

    mean_logp = _refused("mean_logp")
    entropy = _refused("entropy")
    max_other_logp = _refused("max_other_logp")
    rest_logp = _refused("rest_logp")
    square_sum = _refused("square_sum")
    expected_logp = _refused("expected_logp")
    sums = _refused("sum")
    logits = _refused("logits")
    adjusted = _refused("adjusted")


def _log_softmax(logits: Tensor) -> Tensor:
    return torch.log_softmax(upcast(logits), -1)
