"""``lossworks evaluate``."""

from __future__ import annotations

import shlex
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

from . import options
from .options import print_json

if TYPE_CHECKING:
    from ..api import Graph, Language, Model
    from ..data import ReadOptions


def command(
    runs_data: Annotated[
        list[str],
        typer.Argument(
            metavar="RUN... [DATA]",
            help="Run directories made by `lossworks fit`, and at last the text, with labels for classifiers; without it, what "
            "the runs were tested on. With --parallel the files of all languages.",
        ),
    ],
    stride: Annotated[
        int | None,
        typer.Option(
            "--stride", help="Tokens between the windows of a text beyond a network's context; else half.", show_default=False
        ),
    ] = None,
    slices: Annotated[
        bool, typer.Option("--slices", help="Find parts of the text (by length, script, word, label, …) whose loss differs.")
    ] = False,
    conflict: Annotated[
        bool, typer.Option("--conflict", help="Compare the gradients of languages: which pull the weights apart.")
    ] = False,
    loss: Annotated[
        list[str] | None,
        typer.Option(
            "--loss",
            help="The mean of this loss too, with its interval: any that fits the task, or FILE.py:NAME. Repeatable.",
            show_default=False,
        ),
    ] = None,
    precision: Annotated[
        list[str] | None,
        typer.Option(
            "--precision",
            help="Find the threshold for this precision of a label, LABEL=0.9 (repeat for several); or for 0.9 of all answers.",
            show_default=False,
        ),
    ] = None,
    parallel: Annotated[
        bool,
        typer.Option("--parallel", help="The files say the same line by line, each in a language: bits a sentence of each."),
    ] = False,
    reference: options.Reference = None,
    html: Annotated[
        Path | None,
        typer.Option("--html", help="Write slices, or languages and conflicts, as a page.", metavar="FILE", show_default=False),
    ] = None,
    text: options.Text = None,
    label: options.Label = None,
    weight: options.Weight = None,
    encoding: options.Encoding = "utf-8",
    bad_rows: options.BadRows = "few",
    format: options.Format = None,
    header: options.Header = None,
    label_sep: options.LabelSep = None,
    language: options.Language = None,
    device: options.Device = "cpu",
    json: options.Json = False,
    quiet: options.Quiet = False,
) -> None:
    """Figures of trained models on other text, with intervals: one beside its baseline, several side by side."""
    from ..api import evaluate, load, write_languages, write_slices
    from ..core.errors import UsageError
    from ..engine import Callbacks
    from .by_language import tell_languages, tell_pairs
    from .conflict import tell_conflict
    from .progress import Watcher
    from .side_by_side import tell
    from .slices import tell_slices

    read = options.read_options(text, label, weight, encoding, bad_rows, format, header, label_sep=label_sep, language=language)
    if parallel:
        from .parallel import evaluate_parallel

        if slices or loss or precision or html is not None or language is not None:
            raise UsageError("--slices, --loss, --precision, --language and --html are not for parallel text. Leave them out.")
        evaluate_parallel(runs_data, reference, read, stride=stride, device=device, json=json, quiet=quiet)
        return
    if reference is not None:
        raise UsageError("--reference is a language of parallel text. Say --parallel, or leave it out.")
    runs, data = _runs_and_data(runs_data)
    if html is not None and not (slices or conflict) and language is None:
        raise UsageError("--html is the page of the slices, or of languages. Say --slices too, or --language, or leave it out.")
    if html is not None and slices and conflict:
        raise UsageError("--html is one page, of slices or of conflicts. Leave out --slices or --conflict.")
    for flag, given in (("--conflict", conflict), ("--loss", loss), ("--precision", precision)):
        if given and len(runs) > 1:
            raise UsageError(f"{flag} is of one model. Name one run, or leave it out.")
    asked = options.labelled(precision, "--precision")
    models = {run: load(run, device) for run in runs}
    with Watcher(quiet or json) as watcher:
        how: dict[str, Any] = {"stride": stride, "slices": slices, "callbacks": Callbacks(watch=watcher)}
        result = (
            evaluate(models[runs[0]], data, read, **how, conflict=conflict, losses=loss or (), precision=asked)
            if len(runs) == 1
            else _together(models, data, read, **how)
        )
    if html is not None:
        write_slices(result["slices"], html, name=result["source"]) if slices else write_languages(
            result, html, name=result["source"]
        )
    if json:
        print_json({"run": runs[0], **result} if len(runs) == 1 else result)
        return
    _notes(result, quiet)
    if len(runs) > 1:
        tell(result)
    else:
        _tell_one(result, runs_data)
    if "languages" in result:
        tell_languages(result["languages"], "--json has all")
    tell_pairs(result.get("by_language", []))
    if conflict:
        tell_conflict(result["conflict"])
    if slices:
        tell_slices(result["slices"])


def _runs_and_data(given: list[str]) -> tuple[list[str], str | None]:
    """The runs, and the data after them; None where all are runs."""
    from ..core.errors import UsageError

    runs, data = (given, None) if Path(given[-1], "run.json").exists() else (given[:-1], given[-1])
    if not runs:
        raise UsageError(f"got only {data!r}; wanted one run directory or more, and the text to evaluate on after them.")
    if len(set(runs)) < len(runs):
        raise UsageError("a run is named twice. Name each once.")
    return runs, data


def _together(
    models: dict[str, Model | Language | Graph], data: str | None, read: ReadOptions, *, stride: int | None, **how: Any
) -> dict[str, Any]:
    """Several models side by side, all of language or all of labels."""
    from ..api import Graph, Language, Model, labels_side_by_side, side_by_side
    from ..core.errors import UsageError

    if graphs := [run for run, model in models.items() if isinstance(model, Graph)]:
        raise UsageError(f"{graphs[0]} is a model of a knowledge graph, which is evaluated by itself. Name it alone.")
    languages = {run: model for run, model in models.items() if isinstance(model, Language)}
    labels = {run: model for run, model in models.items() if isinstance(model, Model)}
    if languages and labels:
        raise UsageError(f"{next(iter(languages))} is a language model, and {next(iter(labels))} is none: nothing compares.")
    if languages:
        return side_by_side(languages, data, read, stride, **how)
    if stride is not None:
        raise UsageError("--stride is for language models, and these are none. Leave it out.")
    return labels_side_by_side(labels, data, read, **how)


def _tell_one(result: dict[str, Any], evaluated: list[str]) -> None:
    """The figures of one model, the first of what was ``evaluated``, and of a classifier what its labels and thresholds do."""
    from ..report.words import THIN, beside_counts, rows_of
    from .by_threshold import tell_labels, tell_thresholds
    from .for_precision import tell_precisions
    from .tables import console, metrics_table, print_metrics, print_whole

    print_metrics(result, f"{result['source']}: {rows_of(result)}")
    if counted := beside_counts(result)[1]:
        console().print(f"\n{counted}".replace(THIN, " "))
    if "losses" in result:
        print_whole(metrics_table(result["losses"], "Mean loss"))
    if result.get("per_class"):
        tell_labels(result["per_class"])
    if "for_precision" in result:
        tell_precisions(result["for_precision"], shlex.quote(evaluated[0]))
    elif result.get("by_threshold"):
        tell_thresholds(result["by_threshold"], shlex.join(evaluated))


def _notes(result: dict[str, Any], quiet: bool) -> None:
    """What people should know before they read the figures."""
    from ..core.wording import counted, skipped_note
    from .tables import say, say_notes

    say_notes(skipped_note(result["skipped"], result["bad"]) if quiet else result["notes"])
    if not quiet and "note" in result.get("ngram", {}):
        say_notes([result["ngram"]["note"]])
    for row in result.get("runs", [result]):
        name, its = (row["run"], "its") if "run" in row else ("the model", "these")
        if row["trained_on"]:
            say(f"note   {name} was trained on rows of this very data: {its} figures flatter it", "yellow")
        elif row.get("known"):
            same = f"{row['known']:,} of the {counted(result['rows'], 'row')}"
            say(f"note   {same} stand word for word among those that {name} was trained on: {its} figures flatter it", "yellow")
