"""``lossworks languages``: which language a text is in."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

from . import options
from .options import print_json
from .rows import print_rows

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
    held = opened(model)
    blocks = (block for source in texts or ["-"] for block in options.texts_of(source, read, held.record, quiet=json))
    found = (pair for block in blocks for pair in zip(block, identified(block, held, least=least), strict=True))
    if json:
        print_json({"texts": [{"text": text, **asdict(one)} for text, one in found]})
        return
    rows = ((one.language, one.script, f"{one.probability:.4f}", text) for text, one in found)
    print_rows(("language", "script", "probability", "text"), rows, right=("probability",))
