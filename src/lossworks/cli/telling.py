"""What ``lossworks fit`` says at its end: the figures, and what to do next."""

from __future__ import annotations

import shlex
from pathlib import Path
from typing import Any

from ..report import cuts, went_on, words
from .running import opened
from .tables import console, print_metrics
from .visible import in_line

_NAMED = 6


def tell(record: dict[str, Any], out: Path) -> None:
    """The figures of a finished run in ``out``, and what to do next."""
    result, screen = record["result"], console()
    is_language = record["task"] == "lm"
    if result["part"] is None:
        screen.print(f"Trained on all {record['data']['rows']:,} rows: {result['note']}.")
    else:
        kind = "out-of-fold" if "folds" in result else "held-out"
        what = f"{kind} {'fact' if record['task'] == 'graph' else 'row'}"
        held_out = f"{result['positions']:,} held-out tokens" if is_language else words.rows_of(result, what)
        print_metrics(result, f"On {held_out}")
        found = words.verdict(record)
        screen.print(f"\n{found.headline}. {found.sentence}".replace(words.THIN, " "))
        if "folds" in result:
            screen.print(_by_folds(result, words.main_metric(record)))
        if "languages" in result:
            from .by_language import tell_languages  # of comparisons, which take a while to import

            tell_languages(result["languages"], f"{out / 'report.html'} has all")
    screen.print("")
    for line in _language(record) if is_language else _training(result, record["config"].get("stop_by")):
        screen.print(line)
    for line in (*filter(None, [cuts.sentence(record)]), *went_on.sentences(record)):
        screen.print(in_line(line.replace(words.THIN, " ")))
    if "balance" in result:
        screen.print(in_line(_drawn(result["balance"])))
    screen.print(f"Next:  {opened(out / 'report.html')}")
    asked = " $'ENTITY\\tRELATION'" if record["task"] == "graph" else ' "some text"'
    verbs = (("score", ' "some text"'), ("generate", "")) if is_language else (("predict", asked),)
    for verb, rest in verbs:
        screen.print(f"       lossworks {verb} {shlex.quote(str(out))}{rest}")


def _by_folds(result: dict[str, Any], main: str) -> str:
    """What the figures are of, and how the folds differ in the ``main`` metric."""
    found, mean = [each[main] for each in result["folds"]], result["trainings"][main]
    kept = "all rows" if result["refit_rows"] == result["rows"] else "all rows but those that it validates on"
    return (
        f"The figures are of {len(found)} models, each on rows that it was not trained on, their intervals over texts; the model "
        f"kept is trained on {kept}.\nThe folds' {main}: {min(found):.4g} to {max(found):.4g}; their mean as that of trainings "
        f"on other texts: {mean['value']:.4g} (95 % interval {mean['low']:.4g} to {mean['high']:.4g}, Nadeau & Bengio 2003)."
    )


def _drawn(balance: dict[str, Any]) -> str:
    """How often the texts of languages were drawn: the most often drawn, and the least."""
    rows = [row for row in balance["languages"] if row["rows"]]
    shown = rows if len(rows) <= _NAMED else [*rows[: _NAMED - 1], rows[-1]]
    told = ", ".join(f"{row['language']} {row['repeats']:.2g}" for row in shown)
    return (
        f"Languages were drawn by {balance['spec']}, times each text in a pass: {told}{'' if rows == shown else ' (the least)'}."
    )


def _training(result: dict[str, Any], stop_by: str | None) -> list[str]:
    """How the training of a classifier went; ``stop_by``: the metric that was named to judge it by."""
    if result["epochs"] is None:
        lines = [f"Trained in {words.duration(result['seconds'], ' ')}."]
    else:
        epochs = f"{words.counted(result['epochs'], 'epoch')} in {words.duration(result['seconds'], ' ')}"
        best = f"best by {stop_by}" if stop_by else "best"
        lines = [f"{epochs} ({result['stopped']}; {best}: epoch {result['best_epoch']})."]
    if result["refit_rows"] is not None:
        best = "" if result["epochs"] is None else ", for as many epochs as were best"
        lines.append(f"Then refitted on all {result['refit_rows']:,} training and validation rows{best}.")
    if (found := result.get("lr_search")) is not None:
        lines.append(f"The learning rate {found['chosen']:g} is the best of {len(found['trials'])} tried.")
    return lines


def _language(record: dict[str, Any]) -> list[str]:
    """What a language model was trained on, and what its figures are of."""
    data, result = record["data"], record["result"]
    tokens, size = data["tokens"]["train"], data["bytes_per_token"]
    seconds = words.duration(result["seconds"], " ")
    lines = [f"Trained on {tokens:,} tokens ({data['vocabulary']:,} different, {size:.2f} bytes each) in {seconds}."]
    if note := result.get("ngram", {}).get("note"):
        lines.append(note)
    if stop_by := record["config"].get("stop_by"):
        lines.append(f"It was judged, and its weights chosen, by {stop_by} of the validation texts.")
    if result["part"] is not None:
        lines.append(
            f"Intervals are from {result['units']}, accuracy is at {result['accuracy_positions']:,} tokens. Perplexities of "
            "other tokens do not compare, bits per byte do."
        )
    return lines
