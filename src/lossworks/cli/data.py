"""``lossworks data``: its verbs, each a file of its own."""

from __future__ import annotations

import typer

from . import check_glosses, data_check, labels_worth, prepare

app = typer.Typer(
    no_args_is_help=True,
    rich_markup_mode=None,
    help="Prepare large text, check a data set, and see what its labels, or descriptions of entities, are worth.",
)
app.command("prepare")(prepare.command)
app.command("check")(data_check.command)
app.command("worth")(labels_worth.command)
app.command("glosses")(check_glosses.command)
