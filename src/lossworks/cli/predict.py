"""``lossworks predict``."""

from __future__ import annotations

import sys
from dataclasses import replace
from json import dumps
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

from ..core.memory import rows_at_once
from . import options
from .options import print_json

if TYPE_CHECKING:
    from ..api import Graph, Model
    from ..data import ReadOptions


def command(
    run: Annotated[Path, typer.Argument(help="A run directory made by `lossworks fit`.")],
    texts: options.Texts = None,
    top: Annotated[
        int | None, typer.Option("--top", help="Of a knowledge graph: answers to each query.  [default: 10]", show_default=False)
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
    from ..api import Graph, load_answering
    from ..core.errors import UsageError

    model = load_answering(run, device)
    read = options.read_options(text, None, None, encoding, bad_rows, format, header, unlabelled=True)
    if isinstance(model, Graph):
        task, rows = "graph", _facts(model, texts or ["-"], read, 10 if top is None else top, quiet)
    elif top is not None:
        raise UsageError("--top is for models of knowledge graphs, and this is none. Leave it out.")
    else:
        task = model.predictor.task.kind
        blocks = (block for source in texts or ["-"] for block in options.texts_of(source, read, model.record, quiet=quiet))
        rows = [row for block in blocks for row in _answers(model, block, every=json)]
    if json:
        print_json({"run": str(run), "task": task, "predictions": rows})
    else:
        _print(rows)


def _facts(graph: Graph, sources: list[str], read: ReadOptions, top: int, quiet: bool) -> list[dict[str, Any]]:
    """The answers to queries, which are whole lines, whatever the name of their file."""
    lines = replace(read, format="lines")
    blocks = (block for source in sources for block in options.texts_of(source, lines, graph.record, quiet=quiet))
    queries = [query for block in blocks for query in block]
    return [{"query": query, "answers": found} for query, found in zip(queries, graph.predict(queries, top), strict=True)]


def _answers(model: Model, texts: list[str], *, every: bool) -> list[dict[str, Any]]:
    """What is said of each text; ``every``: with the probabilities of all labels, not only of those it was given."""
    if model.predictor.task.kind == "regress":
        return [{"text": text, "value": value} for text, value in zip(texts, model.predict(texts), strict=True)]
    answers: list[dict[str, Any]] = []
    size = rows_at_once(len(model.labels), max(len(texts), 1))
    for some in (texts[start : start + size] for start in range(0, len(texts), size)):
        probabilities = model.predict_proba(some)
        for text, label, row in zip(some, model.predictor.decide(probabilities), probabilities, strict=True):
            named = dict(zip(model.labels, (float(p) for p in row), strict=True))
            given = label if isinstance(label, tuple) else (label,)
            kept = {"probabilities": named if every else {each: named[each] for each in given}}
            if isinstance(label, tuple):
                answers.append({"text": text, "labels": list(label), **kept})
            else:
                answers.append({"text": text, "label": label, "probability": named[label], **kept})
    return answers


def _print(rows: list[dict[str, Any]]) -> None:
    """A table for people, tab-separated lines for programs."""
    lines = [line for row in rows for line in ([_line(row)] if "text" in row else _ranked(row))]
    if not sys.stdout.isatty():
        print("\n".join("\t".join(part.replace("\t", " ").replace("\n", " ") for part in line) for line in lines))
        return
    from rich.table import Table

    from .tables import console

    table = Table(box=None, show_header=False, pad_edge=False, padding=(0, 2, 0, 0))
    for line in lines:
        table.add_row(*line)
    console().print(table)


def _name(label: Any) -> str:
    return label if isinstance(label, str) else dumps(label)


def _line(row: dict[str, Any]) -> tuple[str, str, str]:
    if "value" in row:
        return f"{row['value']:.6g}", "", row["text"]
    if "labels" in row:
        shown = ", ".join(f"{label} {row['probabilities'][label]:.3f}" for label in row["labels"])
        return ",".join(map(_name, row["labels"])) or "–", shown, row["text"]
    return _name(row["label"]), f"{row['probability']:.4f}", row["text"]


def _ranked(row: dict[str, Any]) -> list[tuple[str, str, str]]:
    """The answers to a query, the most probable first."""
    return [
        (answer["entity"], f"{answer['probability']:.4f}{' known' if answer['known'] else ''}", row["query"])
        for answer in row["answers"]
    ]
