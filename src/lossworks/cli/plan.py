"""``lossworks plan``."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

from . import options
from .options import print_json
from .running import opened


def command(
    runs: Annotated[
        list[str],
        typer.Argument(metavar="RUN...|TABLE", help="Run directories of language models, or a table: csv, tsv, jsonl, parquet."),
    ],
    params: Annotated[float | None, typer.Option("--params", help="Weights of the run to forecast.", show_default=False)] = None,
    tokens: Annotated[float | None, typer.Option("--tokens", help="Tokens it is trained on.", show_default=False)] = None,
    compute: Annotated[
        float | None, typer.Option("--compute", help="Or its floating-point operations, divided as is best.", show_default=False)
    ] = None,
    minutes: Annotated[float | None, typer.Option("--minutes", help="Or the minutes it may take.", show_default=False)] = None,
    hours: Annotated[float | None, typer.Option("--hours", help="Or hours.", show_default=False)] = None,
    non_embedding: Annotated[
        float | None, typer.Option("--non-embedding", help="Its weights without embeddings.", show_default=False)
    ] = None,
    unique: Annotated[
        float | None, typer.Option("--unique-tokens", help="Its different tokens, if it sees some again.", show_default=False)
    ] = None,
    column: Annotated[
        list[str] | None,
        typer.Option("--column", help="What a column of the table is called: loss=NAME; repeat.", show_default=False),
    ] = None,
    where: Annotated[
        list[str] | None, typer.Option("--where", help="Only rows with COLUMN=VALUE; repeat.", show_default=False)
    ] = None,
    law: Annotated[
        list[str] | None,
        typer.Option(
            "--law", help="Law to average: chinchilla, tied, joint, kaplan; repeat.  [default: the first two]", show_default=False
        ),
    ] = None,
    level: Annotated[float, typer.Option("--level", help="Chance that the interval holds the loss.")] = 0.95,
    cores: Annotated[int | None, typer.Option("--cores", help="Cores of the machine for it.", show_default=False)] = None,
    gpus: Annotated[int | None, typer.Option("--gpus", help="Or its GPUs.", show_default=False)] = None,
    flops: Annotated[
        float | None, typer.Option("--flops", help="Operations a second that each of them promises.", show_default=False)
    ] = None,
    bandwidth: Annotated[
        float | None, typer.Option("--bandwidth", help="Bytes a second between GPUs.", show_default=False)
    ] = None,
    out: Annotated[Path, typer.Option("--out", help="The page to write.")] = Path("plan.html"),
    seed: Annotated[int, typer.Option("--seed", help="Seed of the resampling.")] = 0,
    json: options.Json = False,
    quiet: options.Quiet = False,
) -> None:
    """What a larger run would reach, by scaling laws fitted to finished runs, with an interval that past forecasts back."""
    from ..api.plan import plan
    from ..core.errors import UsageError
    from ..report.plan import past, sentence, taken
    from ..report.words import THIN
    from ..scaling import Machine
    from ..scaling.forecast import DEFAULT
    from .tables import console, say_notes

    if minutes is not None and hours is not None:
        raise UsageError("--minutes and --hours say the same; give one.")
    found = plan(
        runs,
        params=params,
        tokens=tokens,
        compute=compute,
        minutes=60 * hours if hours is not None else minutes,
        non_embedding=non_embedding,
        unique=unique,
        columns=_pairs("--column", column),
        where=_pairs("--where", where),
        level=level,
        forms=law or DEFAULT,
        machine=Machine(cores=cores, gpus=gpus, flops=flops, bandwidth=bandwidth),
        seed=seed,
    )
    page = found.write(out)
    say_notes(found.notes)
    if json:
        print_json({**found.to_json(), "page": str(page)})
        return
    screen = console()
    screen.print(f"{sentence(found)}\n{taken(found)}".replace(THIN, " "))
    if not quiet:
        for few, many, ratio, error, inside in past(found):
            off = f"off by {error} (median), {inside} within the interval"
            screen.print(f"  from {few} runs, of {many} up to {ratio} times as large: {off}".replace(THIN, " "))
    screen.print(f"Next:  {opened(page)}")


def _pairs(flag: str, given: list[str] | None) -> dict[str, str]:
    from ..core.errors import UsageError

    if wrong := [pair for pair in given or () if "=" not in pair]:
        raise UsageError(f"{flag} {wrong[0]} is no pair; wanted NAME=VALUE.")
    return dict(pair.split("=", 1) for pair in given or ())
