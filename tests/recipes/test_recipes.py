"""The programs of docs/RECIPES.md, taken out of the page and run, each in a process of its own."""

from __future__ import annotations

import ast
import multiprocessing
import os
import re
import traceback
import warnings
from importlib.util import find_spec
from pathlib import Path

import pytest

PAGE = (Path(__file__).parents[2] / "docs" / "RECIPES.md").read_text("utf-8")
RECIPES = dict(re.findall(r"^## (.+?)$(?:(?!^## ).)*?^```python\n(.*?)^```$", PAGE, re.M | re.S))


def missing(program: str) -> list[str]:
    """The packages that it imports and that are not installed."""
    nodes = list(ast.walk(ast.parse(program)))
    names = [alias.name for node in nodes if isinstance(node, ast.Import) for alias in node.names]
    names += [node.module or "" for node in nodes if isinstance(node, ast.ImportFrom)]
    return sorted({top for name in names if find_spec(top := name.partition(".")[0]) is None})


def test_every_program_is_found() -> None:
    """No block of Python on the page is left out: one stands under each heading, and it ends by checking something."""
    assert len(RECIPES) == PAGE.count("```python") == PAGE.count("\n## ")
    for title, program in RECIPES.items():
        checks = ("assert", "torch.testing.assert_close", "np.testing.assert_allclose")
        assert ast.unparse(ast.parse(program).body[-1]).startswith(checks), title


@pytest.mark.parametrize("title", RECIPES)
def test_recipe(title: str, tmp_path: Path) -> None:
    """The program runs to its end, offline, and what it asserts is so."""
    if lacking := missing(RECIPES[title]):
        pytest.skip(f"{', '.join(lacking)} not installed")
    said = tmp_path / "said.txt"
    child = multiprocessing.get_context("fork").Process(target=_run, args=(RECIPES[title], tmp_path, said))
    child.start()
    child.join(110)
    assert child.exitcode == 0, said.read_text()


def _run(program: str, folder: Path, said: Path) -> None:
    """As a program of its own, in a forked process, which has PyTorch imported already."""
    os.dup2(os.open(said, os.O_WRONLY | os.O_CREAT), 1)
    os.dup2(1, 2)
    os.chdir(folder)
    os.environ |= {"HF_HUB_OFFLINE": "1", "CUDA_VISIBLE_DEVICES": ""}
    warnings.resetwarnings()
    try:
        exec(compile(program, "recipe.py", "exec"), {"__name__": "__main__"})
    except BaseException:
        os.write(2, traceback.format_exc().encode())
        raise
