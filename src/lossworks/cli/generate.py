"""``lossworks generate``."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

from . import options
from .options import print_json


def command(
    run: Annotated[Path, typer.Argument(help="A run directory made by `lossworks fit --task lm`.")],
    prompt: Annotated[str, typer.Option("--prompt", help="How the text begins.", show_default=False)] = "",
    tokens: Annotated[int, typer.Option("--tokens", help="At most so many tokens more.")] = 100,
    temperature: Annotated[float, typer.Option("--temperature", help="Below 1 safer, above 1 wilder; 0: the likeliest.")] = 1.0,
    top_k: Annotated[
        int | None, typer.Option("--top-k", help="Draw from the k most probable tokens only.", show_default=False)
    ] = None,
    top_p: Annotated[
        float | None, typer.Option("--top-p", help="Draw from the most probable tokens of this share only.", show_default=False)
    ] = None,
    samples: Annotated[int, typer.Option("--samples", help="How many texts.")] = 1,
    seed: Annotated[int, typer.Option("--seed", help="The same seed draws the same texts.")] = 0,
    json: options.Json = False,
    quiet: options.Quiet = False,
) -> None:
    """Text that a model of language makes up, from a beginning or from nothing."""
    from ..verbs import load_language

    model = load_language(run)
    drawn = model.generate(prompt, tokens=tokens, temperature=temperature, top_k=top_k, top_p=top_p, samples=samples, seed=seed)
    if json:
        print_json({"run": str(run), "prompt": prompt, "seed": seed, "samples": drawn})
    else:
        print("\n\n".join(drawn))
