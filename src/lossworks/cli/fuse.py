"""``lossworks fuse``."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

from . import options
from .options import print_json

if TYPE_CHECKING:
    from ..api.fuse import Fused
    from ..api.whole_texts import WholeTexts


def command(
    sources: Annotated[
        list[str],
        typer.Argument(
            metavar="SOURCE SOURCE...",
            help="Runs; of language also cache:decay=0.998, nearest:RUN, uniform; of labels lexicon:FILE, votes:FILE, uniform, "
            "vectors:FILE and hf:PATH,frozen, fitted to the rows of the first run. The others are added to the first.",
        ),
    ],
    on: Annotated[str, typer.Option("--on", help="Text that no source was trained on, to find the weights on.")],
    test: Annotated[
        str | None, typer.Option("--test", help="Other text, to judge the pool and each source on.", show_default=False)
    ] = None,
    kind: Annotated[
        str,
        typer.Option(
            "--kind",
            help="linear: a mixture. log_linear: a normalised product. soup: the mean of the weights of runs that began as one.",
        ),
    ] = "linear",
    by_context: Annotated[
        bool, typer.Option("--by-context", help="Weights that depend on how sure the sources are of each position.")
    ] = False,
    per: Annotated[
        str, typer.Option("--per", help="token; text: whole texts' probabilities are mixed, whatever the models' tokens.")
    ] = "token",
    twin: Annotated[
        str | None,
        typer.Option("--twin", help="A run like the first but for its seed; auto: train one.", show_default=False),
    ] = None,
    out: Annotated[Path | None, typer.Option("--out", help="The run directory to make of the pool.", show_default=False)] = None,
    seed: Annotated[int, typer.Option("--seed", help="Seed of the permutations that cut a source from its texts.")] = 0,
    text: options.Text = None,
    label: options.Label = None,
    weight: options.Weight = None,
    encoding: options.Encoding = "utf-8",
    bad_rows: options.BadRows = "few",
    format: options.Format = None,
    header: options.Header = None,
    label_sep: options.LabelSep = None,
    device: options.Device = "cpu",
    json: options.Json = False,
    quiet: options.Quiet = False,
) -> None:
    """Several sources as one model, and whether it is their knowledge that helps."""
    from ..api.fuse import fuse
    from ..api.whole_texts import fuse_texts
    from ..core.errors import UsageError
    from ..engine import Callbacks
    from .running import command_line

    read = options.read_options(text, label, weight, encoding, bad_rows, format, header, label_sep=label_sep)
    how: dict[str, Any] = {"kind": kind, "by_context": by_context, "twin": twin, "out": out, "read": read, "seed": seed}
    callbacks = Callbacks() if quiet or json else Callbacks(watch=_tell)
    if per == "token":
        found: Fused | WholeTexts = fuse(
            sources, on=on, test=test, device=device, callbacks=callbacks, command=command_line(), **how
        )
    elif per != "text" or (kind, by_context, twin) != ("linear", False, None):
        raise UsageError("--per is token or text; whole texts are mixed without --kind, --by-context and --twin.")
    else:
        found = fuse_texts(
            sources, on=on, test=test, out=out, read=read, device=device, callbacks=callbacks, command=command_line()
        )
    if json:
        print_json({**found.to_json(), "run": str(found.path) if found.path else None})
    else:
        tell_fused(found)


def tell_fused(found: Fused | WholeTexts) -> None:
    """The sources and their weights, the pool's loss, and the verdicts."""
    from rich.text import Text

    from .tables import console, print_whole, table_of

    facts, screen = found.facts, console()
    unit = facts.get("unit", "nats")
    table = table_of("source")
    for name in ("weight", "speaks of", unit, "95 % interval"):
        table.add_column(name, justify="right")
    made = "the soup" if facts["kind"] == "soup" else "the pool"
    pool = {"source": made, "weight": "", "speaks": None, "loss": facts.get("loss"), "left_open": False}
    for row in [*facts["sources"], pool]:
        weight = row["weight"] if isinstance(row["weight"], str) else f"{row['weight']:.4f}" + "?" * row["left_open"]
        speaks = "" if row["speaks"] is None else f"{row['speaks']:.1%}"
        loss = row.get("loss")
        figures = ("", "")
        if loss is not None:
            figures = (
                (f"{loss['value']:.4f}", f"{loss['low']:.4f} to {loss['high']:.4f}") if loss["value"] is not None else ("∞", "")
            )
        table.add_row(Text(row["source"]), weight, speaks, *figures)
    print_whole(table)
    if any(row["left_open"] for row in facts["sources"]):
        screen.print("?  These sources say the same: only the sum of their weights is told.", style="yellow")
    if "best" in facts:
        gain = facts["best"]["difference"]
        screen.print(
            f"{made.capitalize()} beside {facts['best']['source']}, its best source: {gain['value']:+.4f} {unit} "
            f"({gain['low']:+.4f} to {gain['high']:+.4f}).\n"
        )
    tell_verdicts(facts["verdicts"], "the pool ")
    if "test" not in facts:
        screen.print("Nothing was judged: give --test TEXT to see whether each source helps.", style="yellow")
    if found.path is not None:
        screen.print(f"Next:  lossworks evaluate {found.path} TEXT")


def tell_verdicts(verdicts: Sequence[Mapping[str, Any]], beside: str = "") -> None:
    """What was shown of each source, and each check of it; beside: what the checks' names are said of."""
    from rich.text import Text

    from .tables import console

    screen = console()
    for verdict in verdicts:
        style = "bold green" if verdict["word"] == "helps" else "bold yellow"
        screen.print(Text(f"{verdict['word']}  ", style) + verdict["sentence"])
        for check in verdict["checks"]:
            ends = f"{check['low']:+.4f} to {check['high']:+.4f}"
            screen.print(f"  beside {beside}{check['than']:<34} {check['value']:+.4f}  {ends}", style="dim")


def _tell(event: str, fields: dict[str, Any]) -> None:
    from .tables import say

    if event == "fuse":
        what = {
            "reading": "asking",
            "weights": "finding the weights",
            "verdicts": "judging: each pool again without, and cut from, each source",
            "twin": "training, with a second seed,",
            "training": "training a layer, on the rows of the first run, over",
        }[fields["doing"]]
        say(f"fuse   {what} {fields.get('source', '')}".rstrip())
