"""Our losses in Keras. The tests run on the backend that ``KERAS_BACKEND`` names, PyTorch where it names none; one of them
runs all the others on TensorFlow, in a process of its own.
"""

from __future__ import annotations

import importlib
import os
import subprocess
import sys
from importlib.util import find_spec
from pathlib import Path
from types import ModuleType
from typing import Any

import numpy as np
import pytest
import torch
from numpy.typing import NDArray

if find_spec("keras") is None:
    pytest.skip("Keras is not installed", allow_module_level=True)
os.environ.setdefault("KERAS_BACKEND", "torch")

# TensorFlow must be imported after us.
import forks
from lossworks import losses
from lossworks.core.errors import UsageError
from lossworks.interop.keras import loss

# isort: split
import keras

BACKEND = keras.backend.backend()
SPECS = ["cross_entropy:label_smoothing=0.1", "focal:gamma=1.5", "cross_entropy+1e-2*z_loss", "mse"]
if BACKEND == "tensorflow":
    import tensorflow as tf

    WRAPPED: Any = (UsageError, tf.errors.OpError)
else:
    WRAPPED = UsageError


@pytest.fixture(autouse=True)
def seeds() -> None:
    """Every test starts from the same random numbers."""
    keras.utils.set_random_seed(0)


def some(*shape: int, classes: int = 5) -> tuple[NDArray[Any], NDArray[Any]]:
    """Class numbers and logits."""
    rng = np.random.default_rng(0)
    return rng.integers(0, classes, shape), 2 * rng.normal(size=(*shape, classes)).astype("float32")


def gradient(of: Any, target: NDArray[Any], output: NDArray[Any], weight: NDArray[Any] | None = None) -> NDArray[Any]:
    """By the backend's own differentiation."""
    if BACKEND == "torch":
        leaf = torch.tensor(output, requires_grad=True)
        of(target, leaf, weight).backward()
        assert leaf.grad is not None
        return leaf.grad.numpy()
    given = tf.Variable(output)

    @tf.function
    def graph() -> Any:
        with tf.GradientTape() as tape:
            number = of(target, given, weight)
        return tape.gradient(number, given)

    return np.asarray(graph())


@pytest.mark.parametrize("spec", SPECS)
def test_values_and_gradients(spec: str) -> None:
    """Both are those of the loss in PyTorch, divided and weighed as Keras does: by the number of positions."""
    target, logits = some(3, 4)
    weight = np.linspace(0, 2, 12).reshape(3, 4)
    leaf = torch.tensor(logits, requires_grad=True)
    values: Any = losses.build(spec)
    mean = (values(leaf, torch.tensor(target)) * torch.tensor(weight, dtype=torch.float32)).mean()
    mean.backward()
    assert leaf.grad is not None
    assert float(loss(spec)(target, logits, weight)) == pytest.approx(mean.item(), rel=1e-5)
    np.testing.assert_allclose(gradient(loss(spec), target, logits, weight), leaf.grad.numpy(), atol=1e-7)
    each = loss(spec, reduction=None)(target[..., None], logits)
    assert tuple(each.shape) == (3, 4)


def test_as_keras_has_it() -> None:
    """Cross-entropy over logits, over probabilities, and over one logit is Keras's own; gradients too."""
    target, logits = some(7)
    theirs = keras.losses.SparseCategoricalCrossentropy(from_logits=True)
    np.testing.assert_allclose(gradient(loss("cross_entropy"), target, logits), gradient(theirs, target, logits), atol=1e-7)
    p = torch.softmax(torch.tensor(logits), -1).numpy()
    from_p = loss("cross_entropy", from_logits=False)
    assert float(from_p(target, p)) == pytest.approx(float(theirs(target, logits)), rel=1e-5)
    binary = keras.losses.BinaryCrossentropy(from_logits=True)
    target, logits = (target > 2)[:, None].astype(int), logits[:, :1]
    ours = loss("binary_cross_entropy")
    assert float(ours(target, logits)) == pytest.approx(float(binary(target, logits)), rel=1e-5)
    np.testing.assert_allclose(gradient(ours, target, logits), gradient(binary, target, logits), atol=1e-7)
    sure = loss("cross_entropy", from_logits=False)
    assert float(sure(target, 1 / (1 + np.exp(-logits)))) == pytest.approx(float(binary(target, logits)), rel=1e-5)


def test_impossible_outcome() -> None:
    """A probability of 0 where the target is costs as much as float32 can say, and harms no gradient."""
    p = np.array([[0.0, 1.0], [0.25, 0.75]], "float32")
    of = loss("cross_entropy", from_logits=False, reduction="sum")
    assert 87 < float(of(np.array([0, 1]), p)) < 89
    assert np.isfinite(gradient(of, np.array([0, 1]), p)).all()


@pytest.mark.parametrize(
    ("target", "output", "words"),
    [
        ([0, 1], [[0.2, 0.8], [0.5, 0.5]], "probabilities; wanted logits"),
        ([0, 3], [[0.2, -0.8], [1.5, 0.5]], "class indices 0 to 1"),
        ([0, -100], [[0.2, -0.8], [1.5, 0.5]], "sample weight of 0"),
        ([0.5, 1], [[0.2, -0.8], [1.5, 0.5]], "class indices 0 to 1"),
        ([[0, 1], [1, 0]], [[0.2, -0.8], [1.5, 0.5]], "one-hot"),
    ],
)
def test_refused(target: list[Any], output: list[Any], words: str) -> None:
    """What cannot be meant is an error that says what was wanted."""
    with pytest.raises(WRAPPED, match=words):
        loss("cross_entropy")(np.array(target, "float32"), np.array(output, "float32"))


def test_not_over_outcomes() -> None:
    """A loss between numbers alone is refused when it is made."""
    with pytest.raises(UsageError, match="not a classification loss"):
        loss("huber")


def test_half_precision_keeps_class_numbers() -> None:
    """Under a half-precision default, a class number above 256 is still itself."""
    before = keras.config.floatx()
    keras.config.set_floatx("bfloat16")
    try:
        logits = np.zeros((1, 400), "float32")
        logits[0, 259] = 20
        assert float(loss("cross_entropy")(np.array([259]), logits)) < 1e-3
    finally:
        keras.config.set_floatx(before)


def test_saved_by_its_spec() -> None:
    """From its configuration comes the same loss, with the class counts that it was given."""
    given = losses.build("logit_adjusted:tau=0.5+1e-4*z_loss").with_counts((10.0, 3.0, 1.5, 1.0, 1e-7))
    first = loss(given, from_logits=False, reduction="sum", name="mine")
    again = keras.losses.deserialize(keras.losses.serialize(first))
    assert again.get_config() == first.get_config()
    assert again.spec == given
    assert again.from_logits is False


@pytest.mark.filterwarnings("ignore:__array__ implementation:DeprecationWarning")  # of Keras's own variables, when it saves
def test_fit_save_load_and_go_on(tmp_path: Path) -> None:
    """A model learns by our loss with sample weights, is saved with it, and goes on learning after it is loaded."""
    rng = np.random.default_rng(0)
    target = rng.integers(0, 3, 96)
    inputs = (rng.normal(size=(3, 6))[target] + 0.3 * rng.normal(size=(96, 6))).astype("float32")
    weight = np.where(target == 2, 0.0, 1.0)
    model = keras.Sequential([keras.Input((6,)), keras.layers.Dense(3)])
    model.compile(keras.optimizers.Adam(0.1), loss=loss("focal:gamma=1"), jit_compile=False)
    history = model.fit(inputs, target, sample_weight=weight, epochs=6, batch_size=20, verbose=0).history["loss"]
    assert history[-1] < 0.5 * history[0]
    before = model.evaluate(inputs, target, verbose=0)
    model.save(tmp_path / "model.keras")
    again = keras.saving.load_model(tmp_path / "model.keras")
    assert again.evaluate(inputs, target, verbose=0) == pytest.approx(before, rel=1e-5)
    assert again.fit(inputs, target, epochs=3, verbose=0).history["loss"][-1] < before


def _imported_after_tensorflow(has_compiler: bool) -> None:
    sys.modules["tensorflow"] = ModuleType("tensorflow")
    del sys.modules["lossworks.interop.keras"]
    if not has_compiler:
        del sys.modules["torch._dynamo"]
    importlib.import_module("lossworks.interop.keras")


@pytest.mark.parametrize(("has_compiler", "code"), [(True, 0), (False, 1)])
def test_order_of_imports(has_compiler: bool, code: int, tmp_path: Path) -> None:
    """After TensorFlow, with PyTorch's compiler not yet loaded, importing us is an error and no abort of the process."""
    child = forks.begun(lambda: _imported_after_tensorflow(has_compiler), tmp_path)
    child.join()
    said = (tmp_path / forks.SAID).read_text()
    assert child.exitcode == code, said
    assert ("Import lossworks.interop.keras first" in said) == bool(code)


@pytest.mark.skipif(BACKEND == "tensorflow" or find_spec("tensorflow") is None, reason="TensorFlow is not installed")
def test_on_tensorflow() -> None:
    """All of these on TensorFlow."""
    env = os.environ | {"KERAS_BACKEND": "tensorflow", "CUDA_VISIBLE_DEVICES": "", "TF_CPP_MIN_LOG_LEVEL": "2"}
    # Its own imports warn; what our code warns of has been an error on PyTorch.
    command = [sys.executable, "-m", "pytest", "-q", "-W", "default", "-p", "no:xdist", "-p", "no:cacheprovider", __file__]
    done = subprocess.run(command, env=env, capture_output=True, text=True, timeout=110, check=False)
    assert done.returncode == 0, done.stdout[-4000:]
