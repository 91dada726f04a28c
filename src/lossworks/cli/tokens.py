"""``lossworks tokens``: tokenizers learnt by themselves, and what they charge each language for the same content."""

from __future__ import annotations

import shlex
from pathlib import Path
from typing import Annotated, Any

import typer

from . import options
from .options import print_json

app = typer.Typer(
    no_args_is_help=True, rich_markup_mode=None, help="Learn a tokenizer by itself, and see what it charges each language."
)
Files = Annotated[list[str], typer.Argument(metavar="FILE...", help="Texts, a file for each language.", show_default=False)]


@app.command("build")
def build(
    files: Files,
    out: Annotated[Path, typer.Option("--out", help="The file to write, such as tokens.json.", show_default=False)],
    tokenizer: Annotated[
        str, typer.Option("--tokenizer", help="parity_bpe:size=32000, bpe:size=8000, words, chars.")
    ] = "parity_bpe:size=32000",
    text: options.Text = None,
    encoding: options.Encoding = "utf-8",
    bad_rows: options.BadRows = "few",
    format: options.Format = None,
    header: options.Header = None,
    normalize: options.Normalize = None,
    json: options.Json = False,
    quiet: options.Quiet = False,
) -> None:
    """Learn a tokenizer from files; parity_bpe so that all their languages come to cost the same."""
    from ..api.tokens import build_tokenizer
    from ..core.errors import UsageError
    from .tables import say_notes

    if out.suffix != ".json":
        raise UsageError(f"--out is {out}; wanted a name that ends in .json, by which --tokenizer knows a file.")
    read = options.read_options(text, None, None, encoding, bad_rows, format, header, normalize=normalize)
    made = build_tokenizer(files, tokenizer, read)
    made.save(out)
    if json:
        print_json({"file": str(out), "tokenizer": tokenizer, "vocabulary": made.vocabulary.size, "notes": list(made.notes)})
        return
    say_notes(() if quiet else made.notes)
    name = shlex.quote(str(out))
    print(f"{out}: {made.vocabulary.size:,} tokens")
    print(f"Next:  lossworks tokens report HELD_OUT_FILE... --tokenizer {name}")
    print(f"       lossworks fit DATA --task lm --tokenizer {name}")


@app.command("report")
def report(
    files: Files,
    tokenizer: Annotated[str, typer.Option("--tokenizer", help="A run, a tokenizer.json, or bytes.")] = "bytes",
    reference: options.Reference = None,
    text: options.Text = None,
    encoding: options.Encoding = "utf-8",
    format: options.Format = None,
    header: options.Header = None,
    json: options.Json = False,
    quiet: options.Quiet = False,
) -> None:
    """What a tokenizer charges each language of parallel text (line i says the same in every file), the dearest first."""
    from ..api.tokens import report_tokens

    read = options.read_options(text, None, None, encoding, "error", format, header)
    found = report_tokens(files, tokenizer, reference, read)
    if json:
        print_json(found)
    else:
        _tell(found, quiet)


def _tell(found: dict[str, Any], quiet: bool) -> None:
    from rich.text import Text

    from ..data.parallel import blank_note
    from .tables import console, number, print_whole, say_notes, table_of

    say_notes(blank_note(found["left_out"]) if quiet else found["notes"])
    rows = found["languages"]
    if any(row["unknown"] for row in rows) and not quiet:
        say_notes(["unknown tokens stand for text of any length, so where there are many a language looks cheaper than it is"])
    worst, gini = rows[0], found["gini"]
    console().print(
        f"{worst['language']} takes {worst['premium']['value']:.2f} times the tokens of {found['reference']} to say the same, "
        f"the most of {len(rows)} languages. Gini coefficient {gini['value']:.3f} ({gini['low']:.3f} to {gini['high']:.3f})."
    )
    table = table_of(f"{found['tokenizer']}, {found['vocabulary']:,} tokens; {found['lines']:,} lines in {len(rows):,} languages")
    unknown = ["unknown"] if any(row["unknown"] for row in rows) else []
    for name in ("premium", "95 % interval", "tokens a line", "tokens/character", "tokens/byte", *unknown):
        table.add_column(name, justify="right")
    for row in rows:
        premium, tokens = row["premium"], row["tokens"]
        figures = (tokens / row["characters"], tokens / row["bytes"])
        table.add_row(
            row["language"],
            f"{premium['value']:.2f}",
            f"{premium['low']:.2f} to {premium['high']:.2f}",
            f"{tokens / found['lines']:.1f}",
            *map(number, figures),
            *([f"{row['unknown']:,}"] if unknown else []),
        )
    print_whole(table)
    screen = console()
    screen.print(
        Text(f"Premium: how many times the tokens of {found['reference']} say the same. Intervals are over lines.", "dim")
    )
