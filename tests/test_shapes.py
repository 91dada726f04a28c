"""The check of shapes that signatures state catches what is planted, and leaves everything else alone."""

from __future__ import annotations

import importlib
import inspect
import math
import pickle
import sys
from pathlib import Path
from typing import Any

import pytest
import torch

import shapes
from lossworks.losses.mse import MeanSquaredError
from lossworks.scores import dense

SOURCE = """
from __future__ import annotations
from functools import cached_property
from typing import TYPE_CHECKING
import torch
from torch import Tensor
if TYPE_CHECKING:
    from jaxtyping import Float

def product(x: Float[Tensor, "N d"], y: Float[Tensor, "d"] | float, times: int = 1) -> Float[Tensor, "N"]:
    return (x @ y if isinstance(y, Tensor) else x * y) * times

def both(x: Float[Tensor, "N"]) -> tuple[Float[Tensor, "N"], Float[Tensor, ""]]:
    return x, x.sum(0, keepdim=len(x) == 1)

def refuses(x: Float[Tensor, "N N"]) -> None:
    raise ValueError("not square")

class Holder:
    def __init__(self, x: Float[Tensor, "N"]) -> None:
        self.x = x
    @property
    def wrong(self) -> Float[Tensor, "a b"]:
        return self.x
    @cached_property
    def wrong_too(self) -> Float[Tensor, "a b"]:
        return self.x
    @staticmethod
    def right(x: Float[Tensor, "*any"]) -> Float[Tensor, "*any"]:
        return x
"""


@pytest.fixture(scope="module")
def planted(tmp_path_factory: pytest.TempPathFactory) -> Any:
    """A module whose functions do not all keep to their signatures."""
    folder = tmp_path_factory.mktemp("planted")
    Path(folder, "planted_shapes.py").write_text(SOURCE)
    sys.path.insert(0, str(folder))
    shapes.install("planted_shapes")
    yield importlib.import_module("planted_shapes")
    sys.path.remove(str(folder))
    del sys.modules["planted_shapes"], sys.meta_path[0]


def test_planted_shapes_are_caught(planted: Any) -> None:
    """Of arguments, of what is returned, alone and in a tuple, of properties; one name is one length within a call."""
    one, two = torch.ones(1), torch.ones(2)
    assert planted.product(torch.ones(3, 2), two).tolist() == [2, 2, 2]
    assert planted.product(torch.ones(4, 3), y=torch.ones(3), times=2).tolist() == [6] * 4
    for wrong in (
        lambda: planted.product(torch.ones(3, 2), 1.0),  # returns a matrix
        lambda: planted.product(torch.ones(3, 2), torch.ones(2, 1)),
        lambda: planted.product(torch.ones(3, 2).long(), two.long()),
        lambda: planted.both(one),
        lambda: planted.Holder(torch.ones(1, 1)),
        lambda: planted.Holder(one).wrong,
        lambda: planted.Holder(one).wrong_too,
    ):
        with pytest.raises(AssertionError, match="planted_shapes"):
            wrong()
    assert planted.both(two)[1] == 2
    assert planted.Holder.right(two) is two


def test_what_is_refused_stays_refused(planted: Any) -> None:
    """A call that raises does so by itself: its guards are what is tested."""
    with pytest.raises(ValueError, match="not square"):
        planted.refuses(torch.ones(2))


def test_the_package_is_checked_and_otherwise_the_same(monkeypatch: pytest.MonkeyPatch) -> None:
    """Its functions keep their signature, and pickling and compiled code are as before."""
    monkeypatch.setattr(shapes, "EVERY", math.inf)
    assert MeanSquaredError.between.__wrapped__  # type: ignore[attr-defined]
    with pytest.raises(AssertionError, match=r"between states .*\*position"):
        MeanSquaredError().between(torch.ones(6, 1), torch.ones(6))
    assert list(inspect.signature(dense).parameters) == ["logits", "target", "teacher", "negatives"]
    assert pickle.loads(pickle.dumps(dense)) is dense
