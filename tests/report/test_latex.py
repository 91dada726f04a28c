"""A comparison's table in LaTeX: every number and name as the record has it, whatever its characters."""

from __future__ import annotations

import re
from typing import Any

from lossworks.report.latex import escaped, table


def arm(name: str, reached: float | None, **verdict: Any) -> dict[str, Any]:
    """An arm as a record has it, with what its verdict says."""
    blank = {"value": None, "low": None, "high": None, "p_holm": None, "word": "baseline"}
    return {"name": name, "value": reached, "seeds": [1, 2, 3], "verdict": blank | verdict}


RECORD = {
    "lossworks": "0.1.0",
    "result": {
        "metric": "macro_f1", "rising": True, "test_rows": 1066, "rows_are": "test rows",
        "arms": [
            arm("focal:gamma=2", 0.81234),
            arm("own_50%.py:a&b", 23456.7, value=-0.01234, low=-0.02, high=2e-6, p_holm=0.04321, word="no difference shown"),
            arm("c", None, word="diverged"),
            arm("d", 0.0, value=0.1, low=0.05, high=0.15, p_holm=1e-7, word="better"),
        ],
    },
}  # fmt: skip


def test_every_cell() -> None:
    """Six cells a row, the caption around them, nothing that LaTeX would take for its own."""
    lines = table(RECORD).splitlines()
    rows = [line.removesuffix(r" \\").split(" & ") for line in lines if line.endswith(r" \\") and "Arm" not in line]
    assert rows == [
        [r"\texttt{focal:gamma=2}", "$0.8123$", "--", "--", "--", "baseline"],
        [
            r"\texttt{own\_50\%.py:a\&b}", r"$2.346 \times 10^{4}$", "$-0.0123$",
            r"$-0.02$ to $+2 \times 10^{-6}$", "$0.043$", "no difference shown",
        ],
        [r"\texttt{c}", "--", "--", "--", "--", "diverged"],
        [r"\texttt{d}", "$0.0000$", "$+0.1$", "$+0.05$ to $+0.15$", "$<0.0001$", "better"],
    ]  # fmt: skip
    caption = next(line for line in lines if line.startswith(r"\caption"))
    assert (
        r"macro\_f1 (more is better): means of 3 seeds on 1,066 test rows. Differences are from \texttt{focal:gamma=2}" in caption
    )
    assert re.sub(r"\\[{}]", "", caption).count("{") == caption.count("}")
    assert re.findall(r"\\(?:begin|end)\{(\w+)\}", "\n".join(lines)) == ["table", "tabular", "tabular", "table"]
    assert "{lrrrrl}" in table(RECORD)


def test_marks_of_latex() -> None:
    """Each of its own marks is set as itself."""
    assert escaped(r"a\b{c}_d&e%f$g#h~i^j<k>l|m") == (
        r"a\textbackslash{}b\{c\}\_d\&e\%f\$g\#h\textasciitilde{}i\textasciicircum{}j\textless{}k\textgreater{}l\textbar{}m"
    )
