"""From texts and a language model to explanations of how surprising the texts, or parts of them, are."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace

from ..core.errors import UsageError
from ..inference import TextLanguage
from ..models.hmm import HmmModel
from ..models.ngram import NgramModel
from .control import shuffled_language
from .deletion import MOST
from .explaining import AUTO, LEAVE_ONE_OUT, PAIRS, Method, choose, explained
from .explanation import Explanation
from .language_details import MOST_TOKENS, details
from .language_texts import IMPOSSIBLE, LanguageTexts
from .locally import leave_one_out_locally
from .marginal import marginal
from .orders import ORDER, by_order
from .parts import spans_of

MARGINAL = Method(
    "marginal",
    "marginalisation: what the quantity loses when the part's tokens are not looked at, though their places stay",
    marginal,
)


def explain_language(
    language: TextLanguage,
    texts: Sequence[str],
    *,
    part: int | None = None,
    by: str = "word",
    method: str = AUTO,
    trial: bool = True,
    seed: int = 0,
    controls: Sequence[TextLanguage] | None = None,
) -> list[Explanation]:
    """Explanations of what a language model says of texts; arguments as of ``Language.explain``, ``controls`` as of
    ``explain_labels``.
    """
    if by == ORDER:
        return [by_order(language, text, number, part, method) for number, text in enumerate(texts)]
    spans = [spans_of(text, by, language.tokenizer.spans) for text in texts]
    asked = [asked_for(part, number, len(each), by) for number, each in enumerate(spans)]
    given = LanguageTexts(texts, spans, language, asked)
    chosen = choose(methods_for_language(language), method)
    if not trial or max(map(len, spans), default=0) > MOST:
        controls = []
    elif controls is None:
        controls = [shuffled_language(language, seed)]
    found = explained(given, [replace(given, language=each) for each in controls], chosen, seed)
    return [
        replace(each, notes=(*each.notes, *_notes(given, number, each)), details=details(given, number))
        for number, each in enumerate(found)
    ]


def methods_for_language(language: TextLanguage) -> list[Method]:
    """The methods that know a family, the best first."""
    model = language.model
    if isinstance(model, NgramModel):
        reach = model.order - 1
        said = f"{LEAVE_ONE_OUT.said}; in a {model.order}-gram model a token touches only the next {reach}"
        return [Method(LEAVE_ONE_OUT.name, said, lambda texts: leave_one_out_locally(texts, reach), deletes=True), PAIRS]
    return [MARGINAL, LEAVE_ONE_OUT, PAIRS] if isinstance(model, HmmModel) else [LEAVE_ONE_OUT, PAIRS]


def asked_for(part: int | None, number: int, parts: int, by: str) -> int | None:
    """The part that is asked for, counted from 0.

    Raises:
        UsageError: the text has no such part.
    """
    if part is None:
        return None
    if not 1 <= abs(part) <= parts:
        raise UsageError(
            f"text number {number + 1} has {parts:,} parts by {by}, and part {part} is asked for. Count from 1, or back from -1."
        )
    return part - 1 if part > 0 else parts + part


def _notes(texts: LanguageTexts, number: int, explained: Explanation) -> list[str]:
    """What to know about the explanation of a text."""
    language, asked, found = texts.language, texts.asked[number], list[str]()
    if asked is not None and explained.shares[asked + 1 :].any():
        found.append("parts that come later have a share where the tokens of this one would be others without them")
    encoded = language.encode([texts.texts[number]])
    impossible = int((texts.bits(encoded)[slice(*texts.counted(number))] >= IMPOSSIBLE).sum())
    if impossible:
        tokens = "1 token has" if impossible == 1 else f"{impossible:,} tokens have"
        found.append(
            f"{tokens} probability 0 under the model, so the surprisal is infinite; each counts here as {IMPOSSIBLE:,.0f} bits, "
            "so that the rest can be told"
        )
    context, tokens_read = language.model.context, 1 + len(encoded.ids)
    if context is not None and tokens_read > context:
        found.append(
            f"the text has {tokens_read:,} tokens, its start among them, and the model reads {context:,} at once: it is read in "
            "windows, and a deletion moves their borders, which is part of what it does"
        )
    if len(encoded.ids) > MOST_TOKENS:
        found.append(f"texts of more than {MOST_TOKENS:,} tokens are not told of token by token")
    if len(texts.spans[number]) > MOST:
        found.append(f"texts of more than {MOST:,} parts, and those explained with them, are not tried: give a passage")
    return found
