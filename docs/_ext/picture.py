"""The picture of the README: families trained on the bundled reviews, each with its interval and the constant baseline.

python docs/_ext/picture.py     # trains anew and writes docs/families_reviews.svg
"""

from __future__ import annotations

import warnings
from pathlib import Path

import lossworks

ROOT = Path(__file__).parents[2]
FAMILIES = ("linear", "bag", "naive_bayes", "ngram:order=3", "hmm:states=8")
LEFT, WIDE, ROW, TOP = 150, 480, 34, 64


def at(accuracy: float) -> float:
    """The horizontal place of an accuracy from 0.4 to 1."""
    return LEFT + (accuracy - 0.4) / 0.6 * WIDE


def main() -> None:
    """Train, and draw."""
    bottom = TOP + ROW * len(FAMILIES)
    parts = [
        f'<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 680 {bottom + 48}" font-family="sans-serif" font-size="14">',
        f'<rect width="680" height="{bottom + 48}" rx="8" fill="#fff"/>',
        '<text x="20" y="28" font-weight="bold">Accuracy on 66 held-out reviews, with 95 % intervals</text>',
    ]
    for tick in (0.4, 0.6, 0.8, 1.0):
        parts.append(f'<path d="M{at(tick):.0f} {TOP - 14}V{bottom}" stroke="#e5e7eb"/>')
        parts.append(f'<text x="{at(tick):.0f}" y="{bottom + 18}" text-anchor="middle" fill="#4b5563">{tick:.1f}</text>')
    for number, family in enumerate(FAMILIES):
        model = lossworks.fit(ROOT / "src/lossworks/data/reviews.csv", model=family)
        accuracy, base = model.metrics["accuracy"], model.record["result"]["baseline"]["metrics"]["accuracy"]["value"]
        y = TOP + ROW * number + 8
        low, high, value = (at(accuracy[name]) for name in ("low", "high", "value"))
        parts.append(f'<text x="{LEFT - 16}" y="{y + 5}" text-anchor="end">{family}</text>')
        parts.append(f'<path d="M{low:.1f} {y}H{high:.1f}" stroke="#2563eb" stroke-width="3" stroke-linecap="round"/>')
        parts.append(f'<circle cx="{value:.1f}" cy="{y}" r="6" fill="#2563eb"/>')
    parts.append(f'<path d="M{at(base):.1f} {TOP - 14}V{bottom}" stroke="#c2571a" stroke-width="2" stroke-dasharray="5 4"/>')
    parts.append(f'<text x="{at(base):.0f}" y="{bottom + 38}" text-anchor="middle" fill="#c2571a">always the same answer</text>')
    (ROOT / "docs/families_reviews.svg").write_text("\n".join([*parts, "</svg>\n"]), "utf-8")


if __name__ == "__main__":
    warnings.simplefilter("ignore")
    main()
