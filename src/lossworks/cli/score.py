"""``lossworks score``."""

from __future__ import annotations

import json as _json
import math
import sys
from collections.abc import Iterable, Iterator
from contextlib import closing
from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

from . import options
from .options import print_json
from .rows import print_rows
from .visible import visible

if TYPE_CHECKING:
    from rich.text import Text

    from ..api import Language, Scored
    from ..data import ReadOptions

_TABLES = {
    "word": ("text", "word", "bits", "tokens"),
    "token": ("text", "word", "token", "bits", "probability"),
}


def command(
    run: Annotated[Path, typer.Argument(help="A run directory made by `lossworks fit --task lm`.")],
    texts: options.Texts = None,
    by: Annotated[
        str | None, typer.Option("--by", help="A table of every word, or of every token: word, token.", show_default=False)
    ] = None,
    html: Annotated[
        Path | None, typer.Option("--html", help="Write the coloured texts as a page.", metavar="FILE", show_default=False)
    ] = None,
    text: options.Text = None,
    encoding: options.Encoding = "utf-8",
    bad_rows: options.BadRows = "error",
    format: options.Format = None,
    header: options.Header = None,
    language: options.Language = None,
    json: options.Json = False,
    quiet: options.Quiet = False,
) -> None:
    """How surprised a language model is by texts, in bits: by text, word and token (the warmer the colour, the more)."""
    from ..api import answered, load_language
    from ..core.errors import UnknownName

    if by is not None and by not in _TABLES:
        raise UnknownName("table", by, _TABLES)
    model = load_language(run)
    read = options.read_options(text, None, None, encoding, bad_rows, format, header, language=language, unlabelled=True)
    scored, by_languages = _scored(model, texts or ["-"], read, quiet)
    page = None
    if html is not None:
        from ..api import write_scored

        scored = list(scored)
        config = model.record.get("config", {})
        facts = [str(config[key]) for key in ("model", "tokenizer") if config.get(key)]
        page = write_scored(scored, html, name=run.resolve().name, facts=facts)
    if json:
        print_json(answered.scores(str(run), list(scored)) | by_languages | ({"page": str(page)} if page else {}))
    elif by is not None:
        rows = (_by_word if by == "word" else _by_token)(scored, sys.stdout.isatty())
        print_rows(_TABLES[by], rows, right=("bits", "probability"))
    elif by_languages:
        from .by_language import tell_languages

        tell_languages(by_languages["languages"], "--json has all")
    elif page is not None:
        print(page)
    elif sys.stdout.isatty():
        _show(scored)
    else:
        print_rows(("bits", "perplexity", "text"), _sums(scored))


def _scored(model: Language, sources: list[str], read: ReadOptions, quiet: bool) -> tuple[Iterable[Scored], dict[str, Any]]:
    """The scored texts, each when it is asked for; and where languages are told apart, what is said of each, all at once."""
    if read.language is None:
        return (row for block in _blocks(model, sources, read, quiet) for row in model.score(block)), {}
    from ..api.held import as_trained
    from ..api.reading import check_apart
    from ..api.scored import by_language
    from ..data import load, together
    from .tables import say_notes

    check_apart(read, model.document_unit)
    read = as_trained(replace(read, texts=model.document_unit), model.record)
    with closing(load(together(sources), read)) as corpus:
        say_notes(corpus.losses if quiet else corpus.notes)
        scored = [row for block in corpus.blocks() for row in model.score(block)]
        assert corpus.languages is not None
        return scored, {"languages": by_language(scored, corpus.languages)}


def _blocks(model: Language, sources: list[str], read: ReadOptions, quiet: bool) -> Iterator[list[str]]:
    """The texts of all arguments, those of plain files parted as the model's own texts were."""
    read = replace(read, texts=model.document_unit)
    for source in sources:
        blocks = options.texts_of(source, read, model.record, quiet=quiet)
        yield from [["".join(piece for pieces in blocks for piece in pieces)]] if model.document_unit == "file" else blocks


def _sums(scored: Iterable[Scored]) -> Iterator[tuple[str, ...]]:
    for row in scored:
        yield f"{row.bits.sum():.4f}", f"{row.perplexity:.6g}", row.text


def _by_word(scored: Iterable[Scored], terminal: bool) -> Iterator[tuple[str, ...]]:
    for number, row in enumerate(scored, 1):
        bits = row.bits.tolist()
        for word in row.words:
            parts = list(zip(row.tokens[word.first : word.last], bits[word.first : word.last], strict=True))
            told = "  ".join(f"{token!r} {each:.2f}" for token, each in parts) if terminal else _json_of(parts)
            yield str(number), word.text, f"{word.bits:.4f}", told


def _by_token(scored: Iterable[Scored], terminal: bool) -> Iterator[tuple[str, ...]]:
    for number, row in enumerate(scored, 1):
        bits, nats = row.bits.tolist(), row.nats.tolist()
        for word in row.words:
            for i in range(word.first, word.last):
                token = repr(row.tokens[i]) if terminal else row.tokens[i]
                yield str(number), word.text, token, f"{bits[i]:.4f}", f"{math.exp(-nats[i]):.4g}"


def _json_of(parts: list[tuple[str, float]]) -> str:
    rows: list[Any] = [[token, round(bits, 4) if math.isfinite(bits) else None] for token, bits in parts]
    return _json.dumps(rows, ensure_ascii=False)


def _show(scored: Iterable[Scored]) -> None:
    """Every token in the colour of its surprisal, and the sums of each text."""
    from ..core.wording import counted
    from .tables import console

    screen = console()
    for row in scored:
        screen.print(_heat(row))
        words, bits = len(row.text.split()), float(row.bits.sum())
        each = f" ({bits / words:.2f} a word)" if words else ""
        told = f"{bits:.2f} bits in {counted(words, 'word')}{each}"
        screen.print(f"  {told}, perplexity {row.perplexity:.6g} over {len(row.nats):,} tokens\n", style="dim")


def _heat(row: Scored) -> Text:
    from rich.text import Text

    from ..api.scored import heat

    shown = Text()
    for piece in row.pieces:
        share = heat(piece.bits)
        colour = f"rgb({int(90 + 165 * share)},{int(190 - 130 * share)},{int(120 - 70 * share)})"
        shown.append(visible(piece.gap))
        shown.append(visible(piece.text), style=colour)
    return shown
