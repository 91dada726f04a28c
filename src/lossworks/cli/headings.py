"""The flags of verbs that have many, under headings in their help."""

from __future__ import annotations

from typing import Any

from typer.core import TyperCommand

HEADINGS = {
    "fit": {
        "text": "Data and run",
        "task": "Task and model",
        "loss": "Loss and optimizer",
        "lr": "Training",
        "seed": "Machine and record",
        "encoding": "Reading the data",
        "json": "Output",
    },
    "compare": {
        "loss": "Arms, all combinations of",
        "config": "Protocol",
        "out": "Run",
        "valid": "Settings of every arm",
        "text": "Reading the data",
        "json": "Output",
    },
}
"""Of a verb: the parameter that a heading stands before."""


def under_headings(verb: str) -> type[TyperCommand]:
    """The class of a verb's command."""

    class Command(TyperCommand):
        def format_options(self, ctx: Any, formatter: Any) -> None:
            heading, rows = "Options", dict[str, list[tuple[str, str]]]()
            for parameter in self.get_params(ctx):
                if (record := parameter.get_help_record(ctx)) is None:
                    continue
                is_flag = parameter.param_type_name == "option"
                heading = HEADINGS.get(verb, {}).get(str(parameter.name), heading) if is_flag else heading
                rows.setdefault(heading if is_flag else "Arguments", []).append(record)
            for title, own in rows.items():
                with formatter.section(title):
                    formatter.write_dl(own)

    return Command
