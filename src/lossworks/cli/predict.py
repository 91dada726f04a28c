"""``lossworks predict``."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import replace
from json import dumps
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

from . import options
from .options import print_json
from .rows import print_rows

if TYPE_CHECKING:
    from ..api import Graph, Model
    from ..data import ReadOptions


def command(
    run: Annotated[Path, typer.Argument(help="A run directory made by `lossworks fit`.")],
    texts: options.Texts = None,
    top: Annotated[
        int | None,
        typer.Option(
            "--top", help="So many labels, the most probable; of a knowledge graph, answers to each query.", show_default=False
        ),
    ] = None,
    threshold: Annotated[
        list[str] | None,
        typer.Option(
            "--threshold",
            help="Answer LABEL where its probability is at least this, LABEL=0.9 (repeat for several); or one number, 0.9: no "
            "answer below it.",
            show_default=False,
        ),
    ] = None,
    out: Annotated[
        Path | None,
        typer.Option("--out", help="Write the answers to a file: .csv, .jsonl or .parquet.", metavar="FILE", show_default=False),
    ] = None,
    keep: Annotated[
        list[str] | None,
        typer.Option(
            "--keep", help="Column of the input that --out has too; repeat for several.  [default: all]", show_default=False
        ),
    ] = None,
    text: options.Text = None,
    encoding: options.Encoding = "utf-8",
    bad_rows: options.BadRows = "error",
    format: options.Format = None,
    header: options.Header = None,
    device: options.Device = "cpu",
    json: options.Json = False,
    quiet: options.Quiet = False,
) -> None:
    """Answer for texts given, in files or on stdin: the label and its probability, or the number; of a knowledge graph, what
    stands in a relation to an entity, for lines of an entity (or its description), a tab and a relation (or ?, relation, entity).
    """
    from ..api import Graph, answered, load_answering
    from ..api.predicted import TOP, answers
    from ..core.errors import UsageError

    if keep and out is None:
        raise UsageError("--keep is for a file of answers. Say --out FILE too, or leave it out.")
    model = load_answering(run, device)
    read = options.read_options(text, None, None, encoding, bad_rows, format, header, unlabelled=True)
    least = options.labelled(threshold, "--threshold")
    if isinstance(model, Graph) and least is not None:
        raise UsageError("--threshold is for labels, and this is a model of a knowledge graph. Leave it out.")
    if out is not None:
        _write(model, texts or ["-"], out, read, str(run), json, quiet, keep=keep or None, top=top, threshold=least)
        return
    rows: Iterable[dict[str, Any]]
    if isinstance(model, Graph):
        rows = _facts(model, texts or ["-"], read, TOP if top is None else top, quiet)
    else:
        blocks = (block for source in texts or ["-"] for block in options.texts_of(source, read, model.record, quiet=quiet))
        rows = (row for block in blocks for row in answers(model, block, top=top, threshold=least, every=json))
    if json:
        print_json(answered.predictions(str(run), model, list(rows)))
    else:
        lines = (line for row in rows for line in ([_line(row, top is not None)] if "text" in row else _ranked(row)))
        print_rows(_columns(model, top is not None), lines, right=("probability",))


def _write(
    model: Model | Graph, texts: list[str], out: Path, read: ReadOptions, run: str, json: bool, quiet: bool, **how: Any
) -> None:
    """Write the answers to a file, and say so."""
    from ..api import Graph
    from ..api.predicted import write_predictions
    from ..core.wording import skipped_note
    from .tables import console, say_notes

    if isinstance(model, Graph):
        read = replace(read, format="lines")
    if (keep := how["keep"]) is not None:
        how["keep"] = [options.column(name) for name in keep]
    written = write_predictions(model, [[text] if options.is_text(text) else text for text in texts], out, read, **how)
    if json:
        print_json({"run": run, **written.to_json()})
        return
    say_notes(() if quiet else written.notes)
    say_notes(skipped_note(written.skipped, ()))
    left = f", {written.unanswered:,} of them without an answer, below the threshold" if written.unanswered else ""
    console().print(f"Rows:  {written.path} ({written.rows:,}{left})")


def _facts(graph: Graph, sources: list[str], read: ReadOptions, top: int, quiet: bool) -> list[dict[str, Any]]:
    """The answers to queries, which are whole lines, whatever the name of their file."""
    from ..api import answered

    lines = replace(read, format="lines")
    blocks = (block for source in sources for block in options.texts_of(source, lines, graph.record, quiet=quiet))
    queries = [query for block in blocks for query in block]
    return answered.facts(graph, queries, top)


def _columns(model: Model | Graph, ranked: bool) -> tuple[str, ...]:
    """What the columns are called, as in the file of --out."""
    from ..api import Graph

    if isinstance(model, Graph):
        return "entity", "probability", "known", "text"
    if not model.predictor.task.has_probabilities:
        return "predicted", "text"
    several = ranked or model.predictor.task.kind == "multilabel"
    return "predicted", "probabilities" if several else "probability", "text"


def _name(label: Any) -> str:
    return label if isinstance(label, str) else dumps(label)


def _line(row: dict[str, Any], ranked: bool) -> tuple[str, ...]:
    if "value" in row:
        return f"{row['value']:.6g}", row["text"]
    if "labels" in row:
        likely = row["probabilities"] if ranked else row["labels"]
        shown = ", ".join(f"{label} {row['probabilities'][label]:.3f}" for label in likely)
        return ",".join(map(_name, row["labels"])) or "–", shown, row["text"]
    shown = f"{row['probability']:.4f}"
    if ranked:
        shown = ", ".join(f"{_name(label)} {chance:.4f}" for label, chance in row["probabilities"].items())
    return "–" if row["label"] is None else _name(row["label"]), shown, row["text"]


def _ranked(row: dict[str, Any]) -> list[tuple[str, ...]]:
    """The answers to a query, the most probable first."""
    query = row["query"].replace("\t", " ")
    return [
        (answer["entity"], f"{answer['probability']:.4f}", "yes" if answer["known"] else "no", query) for answer in row["answers"]
    ]
