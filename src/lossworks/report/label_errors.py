"""The page of doubtful labels: a hand check of a sample, what it says of all rows, and the top of the ranking."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

from ..tokens.graphemes import isolated, shortened
from .frame import write_page
from .words import THIN, Json

_LONGEST = 4000  # characters of a text on the page
_MOST = 40  # labels that are listed


def write_label_errors(found: Json, check: Mapping[str, Any], sample: Sequence[Json], path: Path) -> Path:
    """Write the page and return its path.

    Args:
        found: what ``LabelCheck.to_json`` gives.
        check: what the answers are kept under, so that they are taken for no other check.
        sample: the rows to look at, in their order.
        path: of the file.

    Raises:
        RecordError: the page cannot be written.
    """
    estimate = found["estimate"]
    context = {
        "name": f"Doubtful labels in {Path(found['source']).name}",
        "facts": [f"{found['rows']:,} rows", *found["models"], f"{found['folds']} folds", f"seed {found['seed']}"],
        "found": found,
        "tone": "unsure" if estimate is None else "plain",
        "headline": headline(found),
        "sentence": sentence(found),
        "precision": [] if estimate is None else [_precision(row) for row in estimate["precision"]],
        "to_find": [] if estimate is None else [_to_find(row) for row in estimate["to_find"]],
        "check": {"check": dict(check), "rows": [_asked(row, found["source"]) for row in sample]},
        "labels": found["labels"] if len(found["labels"] or ()) <= _MOST else None,
        "things": "numbers" if found["task"] == "regress" else "labels",
        "ranked": [_shown(row, found) for row in found["ranked"]],
    }
    return write_page("label_errors.html", context, path)


def headline(found: Json) -> str:
    """Whether anything is known of how many labels are wrong."""
    if found["estimate"] is None:
        return "How many labels are wrong is not known yet"
    return "How many labels are wrong, by a hand check"


def sentence(found: Json) -> str:
    """How many labels are wrong, or how to find out."""
    estimate = found["estimate"]
    if estimate is None:
        return (
            f"{found['rows']:,} rows are ranked by how doubtful their label is. A model's doubt is no count of errors: "
            f"your answers to the {found['sample']:,} rows of a sample tell how many labels are wrong in all."
        )
    errors, rate = estimate["errors"], estimate["error_rate"]
    unsure = f" {estimate['unsure']:,} could not be told." if estimate["unsure"] else ""
    return (
        f"About {errors['value']:,.0f} of {found['rows']:,} labels are wrong (95{THIN}% interval {errors['low']:,.0f} to "
        f"{errors['high']:,.0f}; {_percent(rate['value'])}), by {estimate['looked_at']:,} rows looked at, of which "
        f"{estimate['wrong']:,} were wrong.{unsure}"
    )


def remark(row: Json, task: str) -> str:
    """What is doubtful about a row's label."""
    if task == "regress":
        return f"{row['label']:g}, and the models say {row['answer']:.4g}"
    if task == "multilabel":
        return f"{isolated(_named(row['label']))}, and {_quoted(row['doubtful'])} may be {row['is']}"
    label, answer = _quoted(row["label"]), _quoted(row["answer"])
    return f"{label}, and the models say {answer}" if row["label"] != row["answer"] else label


def _quoted(label: Any) -> str:
    """A label as it stands in a sentence; what joins emoji is no escape in it."""
    return isolated(f"'{label}'") if isinstance(label, str) else repr(label)


def within(row: Json, source: str) -> str:
    """Where a row stands in the data, without the name of the data where that is one file."""
    return str(row["row"]).removeprefix(f"{source}, ")


def _asked(row: Json, source: str) -> Json:
    """What of a row is shown to whoever looks at it: not what the models say, nor its place in the ranking."""
    return {"place": row["place"], "row": within(row, source), "text": _cut(row["text"]), "label": _named(row["label"])}


def _shown(row: Json, found: Json) -> Json:
    task, where = found["task"], within(row, found["source"])
    unit = "off by" if task == "regress" else "loss"
    return {"row": where, "text": _cut(row["text"]), "remark": remark(row, task), "loss": f"{unit} {row['loss']:.4g}"}


def _named(label: Any) -> str:
    if isinstance(label, tuple | list):
        return ", ".join(map(str, label)) or "(no label)"
    return f"{label:g}" if isinstance(label, float) else str(label)


def _cut(text: str) -> str:
    return text if len(text) <= _LONGEST else f"{shortened(text, _LONGEST)} ({len(text):,} characters in all)"


def _precision(row: Json) -> list[str]:
    return [f"{row['rows']:,}", _percent(row["value"]), f"{_percent(row['low'])} to {_percent(row['high'])}"]


def _to_find(row: Json) -> list[str]:
    return [_percent(row["share"]), f"{row['rows']:,}", f"{row['surely']:,}"]


def _percent(share: float) -> str:
    return f"{100 * share:.3g}{THIN}%"
