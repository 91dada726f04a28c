"""What ``lossworks data check --labels`` says in a terminal."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Any

from .running import opened

if TYPE_CHECKING:
    from ..api.check_labels import LabelCheck


def tell_labels(found: LabelCheck, page: Path, out: Path | None) -> None:
    """The most doubtful rows, how many labels are wrong if that is known, and what to do next."""
    from ..report.label_errors import remark, sentence, within
    from ..report.words import THIN
    from ..tokens.graphemes import shortened
    from .tables import console, say_notes
    from .visible import visible

    value, screen = found.to_json(), console()
    say_notes(found.notes)
    screen.print(f"The most doubtful of the {value['rows']:,} rows of {value['source']}:")
    for row in value["ranked"][:10]:
        text = " ".join(row["text"].split())
        line = f"{row['place']:4}  {within(row, value['source'])}: {remark(row, found.task.kind)} ({row['loss']:.4g})"
        screen.print(visible(f"{line}\n      {shortened(text, 100)}"))
    screen.print(f"\n{sentence(value).replace(THIN, ' ')}")
    if value["estimate"] is None:
        done = "answer, download the answers, and give them with --checked answers.json"
        screen.print(f"Next:  {opened(page)}, {done}")
    else:
        _tell_estimate(value["estimate"], screen)
        screen.print(f"Page:  {page}")
    if out is not None:
        screen.print(f"Rows:  {out}")


def _tell_estimate(estimate: dict[str, Any], screen: Any) -> None:
    """Precision at the top of the ranking, and how many rows hold a share of the errors."""
    for row in estimate["precision"]:
        interval = f"95 % interval {row['low']:.0%} to {row['high']:.0%}"
        screen.print(f"Of the first {row['rows']:,} rows {row['value']:.0%} are wrong ({interval}).")
    for row in estimate["to_find"]:
        surely = f"with 95 % confidence, the first {row['surely']:,}"
        screen.print(f"The first {row['rows']:,} rows hold about {row['share']:.0%} of the errors ({surely}).")
