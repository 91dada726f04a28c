"""``fit(start=RUN)``: a finished run trained further, and what it forgot."""

from __future__ import annotations

import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest

import lossworks
from lossworks.api import evaluate, learning
from lossworks.api.model import Model
from lossworks.core.errors import Interrupted, RecordError, UsageError
from lossworks.engine import Callbacks
from lossworks.report import went_on

Put = Callable[[str, str], Path]
LINEAR: dict[str, Any] = {"model": "linear:bits=10,chars=0", "epochs": 3}


def csv(rows: list[tuple[str, str]]) -> str:
    """Rows as a file."""
    return "text,label\n" + "".join(f'"{text}",{label}\n' for text, label in rows)


def about(labels: str, seed: int, each: int = 40) -> list[tuple[str, str]]:
    """Texts of random words, of which one tells the label four times in five."""
    draw = np.random.default_rng(seed)
    words = [f"w{number}" for number in range(60)]
    every = [label for label in labels for _ in range(each)]
    return [(" ".join([label if draw.random() < 0.8 else "none", *draw.choice(words, 5)]), label) for label in every]


@pytest.fixture
def old(put: Put, tmp_path: Path) -> Path:
    """A run of three classes."""
    lossworks.fit(put("old.csv", csv(about("abc", 0))), out=tmp_path / "old", **LINEAR)
    return tmp_path / "old"


def result_of(run: Path) -> dict[str, Any]:
    """What the record says of what a run went on from."""
    found: dict[str, Any] = json.loads((run / "run.json").read_text("utf-8"))["result"]["from"]
    return found


def test_new_labels_are_appended_and_forgetting_is_what_the_old_rows_say(old: Path, put: Put, tmp_path: Path) -> None:
    """Only a new label is trained on: it stands behind the old ones, and their rows are scored by both models, paired."""
    model = lossworks.fit(put("new.csv", csv(about("A", 1))), start=old, out=tmp_path / "new")
    assert isinstance(model, Model)
    assert model.labels == ("a", "b", "c", "A")
    found = result_of(tmp_path / "new")
    before, after = evaluate(lossworks.load(old)), evaluate(model, _test_rows(old))
    for name, row in found["metrics"].items():
        if name != "macro_f1":  # by which labels occur
            assert row["before"] == pytest.approx(before["metrics"][name]["value"], abs=1e-6)
            assert row["after"] == pytest.approx(after["metrics"][name]["value"], abs=1e-6)
    nll = found["metrics"]["nll"]["difference"]
    assert nll["value"] == pytest.approx(after["metrics"]["nll"]["value"] - before["metrics"]["nll"]["value"], abs=1e-6)
    assert (found["verdict"], found["labels"], found["optimizer"], found["rows"]) == ("forgot", ["A"], None, 12)
    assert nll["low"] > 0
    right, floor = found["metrics"]["accuracy"], lossworks.load(old).record["result"]["baseline"]["metrics"]["accuracy"]["value"]
    assert found["lost"] == pytest.approx((right["before"] - right["after"]) / (right["before"] - floor))
    said = " ".join(went_on.sentences(model.record))
    assert f"{nll['value']:.3f}" in said
    assert said in (tmp_path / "new" / "report.html").read_text("utf-8").replace("</p>\n<p>", " ")
    assert "went on" in _error(lambda: learning(tmp_path / "new"))  # its data alone cannot train it again


def _test_rows(run: Path) -> list[tuple[str, str]]:
    from lossworks.api.tested import corpus_for

    corpus = corpus_for({"old": lossworks.load(run)}, None, None)
    return [(text, str(label)) for text, label in zip([t for b in corpus.blocks() for t in b], corpus.labels, strict=True)]


def _error(work: Callable[[], Any]) -> str:
    with pytest.raises((UsageError, RecordError)) as caught:
        work()
    return str(caught.value)


@pytest.mark.parametrize("valid", [0.0, 0.1])
def test_a_step_of_no_length_changes_nothing(valid: float, put: Put, tmp_path: Path) -> None:
    """At a rate of next to nothing the model answers as the run did: weights, features, task and temperature are its own."""
    old = tmp_path / "old"
    lossworks.fit(put("old.csv", csv(about("abc", 0, 90))), out=old, **LINEAR)
    model = lossworks.fit(put("more.csv", csv(about("ab", 2))), start=old, lr=1e-12, valid=valid)
    assert isinstance(model, Model)
    was = lossworks.load(old)
    assert isinstance(was, Model)
    texts = [text for text, _ in about("abc", 0)]
    np.testing.assert_allclose(model.predictor.scores(texts), was.predictor.scores(texts), rtol=0.2, atol=0.05)
    assert (model.record["result"]["refit_rows"] is None) is (valid == 0)  # with some, there are two trainings
    if not valid:
        assert model.predictor.temperature == was.predictor.temperature != 1
        assert abs(model.record["result"]["from"]["metrics"]["nll"]["difference"]["value"]) < 0.02
    assert model.record["config"]["lr"] == 1e-12


def test_known_rows_are_left_out_and_said(old: Path, put: Put, tmp_path: Path) -> None:
    """Test rows of the run in the new training data are not judged by; new test rows that it had been trained on are told."""
    leaked = _test_rows(old)[:5]
    trained = [row for row in about("abc", 0) if row not in _test_rows(old)][:8]
    data, test = put("new.csv", csv([*about("ab", 3), *leaked])), put("test.csv", csv([*about("ab", 4, 3), *trained]))
    lossworks.fit(data, test=test, valid=0, start=old, out=tmp_path / "new")
    found = result_of(tmp_path / "new")
    assert (found["known"], found["rows"], found["learned"]) == (5, 7, 8)
    said = " ".join(went_on.sentences(json.loads((tmp_path / "new" / "run.json").read_text("utf-8"))))
    assert "5 rows that stand in the new training data left out" in said
    assert "8 of the new test rows stand among what" in said


def test_where_the_old_data_has_changed_nothing_is_claimed(old: Path, put: Put, tmp_path: Path) -> None:
    """Without the rows that the run was tested on there is a reason in the place of figures."""
    put("old.csv", csv(about("abc", 9)))
    model = lossworks.fit(about("ab", 3), start=old)
    found = model.record["result"]["from"]
    assert "verdict" not in found
    assert "nothing is said of what was forgotten" in found["note"]
    assert "not those that the run was trained on" in found["note"]


@pytest.mark.parametrize("model", [LINEAR, {"model": "bag:dim=4,bits=8,dropout=0.2", "ema": 0.9, "epochs": 3}])
def test_stopped_and_resumed_it_ends_in_the_same_bits(model: dict[str, Any], put: Put, tmp_path: Path) -> None:
    """As any fit; and it is refused where the run that it goes on from is another by then."""
    lossworks.fit(put("old.csv", csv(about("abc", 0))), out=tmp_path / "old", **model)
    data = put("new.csv", csv(about("cd", 1)))
    lossworks.fit(data, start=tmp_path / "old", out=tmp_path / "whole", valid=0)
    callbacks = Callbacks()
    left = [7]

    def stepped() -> None:
        left[0] -= 1
        if left[0] == 0:
            callbacks.stop.set()

    callbacks.stepped = stepped
    with pytest.raises(Interrupted):
        lossworks.fit(data, start=tmp_path / "old", out=tmp_path / "killed", valid=0, callbacks=callbacks)
    lossworks.fit(data, start=tmp_path / "old", out=tmp_path / "killed", valid=0, resume=True)
    for file in ("model.safetensors", next((tmp_path / "whole" / "optimizer").iterdir()).relative_to(tmp_path / "whole")):
        assert (tmp_path / "whole" / file).read_bytes() == (tmp_path / "killed" / file).read_bytes()
    record = json.loads((tmp_path / "killed" / "run.json").read_text("utf-8"))
    record["status"], record["given"]["from"]["model"] = "interrupted", "another"
    (tmp_path / "killed" / "run.json").write_text(json.dumps(record), "utf-8")
    again = {"start": tmp_path / "old", "out": tmp_path / "killed", "valid": 0, "resume": True}
    assert "--resume: from was" in _error(lambda: lossworks.fit(data, **again))
    (state,), (other,) = ([*(tmp_path / run / "optimizer").iterdir()] for run in ("old", "whole"))
    state.write_bytes(other.read_bytes())
    assert f"{state} is damaged: it is not what was saved" in _error(lambda: lossworks.fit(data, start=tmp_path / "old"))
    lossworks.load(tmp_path / "old")  # which has no use for it


@pytest.mark.parametrize(
    ("choices", "said"),
    [
        ({"model": "bag"}, "its model is linear:chars=0,bits=10, which cannot become bag"),
        ({"task": "regress"}, "its task is classify, which cannot become regress"),
        ({"teach": "uniform"}, "a teacher is not supported"),
        ({"folds": 3}, "--folds judges by models that are each trained anew"),
    ],
)
def test_what_cannot_change_is_refused_by_name(choices: dict[str, Any], said: str, old: Path) -> None:
    """The shape of the model is the run's, and what goes with it."""
    assert said in _error(lambda: lossworks.fit(about("ab", 3), start=old, **choices))


def test_families_that_count_are_refused_with_what_to_do(tmp_path: Path) -> None:
    """What they keep is no counts, so nothing can be added to it."""
    lossworks.fit(about("ab", 0), model="naive_bayes:chars=0,bits=10", out=tmp_path / "bayes")
    lossworks.fit([text for text, _ in about("ab", 0)], model="ngram:order=2", out=tmp_path / "ngram")
    for run in ("bayes", "ngram"):
        assert "Fit on both files" in _error(lambda run=run: lossworks.fit(about("ab", 1), start=tmp_path / run))  # type: ignore[misc]


@pytest.mark.parametrize("task", ["multilabel", "regress"])
def test_label_sets_and_numbers_go_on(task: str, tmp_path: Path) -> None:
    """Of label sets the old labels alone are judged by; numbers stay in the units that the network was trained in."""
    rows: dict[str, list[list[tuple[str, Any]]]] = {
        "multilabel": [
            [(f"{a} {b} w{n}", (a, b)) for n in range(30) for a, b in pairs] for pairs in (("ab", "bc"), ("cd", "ad"))
        ],
        "regress": [[(f"w{n % 7} x", float(n % 7 + shift)) for n in range(60)] for shift in (0, 10)],
    }
    path = tmp_path / "old.jsonl"
    path.write_text("".join(json.dumps({"text": text, "label": label}) + "\n" for text, label in rows[task][0]), "utf-8")
    lossworks.fit(path, task=task, out=tmp_path / "old", **LINEAR)
    model = lossworks.fit(rows[task][1], start=tmp_path / "old")
    assert isinstance(model, Model)
    was, found = lossworks.load(tmp_path / "old"), model.record["result"]["from"]
    assert isinstance(was, Model)
    assert (model.predictor.task.center, model.predictor.task.spread) == (was.predictor.task.center, was.predictor.task.spread)
    assert model.labels == (("a", "b", "c", "d") if task == "multilabel" else ())
    for name, row in found["metrics"].items():
        assert row["before"] == pytest.approx(was.metrics[name]["value"], abs=1e-6)


@pytest.mark.parametrize("model", ["rnn:dim=12", "transformer:layers=1,dim=16,heads=2,context=16"])
def test_language_goes_on_with_the_same_tokens(model: str, put: Put, tmp_path: Path) -> None:
    """Tokens, shape and weights are the run's: a step of no length leaves the bits a byte where they were."""
    lines = [[text for text, _ in about("ab", seed)] for seed in (0, 1)]
    old = put("old.txt", "\n".join(lines[0]))
    lossworks.fit(old, task="lm", model=model, tokenizer="words", steps=8, dtype="float32", out=tmp_path / "old")
    record = json.loads((tmp_path / "old" / "run.json").read_text("utf-8"))
    after = lossworks.fit(lines[1], start=tmp_path / "old", lr=1e-12, steps=2).record
    assert after["config"]["model"] == record["config"]["model"]
    assert after["data"]["vocabulary"] == record["data"]["vocabulary"]
    row = after["result"]["from"]["metrics"]["bits_per_byte"]
    assert row["after"] == pytest.approx(row["before"], abs=1e-5)
    assert row["before"] == pytest.approx(record["result"]["metrics"]["bits_per_byte"]["value"], abs=1e-5)


@pytest.mark.parametrize(
    ("lost", "said"),
    [
        (1.3, "It forgot nearly all of what old knew: on its 12 test rows accuracy 86.8 % before, 5.4 % now"),
        (0.6, "It forgot most of"),
        (0.3, "It forgot some of"),
        (0.05, "It forgot a little of"),
        (-0.1, "It forgot a little of"),
        (None, "It forgot some of"),
    ],
)
def test_forgetting_is_graded(lost: float | None, said: str) -> None:
    """By the share that is gone of the lead over the constant baseline, which is told; a record of before has none."""
    row = {"before": 0.868, "after": 0.054, "difference": {"value": -0.814, "low": -0.85, "high": -0.77}}
    found = {"run": "old", "labels": [], "optimizer": None, "known": 0, "rows": 12, "verdict": "forgot", "metric": "accuracy"}
    found |= {"metrics": {"accuracy": row}} | ({} if lost is None else {"lost": lost, "lead": "accuracy"})
    told = " ".join(went_on.sentences({"result": {"from": found}})).replace("\u202f", " ")
    assert said in told
    gone = {1.3: "all is gone", 0.6: "60.0 % is gone", 0.3: "30.0 % is gone", 0.05: "5.0 % is gone"}
    assert (gone[lost] in told) if lost in gone else ("is gone" not in told)
