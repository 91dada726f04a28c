"""``lossworks data prepare``."""

from __future__ import annotations

import shlex
from pathlib import Path
from typing import Annotated, Any

import typer

from . import options
from .options import print_json

_RULES = "A quality rule, such as words:min=50, or gopher, c4, fineweb: the rules from there; repeat for several."


def command(
    sources: Annotated[
        list[str], typer.Argument(metavar="SOURCES...", help="Files, patterns, folders; the earlier of two like texts stays.")
    ],
    out: Annotated[Path, typer.Option("--out", help="The directory to make, or to go on with.", show_default=False)],
    against: Annotated[
        list[str] | None, typer.Option("--against", help="A test set whose texts must not be among them.", show_default=False)
    ] = None,
    rules: Annotated[list[str] | None, typer.Option("--rule", help=_RULES, show_default=False)] = None,
    near: Annotated[
        float, typer.Option("--near", help="Jaccard likeness from which two texts are nearly the same; 0: only equal texts go.")
    ] = 0.7,
    keep_repeats: Annotated[bool, typer.Option("--keep-repeats", help="Leave in what is there twice.")] = False,
    valid: Annotated[float, typer.Option("--valid", help="Share to hold out for validation.")] = 0.0,
    test: Annotated[float, typer.Option("--test", help="Share to hold out for tests.")] = 0.0,
    seed: Annotated[int, typer.Option("--seed", help="Seed of the split.")] = 0,
    tokenizer: Annotated[
        str | None,
        typer.Option(
            "--tokenizer", help="Write tokens: by a tokenizer.json, or one to learn: bpe:size=8000.", show_default=False
        ),
    ] = None,
    document_unit: Annotated[
        str, typer.Option("--document-unit", help="What of plain text is one text: line, paragraph or file.")
    ] = "line",
    workers: Annotated[int, typer.Option("--workers", help="Processes on this machine.")] = 1,
    dask: Annotated[
        str | None, typer.Option("--dask", help="Let the workers of this Dask scheduler do it.", show_default=False)
    ] = None,
    slurm: Annotated[
        int | None,
        typer.Option("--slurm", help="Only print a script for an array of so many jobs.", show_default=False),
    ] = None,
    text: options.Text = None,
    label: options.Label = None,
    encoding: options.Encoding = "utf-8",
    bad_rows: options.BadRows = "error",
    format: options.Format = None,
    header: options.Header = None,
    label_sep: options.LabelSep = None,
    json: options.Json = False,
    quiet: options.Quiet = False,
) -> None:
    """Make large text ready: one spelling, quality rules, no duplicates, no leaks; in shards that fit, evaluate and compare read.

    The same command goes on with what was stopped, and in several places at once shares the work.
    """
    from dataclasses import replace

    from ..api.prepare import prepare, wanted
    from ..engine import Callbacks
    from .progress import Watcher

    class Preparing(Watcher):
        """Shows the stage, and how many of its tasks are done."""

        def _prepare(self, fields: dict[str, Any]) -> None:
            self._show(_STAGES[fields["stage"]], fields["done"], fields["of"], "tasks")

    read = options.read_options(text, label, None, encoding, bad_rows, format, header, label_sep=label_sep)
    settings: dict[str, Any] = {
        "against": against or (),
        "read": replace(read, texts=document_unit),
        "rules": rules or (),
        "near": None if keep_repeats else near,
        "exact": not keep_repeats,
        "valid": valid,
        "test": test,
        "seed": seed,
        "tokenizer": tokenizer,
    }
    if slurm is not None:
        from ..preparation.pipeline.executors.slurm import script

        wanted(sources, **settings)
        print(script(_alone(slurm), slurm), end="")
        return
    with Preparing(quiet or json) as watcher:
        made = prepare(sources, out, workers=workers, scheduler=dask, callbacks=Callbacks(watch=watcher), **settings)
    if json:
        print_json(made)
    else:
        _tell(made, out)


_STAGES = {
    "against": "reading what to keep out",
    "read": "reading",
    "exact": "looking for equal texts",
    "unique": "looking for equal texts",
    "pairs": "looking for texts nearly the same",
    "compared": "comparing texts",
    "decide": "choosing what stays",
    "write": "writing shards",
    "learn": "training the tokenizer",
    "tokens": "writing tokens",
    "finish": "finishing",
}


def _alone(jobs: int) -> list[str]:
    """This command as each job of an array runs it."""
    import sys

    from ..core import values

    values.whole("--slurm", jobs, least=1)
    rest = [*sys.argv[1:]]
    for place, word in enumerate(rest):
        if word == "--slurm":
            del rest[place : place + 2]
            break
        if word.startswith("--slurm="):
            del rest[place]
            break
    return ["lossworks", *rest, "--quiet"]


def _tell(made: dict[str, Any], out: Path) -> None:
    """What was read, what went and why, and what there is now."""
    from ..core.wording import counted
    from .tables import console, say_notes

    counts, parts, screen = made["counts"], made["parts"], console()
    bad = [line for source in made["sources"] for line in source["first_bad"]]
    if counts["bad"]:
        say_notes([f"{counts['bad']:,} bad rows left out, the first: {bad[0]}"])
    sources = counted(len(made["sources"]), "source")
    screen.print(f"{sources}, {counts['rows']:,} rows. {counts['kept']:,} texts stay.")
    words = {"exact": "equal an earlier text", "near": "nearly equal an earlier text", "leak": "in --against", "empty": "empty"}
    for reason, count in sorted(counts["removed"].items(), key=lambda item: -item[1]):
        screen.print(f"{count:>12,}  left out: {words.get(reason, f'rule {reason}')}")
    changed = {name: count for name, count in counts["changed"].items() if count}
    if changed:
        screen.print("Respelled: " + ", ".join(f"{name.replace('_', ' ')} in {count:,}" for name, count in changed.items()))
    for name, part in parts.items():
        if part["rows"]:
            tokens = f", {part['tokens']:,} tokens" if "tokens" in part else ""
            shards = counted(len(part["shards"]), "shard")
            screen.print(f"{out / name}: {part['rows']:,} texts, {part['bytes'] / 1e6:,.1f} MB{tokens}, {shards}")
    place = shlex.quote(str(out))
    screen.print(f"Why each text went: {out / 'removed'}/*.parquet")
    screen.print(f"Next:  lossworks fit {place}" + ("" if made["labelled"] else " --task lm"))
