"""From texts and a trained model to explanations: the method that suits the family, and the trial of what it found."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace
from typing import Any

from ..core.errors import UnknownName
from ..data import OrderedFeatures
from ..inference import GenerativePredictor, NetworkPredictor, Predictor
from .control import shuffled
from .deletion import leave_one_out
from .explanation import Division, Explanation
from .parts import Spans, spans_of
from .quantity import quantity as asked_for
from .texts import LabelTexts, Texts, calibrated
from .trial import judge

AUTO = "auto"


@dataclass(frozen=True, slots=True)
class Method:
    """A way to find shares. said: it in words. deletes: whether shares are what deletions do."""

    name: str
    said: str
    divide: Callable[[Any], list[Division]]


LEAVE_ONE_OUT = Method("leave_one_out", "leave-one-out: what the quantity loses without the part", leave_one_out)


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
    scores, task = calibrated(predictor, texts), predictor.task
    answers = scores.argmax(1).tolist() if task.has_probabilities else scores.tolist()
    quantities = [asked_for(task, quantity, answer, label, against) for answer in answers]
    spans = [spans_of(text, by, token_spans(predictor)) for text in texts]
    given = LabelTexts(texts, spans, predictor, quantities)
    if controls is None:
        controls = [shuffled(predictor, seed)] if trial else []
    return explained(given, [replace(given, predictor=each) for each in controls], choose(methods_for(given), method), seed)


def explained(given: Texts, controls: Sequence[Texts], chosen: Method, seed: int) -> list[Explanation]:
    """Explanations by one method. ``controls``: the texts under models that know nothing of what was learned; none: no trial."""
    divisions = chosen.divide(given)
    trials = judge(given, divisions, [chosen.divide(each) for each in controls], seed) if controls else None
    return [
        Explanation(
            text=text,
            quantity=given.described(number)[0],
            unit=given.described(number)[1],
            value=division.value,
            baseline=division.baseline,
            spans=given.spans[number],
            shares=division.shares,
            method=chosen.name,
            how=chosen.said,
            trial=None if trials is None else trials[number],
            notes=division.notes,
        )
        for number, (text, division) in enumerate(zip(given.texts, divisions, strict=True))
    ]


def token_spans(predictor: Predictor) -> Spans | None:
    """Where the model's own tokens stand in a text; None: it has none."""
    if isinstance(predictor, GenerativePredictor):
        return predictor.tokenizer.spans
    if isinstance(predictor, NetworkPredictor) and isinstance(predictor.features, OrderedFeatures):
        return predictor.features.tokenizer.spans
    return None


def methods_for(texts: Texts) -> list[Method]:
    """The methods that know a family, the best first."""
    return [LEAVE_ONE_OUT]


def choose(methods: Sequence[Method], name: str) -> Method:
    """The method of a name among those of a family; "auto" is the first.

    Raises:
        UnknownName: it is none of them.
    """
    known = {method.name: method for method in methods}
    if name != AUTO and name not in known:
        raise UnknownName("method for this model", name, [AUTO, *known])
    return methods[0] if name == AUTO else known[name]
