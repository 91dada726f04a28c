"""``explain_data``: which rows are explained, of which label, and the trial by training again."""

from __future__ import annotations

import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

import lossworks
from lossworks.api import explain_data
from lossworks.core.errors import DataError, UsageError
from lossworks.engine import Callbacks

NOUNS = ["film", "plot", "song", "book", "play", "cast", "scene", "story", "tale", "show"]
GOOD, BAD = ["good", "great", "fine", "lovely"], ["bad", "poor", "dull", "awful"]
ROWS = [
    (f"the {noun} is a {word} one of {number % 7}", label)
    for number, noun in enumerate(NOUNS * 4)
    for words, label in ((GOOD, "yes"), (BAD, "no"))
    for word in words
]


@pytest.fixture(scope="module")
def run(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A run whose training data is a file."""
    folder = tmp_path_factory.mktemp("explain")
    data = folder / "rows.jsonl"
    data.write_text("\n".join(json.dumps({"text": text, "label": label}) for text, label in ROWS))
    lossworks.fit(data, model="linear:bits=12", epochs=4, out=folder / "run")
    return folder / "run"


@pytest.fixture(scope="module")
def model(run: Path) -> lossworks.Model:
    """The model of that run."""
    found = lossworks.load(run)
    assert isinstance(found, lossworks.Model)
    return found


def test_test_part(model: lossworks.Model) -> None:
    """Without data the run's test part is explained, each text once; the words that matter are those that do."""
    found = explain_data(model)
    assert found.rows == 32
    assert len(found.explanations) + found.repeated == 32
    assert found.trial is not None
    assert found.trial.word == "trust"
    by_label = {each.quantity.split()[2]: each for each in found.parts}
    assert {kind.part for kind in by_label["yes"].raising[:4]} <= set(GOOD)
    assert {kind.part for kind in by_label["no"].raising[:4]} <= set(BAD)
    json.dumps(found.to_json(), allow_nan=False)


def test_rows_are_drawn_by_seed(model: lossworks.Model) -> None:
    """As many as asked for, others with another seed, and the same whatever the progress is told to."""
    seen: list[tuple[str, dict[str, Any]]] = []
    watched = Callbacks(watch=lambda event, fields: seen.append((event, fields)))
    first, again, other = (
        [each.text for each in explain_data(model, ROWS, rows=70, seed=seed, trial=False, callbacks=watched).explanations]
        for seed in (0, 0, 1)
    )
    assert first == again != other
    assert len(set(first)) == 70
    repeated = explain_data(model, ROWS[:10] * 3, trial=False)
    assert (repeated.rows, repeated.repeated, len(repeated.explanations)) == (30, 20, 10)
    assert [fields["done"] for _, fields in seen[:2]] == [64, 70]


def test_losses_are_of_true_labels(model: lossworks.Model) -> None:
    """A loss is told of each row's own label, a surprisal of the answer; a loss without labels is refused."""
    wrong = [(text, "no" if label == "yes" else "yes") for text, label in ROWS[:40]]
    found = explain_data(model, wrong, quantity="cross_entropy", trial=False)
    truth = dict(wrong)
    for each in found.explanations:
        assert each.quantity.endswith(f"of {truth[each.text]}")
        assert each.value > 0.5
    assert all(each.value < 0.7 for each in explain_data(model, wrong, quantity="surprisal", trial=False).explanations)
    texts = [text for text, _ in wrong]
    assert len(explain_data(model, texts, trial=False).explanations) == len(set(texts))
    with pytest.raises(DataError, match="label"):
        explain_data(model, texts, quantity="cross_entropy")


def test_retrain(model: lossworks.Model) -> None:
    """Models of shuffled labels explain it worse, and a planted token is found first, with no more than the record."""
    seen: list[str] = []
    found = explain_data(model, retrain=True, callbacks=Callbacks(watch=lambda event, fields: seen.append(event)))
    assert seen.count("retrain") == 4
    assert found.trial is not None
    test = found.trial.tests[-1]
    assert test.name == "models of shuffled labels"
    assert test.found.value > 0.3
    assert test.found.variances.S == 3
    assert found.planted is not None
    assert found.planted.found_first.value == 1
    assert 0 < found.planted.texts < len(found.explanations)  # those that answer otherwise without it
    told = found.to_json()["planted"]
    assert told["label"] in ("yes", "no")
    assert "100% (" in told["sentence"]
    assert f"of {found.planted.texts} texts with it" in told["sentence"]


def test_retrain_is_refused(model: lossworks.Model, run: Path, tmp_path: Path) -> None:
    """Without a record, without its data, or with other data nothing can be trained again, and it is said why."""
    from dataclasses import replace

    with pytest.raises(UsageError, match="Load it from its run directory"):
        explain_data(lossworks.Model(model.predictor), ROWS, retrain=True)
    gone = replace(model, record=model.record | {"given": model.record["given"] | {"data": str(tmp_path / "gone")}})
    with pytest.raises(UsageError, match="is not here"):
        explain_data(gone, ROWS, retrain=True)
    assert explain_data(gone, ROWS[:50], retrain=True, training=run.parent / "rows.jsonl").planted is not None
    with pytest.raises(DataError, match="are not those that the run was trained on"):
        explain_data(gone, ROWS, retrain=True, training=ROWS[:-1])


def test_other_tasks(put: Callable[[str, str], Path]) -> None:
    """Label sets, numbers and language models are explained over data too, and not trained again."""
    sets = lossworks.fit([(text, [label, "en"]) for text, label in ROWS], task="multilabel", model="linear:bits=12", epochs=2)
    found = explain_data(sets, [(text, [label]) for text, label in ROWS[:30]], quantity="binary_cross_entropy", trial=False)
    assert {each.quantity for each in found.explanations} == {f"binary_cross_entropy of {(label,)}" for label in ("yes", "no")}
    numbers = lossworks.fit([(text, float(len(text))) for text, _ in ROWS], task="regress", model="linear:bits=12", epochs=2)
    found = explain_data(numbers, [(text, 1.5) for text, _ in ROWS[:30]], quantity="mse", trial=False)
    assert {each.quantity for each in found.explanations} == {"mse of 1.5"}
    language = lossworks.fit([text for text, _ in ROWS], task="lm", model="ngram:order=2")
    found = explain_data(language, [text for text, _ in ROWS[:30]])
    assert found.explanations[0].unit == "bits"
    assert found.trial is not None
    for other in (numbers, language):
        with pytest.raises(UsageError, match="trained on none"):
            explain_data(other, ROWS, retrain=True)


def test_bad_arguments(model: lossworks.Model) -> None:
    """Rows below one, and texts that nothing can be said of, are refused or counted."""
    with pytest.raises(UsageError, match="rows is 0"):
        explain_data(model, ROWS, rows=0)
    found = explain_data(model, [*ROWS[:10], ("word " * 2001, "yes")], trial=False)
    assert found.long == 1
