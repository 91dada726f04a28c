"""``explain_data``: which parts matter most over a data set, and whether the explanations may be believed."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from contextlib import closing
from dataclasses import dataclass, field, replace
from functools import partial
from typing import TYPE_CHECKING, Any

import numpy as np

from ..core.errors import DataError, UsageError
from ..core.seeds import derive, generator
from ..data import Corpus, ReadOptions, label_sets, read_options
from ..engine import Callbacks
from .language import Language
from .model import Model
from .reading import Source
from .tested import corpus_for

if TYPE_CHECKING:
    from ..attribution import Explanation
    from ..attribution.over_data import DataTrial, Parts
    from .retrained import Planted

CONTROLS = 3
"""Models with shuffled weights that explanations are tried beside."""
_AT_ONCE = 64  # texts
_OF_LABELS = (None, "logit", "probability", "surprisal", "value")


@dataclass(frozen=True, slots=True, kw_only=True)
class ExplainedData:
    """Explanations of texts of a data set, and what they come to.

    source: the data. rows: in it. repeated: rows whose text another row has. long: texts drawn that have too many parts.
    explanations: of the others drawn. parts: what matters most, quantity by quantity. trial: over all texts; None: not tried.
    planted: whether the method finds a planted shortcut; None: not asked for.
    """

    source: str
    rows: int
    repeated: int
    long: int
    explanations: list[Explanation] = field(repr=False)
    parts: list[Parts]
    trial: DataTrial | None
    planted: Planted | None = None

    def to_json(self) -> dict[str, Any]:
        """Everything but the explanations one by one, as plain values."""
        first = self.explanations[0]
        return {
            **{name: getattr(self, name) for name in ("source", "rows", "repeated", "long")},
            "explained": len(self.explanations),
            **{name: getattr(first, name) for name in ("unit", "method", "how")},
            "parts": [each.to_json() for each in self.parts],
            "trial": None if self.trial is None else self.trial.to_json(),
            "planted": None if self.planted is None else self.planted.to_json(),
        }


def explain_data(
    model: Model | Language,
    data: Source | None = None,
    *,
    quantity: str | None = None,
    label: Any = None,
    against: Any = None,
    by: str = "word",
    method: str = "auto",
    rows: int = 1000,
    trial: bool = True,
    retrain: bool = False,
    training: Source | None = None,
    seed: int = 0,
    read: ReadOptions | None = None,
    callbacks: Callbacks | None = None,
) -> ExplainedData:
    """Explain texts of a data set, and tell which parts matter most for each label and whether to believe it.

    Args:
        model: from ``fit`` or ``load``.
        data: text as ``fit`` takes it; its labels are needed for a loss alone. None: what the model's run was tested on.
        quantity, label, against, by, method, trial: as of ``Model.explain``; a loss is of the true labels where none is given.
        rows: of how many texts, drawn at random where there are more. Rows of one text are one.
        retrain: of a classifier in a run directory, train it again on shuffled labels, thrice, whose explanations must do worse,
            and once with a planted shortcut, which must be found.
        training: what it was trained on, where that is no longer where the record says.
        seed: of the texts drawn, and of what is random in the trial.
        read: which columns to read and how.
        callbacks: how to watch: "retrain" tells which training begins, "explain" how many texts are explained.

    Raises:
        UsageError: an argument does not fit the model; the training data is not there.
        DataError: the data cannot be read, or has no labels where a loss needs them.
    """
    from ..attribution.over_data import parts_of, trial_of

    if rows < 1:
        raise UsageError(f"rows is {rows}; wanted 1 or more: 1000.")
    callbacks = callbacks or Callbacks()
    of_truth = label is None and isinstance(model, Model) and quantity not in _OF_LABELS
    again = None
    if retrain:
        from .retrained import Again

        again = Again.of(model, training, read, seed, callbacks)
    with closing(_corpus(model, data, read, of_truth)) as corpus:
        chosen, repeated, long = _drawn(model, corpus, rows, by, seed)
        if not chosen:
            raise DataError(f"{corpus.source} has no text to explain.")
        texts, numbers = corpus.texts(chosen), {row: number for number, row in enumerate(chosen)}
        controls = _controls(model, seed) if trial or retrain else []
        kinds = {"models with shuffled weights": slice(0, len(controls))}
        if again is not None:
            wrong = again.on_shuffled_labels()
            kinds["models of shuffled labels"] = slice(len(controls), len(controls) + len(wrong))
            controls += wrong
        given = {"quantity": quantity, "against": against, "by": by, "method": method, "seed": seed, "controls": controls}
        found: dict[int, Explanation] = {}
        explain, truths = _explain(model, trial=bool(controls), **given), _truths(model, corpus) if of_truth else None
        for some in _blocks(chosen, truths):
            told = {} if isinstance(model, Language) else {"label": label if truths is None else truths[some[0]]}
            found |= zip(some, explain([texts[numbers[row]] for row in some], **told), strict=True)
            callbacks.watch("explain", {"done": len(found), "of": len(chosen)})
        explanations = [found[row] for row in chosen]
        return ExplainedData(
            source=corpus.source,
            rows=len(corpus),
            repeated=repeated,
            long=long,
            explanations=explanations,
            parts=parts_of(explanations),
            trial=trial_of(explanations, kinds) if controls else None,
            planted=None if again is None else again.planted(texts, by, method),
        )


def _explain(model: Model | Language, quantity: Any, against: Any, **given: Any) -> Callable[..., list[Explanation]]:
    if isinstance(model, Language):
        from ..attribution.language import explain_language

        return partial(explain_language, model.trained, **given)
    from ..attribution.explaining import explain_labels

    return partial(explain_labels, model.predictor, quantity=quantity, against=against, **given)


def _truths(model: Model | Language, corpus: Corpus) -> Sequence[Any]:
    """What is true of each row, as it is given for a label."""
    several = isinstance(model, Model) and model.predictor.task.kind == "multilabel"
    return [tuple(sorted(labels)) for labels in label_sets(corpus)] if several else corpus.labels


def _controls(model: Model | Language, seed: int) -> list[Any]:
    from ..attribution.control import shuffled, shuffled_language

    seeds = [derive(seed, "control", number) for number in range(CONTROLS)]
    if isinstance(model, Language):
        return [shuffled_language(model.trained, each) for each in seeds]
    return [shuffled(model.predictor, each) for each in seeds]


def _corpus(model: Model | Language, data: Source | None, read: ReadOptions | None, of_truth: bool) -> Corpus:
    read = read_options(read)
    if not of_truth:
        read = replace(read, unlabelled=True)
    if isinstance(model, Language):
        read = replace(read, label=None, texts=model.document_unit)
    return corpus_for({str(model.path): model}, data, read)


def _drawn(model: Model | Language, corpus: Corpus, rows: int, by: str, seed: int) -> tuple[list[int], int, int]:
    """Rows of different texts, drawn at random; how many repeat another's text; and how many have too many parts."""
    from ..attribution.deletion import MOST
    from ..attribution.explaining import token_spans
    from ..attribution.parts import spans_of

    tokens = model.tokenizer.spans if isinstance(model, Language) else token_spans(model.predictor)
    distinct = np.sort(np.unique(corpus.keys, return_index=True)[1])
    drawn = generator(seed, "explained rows").permutation(distinct)[:rows]
    drawn.sort()
    sizes = [len(spans_of(text, by, tokens)) for text in corpus.texts(drawn)]
    chosen = [int(row) for row, size in zip(drawn, sizes, strict=True) if size <= MOST]
    return chosen, len(corpus) - len(distinct), len(drawn) - len(chosen)


def _blocks(rows: Sequence[int], labels: Sequence[Any] | None) -> Iterator[list[int]]:
    """Some rows at a time, those of one label together where ``labels`` of all rows are given."""
    groups: dict[Any, list[int]] = {}
    for row in rows:
        groups.setdefault(None if labels is None else labels[row], []).append(row)
    for group in groups.values():
        yield from (group[first : first + _AT_ONCE] for first in range(0, len(group), _AT_ONCE))
