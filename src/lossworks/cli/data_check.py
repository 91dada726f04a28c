"""``lossworks data check``: what is wrong with a data set, without a model or by its labels."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated, Any

import typer

from . import options
from .options import print_json

_PAIRS = 5  # of each kind


def command(
    data: Annotated[str, typer.Argument(help="Text as `lossworks fit` takes it; with --labels, labelled.")],
    against: Annotated[
        list[str] | None,
        typer.Option("--against", help="Held-out data that must not stand in it; repeat for several.", show_default=False),
    ] = None,
    near: Annotated[float, typer.Option("--near", help="Similarity from which two texts are nearly the same.")] = 0.7,
    labels: Annotated[bool, typer.Option("--labels", help="Rank the rows by how doubtful their label is.")] = False,
    checked: Annotated[
        Path | None, typer.Option("--checked", help="Answers downloaded from the page of this check.", show_default=False)
    ] = None,
    html: Annotated[
        Path | None,
        typer.Option("--html", help="The page.  [default: NAME-check.html, with --labels NAME-labels.html]", show_default=False),
    ] = None,
    out: Annotated[
        Path | None,
        typer.Option("--out", help="Write rows, most doubtful first: .csv, .jsonl, .parquet.", show_default=False),
    ] = None,
    task: Annotated[str, typer.Option("--task", help="classify, multilabel, regress; auto: by the labels.")] = "auto",
    model: Annotated[
        list[str] | None,
        typer.Option("--model", help="Ranks the rows; repeat to pool several.  [default: by the task]", show_default=False),
    ] = None,
    folds: Annotated[int, typer.Option("--folds", help="Parts; each is judged by models trained on the others.")] = 5,
    sample: Annotated[int, typer.Option("--sample", help="Rows to look at by hand.")] = 200,
    seed: Annotated[int, typer.Option("--seed", help="Seed of the folds, the models and the sample.")] = 0,
    text: options.Text = None,
    label: options.Label = None,
    encoding: options.Encoding = "utf-8",
    bad_rows: options.BadRows = "few",
    format: options.Format = None,
    header: options.Header = None,
    label_sep: options.LabelSep = None,
    device: options.Device = "cpu",
    json: options.Json = False,
    quiet: options.Quiet = False,
) -> None:
    """Duplicates, leaks, conflicting labels, spelling, scripts, lengths, personal data; with --labels, doubtful labels."""
    from ..core.errors import UsageError

    read = options.read_options(text, label, None, encoding, bad_rows, format, header, label_sep=label_sep)
    stem = "stdin" if data == "-" else Path(data).stem
    if not labels:
        of_labels = {"--checked": checked, "--out": out, "--model": model}
        if given := [name for name, value in of_labels.items() if value is not None]:
            raise UsageError(f"{given[0]} is for the check of labels. Add --labels, or leave it out.")
        from ..api.check_data import check_data

        looked = check_data(data, against=against or [], read=read, threshold=near)
        page = looked.write(html or Path(f"{stem}-check.html"))
        if json:
            print_json({**looked.to_json(), "page": str(page)})
        else:
            _tell(looked.to_json(), page)
        return
    if against:
        raise UsageError("--against is for the check of the data itself. Leave out --labels, or --against.")
    from ..api.check_labels import check_labels
    from ..engine import Callbacks
    from ..record.rows import check_format
    from .doubtful_labels import tell_labels
    from .progress import Watcher

    if out is not None:
        check_format(out)  # before minutes of work
    with Watcher(quiet or json) as watcher:
        found = check_labels(
            data,
            read=read,
            task=task,
            model=model,
            folds=folds,
            sample=sample,
            seed=seed,
            checked=checked,
            device=device,
            callbacks=Callbacks(watch=watcher),
        )
    page = found.write(html or Path(f"{stem}-labels.html"))
    if out is not None:
        found.write_rows(out)
    if json:
        print_json({**found.to_json(), "page": str(page), "out": None if out is None else str(out)})
    else:
        tell_labels(found, page, out)


def _tell(found: dict[str, Any], page: Path) -> None:
    """What was found, a few pairs of each kind, and the figures."""
    from ..report.data_check import SPELLING, sentences
    from .tables import console
    from .visible import in_line, visible

    screen = console()
    screen.print(f"{found['source']}: {found['rows']:,} texts, {found['bytes'] / 1e6:.3g} MB")
    for sentence in sentences(found):
        screen.print(f"  {visible(sentence)}")
    for doubles in (*found["against"], found["doubles"]):
        screen.print()
        for pair in doubles["shown"][:_PAIRS]:
            likeness = "the same" if pair["exact"] else f"{pair['likeness']:.3f}"
            screen.print(visible(f"{likeness:>8}  {pair['row']}: {_cut(in_line(pair['text']))}"))
            screen.print(visible(f"{'':8}  {pair['of']}: {_cut(in_line(pair['original']))}"))
    for each in found["conflicts"]["shown"][:_PAIRS]:
        labels = ", ".join(f"{label}: {count}" for label, count in each["labels"].items())
        screen.print(visible(f"  labels  {labels}  {each['rows'][0]}: {_cut(in_line(each['text']))}"))
    for kind, rows in found["recurring"].items():
        for each in rows[:_PAIRS]:
            screen.print(visible(f"{kind:>8}  in {each['texts']:,} texts: {_cut(in_line(each['text']))}"))
    screen.print()
    for name, count in found["spelling"].items():
        if count:
            screen.print(f"{count:8,}  texts have {SPELLING[name]}")
    for row in found["scripts"][:_PAIRS]:
        screen.print(f"{row['texts']:8,}  texts in {row['name']}")
    for unit, points in found["lengths"].items():
        screen.print(f"  {unit}: {', '.join(f'{name} {value:,.0f}' for name, value in points.items())}")
    screen.print(f"Page:  {page}")


def _cut(text: str) -> str:
    return text if len(text) <= 90 else f"{text[:90]}…"
