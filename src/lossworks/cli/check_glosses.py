"""``lossworks data glosses``: whether descriptions of a graph's entities help."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

from . import options
from .options import print_json

if TYPE_CHECKING:
    from ..api.check_glosses import GlossCheck


def command(
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
        _tell(found)


def _tell(found: GlossCheck) -> None:
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


def _watcher(quiet: bool) -> Any:
    from .progress import Watcher

    class Checking(Watcher):
        """Shows which training is under way."""

        def _glosses(self, fields: dict[str, Any]) -> None:
            self._show("training beside descriptions", fields["number"], fields["of"], fields["glosses"])

    return Checking(quiet)
