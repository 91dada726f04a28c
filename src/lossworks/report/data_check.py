"""The page of what is wrong with a data set: what was found first, then each kind with its pairs, texts and figures."""

from __future__ import annotations

from pathlib import Path

from .frame import write_page
from .words import THIN, Json, counted, smart

SPELLING = {
    "line_endings": "lines that end otherwise than in a newline",
    "controls": "control characters",
    "trailing_space": "white space at the end of a line",
    "nfc": "characters that are not composed (NFC)",
    "replaced": "the replacement character U+FFFD, where a reader gave up",
    "misread": "what looks like UTF-8 read in another encoding (Ã©, â€™)",
}
PERSONAL = {"email": "an e-mail address", "phone": "a telephone number", "card": "a card's number", "ip": "an IP address"}


def write_data_check(found: Json, path: Path) -> Path:
    """Write the page of what ``DataCheck.to_json`` gives, and return its path.

    Raises:
        RecordError: the page cannot be written.
    """
    said = sentences(found)
    grave = bool(found["conflicts"]["texts"] or any(each["exact"] + each["near"] for each in found["against"]))
    doubled = found["doubles"]["exact"] + found["doubles"]["near"]
    context = {
        "name": f"Check of {Path(found['source']).name}",
        "facts": [f"{found['rows']:,} texts", f"{found['bytes'] / 1e6:.3g} MB", "labelled" if found["labelled"] else "no labels"],
        "found": found,
        "tone": "bad" if grave else "unsure" if doubled else "good",
        "said": said,
        "tables": [
            *((f"Held-out texts of {Path(each['source']).name} that stand in the data", each) for each in found["against"]),
            ("Texts that repeat an earlier one", found["doubles"]),
        ],
        "spelling": [(SPELLING[name], smart(count)) for name, count in found["spelling"].items() if count],
        "personal": [(PERSONAL[name], smart(count)) for name, count in found["personal"].items() if count],
        "scripts": [(row["name"], row["script"], smart(row["texts"]), _share(row["texts"], found)) for row in found["scripts"]],
        "lengths": [(unit, [f"{value:,.0f}" for value in points.values()]) for unit, points in found["lengths"].items()],
        "points": list(found["lengths"]["characters"]),
        "recurring": [("Lines", found["recurring"]["lines"]), ("Openings", found["recurring"]["openings"])],
    }
    return write_page("data_check.html", context, path)


def sentences(found: Json) -> list[str]:
    """What was found, what is worst first: each a sentence."""
    said = []
    for each in found["against"]:
        if count := each["exact"] + each["near"]:
            said.append(
                f"Leaks: of {each['rows']:,} texts of {each['source']} the data holds {count:,} ({each['exact']:,} word for "
                f"word, {each['near']:,} nearly), on {counted(each['others'], 'row')}. Metrics on them reward memory."
            )
        else:
            said.append(f"No text of {each['source']} stands in the data.")
    if found["labelled"]:
        clash = found["conflicts"]
        if clash["texts"]:
            said.append(f"{counted(clash['texts'], 'text')} with different labels, on {clash['rows']:,} rows.")
    doubles = found["doubles"]
    if doubles["exact"] or doubles["near"]:
        said.append(f"Doubles of earlier texts: {doubles['exact']:,} word for word, {doubles['near']:,} nearly.")
    else:
        said.append("No text repeats another.")
    damaged = found["spelling"]["replaced"] + found["spelling"]["misread"]
    said += [f"{counted(damaged, 'text')} with damaged characters, as of a wrong encoding."] if damaged else []
    if any(found["personal"].values()):
        kinds = [f"{count:,} with {PERSONAL[kind]}" for kind, count in found["personal"].items() if count]
        said.append(f"Some texts look as if they held personal data: {', '.join(kinds)}.")
    if found["skipped"]:
        said.append(f"{counted(found['skipped'], 'bad row')} left out.")
    return said


def _share(count: int, found: Json) -> str:
    return f"{100 * count / found['rows']:.3g}{THIN}%"
