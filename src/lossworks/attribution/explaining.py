"""From texts and a trained model to explanations: the method that suits the family, and the trial of what it found."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace
from typing import Any

import numpy as np
from numpy.typing import NDArray

from ..core.errors import UnknownName
from ..data import OrderedFeatures
from ..inference import GenerativePredictor, NetworkPredictor, Predictor
from .additive import Additive, shares_of_sums
from .chain_rule import shares_of_evidence
from .control import shuffled
from .deletion import MOST, leave_one_out
from .explanation import Division, Explanation, Trial
from .gradients import integrated_gradients
from .pairs import pairs
from .parts import Spans, spans_in
from .quantity import VALUE, weights_of
from .quantity import quantity as asked_for
from .reading import within_reach
from .texts import LabelTexts, Texts, calibrated
from .trial import judge

AUTO = "auto"


@dataclass(frozen=True, slots=True)
class Method:
    """A way to find shares. said: it in words. ends: whether the end of a text is a part. deletes: whether a share is what the
    quantity loses when the part is deleted.
    """

    name: str
    said: str
    divide: Callable[[Any], list[Division]]
    ends: bool = False
    deletes: bool = False


LEAVE_ONE_OUT = Method("leave_one_out", "leave-one-out: what the quantity loses without the part", leave_one_out, deletes=True)
PAIRS = Method("pairs", "leave-one-out, and half of what a pair of parts takes away beyond both alone", pairs)
SUM = Method("exact", "exact: what the part's n-grams add to the quantity", shares_of_sums)
PATH = Method("integrated_gradients", "integrated gradients from no n-grams to all of the text's", shares_of_sums)
TOKENS = Method("integrated_gradients", "integrated gradients from tokens that say nothing to the text's", integrated_gradients)
CHAIN = Method("exact", "exact: what the part's tokens say, given those before", shares_of_evidence, ends=True)
CHAIN_PATH = Method(
    "integrated_gradients", "integrated gradients from no tokens to all of the text's", shares_of_evidence, ends=True
)


def explain_labels(
    predictor: Predictor,
    texts: Sequence[str],
    *,
    quantity: str | None = None,
    label: Any = None,
    against: Any = None,
    by: str = "word",
    method: str = AUTO,
    trial: bool = True,
    seed: int = 0,
    controls: Sequence[Predictor] | None = None,
) -> list[Explanation]:
    """Explanations of what a classifier or regression says of texts; arguments as of ``Model.explain``.

    controls: models that know nothing of what was learned, beside which shares are tried; None: one, of shuffled weights.
    """
    passages, cuts = within_reach(predictor, texts)
    answers = [None] * len(texts) if label is not None else _answers(predictor, passages, quantity)
    each = {answer: asked_for(predictor.task, quantity, answer, label, against) for answer in set(answers)}
    spans = spans_in(passages, by, token_spans(predictor))
    given = LabelTexts(passages, spans, predictor, [each[answer] for answer in answers])
    chosen = choose(methods_for(given), method)
    given = given.with_ends() if chosen.ends else given
    if controls is None:
        controls = [shuffled(predictor, seed)] if trial else []
    found = explained(given, [replace(given, predictor=each) for each in controls], chosen, seed)
    whole = zip(found, texts, cuts, strict=True)
    return [replace(one, text=text, notes=(*one.notes, *cut)) if cut else one for one, text, cut in whole]


def explained(given: Texts, controls: Sequence[Texts], chosen: Method, seed: int) -> list[Explanation]:
    """Explanations by one method. ``controls``: the texts under models that know nothing of what was learned; none: no trial."""
    divisions = chosen.divide(given)
    trials: Sequence[Trial | None] = [None] * len(given)
    deleted: Sequence[NDArray[np.float64] | None] = [None] * len(given)
    if controls:
        trials = judge(given, divisions, [chosen.divide(each) for each in controls], seed)
        deleted = deleted if chosen.deletes else [lost_by_deletion(given.some(n, n + 1)) for n in range(len(given))]
    return [
        Explanation(
            text=given.texts[number],
            quantity=said,
            unit=unit,
            value=division.value,
            baseline=division.baseline,
            spans=given.spans[number],
            shares=division.shares,
            deleted=deleted[number],
            method=chosen.name,
            how=chosen.said,
            trial=trials[number],
            notes=division.notes,
            details=division.details,
        )
        for number, division in enumerate(divisions)
        for said, unit in [given.described(number)]
    ]


def _answers(predictor: Predictor, texts: Sequence[str], quantity: str | None) -> list[Any]:
    """What the model answers for each text, a label's number or a number; None where the quantity does not depend on it."""
    if predictor.task.has_probabilities:
        return list(calibrated(predictor, texts).argmax(1).tolist())
    return [None] * len(texts) if quantity in (None, VALUE) else list(calibrated(predictor, texts).tolist())


def lost_by_deletion(text: Texts) -> NDArray[np.float64] | None:
    """What one text's quantity loses with each of its parts; None: it has too many."""
    return leave_one_out(text)[0].shares if len(text.spans[0]) <= MOST else None


def token_spans(predictor: Predictor) -> Spans | None:
    """Where the model's own tokens stand in a text; None: it has none."""
    if isinstance(predictor, GenerativePredictor):
        return predictor.tokenizer.spans
    if isinstance(predictor, NetworkPredictor) and isinstance(predictor.features, OrderedFeatures):
        return predictor.features.tokenizer.spans
    return None


def methods_for(texts: Texts) -> list[Method]:
    """The methods that know a family, the best first."""
    deletions = [LEAVE_ONE_OUT, PAIRS]
    if isinstance(texts, LabelTexts) and all(one.has_gradient for one in texts.quantities):
        linear, model = weights_of(texts.quantities[:1]) is not None, Additive.of(texts.predictor)
        if isinstance(texts.predictor, GenerativePredictor):
            return [CHAIN if linear else CHAIN_PATH, *deletions]
        if model is not None:
            return [SUM if linear and model.hidden is None else PATH, *deletions]
        if isinstance(texts.predictor, NetworkPredictor) and isinstance(texts.predictor.features, OrderedFeatures):
            return [LEAVE_ONE_OUT, TOKENS, PAIRS]
    return deletions


def choose(methods: Sequence[Method], name: str) -> Method:
    """The method of a name among those of a family; "auto" is the first.

    Raises:
        UnknownName: it is none of them.
    """
    known = {method.name: method for method in methods}
    if name != AUTO and name not in known:
        raise UnknownName("method for this model", name, [AUTO, *known])
    return methods[0] if name == AUTO else known[name]
