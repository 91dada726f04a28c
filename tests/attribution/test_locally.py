"""Leave-one-out from what a deletion touches, against leave-one-out from whole texts."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
import pytest

from api.language import fitted
from lossworks.attribution import locally
from lossworks.attribution.deletion import leave_one_out
from lossworks.attribution.language_texts import LanguageTexts
from lossworks.attribution.locally import leave_one_out_locally
from lossworks.attribution.parts import spans_of
from lossworks.core.errors import UsageError
from lossworks.inference import TextLanguage

LONG = " the cat 3 sat onamatandpurredandbarked, the dog 99 sat on a  mat, 电电é\n\nthe. " * 4 + "the dog"


@pytest.fixture(scope="module")
def pairs() -> TextLanguage:
    """Four-grams of byte pairs."""
    return fitted("ngram:order=4", "bpe:size=400").trained


@pytest.mark.parametrize("margin", [1, 3])
@pytest.mark.parametrize("by", ["word", "char", "token"])
@pytest.mark.parametrize("asked", [None, 0, 1, 13, -1])
def test_as_whole_texts(pairs: TextLanguage, by: str, asked: int | None, margin: int, monkeypatch: pytest.MonkeyPatch) -> None:
    """The same shares to rounding, also where windows are too narrow at first and few are read at once."""
    monkeypatch.setattr(locally, "_MARGIN", margin)
    monkeypatch.setattr(locally, "_AT_ONCE", 40)
    spans = spans_of(LONG, by, pairs.tokenizer.spans)
    given = LanguageTexts([LONG], [spans], pairs, [None if asked is None else asked % len(spans)])
    (wanted,), (found,) = leave_one_out(given), leave_one_out_locally(given, 3)
    np.testing.assert_allclose(found.shares, wanted.shares, atol=1e-9)
    assert (found.value, found.baseline) == pytest.approx((wanted.value, wanted.baseline), abs=1e-9)
    assert by != "word" or asked == 0 or np.abs(wanted.shares).max() > 0.1


def test_reads_little(pairs: TextLanguage, monkeypatch: pytest.MonkeyPatch) -> None:
    """Four times the text is four times the tokens read, and not sixteen times."""
    read: list[int] = []

    def counting(self: LanguageTexts, encoded: object, bits: object = LanguageTexts.bits) -> np.ndarray:
        read.append(len(encoded.ids))  # type: ignore[attr-defined]
        return bits(self, encoded)  # type: ignore[operator, no-any-return]

    monkeypatch.setattr(LanguageTexts, "bits", counting)
    totals = []
    for text in (LONG, LONG * 4):
        read.clear()
        leave_one_out_locally(LanguageTexts([text], [spans_of(text, "word", None)], pairs, [None]), 3)
        totals.append(sum(read))
    assert totals[1] < 4.1 * totals[0]


def test_tokens_that_see_the_whole_text(pairs: TextLanguage, monkeypatch: pytest.MonkeyPatch) -> None:
    """A tokenizer whose tokens depend on all of the text is read whole, and a text of too many parts is then refused."""

    class Counting:
        """Every character is a token, which depends on how many there are."""

        vocabulary = pairs.tokenizer.vocabulary

        def encode(self, texts: Sequence[str]) -> tuple[np.ndarray, np.ndarray]:
            ids = [number % 7 + 3 + len(text) % 5 for text in texts for number in range(len(text))]
            return np.array(ids, np.uint16), np.cumsum([0, *map(len, texts)])

        def spans(self, text: str) -> np.ndarray:
            return np.stack([np.arange(len(text)), np.arange(len(text)) + 1], 1)

    strange = TextLanguage(pairs.spec, Counting(), pairs.model)  # type: ignore[arg-type]
    text = "ab cde fg hi jkl"
    given = LanguageTexts([text], [spans_of(text, "word", None)], strange, [None])
    np.testing.assert_allclose(leave_one_out_locally(given, 3)[0].shares, leave_one_out(given)[0].shares, atol=1e-9)
    monkeypatch.setattr(locally, "MOST", 3)
    monkeypatch.setattr("lossworks.attribution.deletion.MOST", 3)
    with pytest.raises(UsageError, match="Give a passage of it"):
        leave_one_out_locally(given, 3)
