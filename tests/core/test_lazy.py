"""Packages that load their names when they are first used."""

from __future__ import annotations

import importlib
import sys
from pathlib import Path

import pytest

LAZY = ("api", "data", "inference", "losses", "metrics", "models", "models.ngram", "report", "scores", "tokens", "training")
INIT = """
from __future__ import annotations
from typing import TYPE_CHECKING
from lossworks.core import lazy
if TYPE_CHECKING:
    from . import whole
    from .part import one as first, two
    from .verb import verb
here = 5
lazy.package(__name__, {otherwise})
"""


@pytest.fixture
def package(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> str:
    """The name of a lazy package of three modules, of which none is loaded yet."""
    name = f"lazy_{tmp_path.name}"
    files = {"__init__": INIT.format(otherwise="lambda name: name.upper()"), "whole": "", "part": "one, two = 1, object()"}
    (tmp_path / name).mkdir()
    for file, text in {**files, "verb": "def verb(): return 'done'"}.items():
        (tmp_path / name / f"{file}.py").write_text(text)
    monkeypatch.syspath_prepend(tmp_path)
    importlib.import_module(name)
    assert not {f"{name}.{module}" for module in ("whole", "part", "verb")} & sys.modules.keys()
    return name


def test_names_are_loaded_when_asked_for(package: str) -> None:
    """Under the name that they are imported as, each once, with its own module alone; modules and other names too."""
    lazy = sys.modules[package]
    assert lazy.first == 1
    assert lazy.two is lazy.two is sys.modules[f"{package}.part"].two
    assert f"{package}.verb" not in sys.modules
    assert lazy.whole is sys.modules[f"{package}.whole"]
    assert (lazy.here, lazy.other) == (5, "OTHER")
    assert {"first", "two", "verb", "whole", "here"} <= {*dir(lazy)}
    assert not hasattr(lazy, "__wrapped__")


def test_a_function_called_as_its_module(package: str) -> None:
    """Is what the package has by that name, however its module was imported; what is set by hand stays."""
    importlib.import_module(f"{package}.verb")
    lazy = sys.modules[package]
    assert lazy.verb() == "done"
    lazy.verb = 3  # type: ignore[attr-defined]
    assert lazy.verb == 3


@pytest.mark.parametrize("name", LAZY)
def test_what_is_exported_is_there(name: str) -> None:
    """``__all__`` names what is imported for type checkers, no more and no less but what the package itself holds."""
    package = importlib.import_module(f"lossworks.{name}")
    assert {*package._homes} <= {*package.__all__}
    assert not {each for each in package.__all__ if getattr(package, each, None) is None}
