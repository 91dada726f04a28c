"""What a wheel holds and asks for: the package's files, what it imports, and extras, which are named where they are missing."""

from __future__ import annotations

import ast
import re
import sys
import tomllib
from collections import defaultdict
from fnmatch import fnmatch
from importlib.metadata import packages_distributions
from pathlib import Path

ROOT = Path(__file__).parents[1]
PACKAGE = ROOT / "src/lossworks"
PROJECT = tomllib.loads((ROOT / "pyproject.toml").read_text("utf-8"))
EXTRAS = {
    extra: asked
    for extra, asked in PROJECT["project"]["optional-dependencies"].items()
    if extra not in ("dev", "docs", "lightning")  # the last is a loop of others', which nothing of ours imports
}
BROUGHT = {"tensorflow": "keras", "mlflow": "mlflow"}  # by whoever uses Keras with it; and by mlflow-skinny


def names(requirements: list[str]) -> set[str]:
    """The distributions that requirements name, spelled alike."""
    return {re.match(r"[\w.-]+", each)[0].lower().replace("_", "-") for each in requirements}  # type: ignore[index]


def imported() -> dict[str, set[Path]]:
    """Every module that is imported from elsewhere, wherever in a file that stands → the files that do."""
    found: dict[str, set[Path]] = defaultdict(set)
    for path in PACKAGE.rglob("*.py"):
        for node in ast.walk(ast.parse(path.read_text("utf-8"))):
            if isinstance(node, ast.Import):
                modules = [alias.name for alias in node.names]
            else:
                modules = [node.module or ""] if isinstance(node, ast.ImportFrom) and not node.level else []
            for module in modules:
                found[module.partition(".")[0]].add(path)
    return {module: paths for module, paths in found.items() if module not in sys.stdlib_module_names | {"lossworks"}}


def test_data_files_are_packaged() -> None:
    """Each file of the package that is no Python is of a kind that a wheel takes along, and each folder is a package."""
    kinds = PROJECT["tool"]["setuptools"]["package-data"]["*"]
    files = [path for path in PACKAGE.rglob("*") if path.is_file() and path.suffix != ".py" and "__pycache__" not in path.parts]
    assert len(files) > 25
    assert [path for path in files if not any(fnmatch(path.name, kind) for kind in kinds)] == []
    assert [path for path in PACKAGE.rglob("*.py") if not (path.parent / "__init__.py").exists()] == []
    for licence in PROJECT["project"]["license-files"]:
        assert (ROOT / licence).is_file()


def test_imports_are_declared() -> None:
    """Whatever is imported is a dependency, or of an extra, and then the file that imports it, or its package, says so."""
    provided = packages_distributions()
    always = names(PROJECT["project"]["dependencies"])
    of = {name: extra for extra, asked in EXTRAS.items() for name in names(asked)} | BROUGHT
    for module, paths in imported().items():
        distributions = {name.lower().replace("_", "-") for name in provided.get(module, [module])}
        if not distributions & always:
            extras = {of[name] for name in distributions if name in of}
            assert extras, f"{module}, imported by {sorted(map(str, paths))}, is no dependency and of no extra"
            told = {path: path.read_text("utf-8") + (path.parent / "__init__.py").read_text("utf-8") for path in paths}
            unnamed = [path for path, text in told.items() if not any(f"lossworks[{extra}]" in text for extra in extras)]
            assert unnamed == [], f"{unnamed} import {module}, and do not say that lossworks{sorted(extras)} brings it"


def test_extras_are_named() -> None:
    """Somewhere in the package an error says to install each extra, and no extra that there is not."""
    named = {extra for path in PACKAGE.rglob("*.py") for extra in re.findall(r"lossworks\[(\w+)\]", path.read_text("utf-8"))}
    assert named == EXTRAS.keys()
