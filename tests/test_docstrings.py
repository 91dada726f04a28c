"""Specs and examples in docstrings are real: every spec is built, every name that an example uses exists, some examples run."""

from __future__ import annotations

import ast
import re
import textwrap
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
import torch

import lossworks
from lossworks import balances, losses, models, optim, penalties, risks, schedules, tokens
from lossworks.core.errors import LossworksError
from lossworks.core.registry import Registry
from lossworks.preparation import rules

ROOT = Path(__file__).parents[1] / "src"
QUOTED = re.compile(r"[\"`]([^\"`\n]+)[\"`]")
SPEC = re.compile(r"([a-z]\w*):\S+")
SUM = re.compile(r"[\w.:=-]+(\s*[-+]\s*[\w.-]+\*[\w:=.]+)+|[\w.]+\*[a-z]\w*")
NOT_SPECS = {"name", "each", "hf", "hf_classifier", "run", "lexicon", "votes"}
"""What only shows the form of a spec, and families and sources that need files or other specs."""
REGISTRIES: tuple[Registry[Any], ...] = (
    models.models, optim.optimizers, penalties.penalties, risks.risks, balances.balances, schedules.schedules, tokens.tokenizers,
    rules.registry,
)  # fmt: skip


def docstrings() -> Iterator[tuple[str, str]]:
    """Every docstring of the package, with its place."""
    for path in sorted(ROOT.rglob("*.py")):
        for node in ast.walk(ast.parse(path.read_text("utf-8"))):
            if isinstance(node, ast.Module | ast.ClassDef | ast.FunctionDef) and (text := ast.get_docstring(node)):
                yield f"{path.relative_to(ROOT)}:{getattr(node, 'lineno', 1)}", text


def specs(text: str) -> Iterator[str]:
    """The specs that a text quotes: ``name:key=value``, and sums of losses."""
    for quoted in QUOTED.findall(text):
        single = (found := SPEC.fullmatch(quoted)) and found[1] not in NOT_SPECS
        if single or (SUM.fullmatch(quoted) and any(word in losses.losses for word in re.findall(r"[a-z]\w+", quoted))):
            yield quoted


def examples(text: str) -> Iterator[str]:
    """The indented blocks of a text that are Python, and calls or assignments."""
    for block in re.findall(r"(?:^ {4}.*\n?)+", text, re.M):
        try:
            parsed = ast.parse(code := textwrap.dedent(block))
        except SyntaxError:
            continue
        if "lossworks" in code and all(isinstance(each, ast.Import | ast.Assign | ast.Expr) for each in parsed.body):
            yield code


@pytest.fixture(scope="module")
def every() -> list[tuple[str, str]]:
    """All docstrings, read once, and not while tests are collected, which every worker does."""
    return list(docstrings())


def built(spec: str) -> Any:
    """What the spec spells."""
    home = next((registry for registry in REGISTRIES if spec.partition(":")[0] in registry), None)
    return losses.build(spec) if home is None else home.build(spec)


def test_specs_are_built(every: list[tuple[str, str]]) -> None:
    """Name, keys and values of each are known; a pattern that finds none would let all pass."""
    found, wrong = set(), {}
    for place, text in every:
        for spec in specs(text):
            found.add(spec)
            try:
                built(spec)
            except LossworksError as error:
                wrong[f"{place}: {spec}"] = error
    assert not wrong
    assert {"l1:strength=1e-6", "cosine:warmup=5%", "cross_entropy+1e-4*z_loss", "words:min_count=2"} <= found


@pytest.mark.parametrize("spec", ["l1:1e-6", "cross_entropy:smoothing=0.1", "focal+z_los"])
def test_wrong_specs_are_not(spec: str) -> None:
    """A key that is missing, or a key or name that is not there, is noticed."""
    with pytest.raises(LossworksError):
        built(spec)


def test_examples_run(every: list[tuple[str, str]]) -> None:
    """Each runs as it stands, on small data where it leaves that out (``...``)."""
    many = ", ".join(
        f'("{word} number {n}.", "{label}")' for n in range(8) for word, label in (("good", "positive"), ("bad", "negative"))
    )
    hidden = torch.randn(2, 5, 4, requires_grad=True)
    ran = set()
    for place, text in every:
        for code in examples(text):
            hidden.grad = None
            names = {"lossworks": lossworks, "hidden": hidden, "head": torch.nn.Linear(4, 7), "labels": torch.randint(7, (2, 5))}
            exec(code.replace("...", many), names)
            assert hidden.grad is not None or list(names["model"].labels) == ["negative", "positive"], place
            ran.add(place.partition(":")[0])
    assert ran == {"lossworks/__init__.py", "lossworks/losses/fused.py"}
