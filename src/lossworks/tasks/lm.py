"""The next token."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, ClassVar

from .base import Kind, Task
from .misfits import misfit_of_one_class

if TYPE_CHECKING:
    from ..losses import Loss


@dataclass(frozen=True, slots=True)
class LanguageModeling(Task):
    """Each token of a text given those before it. Labels, where there are any, are not looked at."""

    kind: ClassVar[Kind] = "lm"

    def misfit(self, loss: Loss, *, taught: bool = False) -> str:
        return misfit_of_one_class(loss, two=False, taught=taught)
