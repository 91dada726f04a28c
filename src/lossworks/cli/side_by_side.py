"""Several models' figures as one table."""

from __future__ import annotations

from collections import Counter
from typing import Any

from rich.text import Text

from ..metrics import MOST_UNKNOWN
from ..report.words import rows_of
from .by_threshold import MOST_LABELS, table_by
from .paired import tell_paired
from .tables import console, number, print_whole, table_of
from .visible import in_line

_EACH = "Each with its 95 % interval. Whether a way to train is better than another, lossworks compare tells."
_APART = "Intervals are of each difference by itself, verdicts after Holm's correction over all; both are of these models alone."


def tell(result: dict[str, Any]) -> None:
    """The table of ``verbs.side_by_side`` or ``verbs.labels_side_by_side``, and how it is to be read."""
    if result["task"] == "lm":
        _languages(result)
    else:
        _labels(result)


def _languages(result: dict[str, Any]) -> None:
    runs, names = result["runs"], _tokenizers(result["runs"])
    size = f"{result['characters']:,} characters in {result['bytes']:,} bytes"
    table = table_of(f"{result['source']}: {size}; ordered by bits/byte")
    for name in (
        "bits/byte",
        "above the best" if result["best"] else "above the first",
        "bits/character",
        "nats/token",
        "perplexity",
        "unknown",
    ):
        table.add_column(name, justify="right")
    table.add_column("of tokens")
    for row, tokens in zip(runs, names, strict=True):
        metrics = row["metrics"]
        figures = [_interval(metrics[name], row["impossible"]) for name in ("bits_per_character", "nats_per_token", "perplexity")]
        unknown = f"{100 * (metrics['unknown_rate']['value'] or 0):.1f} %"
        best = "best" if row["run"] == result["best"] else "first"
        apart = best if row["difference"] is None else _interval(row["difference"], row["impossible"])
        table.add_row(row["run"], _interval(metrics["bits_per_byte"], row["impossible"]), apart, *figures, unknown, tokens)
    print_whole(table)
    for line in _reading(result, names):
        console().print(Text(line, style="dim"))


def _reading(result: dict[str, Any], names: list[str]) -> list[str]:
    """How the table is to be read."""
    runs = result["runs"]
    lines = [f"Each with its 95 % interval, from {result['units']}; differences are of the same ones, in bits/byte."]
    if len(set(names)) > 1:
        lines.append("Perplexity and nats/token compare only between models of the same tokens.")
    if any(row["unknown"] for row in runs):
        lines.append("In bits, an unknown token is charged 8 for each of its bytes, for it is never spelled out.")
    if partial := [row["run"] for row in runs if (row["metrics"]["unknown_rate"]["value"] or 0) > MOST_UNKNOWN]:
        unknown = f"To {', '.join(partial)} more than {MOST_UNKNOWN:.0%} of the tokens are unknown, so "
        lines.append(unknown + ("the best is sought among the others." if result["best"] else "none is called the best."))
    if lossy := [row["run"] for row in runs if not row["lossless"]]:
        lines.append(f"The tokens of {', '.join(lossy)} do not tell which white space parts them: that too is not paid for.")
    if impossible := [row["run"] for row in runs if row["impossible"]]:
        lines.append(f"The text holds tokens that {', '.join(impossible)} took for impossible.")
    return lines


def _tokenizers(runs: list[dict[str, Any]]) -> list[str]:
    """What to call each run's tokenizer, so that two have one name only if they are the same."""
    kinds = Counter(row["tokenizer_spec"] for row in {row["tokenizer"]: row for row in runs}.values())
    return [
        f"{row['tokenizer_spec']} ({row['tokenizer']})" if kinds[row["tokenizer_spec"]] > 1 else str(row["tokenizer_spec"])
        for row in runs
    ]


def _labels(result: dict[str, Any]) -> None:
    table = table_of(f"{result['source']}: {rows_of(result)}")
    names = list(result["runs"][0]["metrics"])
    for name in names:
        table.add_column(name, justify="right")
    for row in result["runs"]:
        table.add_row(row["run"], *(_interval(row["metrics"][name], 0) for name in names))
    print_whole(table)
    screen = console()
    screen.print(Text(_EACH, "dim"))
    _by_label(result["runs"])
    for row in result["runs"][1:]:
        screen.print()
        tell_paired(row["against"], f"From {row['against']['run']} to {row['run']}")
    screen.print(Text(_APART, "dim"))


def _by_label(runs: list[dict[str, Any]]) -> None:
    """The F1 of each label, where they are few: means hide the rare ones."""
    rows = [run.get("per_class") or [] for run in runs]
    if not 0 < len(rows[0]) <= MOST_LABELS:
        return
    console().print()
    table = table_by("F1 by label", "texts", *(run["run"] for run in runs))
    for own in zip(*rows, strict=True):
        table.add_row(in_line(own[0]["label"]), f"{own[0]['support']:,}", *(f"{each['f1']:.3f}" for each in own))
    print_whole(table)


def _interval(metric: dict[str, Any], impossible: int) -> str:
    """A figure over its interval."""
    if impossible:
        return "∞"
    return f"{number(metric['value'])}\n{number(metric['low'])} to {number(metric['high'])}"
