"""``lossworks score``."""

from __future__ import annotations

import math
import sys
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from . import options
from .options import print_json

if TYPE_CHECKING:
    from rich.text import Text

    from ..verbs import Scored


def command(
    run: Annotated[Path, typer.Argument(help="A run directory made by `lossworks fit --task lm`.")],
    texts: options.Texts = None,
    text: options.Text = None,
    encoding: options.Encoding = "utf-8",
    bad_rows: options.BadRows = "error",
    format: options.Format = None,
    header: options.Header = None,
    json: options.Json = False,
    quiet: options.Quiet = False,
) -> None:
    """How surprised a model of language is by texts: in nats, by text and by token (the warmer the colour, the more)."""
    from ..verbs import load_language

    model = load_language(run)
    read = options.read_options(text, None, None, encoding, bad_rows, format, header, unlabelled=True)
    scored = [row for source in texts or ["-"] for block in options.texts_of(source, read) for row in model.score(block)]
    if json:
        print_json({"run": str(run), "perplexity": _together(scored), "texts": [row.to_json() for row in scored]})
    elif sys.stdout.isatty():
        _show(scored)
    else:
        for row in scored:
            print(f"{row.logp:.4f}\t{row.perplexity:.6g}\t{row.text.replace(chr(9), ' ').replace(chr(10), ' ')}")


def _together(scored: list[Scored]) -> float | None:
    """The perplexity of all texts as one; None where it is not finite."""
    nats, positions = -sum(row.logp for row in scored), sum(len(row.nats) for row in scored)
    return math.exp(nats / positions) if positions and nats / positions < 700 else None


def _show(scored: list[Scored]) -> None:
    """Every token in the colour of its surprisal, and the sums of each text."""
    from .tables import console

    screen = console()
    for row in scored:
        screen.print(_heat(row))
        screen.print(f"  log p {row.logp:.4f} nats, perplexity {row.perplexity:.6g} over {len(row.nats):,} tokens\n", style="dim")


def _heat(row: Scored) -> Text:
    from rich.text import Text

    spaced = "".join(row.text.split()) != row.text and not any(token.isspace() or token[:1] == " " for token in row.tokens)
    shown = Text()
    for token, nats in zip(row.tokens, row.nats, strict=True):
        share = min(nats / 10, 1.0)  # ten nats, one in 22,000, are as red as it gets
        colour = f"rgb({int(90 + 165 * share)},{int(190 - 130 * share)},{int(120 - 70 * share)})"
        shown.append(token.replace("\n", "⏎"), style=colour)
        if spaced:
            shown.append(" ")
    return shown
