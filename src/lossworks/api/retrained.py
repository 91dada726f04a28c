"""A run's classifier trained again on its data: on shuffled labels, and with a planted shortcut that explanations must find."""

from __future__ import annotations

from collections import Counter
from collections.abc import Sequence
from contextlib import ExitStack
from dataclasses import asdict, dataclass, replace
from typing import Any

import numpy as np

from ..attribution.explaining import explain_labels
from ..core.errors import UsageError
from ..core.seeds import derive, generator
from ..data import AS_READ, TRAIN, VALID, ReadOptions, load_all
from ..engine import Callbacks
from ..inference import Predictor
from ..metrics.intervals import Interval, proportion
from ..record import Run
from ..record.scratch import temporary
from ..training import Settings
from ..training.assembling import assemble
from ..training.replay import check_rows
from .fit import fit
from .held import as_split
from .language import Language
from .model import Model
from .reading import Source
from .replayed import settings_of
from .run_data import sources

TRAININGS = 3
"""On shuffled labels; with two, how much they vary would hardly be known."""
_MOST = 200  # texts that the shortcut is looked for in
_PLANTED = 0.5  # share of the label's texts
_LETTERS = "bdfgjklmprtvwxz"

Rows = list[tuple[Any, ...]]


@dataclass(frozen=True, slots=True)
class Planted:
    """How often the part of the largest share is a token that, in training, stood in texts of ``label`` alone."""

    token: str
    label: str
    texts: int
    found_first: Interval

    @property
    def sentence(self) -> str:
        """It in words."""
        found = self.found_first
        return (
            f"A planted shortcut, {self.token!r} in half of the training texts of {self.label}, has the largest share in "
            f"{found.value:.0%} ({found.low:.0%} to {found.high:.0%}) of {self.texts:,} texts with it."
        )

    def to_json(self) -> dict[str, Any]:
        """Plain values."""
        return asdict(self) | {"found_first": self.found_first.to_json(), "sentence": self.sentence}


@dataclass(slots=True)
class Again:
    """What a run was trained and validated on, (text, label) or (text, label, weight) of each row, and by which settings."""

    predictor: Predictor
    train: Rows
    valid: Rows
    settings: Settings
    seed: int
    callbacks: Callbacks
    done: int = 0

    @classmethod
    def of(cls, model: Model | Language, data: Source | None, read: ReadOptions | None, seed: int, callbacks: Callbacks) -> Again:
        """The data that the model's run names, or ``data``.

        Raises:
            UsageError: the model is no classifier in a run directory, or its data is not there.
            DataError: it is other data.
        """
        if isinstance(model, Language) or model.predictor.task.kind != "classify":
            raise UsageError("--retrain shuffles the classes of training rows, and this model was trained on none. Leave it out.")
        if model.path is None or "given" not in model.record:
            raise UsageError("--retrain trains by a run's record, and this model has none. Load it from its run directory.")
        settings = settings_of(Run(model.path), model.record, None)
        given = sources(model.path, model.record, {"data": data}, "--training FILE")
        with ExitStack() as stack:
            scratch = stack.enter_context(temporary())
            corpora = stack.enter_context(load_all(given, as_split(read, model.record), scratch))
            check_rows([corpus.fingerprint for corpus in corpora], model.record)
            fixed = [part for _, part in given]
            found = assemble(corpora, fixed, settings.task, settings.class_weight, settings.valid, settings.test, settings.seed)
            labels = [label for corpus in corpora for label in corpus.labels]
            parts = []
            for part in (TRAIN, VALID):
                numbers = np.flatnonzero(found.parts == part)
                weights = [] if found.weight is None else [found.weight[numbers].tolist()]
                texts = [text for _, block in found.blocks(part) for text in block]
                parts.append(list(zip(texts, [labels[row] for row in numbers], *weights, strict=True)))
        return cls(model.predictor, parts[0], parts[1], replace(settings, valid=0, test=0), seed, callbacks)

    def on_shuffled_labels(self) -> list[Predictor]:
        """Models of the same texts whose labels stand in another order."""
        return [self._fit(*(self._shuffled(rows, number) for rows in (self.train, self.valid))) for number in range(TRAININGS)]

    def planted(self, texts: Sequence[str], by: str, method: str) -> Planted:
        """Train with a token in half of the texts of one label, and look for it in some texts with it: in those that have no
        evidence of their own for that label, where there are any.
        """
        draw = generator(self.seed, "planted")
        (label, _), *_ = Counter(row[1] for row in self.train).most_common(1)
        token = self._token()
        rows = [
            [
                (_inserted(row[0], token, draw)[0], *row[1:]) if row[1] == label and draw.random() < _PLANTED else row
                for row in part
            ]
            for part in (self.train, self.valid)
        ]
        predictor = self._fit(*rows)
        others = [text for text, answer in zip(texts, self.predictor.predict(texts), strict=True) if answer != label] or texts
        chosen = [others[row] for row in draw.permutation(len(others))[:_MOST]]
        marked, places = zip(*(_inserted(text, token, draw) for text in chosen), strict=True)
        hits = []
        for each, place in zip(
            explain_labels(predictor, marked, label=label, by=by, method=method, trial=False), places, strict=True
        ):
            first, last = each.spans[int(each.shares.argmax())].tolist()
            hits.append(first < place + len(token) and place < last)
        return Planted(token, str(label), len(hits), proportion(np.array(hits), np.ones(len(hits))))

    def _fit(self, train: Rows, valid: Rows) -> Predictor:
        self.done += 1
        self.callbacks.watch("retrain", {"number": self.done, "of": TRAININGS + 1})
        model = fit(
            train, valid=valid or 0.0, read=AS_READ, settings=self.settings, callbacks=Callbacks(stop=self.callbacks.stop)
        )
        assert isinstance(model, Model)
        return model.predictor

    def _shuffled(self, rows: Rows, number: int) -> Rows:
        order = np.random.default_rng(derive(self.seed, "labels", number)).permutation(len(rows))
        return [(row[0], rows[other][1], *row[2:]) for row, other in zip(rows, order.tolist(), strict=True)]

    def _token(self) -> str:
        """A word of six letters that is in no text."""
        number = 0
        while True:
            token = "".join(generator(self.seed, "token", number).choice(list(_LETTERS), 6))
            if not any(token in row[0].lower() for rows in (self.train, self.valid) for row in rows):
                return token
            number += 1


def _inserted(text: str, token: str, draw: np.random.Generator) -> tuple[str, int]:
    """The text with the token between two of its words, or at an end, and where that is."""
    places = [place for place in range(len(text) + 1) if not text[max(0, place - 1) : place].strip()]
    place = int(draw.choice([*places, len(text)]))
    before = text[:place] + ("" if not text[:place] or text[:place][-1].isspace() else " ")
    return f"{before}{token} {text[place:]}", len(before)
