"""A comparison's table of arms in LaTeX, for a paper: needs the package booktabs."""

from __future__ import annotations

from typing import Any

from .words import counted

Json = dict[str, Any]
_SPECIAL = {
    "\\": r"\textbackslash{}", "~": r"\textasciitilde{}", "^": r"\textasciicircum{}", "<": r"\textless{}", ">": r"\textgreater{}",
    "|": r"\textbar{}", '"': r"\textquotedbl{}", **{mark: f"\\{mark}" for mark in "{}_&%$#"},
}  # fmt: skip


def table(record: Json) -> str:
    """What the arms reach, by what each differs from the baseline, and the verdicts; the caption says what the figures are of.

    Args:
        record: of a finished comparison.
    """
    result = record["result"]
    rows = [" & ".join(_row(arm)) + r" \\" for arm in result["arms"]]
    head = f"Arm & {escaped(result['metric'])} & Difference & 95\\,\\% interval & $p$ & Verdict \\\\"
    lines = [
        r"\begin{table}",
        r"\centering",
        f"\\caption{{{_caption(record)}}}",
        r"\begin{tabular}{lrrrrl}",
        r"\toprule", head, r"\midrule", *rows, r"\bottomrule",
        r"\end{tabular}",
        r"\end{table}",
    ]  # fmt: skip
    return "\n".join(lines) + "\n"


def escaped(text: str) -> str:
    """Text as LaTeX sets it, whatever its characters."""
    return "".join(_SPECIAL.get(letter, letter) for letter in text)


def _caption(record: Json) -> str:
    """What the metric is the mean of, and what the other columns are."""
    result = record["result"]
    seeds, baseline = max(len(arm["seeds"]) for arm in result["arms"]), escaped(result["arms"][0]["name"])
    better = "more" if result["rising"] else "less"
    rows = f"{result['test_rows']:,} {result['rows_are']}"
    return (
        f"{escaped(result['metric'])} ({better} is better): means of {counted(seeds, 'seed')} on {rows}. Differences are from "
        f"\\texttt{{{baseline}}}, paired, with intervals over seeds and {result['rows_are']}; $p$ after Holm's correction. "
        f"Lossworks {escaped(record['lossworks'])}."
    )


def _row(arm: Json) -> list[str]:
    verdict = arm["verdict"]
    ends = [_signed(verdict[end]) for end in ("low", "high")]
    return [
        f"\\texttt{{{escaped(arm['name'])}}}",
        _number(arm["value"]),
        _signed(verdict["value"]),
        "--" if verdict["low"] is None else " to ".join(ends),
        _p(verdict["p_holm"]),
        escaped(verdict["word"]),
    ]


def _number(value: float | None) -> str:
    return "--" if value is None else _set(f"{value:.4f}" if 1e-3 <= abs(value) < 1e4 or value == 0 else f"{value:.4g}")


def _signed(value: float | None) -> str:
    return "--" if value is None else _set(f"{value:+.3g}")


def _p(value: float | None) -> str:
    return "--" if value is None else "$<0.0001$" if value < 1e-4 else _set(f"{value:.2g}")


def _set(number: str) -> str:
    """A number in mathematics, its power of ten as one."""
    digits, _, power = number.partition("e")
    return f"${digits} \\times 10^{{{int(power)}}}$" if power else f"${digits}$"
