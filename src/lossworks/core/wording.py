"""Counts, durations and plurals as people write them: one spelling for terminals, pages and messages."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

THIN = "\u202f"  # narrow no-break space, between a number and its unit
_UNITS = (("day", 86400), ("h", 3600), ("min", 60), ("s", 1))


def counted(number: int, noun: str, plural: str = "") -> str:
    """A number of things: "1 row", "1,204 rows". ``plural``: where it is not the noun with an s."""
    return f"{number:,} {noun if number == 1 else plural or f'{noun}s'}"


def duration(seconds: float, gap: str = THIN) -> str:
    """Seconds as "5.5 ms", "4.2 s", "3 min 20 s", "2 h 5 min" or "3 days 4 h". ``gap``: between a number and its unit."""
    if seconds < 0.1:
        return f"{1000 * seconds:.2g}{gap}ms"
    if round(seconds, 1) < 60:
        return f"{seconds:.1f}{gap}s"
    at = next(i for i, (_, size) in enumerate(_UNITS) if round(seconds) >= size)
    (large, size), (small, part) = _UNITS[at : at + 2]
    whole, rest = divmod(round(seconds / part), size // part)
    name = f"{whole:,}{gap}{large}{'s' * (large == 'day' and whole > 1)}"
    return f"{name} {rest}{gap}{small}" if rest else name


def remaining(seconds: float) -> str:
    """Time that is guessed at, no finer than it is known: "about 38 s left", "about 3 min 20 s left"."""
    if round(seconds) < 60:
        return f"about {max(1, round(seconds))} s left"
    step = 10 if seconds < 600 else 60
    return f"about {duration(step * round(seconds / step), ' ')} left"


def amount(number: float) -> str:
    """A count, or a part of one: "15,240", "2.35"."""
    return f"{number:,.0f}" if number >= 1000 or number == int(number) else f"{number:.3g}"


def skipped_note(skipped: int, bad: Sequence[str]) -> tuple[str, ...]:
    """A note on rows that were left out, none where none were; ``bad``: the first of them, each with its place and reason."""
    if not skipped:
        return ()
    return (f"{counted(skipped, 'bad row')} left out{f', the first: {bad[0]}' if bad else ''}",)


def leaked_note(leaked: Mapping[str, int], rows: Mapping[str, int], noun: str = "row") -> str:
    """How many of a part's ``rows`` stand word for word among the training rows; empty where none does."""
    names = {"test": "test", "valid": "validation"}
    said = [f"{count:,} of the {rows[part]:,} {names[part]} {noun}s" for part, count in sorted(leaked.items()) if count]
    verb = "stands" if sum(leaked.values()) == 1 else "stand"
    return f"{' and '.join(said)} {verb} word for word among the training {noun}s" if said else ""
