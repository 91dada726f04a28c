"""``lossworks languages``: which language a text is in."""

from __future__ import annotations

import sys
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from . import options
from .options import print_json
from .visible import in_line

if TYPE_CHECKING:
    from ..api.languages import Identified

app = typer.Typer(no_args_is_help=True, rich_markup_mode=None, help="Which language a text is in, by a model of your own.")


@app.command("build")
def build(
    folder: Annotated[
        Path,
        typer.Argument(
            help="A file (news.deu.txt) or a folder (deu_Latn/train.tsv, dev, test) of texts a language, named by its code."
        ),
    ],
    out: Annotated[
        Path | None,
        typer.Option("--out", help="The run directory to make.  [default: where identify looks for one]", show_default=False),
    ] = None,
    model: Annotated[
        str | None,
        typer.Option("--model", help="naive_bayes, with keys of your own: lossworks show naive_bayes.", show_default=False),
    ] = None,
    text: options.Text = None,
    encoding: options.Encoding = "utf-8",
    bad_rows: options.BadRows = "error",
    normalize: options.Normalize = None,
    seed: Annotated[int, typer.Option("--seed", help="Seed of the split, where dev and test are not given.")] = 0,
    json: options.Json = False,
    quiet: options.Quiet = False,
) -> None:
    """Train a classifier of languages on texts in known ones: a run like any other, for identify, predict, explain and more."""
    from ..api.languages import FAMILY, build
    from ..engine import Callbacks
    from .progress import Watcher
    from .running import command_line
    from .telling import tell

    with Watcher(quiet or json) as watcher:
        made = build(
            folder,
            out,
            model=model or FAMILY,
            read=options.read_options(text, None, None, encoding, bad_rows, None, None, unlabelled=True, normalize=normalize),
            seed=seed,
            callbacks=Callbacks(watch=watcher),
            command=command_line(),
        )
    if json:
        print_json({"run": str(made.path), **made.record})
    else:
        tell(made.record, made.path or Path())


@app.command("identify")
def identify(
    texts: options.Texts = None,
    model: Annotated[
        Path | None,
        typer.Option("--model", help="A run of build.  [default: the one that build made without --out]", show_default=False),
    ] = None,
    least: Annotated[
        float, typer.Option("--least", help="The probability above which an answer is given; 0: whenever the script is known.")
    ] = 0.5,
    text: options.Text = None,
    encoding: options.Encoding = "utf-8",
    bad_rows: options.BadRows = "error",
    format: options.Format = None,
    header: options.Header = None,
    json: options.Json = False,
) -> None:
    """The language of each text with its probability, or "unknown", and the script that it is written in."""
    from dataclasses import asdict

    from ..api.languages import identified, opened

    read = options.read_options(text, None, None, encoding, bad_rows, format, header, unlabelled=True)
    held, rows = opened(model), []
    for source in texts or ["-"]:
        for block in options.texts_of(source, read, held.record, quiet=json):
            found = identified(block, held, least=least)
            if json:
                rows += [{"text": each, **asdict(one)} for each, one in zip(block, found, strict=True)]
            else:
                _print(block, found)
    if json:
        print_json({"texts": rows})


def _print(texts: list[str], found: list[Identified]) -> None:
    """A table for people, tab-separated lines for programs."""
    lines = [(one.language, one.script, f"{one.probability:.4f}", in_line(text)) for text, one in zip(texts, found, strict=True)]
    if not sys.stdout.isatty():
        print("\n".join(map("\t".join, lines)))
        return
    from rich.table import Table

    from .tables import console

    table = Table(box=None, show_header=False, pad_edge=False, padding=(0, 2, 0, 0))
    for line in lines:
        table.add_row(*line)
    console().print(table)
