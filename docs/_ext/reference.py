"""Fills the reference pages: ``<!-- members:loss -->`` or the like, with the sentence below it, becomes Markdown.

All of it is read from the package: registries and their curves, the command's flags, and the names that packages export.
"""

from __future__ import annotations

import functools
import importlib
import inspect
import pkgutil
import re
from collections.abc import Callable, Iterator
from typing import Any

import typer

import docstrings
import drawing
import lossworks
from lossworks import balances, catalog, tokens
from lossworks.catalog.facts import Facts, facts
from lossworks.catalog.member import REGISTRIES
from lossworks.cli.app import app as command_line
from lossworks.core.registry import Registry

KINDS = {registry.kind: registry for registry in (*REGISTRIES, balances.balances, tokens.tokenizers)}
MARK = re.compile(r"^<!-- (members|verbs|public)(?::([\w .]+))? -->(?:\n\n\*`make docs` fills this page.*)?$", re.M)


def members(kind: str) -> str:
    """A section for each member of the registry of ``kind``: formula, domain, source, hyperparameters, curve."""
    registry = KINDS[kind]
    return "\n\n".join(_member(registry, entry.name) for entry in registry)


def _member(registry: Registry[Any], name: str) -> str:
    if registry in REGISTRIES:
        (found,) = (member for member in catalog.find(name) if member.kind == registry.kind)
        (about,), also = found.terms, {"For": ", ".join(found.serves), "Needs": ", ".join(found.needs)}
        pictures = [drawing.curve(curve) for curve in found.curves]
        if found.surfaces:
            pictures.append(drawing.descents(found.surfaces))
    else:
        about, also, pictures = facts(registry[name], registry.build(name)), {}, []
    return "\n\n".join([f"## {name}", plain(about.formula), *pictures, _table(about, also), plain(about.remarks)])


def _table(about: Facts, also: dict[str, str]) -> str:
    given = ", ".join(f"`{each.name}={each.default}`" for each in about.parameters)
    rows = {"Domain": about.domain, "Limit": about.limit, "Gradient": about.gradient, **also, "Source": about.source}
    return table([(name, plain(text)) for name, text in rows.items() if text] + [("Defaults", given)] * bool(given))


def plain(text: str) -> str:
    """``text`` as Markdown that shows it as it is, but for code between backticks."""
    parts = re.split(r"(`[^`\n]+`)", " ".join(text.replace("``", "`").split()))
    return "".join(part if n % 2 else _escaped(part) for n, part in enumerate(parts))


def _escaped(text: str) -> str:
    return re.sub(r"([\\`*_{}\[\]<>#$~])", r"\\\1", text)


def table(rows: list[tuple[str, str]]) -> str:
    """A Markdown table of two columns without a header."""
    return "\n".join(
        ["| | |", "|---|---|", *(f"| {' | '.join(cell.replace('|', chr(92) + '|') for cell in row)} |" for row in rows)]
    )


def verbs(_: str = "") -> str:
    """A section for each verb of the command, with its arguments and flags."""
    root: Any = typer.main.get_command(command_line())
    return "\n\n".join(_verb(words, verb) for words, verb in walk("lossworks", root))


def walk(words: str, verb: Any) -> Iterator[tuple[str, Any]]:
    """Every verb below ``verb`` that can be called, with the words that call it."""
    for name, inner in getattr(verb, "commands", {}).items():
        yield from walk(f"{words} {name}", inner)
    if not hasattr(verb, "commands"):
        yield words, verb


def _verb(words: str, verb: Any) -> str:
    context = verb.make_context(words, [], resilient_parsing=True)
    usage = " ".join(verb.get_usage(context).removeprefix("Usage:").split())
    rows = []
    for parameter in verb.get_params(context):
        record = parameter.get_help_record(context)
        if record and not getattr(parameter, "hidden", False):
            flag = re.sub(r"list\[(\w+)\]>", r"\1> …", record[0].strip())
            rows.append((f"`{flag}`", plain(record[1])))
    told = "\n\n".join(plain(paragraph) for paragraph in inspect.cleandoc(verb.help or "").split("\n\n"))
    return "\n\n".join([f"## {words}", told, f"```text\n{usage}\n```", table(rows)])


@functools.cache
def homes() -> dict[str, list[str]]:
    """The classes and functions of each package; what several export stands with the first of them alone."""
    inner = (f"lossworks.{module.name}" for module in pkgutil.iter_modules(lossworks.__path__) if module.ispkg)
    seen: set[Any] = set()
    found: dict[str, list[str]] = {}
    for package in ("lossworks", *sorted(inner)):
        module = importlib.import_module(package)
        names = [*getattr(module, "__all__", ()), *(["TextClassifier", "TextRegressor"] if module is lossworks else [])]
        for name in sorted(names, key=str.lower):
            thing = getattr(module, name)
            own = getattr(thing, "__module__", "").startswith("lossworks") and (
                inspect.isclass(thing) or inspect.isroutine(thing)
            )
            if own and thing not in seen:
                seen.add(thing)
                found.setdefault(package, []).append(name)
    return found


def public(package: str) -> str:
    """The classes and functions of ``package``, or of every package but the first; their docstrings are read by autodoc."""
    packages = [package] if package else list(homes())[1:]
    return "\n\n".join(_exported(each) for each in packages)


def _exported(package: str) -> str:
    module = importlib.import_module(package)
    lines = [f"## {package}", "", plain((module.__doc__ or "").partition("\n\n")[0]), "", "```{eval-rst}"]
    for name in homes()[package]:
        is_class = inspect.isclass(getattr(module, name))
        lines += [f".. auto{'class' if is_class else 'function'}:: {package}.{name}", *["   :members:"] * is_class, ""]
    return "\n".join([*lines, "```"])


FILLERS: dict[str, Callable[[str], str]] = {"members": members, "verbs": verbs, "public": public}


def filled(text: str) -> str:
    """A page with what its comments stand for."""
    return MARK.sub(lambda found: FILLERS[found[1]](found[2] or ""), text)


def setup(app: Any) -> dict[str, bool]:
    """Called by Sphinx."""
    app.connect("source-read", lambda _, __, source: source.__setitem__(0, filled(source[0])))
    app.connect(
        "autodoc-process-docstring",
        lambda *given: given[-1].__setitem__(slice(None), docstrings.readable(given[-1])),
        priority=400,
    )
    app.connect("autodoc-skip-member", lambda _, __, ___, thing, skip, ____: skip or not docstrings.ours(thing))
    return {"parallel_read_safe": True}
