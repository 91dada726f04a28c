"""``lossworks generate``."""

from __future__ import annotations

import sys
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from . import options
from .options import print_json
from .visible import visible

if TYPE_CHECKING:
    from ..api import Language


def command(
    run: Annotated[Path, typer.Argument(help="A run directory made by `lossworks fit --task lm`.")],
    prompt: Annotated[
        list[str] | None, typer.Option("--prompt", help="How the text begins; repeat for several.", show_default=False)
    ] = None,
    prompts: Annotated[
        str | None, typer.Option("--prompts", help="A file of prompts, one a line, or - for stdin.", show_default=False)
    ] = None,
    max_new_tokens: Annotated[int, typer.Option("--max-new-tokens", help="At most so many tokens more.")] = 100,
    temperature: Annotated[float, typer.Option("--temperature", help="Below 1 safer, above 1 wilder; 0: the likeliest.")] = 1.0,
    top_k: Annotated[
        int | None, typer.Option("--top-k", help="Draw from the k most probable tokens only.", show_default=False)
    ] = None,
    top_p: Annotated[
        float | None, typer.Option("--top-p", help="Draw from the most probable tokens of this share only.", show_default=False)
    ] = None,
    min_p: Annotated[
        float | None,
        typer.Option("--min-p", help="Draw from tokens at least this share as probable as the likeliest.", show_default=False),
    ] = None,
    repetition_penalty: Annotated[
        float, typer.Option("--repetition-penalty", help="Above 1: tokens that stand in the text already become less probable.")
    ] = 1.0,
    no_repeat_ngram: Annotated[
        int | None, typer.Option("--no-repeat-ngram", help="So many tokens in a row never come twice.", show_default=False)
    ] = None,
    beam: Annotated[
        int | None, typer.Option("--beam", help="Search for the most probable text, so many at a time.", show_default=False)
    ] = None,
    length_penalty: Annotated[
        float,
        typer.Option("--length-penalty", help="With --beam: their log-probability is divided by the length to this power."),
    ] = 1.0,
    choice: Annotated[
        list[str] | None,
        typer.Option("--choice", help="The text goes on with one of these, which is told with its probability; repeat."),
    ] = None,
    stop: Annotated[
        list[str] | None, typer.Option("--stop", help="End before this text; repeat for several.", show_default=False)
    ] = None,
    samples: Annotated[int, typer.Option("--samples", help="How many texts of each prompt.")] = 1,
    seed: Annotated[int, typer.Option("--seed", help="The same seed draws the same texts.")] = 0,
    json: options.Json = False,
    quiet: options.Quiet = False,
) -> None:
    """Text that a language model generates, from a beginning or from nothing, shown while it is drawn."""
    from ..api import answered, load_language
    from ..core.errors import UsageError

    begun = [*(prompt or []), *(_lines(prompts) if prompts is not None else [])] or [""]
    model = load_language(run)
    tell_beyond(model, begun, quiet)
    if choice:
        if (temperature, top_k, top_p, min_p, repetition_penalty, no_repeat_ngram, beam, stop or None, samples) != (
            *(1.0, None, None, None),
            *(1.0, None, None, None, 1),
        ):
            raise UsageError("--choice draws nothing: it tells the probability of each. Leave the other flags of drawing out.")
        _choose(model, run, begun, choice, json)
        return
    drawn = model.generate(
        begun,
        max_new_tokens=max_new_tokens,
        temperature=temperature,
        top_k=top_k,
        top_p=top_p,
        min_p=min_p,
        repetition_penalty=repetition_penalty,
        no_repeat_ngram=no_repeat_ngram,
        beam=beam,
        length_penalty=length_penalty,
        stop=stop or [],
        samples=samples,
        seed=seed,
        stream=None if json else _Screen(),
    )
    if json:
        print_json(answered.samples(str(run), seed, begun, drawn))
    else:
        print()
        if not quiet and not stop and max_new_tokens:
            _tell_ended(model, begun, drawn)


def _tell_ended(model: Language, begun: list[str], drawn: list[list[str]]) -> None:
    """Say on stderr why nothing was drawn, where that is so of every text."""
    if any(text != prompt for prompt, texts in zip(begun, drawn, strict=True) for text in texts):
        return
    from .tables import say

    what = {"file": "a text is a whole file"}.get(model.document_unit, f"a text is a {model.document_unit}")
    longer = "" if model.document_unit == "file" else "; fit with --document-unit file for a model that goes on to the next"
    say(
        f"note   nothing was drawn, for the model took the text to be at its end. To it {what}. Try the beginning of one, or "
        f"another --seed{longer}",
        "yellow",
    )


def _choose(model: Language, run: Path, begun: list[str], choices: list[str], json: bool) -> None:
    """Print, for each prompt, the choices with their probabilities, the best first."""
    from ..api import answered

    found = [model.choose(prompt, choices) for prompt in begun]
    if json:
        print_json(answered.choices(str(run), begun, found))
        return
    shown = visible if sys.stdout.isatty() else str
    print(
        "\n\n".join(
            "\n".join(f"{p:.4f}\t{shown(prompt + text)}" for text, p in ranked)
            for prompt, ranked in zip(begun, found, strict=True)
        )
    )


def tell_beyond(model: Language, texts: list[str], quiet: bool) -> None:
    """Say on stderr which prompts are longer than what the model reads at once."""
    from .tables import say

    over = [beyond for text in texts if (beyond := model.beyond(text))]
    if not over or quiet:
        return
    what = "the prompt is" if len(texts) == 1 else f"{len(over):,} of {len(texts):,} prompts are"
    by = f"{'' if len(over) == 1 else 'up to '}{max(over):,} tokens"
    say(
        f"note   {what} longer than the model's context of {model.model.context:,} tokens (its start counted), by {by}: "
        "of what was read in earlier windows nothing is seen any more",
        "yellow",
    )


def _lines(source: str) -> list[str]:
    """The lines of a file that are not blank."""
    from ..data import ReadOptions, load

    corpus = load(source, ReadOptions(format="lines", unlabelled=True, texts="line"))
    try:
        return [text for block in corpus.blocks() for text in block]
    finally:
        corpus.close()


class _Screen:
    """Texts on stdout piece by piece, a blank line between two."""

    def __init__(self) -> None:
        self._text = (0, 0)
        self._visible = visible if sys.stdout.isatty() else str

    def __call__(self, piece: str, prompt: int, sample: int) -> None:
        if (prompt, sample) != self._text:
            self._text = (prompt, sample)
            sys.stdout.write("\n\n")
        sys.stdout.write(self._visible(piece))
        sys.stdout.flush()
