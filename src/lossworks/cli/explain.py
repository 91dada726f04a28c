"""``lossworks explain``."""

from __future__ import annotations

import sys
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

from . import options
from .options import print_json

if TYPE_CHECKING:
    from ..api import ExplainedData, Explanation, Language, Model
    from ..data import ReadOptions


def command(
    run: Annotated[Path, typer.Argument(help="A run directory made by `lossworks fit`.")],
    texts: options.Texts = None,
    quantity: Annotated[
        str | None,
        typer.Option(help="logit, probability, surprisal, value (of numbers), or any loss: focal:gamma=2.", show_default=False),
    ] = None,
    for_label: Annotated[
        str | None,
        typer.Option("--for", help="The label explained, and of a loss what is true; else the answer.", show_default=False),
    ] = None,
    against: Annotated[
        str | None, typer.Option(help="The label whose logit is subtracted; else all others.", show_default=False)
    ] = None,
    part: Annotated[
        int | None,
        typer.Option("--part", help="For language models: the part explained, 1 the first, -1 the last.", show_default=False),
    ] = None,
    by: Annotated[str, typer.Option(help="What is divided: a text by word, char, token; a token by order.")] = "word",
    method: Annotated[str, typer.Option(help="auto, exact, integrated_gradients, marginal, leave_one_out, pairs.")] = "auto",
    trial: Annotated[bool, typer.Option("--trial/--no-trial", help="Whether to try if the shares may be believed.")] = True,
    seed: Annotated[int, typer.Option(help="Seed of the trial.")] = 0,
    data: Annotated[
        str | None,
        typer.Option(
            "--data",
            help="Explain a data set as a whole. Of --rows, --learning: what the run was trained on, where that has moved.",
            show_default=False,
        ),
    ] = None,
    limit: Annotated[int, typer.Option(help="With --data: how many texts, drawn at random.")] = 1000,
    retrain: Annotated[
        bool,
        typer.Option(
            "--retrain", help="With --data: also try models of shuffled labels and of a planted shortcut (4 trainings)."
        ),
    ] = False,
    rows: Annotated[
        bool, typer.Option("--rows", help="Which training rows raised each text's loss: as training without them tells.")
    ] = False,
    seeds: Annotated[int, typer.Option(help="With --rows, for networks: how many other trainings the rows are judged by.")] = 3,
    learning: Annotated[
        bool, typer.Option("--learning", help="When each training row was learned, found by training again; a page.")
    ] = False,
    valid: Annotated[
        str | None,
        typer.Option(
            "--valid", help="With --rows or --learning: the validation rows, where they were a file.", show_default=False
        ),
    ] = None,
    test: Annotated[
        str | None,
        typer.Option("--test", help="With --rows or --learning: the test rows, where they were a file.", show_default=False),
    ] = None,
    html: Annotated[
        Path | None, typer.Option("--html", help="Write the explanations as a page.", metavar="FILE", show_default=False)
    ] = None,
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
    """Why a model answers as it does: a quantity of each text divided among its parts, and whether to believe it."""
    from ..api import explain_data, influence, load_text
    from ..core.errors import UsageError
    from ..engine import Callbacks
    from .explain_learning import learn_and_tell
    from .explain_rows import tell_rows
    from .progress import Repeating, Watcher

    read = options.read_options(text, label, None, encoding, bad_rows, format, header)
    plain = replace(read, label=None, unlabelled=True)
    there = None if device == "cpu" else device
    if learning:
        _no_texts(texts, "--learning")
        learn_and_tell(run, data, html=html, json=json, quiet=quiet, valid=valid, test=test, read=read, device=there)
        return
    if (valid is not None or test is not None) and not rows:
        raise UsageError("--valid and --test are for --rows and --learning, which train again. Leave them out.")
    model, asked = load_text(run, device), texts or ["-"]
    if rows:
        given = [each for block in _blocks(model, asked, plain, quiet) for each in block]
        labels = None if for_label is None else [_label(model, for_label)] * len(given)
        with Repeating(quiet or json) as watcher:
            watched = Callbacks(watch=watcher)
            found = influence(
                model, given, labels=labels, data=data, valid=valid, test=test, read=read, device=there, callbacks=watched,
                seeds=seeds,
            )  # fmt: skip
        tell_rows(run, found, json=json)
        return
    how = _arguments(model, quantity, for_label, against, part) | {"by": by, "method": method, "trial": trial, "seed": seed}
    if data is None:
        blocks = _blocks(model, asked, plain, quiet)
        _tell(model, run, [each for block in blocks for each in model.explain(block, **how)], html, json)
        return
    _no_texts(texts, "--data")
    if how.pop("part", None) is not None:
        raise UsageError("--part is for single texts. Leave it out with --data.")
    with Watcher(quiet) as watcher:
        callbacks = Callbacks(watch=watcher)
        explained = explain_data(model, data, rows=limit, retrain=retrain, read=read, callbacks=callbacks, **how)
    _tell(model, run, explained, html, json)


def _no_texts(texts: list[str] | None, flag: str) -> None:
    from ..core.errors import UsageError

    if texts:
        raise UsageError(f"got the text {texts[0][:40]!r} and {flag}, which is not for single texts. Give one of them.")


def _tell(model: Model | Language, run: Path, found: list[Explanation] | ExplainedData, html: Path | None, json: bool) -> None:
    """A page, JSON, a view for people or a table for programs."""
    from ..api import write_explanations
    from . import explain_data as of_data
    from .explained import say_about, show, table

    page = None if html is None else write_explanations(found, html, name=run.resolve().name, facts=_facts(model))
    if json:
        told = {"explanations": [each.to_json() for each in found]} if isinstance(found, list) else found.to_json()
        print_json({"run": str(run), **told} | ({"page": str(page)} if page else {}))
    elif page is not None:
        print(page)
    elif not isinstance(found, list):
        of_data.tell(found)
    elif sys.stdout.isatty():
        show(found)
    else:
        say_about(found)
        print(table(found))


def _blocks(model: Model | Language, sources: list[str], read: ReadOptions, quiet: bool) -> Iterator[list[str]]:
    for source in sources:
        yield from options.texts_of(source, read, model.record, quiet=quiet)


def _arguments(
    model: Model | Language, quantity: str | None, label: str | None, against: str | None, part: int | None
) -> dict[str, Any]:
    """What ``model.explain`` is asked for.

    Raises:
        UsageError: a flag means nothing to the model.
    """
    from ..api import Model
    from ..core.errors import UsageError

    if isinstance(model, Model):
        if part is not None:
            raise UsageError("--part is for language models, and this one answers for whole texts. Leave it out.")
        return {"quantity": quantity, "label": None if label is None else _label(model, label), "against": against}
    if label is not None or against is not None:
        raise UsageError("--for and --against name labels, and a language model has none. Leave them out, or give --part.")
    if quantity not in (None, "surprisal"):
        raise UsageError(f"--quantity is {quantity!r}; of a language model the surprisal is explained. Leave it out.")
    return {"part": part}


def _label(model: Model | Language, spelled: str) -> str | list[str]:
    """A label, or several of a model that gives sets of them."""
    from ..api import Model

    several = isinstance(model, Model) and model.predictor.task.kind == "multilabel" and spelled not in model.labels
    return spelled.split(",") if several else spelled


def _facts(model: Model | Language) -> list[str]:
    config = model.record.get("config", {})
    return [str(config[key]) for key in ("model", "tokenizer") if config.get(key)]
