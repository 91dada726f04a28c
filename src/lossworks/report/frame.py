"""From a template and its context to one self-contained HTML file."""

from __future__ import annotations

import base64
import functools
import gzip
from pathlib import Path

from jinja2 import Environment, FileSystemBytecodeCache, FileSystemLoader, StrictUndefined
from markupsafe import Markup
from plotly.offline import get_plotlyjs

from .. import record
from ..core import cached
from ..tokens.graphemes import shortened
from . import words
from .words import Json

HERE = Path(__file__).parent


def write_page(template: str, context: Json, path: Path) -> Path:
    """Render ``template``, which extends ``frame.html``, with ``context`` into a file, and return its path.

    Raises:
        RecordError: the page cannot be written.
    """
    html = rendered(template, context)
    record.write_atomic(path, lambda part: part.write_text(html, "utf-8", "replace"))  # lone surrogates cannot be encoded
    return path


def rendered(template: str, context: Json) -> str:
    """``template``, which extends ``frame.html``, rendered with ``context``."""
    solid = any("scene" in figure["layout"] for figure in context.get("figures", {}).values())
    return _templates().get_template(template).render(context, plotly=Markup(_plotly(solid)))


@functools.cache
def _plotly(solid: bool) -> str:
    """The plotting library, gzip in base64; for figures of two dimensions the part that draws those."""
    packed = gzip.compress(get_plotlyjs().encode(), mtime=0) if solid else (HERE / "plotly.cartesian.min.js.gz").read_bytes()
    return base64.b64encode(packed).decode()


@functools.cache
def _templates() -> Environment:
    environment = Environment(
        loader=FileSystemLoader(HERE), autoescape=True, undefined=StrictUndefined, trim_blocks=True, lstrip_blocks=True
    )
    if (place := cached.folder(__file__)) is not None:  # compiling them takes longer than a small training
        environment.bytecode_cache = FileSystemBytecodeCache(str(place))
    environment.filters |= {"smart": words.smart, "percent": lambda share: words.number("accuracy", share)}
    environment.filters |= {"shortened": shortened, "counted": words.counted}
    return environment
