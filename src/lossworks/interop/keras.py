"""Lossworks losses in Keras 3 on PyTorch and TensorFlow: ``model.compile(loss=lossworks.interop.keras.loss("focal"))``.

On PyTorch the loss is part of the Keras graph. On TensorFlow it runs in PyTorch on the CPU and returns its values and, in the
backward pass, its gradient; XLA cannot compile that, so compile the model with ``jit_compile=False``.
"""

from __future__ import annotations

import sys
from typing import Any

from ..core.errors import UsageError

# TensorFlow and PyTorch's compiler each load an LLVM, and the process crashes if TensorFlow's is first. So PyTorch's is loaded
# here.
if "tensorflow" in sys.modules and "torch._dynamo" not in sys.modules:
    raise UsageError("TensorFlow was imported before PyTorch. Import lossworks.interop.keras first, then keras and tensorflow.")

import torch
import torch._dynamo
from torch import Tensor

from ..losses import CategoricalLoss, Loss, build, render
from ..scores import dense

try:
    import keras
except ModuleNotFoundError:
    raise UsageError("Keras is not installed. Install it with: pip install 'lossworks[keras]'.") from None


def loss(
    spec: str | Loss, *, from_logits: bool = True, reduction: str | None = "sum_over_batch_size", name: str | None = None
) -> keras.losses.Loss:
    """The loss with this spec, for ``model.compile``; Keras reduces it, with its sample weights and masks.

    It is called with y_true, class indices [*position] or [*position, 1], and y_pred, logits [*position, V]; V = 1 is a
    single logit for binary targets. It is saved by its spec: ``keras.saving.load_model`` finds it once this module is imported.

    Args:
        spec: a spec such as ``"cross_entropy+1e-4*z_loss"``, or a classification loss from ``lossworks.losses``.
        from_logits: False if the model ends in a softmax or sigmoid. The loss then takes the logarithm of the probabilities,
            clamped to the smallest normal number, below which the gradient is 0.
        reduction, name: as for any Keras loss.

    Raises:
        UsageError: an unknown loss, one that is not for classification, or a backend other than PyTorch and TensorFlow. When
            called: shapes that do not match, targets that are not class indices, or probabilities instead of logits. (A single
            probability looks like a logit. TensorFlow wraps errors raised inside a step.)
    """
    return _Loss(spec, from_logits=from_logits, reduction=reduction, name=name)


@keras.saving.register_keras_serializable(package="lossworks", name="loss")
class _Loss(keras.losses.Loss):  # type: ignore[misc]
    """See ``loss``; Keras saves its fields."""

    def __init__(self, spec: str | Loss, *, from_logits: bool, reduction: str | None, name: str | None) -> None:
        built = build(spec)
        if not isinstance(built, CategoricalLoss):
            raise UsageError(f"keras: {render(built)!r} is not a classification loss. For regression, use the losses of Keras.")
        if keras.backend.backend() not in _ON:
            raise UsageError(f"keras runs on {keras.backend.backend()!r}; wanted one of {sorted(_ON)}. Set KERAS_BACKEND.")
        # Keras casts targets to the loss's dtype: half precision would change class indices above 256.
        wide = "float64" if keras.config.floatx() == "float64" else "float32"
        super().__init__(name=name or "lossworks", reduction=reduction, dtype=wide)
        self.spec = built
        self.from_logits = from_logits

    def call(self, y_true: Any, y_pred: Any) -> Any:
        if len(y_true.shape) == len(y_pred.shape) and y_true.shape[-1] == 1:
            y_true = keras.ops.squeeze(y_true, -1)
        return _ON[keras.backend.backend()](self, y_true, y_pred)

    def get_config(self) -> dict[str, Any]:
        return {**super().get_config(), "spec": render(self.spec), "from_logits": self.from_logits}

    def values(self, target: Tensor, output: Tensor) -> Tensor:
        """The loss of each position, in PyTorch."""
        if not output.is_meta:  # Keras only infers shapes
            self._check(target, output)
        if output.shape[-1] == 1:
            output = torch.cat([torch.zeros_like(output) if self.from_logits else 1 - output, output], -1)
        if not self.from_logits:
            output = output.clamp_min(torch.finfo(output.dtype).tiny).log()
        return self.spec(dense(output, target.long()))

    def _check(self, target: Tensor, output: Tensor) -> None:
        classes = max(2, output.shape[-1])
        if target.shape != output.shape[:-1]:
            raise UsageError(
                f"keras: got y_true {tuple(target.shape)} and y_pred {tuple(output.shape)}. "
                "Give class indices (the argmax of one-hot rows), one for each row of logits."
            )
        if not ((target >= 0) & (target < classes) & (target == target.round())).all():
            raise UsageError(
                f"keras: y_true holds values other than the class indices 0 to {classes - 1}. "
                "To ignore positions, give them class 0 and a sample weight of 0."
            )
        if self.from_logits and output.shape[-1] > 1 and output.numel() and _probabilities(output.detach()):
            raise UsageError(
                "keras: y_pred holds probabilities; wanted logits. "
                "Remove the softmax of the last layer (best), or give from_logits=False."
            )


def _probabilities(output: Tensor) -> bool:
    """Whether every row sums to 1, as logits practically never do."""
    return bool((output >= 0).all() and ((output.sum(-1) - 1).abs() < 1e-3).all())


def _on_torch(own: _Loss, y_true: Any, y_pred: Any) -> Any:
    return own.values(y_true, y_pred)


def _on_tensorflow(own: _Loss, y_true: Any, y_pred: Any) -> Any:
    import tensorflow as tf

    def values(target: Any, output: Any) -> Any:
        with torch.no_grad():
            return own.values(torch.tensor(target), torch.tensor(output)).numpy()

    def vjp(target: Any, output: Any, grad_output: Any) -> Any:
        with torch.enable_grad():
            leaf = torch.tensor(output, requires_grad=True)
            (gradient,) = torch.autograd.grad(own.values(torch.tensor(target), leaf), leaf, torch.tensor(grad_output))
        return gradient.numpy()

    @tf.custom_gradient  # type: ignore[untyped-decorator]
    def through(target: Any, output: Any) -> Any:
        found = tf.numpy_function(values, [target, output], output.dtype, stateful=False)

        def gradients(grad_output: Any) -> tuple[None, Any]:
            back = tf.numpy_function(vjp, [target, output, grad_output], output.dtype, stateful=False)
            return None, tf.ensure_shape(back, output.shape)

        return tf.ensure_shape(found, output.shape[:-1]), gradients

    return through(y_true, y_pred)


_ON = {"torch": _on_torch, "tensorflow": _on_tensorflow}
