"""The pages whose examples are run: each block in turn, in a folder with the bundled reviews, and what it prints is on the page.

python docs/_ext/examples.py docs/guides/*.md docs/notebooks/*.ipynb     # writes what the examples print now into the pages
"""

from __future__ import annotations

import contextlib
import io
import re
import shlex
import shutil
import sys
import tempfile
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any
from unittest import mock

ROOT = Path(__file__).parents[2]
NOTEBOOKS = sorted((ROOT / "docs/notebooks").glob("*.ipynb"))
PAGES = sorted(page for folder in ("start", "guides", "tutorial") for page in (ROOT / "docs" / folder).glob("*.md"))
BLOCK = re.compile(r"^```(console|python)\n(.*?)^```\n(?:\n```text\n(.*?)^```\n)?", re.M | re.S)
TIME = re.compile(r"[\d.,]+ (?:ms|s|min|h)\b|\S+/s\b")
NUMBER = re.compile(r"-?\d[\d,]*\.?\d*(?:e[-+]?\d+)?")


def played(page: str) -> Iterator[tuple[re.Match[str], str]]:
    """Each block of a page, and what stands there if it is run now, in this folder."""
    names: dict[str, object] = {"__name__": "__main__"}
    for found in BLOCK.finditer(page):
        if (named := re.match(r"# (\w+\.py)\n", found[2])) is not None:  # a block that is a file
            Path(named[1]).write_text(found[2], "utf-8")
            yield found, found[0]
        elif found[1] == "python":
            printed = _printed(lambda code=found[2]: exec(compile(code, "example", "exec"), names))
            after = f"\n```text\n{kept(found[3] or '', printed)}```\n" if printed else ""
            yield found, f"```python\n{found[2]}```\n{after}"
        else:
            shown = re.findall(r"^\$ ((?:.*\\\n)*.*)\n((?:(?!\$ ).*\n)*)", found[2], re.M)
            yield found, "```console\n" + "".join(f"$ {line}\n{kept(old, called(line))}" for line, old in shown) + "```\n"


def called(line: str) -> str:
    """What a command prints to stdout; it must end well."""
    from lossworks.cli import main

    with mock.patch.object(sys, "argv", shlex.split(line.replace("\\\n", " "), comments=True)):
        return _printed(main)


def _printed(run: Callable[[], object]) -> str:
    out, errors = io.StringIO(), io.StringIO()
    with contextlib.redirect_stdout(out), contextlib.redirect_stderr(errors):
        try:
            run()
        except SystemExit as ended:
            if ended.code:
                raise AssertionError(errors.getvalue()) from ended
    return "".join(f"{line.rstrip()}\n" for line in out.getvalue().rstrip().splitlines())


def kept(old: str, new: str) -> str:
    """``old`` where it agrees with ``new``, else ``new``."""
    return old if agree(old, new) else new


def agree(shown: str, printed: str) -> bool:
    """Whether the words are the same and numbers nearly so; a line "…" stands for any lines, and times are not compared."""
    parts = [part.split() for part in re.split(r"^…$", TIME.sub("", shown), flags=re.M)]
    words, at = TIME.sub("", printed).split(), 0
    for number, part in enumerate(parts):
        places = [at] if number == 0 else range(at, len(words) + 1)
        found = next((n for n in places if _same(part, words[n : n + len(part)])), None)
        if found is None:
            return False
        at = found + len(part)
    return at == len(words) or (len(parts) > 1 and not parts[-1])


def _same(some: list[str], others: list[str]) -> bool:
    return len(some) == len(others) and all(map(_alike, some, others))


def _alike(word: str, other: str) -> bool:
    pairs = zip(NUMBER.findall(word), NUMBER.findall(other), strict=False)
    near = all(
        abs(a - b) <= max(0.03, 0.1 * abs(a)) for a, b in (map(float, (x.replace(",", ""), y.replace(",", ""))) for x, y in pairs)
    )
    return near and NUMBER.sub("#", word) == NUMBER.sub("#", other)


def rewritten(page: Path) -> str:
    """The text of a page with what its examples print now; they are run in a folder of their own."""
    text = page.read_text("utf-8")
    with _beside_reviews():
        if page.suffix == ".ipynb":
            return _executed(text)
        for found, now in played(text):
            text = text.replace(found[0], now, 1)
    return text


@contextlib.contextmanager
def _beside_reviews() -> Iterator[None]:
    with tempfile.TemporaryDirectory() as folder, contextlib.chdir(folder):
        shutil.copy(ROOT / "src/lossworks/data/reviews.csv", "reviews.csv")
        yield


def _executed(text: str) -> str:
    """A notebook run from top to bottom in a kernel, with the outputs of the cells that print something else now."""
    import nbformat
    from nbclient import NotebookClient

    notebook = nbformat.reads(text, 4)
    outputs = [cell.get("outputs") for cell in notebook.cells]
    NotebookClient(notebook).execute()
    notebook.metadata.language_info.pop("version", None)  # of Python, which differs from machine to machine
    for cell, old in zip(notebook.cells, outputs, strict=True):
        cell.metadata.pop("execution", None)  # when each cell ran
        if old and agree(_said(old), _said(cell.outputs)):
            cell.outputs = old
    return f"{nbformat.writes(notebook)}\n"


def _said(outputs: list[Any]) -> str:
    """What outputs say in words; a picture is not compared, but that there is one."""
    told = [one.get("text") or one.get("data", {}).get("text/plain", "") for one in outputs]
    return "\n".join([*told, *(f"<{kind}>" for one in outputs for kind in one.get("data", {}) if kind.startswith("image/"))])


if __name__ == "__main__":
    for name in sys.argv[1:]:
        Path(name).write_text(rewritten(Path(name).resolve()), "utf-8")
