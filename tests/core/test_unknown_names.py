"""What is said of a name that nobody knows: what was probably meant."""

from __future__ import annotations

from typing import Any

import pytest

import lossworks
from lossworks.core.errors import UnknownName, UsageError

ROWS = [("a b", "x"), ("c d", "y")] * 30


@pytest.mark.parametrize(
    ("how", "said"),
    [
        ({"loss": "focal,gamma=3"}, "Did you mean 'focal:gamma=3'"), ({"loss": "focal(gamma=3)"}, "Did you mean 'focal:gamma=3'"),
        ({"stop_by": "f1"}, "Did you mean 'macro_f1' or 'micro_f1'"), ({"epoch": 3}, "Did you mean 'epochs'"),
        ({"text": "review"}, r"Give it as read=lossworks.ReadOptions\(text=…\)"),
        ({"read": {"text": "review"}}, r"wanted lossworks.ReadOptions\(text=…, label=…\)"),
    ],
)  # fmt: skip
def test_what_was_meant(how: dict[str, Any], said: str) -> None:
    """Specs spelled otherwise, parts of names, choices about reading."""
    with pytest.raises(UsageError, match=said):
        lossworks.fit(ROWS, **how)


def test_each_known_name_stands_once() -> None:
    """However often it is given."""
    assert str(UnknownName("thing", "zzz", ["b", "a", "b"])) == "unknown thing 'zzz'. Known: a, b."
