"""Flags and arguments as other tools spell them."""

from __future__ import annotations

import pytest
import typer

from lossworks.cli import elsewhere
from lossworks.cli.app import app

from .conftest import Command


@pytest.mark.parametrize(
    ("arguments", "said"),
    [
        (["fit", "a.csv", "--target", "spam"], "No such option: --target (Possible options: --label)"),
        (["fit", "a.csv", "--learning_rate", "1"], "No such option: --learning_rate (Possible options: --lr)"),
        (["fit", "a.csv", "--random-state", "1"], "No such option: --random-state (Possible options: --seed)"),
        (["fit", "a.csv", "-o", "run"], "No such option: -o (Possible options: --out)"),
        (["fit", "a.csv", "--mnutes", "1"], "--minutes"),
        (["explain", "run", "--out", "a.html"], "No such option: --out (Possible options: --html)"),
        (["export", "run", "a.html", "--format", "html"], "No such option: --format (Possible options: --to)"),
        (["generate", "run", "ROMEO:"], "(ROMEO:). How the text begins is said with --prompt."),
        (["compare", "a.csv", "--loss", "mse", "focal"], "(focal). Repeat a flag for several values"),
    ],
)
def test_ours_is_named(command: Command, arguments: list[str], said: str) -> None:
    """The error names the flag that was meant; of what no other tool has, those that it is like."""
    ended = command(*arguments)
    assert (ended.code, said in ended.err) == (2, True), ended.err


def test_each_name_can_be_met() -> None:
    """A flag that is named is one of some verb that lacks the other name."""
    verbs = [
        {name for parameter in verb.params for name in parameter.opts}
        for verb in typer.main.get_command(app()).commands.values()  # type: ignore[attr-defined]
    ]
    for flag, names in elsewhere._FLAGS.items():
        for name in names:
            assert any(flag in flags and name not in flags for flags in verbs), (flag, name)
