"""``lossworks.fused``: the mean loss of a last layer in one call, from a spec or a loss, without the logits."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING, Any

from torch import Tensor, nn

from .. import scores
from ..core.errors import UsageError
from ..scores.eager import eager
from .base import CategoricalLoss, Loss
from .sums import build, render

if TYPE_CHECKING:
    from jaxtyping import Float, Int


@eager
def fused(
    loss: str | Loss,
    hidden: Float[Tensor, "*position D"],
    weight: Float[Tensor, "V D"] | nn.Module,
    target: Int[Tensor, "*position"],
    *,
    weights: Float[Tensor, "*position"] | None = None,
    denom: Tensor | float | None = None,
    also: Sequence[str] = (),
    **how: Any,
) -> Any:
    """Σ weights · loss / denom over the kept positions of the scores hidden @ weightᵀ, in memory that does not grow with them.

        loss = lossworks.fused("focal:gamma=2", hidden, head.weight, labels, keep=labels != -100, shift=1)
        loss.backward()

    Args:
        loss: a spec such as ``"cross_entropy+1e-4*z_loss"``, or a loss over outcomes from ``lossworks.losses``.
        hidden, weight, target: the states before the last layer, the layer (its weight, or a module), and the outcomes seen.
        weights, denom, also: as in ``scores.Fused.mean``.
        how: bias=, softcap=, temperature=, keep=, shift=, teacher=, negatives= as in ``scores.fused``.

    Returns:
        A scalar in nats; with ``also``, the scalar and a dictionary of [*position] tensors such as "logp" or "argmax".

    Raises:
        UsageError: an unknown loss, one that is not over outcomes, or shapes and values that do not fit.
    """
    built = build(loss)
    if not isinstance(built, CategoricalLoss):
        raise UsageError(f"fused: {render(built)!r} is not over outcomes. Give it what it asks for from scores.fused(...).logp.")
    return scores.fused(hidden, weight, target, **how).mean(built, weights=weights, denom=denom, also=also)
