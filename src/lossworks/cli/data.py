"""``lossworks data``: what is wrong with a data set, whatever is trained on it."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

from . import options
from .options import print_json

if TYPE_CHECKING:
    from ..api.check_labels import LabelCheck

app = typer.Typer(no_args_is_help=True, rich_markup_mode=None, help="Check a data set: which labels are doubtful.")


@app.callback()
def _group() -> None:
    """Without this a single verb would stand for the whole group."""


@app.command("check")
def check(
    data: Annotated[str, typer.Argument(help="Labelled text as `lossworks fit` takes it.")],
    labels: Annotated[bool, typer.Option("--labels", help="Rank the rows by how doubtful their label is.")] = False,
    checked: Annotated[
        Path | None, typer.Option("--checked", help="Answers downloaded from the page of this check.", show_default=False)
    ] = None,
    html: Annotated[
        Path | None,
        typer.Option("--html", help="The page for the hand check.  [default: NAME-labels.html]", show_default=False),
    ] = None,
    out: Annotated[
        Path | None, typer.Option("--out", help="Write all rows, most doubtful first: .csv or .jsonl.", show_default=False)
    ] = None,
    task: Annotated[str, typer.Option("--task", help="classify, multilabel, regress; auto: by the labels.")] = "auto",
    model: Annotated[
        list[str] | None,
        typer.Option("--model", help="Ranks the rows; repeat to pool several.  [default: by the task]", show_default=False),
    ] = None,
    folds: Annotated[int, typer.Option("--folds", help="Parts; each is judged by models trained on the others.")] = 5,
    sample: Annotated[int, typer.Option("--sample", help="Rows to look at by hand.")] = 200,
    seed: Annotated[int, typer.Option("--seed", help="Of folds, models and sample.")] = 0,
    text: options.Text = None,
    label: options.Label = None,
    encoding: options.Encoding = "utf-8",
    bad_rows: options.BadRows = "error",
    format: options.Format = None,
    header: options.Header = None,
    label_sep: options.LabelSep = None,
    device: options.Device = "cpu",
    json: options.Json = False,
    quiet: options.Quiet = False,
) -> None:
    """Which labels are doubtful, and by a hand check of a few rows how many are wrong."""
    from ..api.check_labels import check_format, check_labels
    from ..core.errors import UsageError
    from ..engine import Callbacks

    if not labels:
        raise UsageError("nothing is asked for. Say what to check: --labels.")
    if out is not None:
        check_format(out)  # before minutes of work
    with _watcher(quiet or json) as watcher:
        found = check_labels(
            data,
            read=options.read_options(text, label, None, encoding, bad_rows, format, header, label_sep=label_sep),
            task=task,
            model=model,
            folds=folds,
            sample=sample,
            seed=seed,
            checked=checked,
            device=device,
            callbacks=Callbacks(watch=watcher),
        )
    page = found.write(html or Path(f"{'stdin' if data == '-' else Path(data).stem}-labels.html"))
    if out is not None:
        found.write_rows(out)
    if json:
        print_json({**found.to_json(), "page": str(page), "out": None if out is None else str(out)})
    else:
        _tell(found, page, out)


def _tell(found: LabelCheck, page: Path, out: Path | None) -> None:
    """The most doubtful rows, how many labels are wrong if that is known, and what to do next."""
    from ..report.label_errors import remark, sentence, within
    from ..report.words import THIN
    from .tables import console, say
    from .visible import visible

    value, screen = found.to_json(), console()
    for note in found.notes:
        say(f"note   {note}", "yellow")
    screen.print(f"The most doubtful of the {value['rows']:,} rows of {value['source']}:")
    for row in value["ranked"][:10]:
        text = " ".join(row["text"].split())
        line = f"{row['place']:4}  {within(row, value['source'])}: {remark(row, found.task.kind)} ({row['loss']:.4g})"
        screen.print(visible(f"{line}\n      {text[:100]}{'…' if len(text) > 100 else ''}"))
    screen.print(f"\n{sentence(value).replace(THIN, ' ')}")
    if value["estimate"] is None:
        screen.print(f"Next:  open {page}, answer, download the answers, and give them with --checked answers.json")
    else:
        _tell_estimate(value["estimate"], screen)
        screen.print(f"Page:  {page}")
    if out is not None:
        screen.print(f"Rows:  {out}")


def _tell_estimate(estimate: dict[str, Any], screen: Any) -> None:
    """Precision at the top of the ranking, and how many rows hold a share of the errors."""
    for row in estimate["precision"]:
        interval = f"95 % interval {row['low']:.0%} to {row['high']:.0%}"
        screen.print(f"Of the first {row['rows']:,} rows {row['value']:.0%} are wrong ({interval}).")
    for row in estimate["to_find"]:
        surely = f"with 95 % confidence, the first {row['surely']:,}"
        screen.print(f"The first {row['rows']:,} rows hold about {row['share']:.0%} of the errors ({surely}).")


def _watcher(quiet: bool) -> Any:
    from .progress import Watcher

    class Checking(Watcher):
        """Shows which training is under way."""

        def _fold(self, fields: dict[str, Any]) -> None:
            self._show("training without each fold", fields["number"], fields["of"], fields["model"])

    return Checking(quiet)
