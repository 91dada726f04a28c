"""``lossworks evaluate --parallel``: language models on the same content in several languages."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any

from rich.text import Text

from ..report.slices import p_value
from .options import print_json
from .tables import console, number, print_whole, say_notes, table_of

if TYPE_CHECKING:
    from ..data import ReadOptions


def evaluate_parallel(
    runs_files: Sequence[str],
    reference: str | None,
    read: ReadOptions,
    *,
    stride: int | None,
    device: str,
    json: bool,
    quiet: bool,
) -> None:
    """Tell what ``parallel_bits`` finds, of the arguments that are runs, on those that are files."""
    from ..api import load_language
    from ..api.parallel import parallel_bits
    from ..core.errors import UsageError
    from ..data.parallel import blank_note
    from ..engine import Callbacks
    from .progress import Watcher

    runs = [name for name in runs_files if Path(name, "run.json").exists()]
    if not runs:
        raise UsageError("none of the arguments is a run of a language model. Name one or more, then the files of parallel text.")
    files = [name for name in runs_files if name not in runs]
    models = {run: load_language(run, device) for run in runs}
    with Watcher(quiet or json) as watcher:
        found = parallel_bits(models, files, reference, read, stride=stride, callbacks=Callbacks(watch=watcher))
    if json:
        print_json(found)
        return
    say_notes(blank_note(found["left_out"]) if quiet else found["notes"])
    if not quiet:
        seen = [run for run in found["runs"] if run["trained_on"]]
        say_notes(f"{run['run']} was trained on {', '.join(run['trained_on'])}: its figures flatter it" for run in seen)
    for run in found["runs"]:
        print_whole(_bits(run, found))
    for run in found["between"]:
        print_whole(_between(run))
    for line in _reading(found):
        console().print(Text(line, style="dim"))


def _bits(run: dict[str, Any], found: dict[str, Any]) -> Any:
    table = table_of(f"{run['run']}: {found['lines']:,} lines in {len(run['languages'])} languages")
    unknown = any(row["unknown_rate"] for row in run["languages"])
    for name in ("bits/line", f"above {found['reference']}", "p (Holm)", "bits/byte", "bytes", *(["unknown"] if unknown else [])):
        table.add_column(name, justify="right")
    for row in run["languages"]:
        apart, times = row["difference"], found["bytes"][row["language"]]["value"]
        table.add_row(
            row["language"], _interval(row["bits"]), "–" if apart is None else _interval(apart), p_value(row["p_holm"]),
            number(row["bits_per_byte"]["value"]), f"{times:.2f} ×", *([f"{row['unknown_rate']:.1%}"] if unknown else []),
        )  # fmt: skip
    return table


def _between(run: dict[str, Any]) -> Any:
    table = table_of(f"{run['run']} less {run['against']}, in bits/line")
    for name in ("difference", "p (Holm)", ""):
        table.add_column(name, justify="right")
    for row in run["languages"]:
        table.add_row(row["language"], _interval(row["difference"]), p_value(row["p_holm"]), row["word"])
    return table


def _reading(found: dict[str, Any]) -> list[str]:
    """How the tables are to be read."""
    times = {name: one["value"] for name, one in found["bytes"].items()}
    least, most = min(times, key=times.__getitem__), max(times, key=times.__getitem__)
    lines = [
        "Each with its 95 % interval, over lines; differences are of the same lines. p after Holm's correction over all languages"
        + (" and models." if len(found["runs"]) > 2 else "."),
        f"Bits/byte do not compare between languages: the same content is {times[least]:.2f} ({least}) to {times[most]:.2f} "
        f"({most}) times the bytes of {found['reference']}. Bits/line do.",
    ]
    if any(row["unknown_rate"] for run in found["runs"] for row in run["languages"]):
        lines.append("An unknown token is charged 8 bits for each of its bytes, for it is never spelled out.")
    return lines


def _interval(found: dict[str, float | None]) -> str:
    value, low, high = (found[key] for key in ("value", "low", "high"))
    if value is None:
        return "∞"
    return f"{value:.1f}\n" + ("unknown" if low is None or high is None else f"{low:.1f} to {high:.1f}")
