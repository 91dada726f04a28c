"""Plain values of flags are read as Typer reads them."""

from enum import StrEnum
from pathlib import Path
from typing import Annotated, Any

import pytest
import typer

from lossworks.cli.coercion import spare


class Colour(StrEnum):
    """A choice."""

    RED = "red"


def _read(arguments: list[str], *, spared: bool) -> Any:
    """What a command is given, or what it is told is wrong."""
    given: list[dict[str, Any]] = []

    def command(
        files: Annotated[list[str] | None, typer.Argument()] = None,
        out: Annotated[Path | None, typer.Option()] = None,
        run: Annotated[Path | None, typer.Option(exists=True, file_okay=False)] = None,
        count: Annotated[int, typer.Option()] = 3,
        least: Annotated[int, typer.Option(min=1)] = 1,
        rate: Annotated[float | None, typer.Option()] = None,
        name: Annotated[str | None, typer.Option()] = None,
        quiet: Annotated[bool, typer.Option()] = False,
        colour: Annotated[Colour | None, typer.Option()] = None,
        texts: Annotated[list[str] | None, typer.Option()] = None,
    ) -> None:
        given.append(dict(locals()))

    app = typer.Typer(rich_markup_mode=None)
    app.command()(command)
    made = typer.main.get_command(app)
    if spared:
        spare(made)
    try:
        made(arguments, standalone_mode=False)
    except Exception as error:  # noqa: BLE001  # of Typer's own, wherever this version keeps them
        return type(error).__name__, str(error)
    return [{name: (type(value), str(value)) for name, value in each.items() if name != "given"} for each in given]


@pytest.mark.parametrize(
    "line",
    [
        "", "a b --out x/y --name 7 --quiet", "--count 12 --rate .5 --texts a --texts b", "--count 007 --rate 1e-3",
        "--count 1.0", "--count x", "--count -4 --rate -1", "--rate 1.2.3", "--rate nan", "--rate .",
        "--count ٣", "--least 0", "--least 2",
        "--colour red", "--colour blue", "--run nowhere", "--run FILE", "--run FOLDER --out FOLDER --out FILE",
    ],
)  # fmt: skip
def test_as_typer_reads_them(tmp_path: Path, line: str) -> None:
    """Values of every kind that flags have, plain ones and those that Typer has to judge, and what it says of wrong ones."""
    (tmp_path / "file").touch()
    arguments = line.replace("FILE", str(tmp_path / "file")).replace("FOLDER", str(tmp_path)).split()
    assert _read(arguments, spared=True) == _read(arguments, spared=False)
