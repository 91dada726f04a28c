"""``lossworks data``: large text prepared; what is wrong with a data set, without a model or by its labels; how many labels a
model is worth; whether descriptions of a graph's entities help.
"""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

from . import options, prepare
from .data_check import tell
from .options import print_json
from .running import opened

if TYPE_CHECKING:
    from ..api.check_glosses import GlossCheck
    from ..api.check_labels import LabelCheck
    from ..api.labels_worth import LabelsWorth

app = typer.Typer(
    no_args_is_help=True,
    rich_markup_mode=None,
    help="Prepare large text, check a data set, and see what its labels, or descriptions of entities, are worth.",
)
app.command("prepare")(prepare.command)


@app.command("check")
def check(
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
            tell(looked.to_json(), page)
        return
    if against:
        raise UsageError("--against is for the check of the data itself. Leave out --labels, or --against.")
    from ..api.check_labels import check_labels
    from ..engine import Callbacks
    from ..record.rows import check_format

    if out is not None:
        check_format(out)  # before minutes of work
    with _watcher(quiet or json) as watcher:
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
        _tell(found, page, out)


@app.command("worth")
def worth(
    run: Annotated[Path, typer.Argument(help="The run of a classifier, say one taught by votes.", show_default=False)],
    data: Annotated[str, typer.Argument(metavar="LABELLED", help="Rows with gold labels, to draw from.", show_default=False)],
    test: Annotated[str, typer.Option("--test", help="Other rows with gold labels, to judge on.", show_default=False)],
    draws: Annotated[int, typer.Option("--draws", help="How often rows are drawn for each number of labels.")] = 10,
    model: Annotated[
        str | None, typer.Option("--model", help="What is trained on them.  [default: the run's family]", show_default=False)
    ] = None,
    seed: Annotated[int, typer.Option("--seed", help="Seed of the draws and the trainings.")] = 0,
    text: options.Text = None,
    label: options.Label = None,
    encoding: options.Encoding = "utf-8",
    bad_rows: options.BadRows = "few",
    format: options.Format = None,
    header: options.Header = None,
    device: options.Device = "cpu",
    json: options.Json = False,
    quiet: options.Quiet = False,
) -> None:
    """How many gold labels a class would make as good a classifier."""
    from ..api.labels_worth import labels_worth
    from ..api.loading import load_labels
    from ..engine import Callbacks
    from ..training import Settings

    trained = load_labels(run, device)
    with _watcher(quiet or json) as watcher:
        found = labels_worth(
            trained,
            data,
            test,
            options.read_options(text, label, None, encoding, bad_rows, format, header),
            draws=draws,
            settings=Settings(model=model, device=device),
            seed=seed,
            callbacks=Callbacks(watch=watcher),
        )
    if json:
        print_json(found.to_json())
    else:
        _tell_worth(found)


@app.command("glosses")
def glosses(
    run: Annotated[Path, typer.Argument(help="The run of a graph that was fitted with --glosses.", show_default=False)],
    seeds: Annotated[int, typer.Option("--seeds", help="Trainings of each kind; from 3 on their chance counts too.")] = 1,
    glosses: Annotated[
        str | None, typer.Option("--glosses", help="The descriptions, where they are not as recorded.", show_default=False)
    ] = None,
    data: Annotated[str | None, typer.Option("--data", help="The facts, likewise.", show_default=False)] = None,
    valid: Annotated[str | None, typer.Option("--valid", help="The validation facts, likewise.", show_default=False)] = None,
    test: Annotated[str | None, typer.Option("--test", help="The test facts, likewise.", show_default=False)] = None,
    device: Annotated[
        str | None, typer.Option("--device", help="Where to train.  [default: as the run]", show_default=False)
    ] = None,
    json: options.Json = False,
    quiet: options.Quiet = False,
) -> None:
    """Whether descriptions of a graph's entities help by what they say: the same training with them permuted, and without any."""
    from ..api.check_glosses import check_glosses
    from ..engine import Callbacks

    with _watcher(quiet or json) as watcher:
        callbacks = Callbacks(watch=watcher)
        found = check_glosses(
            run, seeds=seeds, glosses=glosses, data=data, valid=valid, test=test, device=device, callbacks=callbacks
        )
    if json:
        print_json(found.to_json())
    else:
        _tell_glosses(found)


def _tell_glosses(found: GlossCheck) -> None:
    """The verdict, and the figures that it is made of."""
    from .tables import console

    screen = console()
    screen.print(f"{found.word}  {found.sentence}")
    for arm in found.arms:
        unseen = "" if arm.unseen is None else f"   {arm.unseen:.4f} on {found.did['unseen']:,} with an untrained entity"
        screen.print(f"  descriptions {arm.glosses:<30} MRR {arm.mrr:.4f} on {found.did['facts']:,} test facts{unseen}")
    for gain in found.gains:
        screen.print(f"  gain beside {gain.than:<31} {gain.value:+.4f}  95 % interval {gain.low:+.4f} to {gain.high:+.4f}")
    if found.did["seeds"] == 1:
        screen.print(
            "One training of each kind: the intervals are over test facts. --seeds 3 has the chance of training in them too."
        )


def _tell_worth(found: LabelsWorth) -> None:
    """The answer, what it is from, and the accuracy at each number of labels."""
    from .tables import console

    rows, screen = found.did["rows"], console()
    screen.print(found.sentence)
    screen.print(
        f"Its accuracy on {rows['test']:,} test rows is {found.accuracy:.3f}. {found.did['model']}, trained on n labels a class "
        f"drawn {found.did['draws']} times from {rows['train']:,} rows:"
    )
    for point in found.points:
        interval = f"95 % interval {point.low:+.3f} to {point.high:+.3f}"
        screen.print(f"{point.labels:6,}  accuracy {point.accuracy:.3f}  difference {point.difference:+.3f} ({interval})")
    if rows["left_out"]:
        screen.print(f"Left out: {rows['left_out']:,} rows whose text is a test row's.")


def _tell(found: LabelCheck, page: Path, out: Path | None) -> None:
    """The most doubtful rows, how many labels are wrong if that is known, and what to do next."""
    from ..report.label_errors import remark, sentence, within
    from ..report.words import THIN
    from ..tokens.graphemes import shortened
    from .tables import console, say_notes
    from .visible import visible

    value, screen = found.to_json(), console()
    say_notes(found.notes)
    screen.print(f"The most doubtful of the {value['rows']:,} rows of {value['source']}:")
    for row in value["ranked"][:10]:
        text = " ".join(row["text"].split())
        line = f"{row['place']:4}  {within(row, value['source'])}: {remark(row, found.task.kind)} ({row['loss']:.4g})"
        screen.print(visible(f"{line}\n      {shortened(text, 100)}"))
    screen.print(f"\n{sentence(value).replace(THIN, ' ')}")
    if value["estimate"] is None:
        done = "answer, download the answers, and give them with --checked answers.json"
        screen.print(f"Next:  {opened(page)}, {done}")
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

        def _worth(self, fields: dict[str, Any]) -> None:
            self._show("training on gold labels", fields["number"], fields["of"], f"{fields['labels']:,} a class")

        def _glosses(self, fields: dict[str, Any]) -> None:
            self._show("training beside descriptions", fields["number"], fields["of"], fields["glosses"])

    return Checking(quiet)
