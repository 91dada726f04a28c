"""What to do after a comparison, and what to think of how its arms were tuned."""

from __future__ import annotations

import shlex
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from statistics import fmean

from .words import Json

_OPEN = ("no difference shown", "not enough to say")
_USUAL_SEEDS, _USUAL_TRIALS, _USUAL_SHARE, _LARGEST_SHARE = 8, 12, 0.1, 0.4
_OF_ONE_RUN = ("--resume", "--out", "--minutes")  # flags that another comparison does not have from this one


@dataclass(frozen=True, slots=True)
class Next:
    """Why something is to be done, and the command that does it; empty where the comparison was not made by a command."""

    why: str
    command: str


def next_step(summary: Json, path: Path) -> Next | None:
    """The rest of what was begun in ``path``; else, where verdicts are open, more of what most of the variance is due to."""
    result, protocol = summary["result"], summary["protocol"]
    if result["done"] < result["of"]:
        why = f"{result['done']} of {result['of']} trainings are done; --resume goes on."
        return Next(why, resumed(summary["command"], path, "--minutes"))
    left = [arm["verdict"] for arm in result["arms"][1:] if arm["verdict"]["word"] in _OPEN]
    shares = [verdict["shares"]["seeds"] for verdict in left if verdict["shares"]]
    seeds, new = protocol["seeds"], {"--seed": str(protocol["split_seed"] + protocol["seeds"] + 1)}
    if alike := rates_alike(result):
        new["--trials"] = str(max(2 * protocol["trials"], _USUAL_TRIALS))
    anew = "The command below starts a new comparison with seeds of its own: nothing is added after a look."
    if protocol["seeds"] > 1 and not shares:  # all is shown, or the arms are the same on every row
        return Next(f"{anew[:-1]}, and has more trials.", _again(summary["command"], new)) if alike else None
    if seeds == 1 or fmean(shares) >= 0.5:
        due = (
            f"{fmean(shares):.0%} of the variance is due to the seeds" if shares else "One seed does not show how much seeds vary"
        )
        command = _again(summary["command"], {"--seeds": str(max(2 * seeds, _USUAL_SEEDS)), **new})
        return Next(f"{due}: more seeds would show more. {anew}", command)
    rows = result.get("rows_are", "test rows")
    command = _again(summary["command"], {"--test": _more(summary["command"]), **new})
    return Next(f"{1 - fmean(shares):.0%} of the variance is due to the {rows}: more of them would show more. {anew}", command)


def rates_alike(result: Json) -> str:
    """What to say where all arms chose the same end of the rates that were tried, or the middle of three; else nothing."""
    tuned = [arm["tuning"] for arm in result["arms"] if "lr" in (arm["tuning"]["chosen"] or {})]
    places = {_place(sorted(trial["lr"] for trial in one["trials"]), one["chosen"]["lr"]) for one in tuned}
    if len(tuned) < 2 or len(places) > 1 or places == {""}:
        return ""
    said = f"All arms chose the {places.pop()} of the rates that were tried"
    if "middle" in said:
        return f"{said}, {len(tuned[0]['trials'])} of each: so few do not tell what suits each arm. Raise --trials."
    return f"{said}: for all of them a better one may lie beyond. Give the optimizers rates nearer to it, or raise --trials."


def _place(rates: list[float], chosen: float) -> str:
    if len(rates) < 2 or chosen not in rates:
        return ""
    if chosen in (rates[0], rates[-1]):
        return "lowest" if chosen == rates[0] else "highest"
    return "middle" if len(rates) == 3 else ""


def resumed(command: str, path: Path, *left_out: str) -> str:
    """The command that goes on with what this one began in ``path``, without the flags that are left out."""
    return _again(command, {"--out": str(path), "--resume": None}, left_out)


def _again(command: str, new: Mapping[str, str | None], left_out: Sequence[str] = _OF_ONE_RUN) -> str:
    """The command with some flags given anew, None for one that has no value; nothing where it is Python's."""
    if not command.startswith("lossworks "):
        return ""
    kept, words = list[str](), iter(shlex.split(command))
    for word in words:
        flag, given, _ = word.partition("=")
        if flag not in (*left_out, *new):
            kept.append(word)
        elif not given and flag != "--resume":
            next(words, None)
    flags = [part for pair in new.items() for part in pair if part is not None]
    return shlex.join([*kept, *flags])


def _more(command: str) -> str:
    """Twice the share of test rows; a file, where they were one already, or no larger share makes sense."""
    words = shlex.split(command.replace("--test=", "--test "))
    given = words[words.index("--test") + 1] if "--test" in words else str(_USUAL_SHARE)
    try:
        share = float(given)
    except ValueError:
        return "FILE"
    return f"{min(2 * share, _LARGEST_SHARE):g}" if share < _LARGEST_SHARE else "FILE"
