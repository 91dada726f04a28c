"""Teachers: what is learned from them, of rows with labels and without, and what is refused."""

from __future__ import annotations

import json
import subprocess
import sys
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch

import lossworks
from lossworks.core.errors import DataError, LossworksError, UsageError
from lossworks.data import TRAIN, load
from lossworks.losses import build
from lossworks.losses.sums import without_target
from lossworks.tasks import label_task
from lossworks.training.assembling import assemble
from lossworks.training.dataset import DIVERGENCE, LEFT_OUT
from lossworks.training.teaching import Taught, Teacher, teach

WORDS = ["good", "fine", "bad", "sad", "odd", "red"]


def _rows(count: int, seed: int = 0, labels: Sequence[str] = ("no", "yes")) -> list[tuple[str, str]]:
    """Texts of a few words, whose label is the number of good ones among them."""
    draw = np.random.default_rng(seed)
    drawn = [draw.choice(WORDS, 5).tolist() for _ in range(count)]
    return [
        (f"{' '.join(words)} n{number}", labels[min(sum(word in ("good", "fine") for word in words), len(labels) - 1)])
        for number, words in enumerate(drawn)
    ]


def _bare(count: int, seed: int = 0) -> list[str]:
    return [text for text, _ in _rows(count, seed)]


def _logits_of(model: lossworks.Model, texts: Sequence[str]) -> Any:
    return model.predictor.scores(texts)


def test_a_uniform_teacher_is_label_smoothing() -> None:
    """A share of the divergence from a uniform teacher has the gradient of label smoothing, so it ends in the same model."""
    data, few = _rows(120, labels=("a", "b", "c")), {"epochs": 2, "valid": 0, "test": 0}
    taught = lossworks.fit(data, teach="uniform", loss="0.8*cross_entropy+0.2*forward_kl", **few)
    smoothed = lossworks.fit(data, loss="cross_entropy:label_smoothing=0.2", **few)
    plain = lossworks.fit(data, **few)
    texts = _bare(20, 1)
    assert np.abs(_logits_of(taught, texts) - _logits_of(smoothed, texts)).max() < 1e-4
    assert np.abs(_logits_of(plain, texts) - _logits_of(smoothed, texts)).max() > 1e-2


def test_a_cut_teacher() -> None:
    """Its answers are dealt out among the rows of which it speaks, and no others; another seed deals them otherwise."""
    draw = np.random.default_rng(0)
    logits = draw.normal(size=(40, 2)).astype(np.float32)
    silent = draw.random(40) < 0.3
    taught = Taught(label_task("classify", ("no", "yes")), "", logits, np.ones(40, bool), silent, [])
    rows = np.arange(0, 40, 2)
    cut, spoken = taught.cut(taught.task, rows, 1), rows[~silent[rows]]
    left = np.setdiff1d(np.arange(40), spoken)
    assert np.array_equal(cut[left], logits[left])
    assert sorted(cut[spoken].tolist()) == sorted(logits[spoken].tolist())
    assert not np.array_equal(cut[spoken], logits[spoken])
    assert np.array_equal(cut, taught.cut(taught.task, rows, 1))
    assert not np.array_equal(cut, taught.cut(taught.task, rows, 2))


def test_cut_in_a_fit(tmp_path: Path) -> None:
    """A teacher with "cut:" before it knows nothing of the texts: the control."""
    known = ["yes,5"] * 2 + ["no,1"] * 4
    listed = "".join(f"{word},{label}\n" for word, label in zip(WORDS, known, strict=True))
    (tmp_path / "words.csv").write_text(f"word,label,weight\n{listed}")
    texts, test = _bare(150), _rows(100, 3)
    teacher, few = f"lexicon:{tmp_path / 'words.csv'}", {"epochs": 5, "test": test}
    taught, cut = (lossworks.fit([(text, None) for text in texts], teach=f"{way}{teacher}", **few) for way in ("", "cut:"))
    assert taught.metrics["nll"]["value"] < 0.9 * cut.metrics["nll"]["value"]
    assert cut.record["config"]["teach"] == f"cut:{teacher}"


@pytest.mark.parametrize("labels", [("no", "yes"), ("a", "b", "c")])
def test_a_run_teaches_texts_without_labels(tmp_path: Path, labels: tuple[str, ...]) -> None:
    """Trained on texts alone, the student gives what its teacher gives."""
    lossworks.fit(_rows(400, labels=labels), out=tmp_path / "teacher", epochs=5)
    teacher = lossworks.load(tmp_path / "teacher")
    student = lossworks.fit(_bare(800, 1), teach=str(tmp_path / "teacher"), epochs=10, out=tmp_path / "student")
    texts = _bare(200, 2)
    assert student.predictor.task.labels == labels
    apart = np.abs(student.predict_proba(texts) - teacher.predict_proba(texts)).mean()
    assert apart < 0.05
    record = json.loads((tmp_path / "student" / "run.json").read_text())
    assert record["config"]["teach"] == str(tmp_path / "teacher")
    assert record["config"]["loss"] == "forward_kl"
    assert record["result"]["part"] is None


def test_the_loss_of_a_row_by_hand() -> None:
    """Half the cross-entropy of the label and half the divergence from the teacher, of two classes by one output."""
    task, loss = label_task("classify", ("no", "yes")), build("0.5*cross_entropy+0.5*forward_kl")
    teacher = torch.tensor([[0.3, 1.2]], dtype=torch.float64)
    output, q = torch.tensor([[0.7]], dtype=torch.float64), teacher.softmax(-1)[0]
    p = torch.tensor([1 - output.sigmoid().item(), output.sigmoid().item()], dtype=torch.float64)
    wanted = -0.5 * p[1].log() + 0.5 * (q * (q / p).log()).sum()
    assert task.losses(loss, output, torch.tensor([1]), teacher).item() == pytest.approx(wanted.item(), abs=1e-12)


def test_sets_of_labels_by_hand() -> None:
    """Of label sets each label's divergence is of its two outcomes, and the loss their mean."""
    task, loss = label_task("multilabel", ("a", "b")), build("forward_kl")
    teacher, outputs = torch.tensor([[1.0, -2.0]]), torch.tensor([[0.5, 0.25]])
    q, p = teacher.sigmoid(), outputs.sigmoid()
    wanted = (q * (q / p).log() + (1 - q) * ((1 - q) / (1 - p)).log()).mean()
    assert task.losses(loss, outputs, torch.tensor([[1.0, 0.0]]), teacher).item() == pytest.approx(wanted.item(), abs=1e-6)


def test_what_is_left_of_a_loss_without_a_label() -> None:
    """The terms that compare with the teacher, as much as all that look at an outcome; what looks at none stays."""
    assert without_target(build("0.5*cross_entropy+0.5*forward_kl")) == build("forward_kl")
    assert without_target(build("2*cross_entropy+forward_kl+reverse_kl")) == build("2*forward_kl+2*reverse_kl")
    assert without_target(build("cross_entropy+forward_kl+0.1*z_loss")) == build("2*forward_kl+0.1*z_loss")
    with pytest.raises(UsageError, match="compares with no teacher"):
        without_target(build("cross_entropy"))


def _some(texts: Sequence[str]) -> Any:
    """A teacher that speaks of texts with "good" or "bad" alone."""
    found = np.array([[0.0, 2.0] if "good" in text else [2.0, 0.0] for text in texts])
    found[["good" not in text and "bad" not in text for text in texts]] = np.nan
    return found


def test_silence(tmp_path: Path) -> None:
    """Where the teacher is silent the label stands for it; a row that has neither is in no part."""
    data = [("good one", "yes"), ("odd one", "no"), ("red two", None), ("bad two", None), ("sad one", "yes"), ("good two", "no")]
    corpus = load([{"text": text, "label": label} for text, label in data], lossworks.ReadOptions(unlabelled=True))
    taught = teach([corpus], [None], "auto", Teacher("some", None, lambda task: _some))
    assert taught.silent.tolist() == [False, True, True, False, True, False]
    assert taught.given.tolist() == [True, True, False, False, True, True]
    found = assemble([corpus], [None], "auto", None, 0, 0, 0, taught)
    assert found.parts.tolist() == [TRAIN, TRAIN, LEFT_OUT, TRAIN, TRAIN, TRAIN]
    assert found.target[[0, 1, 3, 4, 5]].tolist() == [1, 0, 0, 1, 0]
    assert found.teacher is not None
    assert found.teacher[0].tolist() == [0, 2]
    sure = torch.from_numpy(found.teacher).softmax(-1)[[1, 4], [0, 1]]
    assert (sure > 0.9999).all()


def test_a_row_that_is_left_out_changes_no_bit(tmp_path: Path) -> None:
    """With and without texts that have neither label nor teacher, the same model comes out."""
    votes = tmp_path / "votes.jsonl"
    lines = [{"text": text, "votes": [label, None if number % 3 else label]} for number, (text, label) in enumerate(_rows(60))]
    silent = [{"text": f"silent {text}", "votes": [None, None]} for text in _bare(30, 5)]
    few: dict[str, Any] = {"epochs": 2, "valid": 0, "test": 0, "teach": f"votes:{votes}"}
    found = []
    for more in ([], silent):
        votes.write_text("".join(json.dumps(line) + "\n" for line in [*lines, *more]), "utf-8")
        found.append(lossworks.fit([line["text"] for line in [*lines, *more]], **few))
    texts = _bare(20, 1)
    assert np.array_equal(_logits_of(found[0], texts), _logits_of(found[1], texts))
    assert found[1].record["data"]["parts"]["train"] == 60
    assert any("30 of them are left out" in note for note in found[1].record["data"]["notes"])


def test_votes_and_no_labels_but_of_the_test_rows(tmp_path: Path) -> None:
    """Rules alone train a classifier, which labelled rows judge; validation goes by the divergence from the rules."""
    votes = tmp_path / "votes.jsonl"
    draw = np.random.default_rng(0)
    lines = [
        {
            "text": text,
            "votes": [(label if draw.random() < right else "yes") if draw.random() < 0.8 else None for right in (0.9, 0.7)],
        }
        for text, label in _rows(600)
    ]
    votes.write_text("".join(json.dumps(line) + "\n" for line in lines), "utf-8")
    model = lossworks.fit([line["text"] for line in lines], teach=f"votes:{votes}", test=_rows(200, 1), out=tmp_path / "run")
    assert model.record["result"]["metrics"]["accuracy"]["value"] > 0.85
    events = [json.loads(line) for line in (tmp_path / "run" / "log.jsonl").read_text().splitlines()]
    scored = [event for event in events if event["event"] == "valid"]
    assert scored
    assert all(DIVERGENCE in event and "accuracy" not in event for event in scored)


def test_without_labels_the_terms_of_the_target_do_not_count(tmp_path: Path) -> None:
    """Of texts alone, half the cross-entropy and half the divergence is the divergence, to the bit."""
    lossworks.fit(_rows(200), out=tmp_path / "teacher", epochs=2)
    given: dict[str, Any] = {"teach": str(tmp_path / "teacher"), "epochs": 2}
    found = [lossworks.fit(_bare(100, 1), loss=loss, **given) for loss in ("0.5*cross_entropy+0.5*forward_kl", "forward_kl")]
    assert np.array_equal(*(_logits_of(model, _bare(50, 2)) for model in found))


def test_some_rows_with_labels(tmp_path: Path) -> None:
    """Where some rows have labels, those alone test and validate, and all are learned from."""
    lossworks.fit(_rows(300), out=tmp_path / "teacher", epochs=3)
    data = [{"text": text, "label": label if number % 2 else None} for number, (text, label) in enumerate(_rows(300, 1))]
    model = lossworks.fit(data, teach=str(tmp_path / "teacher"), epochs=3)
    assert model.record["config"]["loss"] == "0.5*cross_entropy+0.5*forward_kl"
    parts = model.record["data"]["parts"]
    assert parts["train"] + parts["valid"] + parts["test"] == 300
    assert parts["test"] + parts["valid"] < 45
    assert model.record["result"]["metrics"]["accuracy"]["value"] > 0.8


def test_the_same_bits_on_one_thread_and_on_four(tmp_path: Path) -> None:
    """A taught fit does not depend on the number of threads."""
    lossworks.fit(_rows(200), out=tmp_path / "teacher", epochs=2)
    before, found = torch.get_num_threads(), []
    for count in (1, 4):
        torch.set_num_threads(count)
        found.append(_logits_of(lossworks.fit(_rows(200, 1), teach=str(tmp_path / "teacher"), epochs=2), _bare(50, 2)))
    torch.set_num_threads(before)
    assert np.array_equal(*found)


def test_a_pool_teaches(tmp_path: Path) -> None:
    """A pool with a lexicon is read in a process that has made none, and teaches as any run does."""
    (tmp_path / "words.csv").write_text("word,label\ngood,yes\nfine,yes\nbad,no\nsad,no\n")
    lossworks.fit(_rows(60), out=tmp_path / "few", epochs=2)
    lexicon = f"lexicon:{tmp_path / 'words.csv'}"
    lossworks.fuse([tmp_path / "few", lexicon], on=_rows(100, 1), kind="log_linear", out=tmp_path / "pool")
    script = f"import lossworks; print(lossworks.load({str(tmp_path / 'pool')!r}).predict(['good good fine']))"
    done = subprocess.run([sys.executable, "-c", script], capture_output=True, text=True, check=True)
    assert done.stdout.strip() == "['yes']"
    pool, texts = lossworks.load(tmp_path / "pool"), _bare(200, 3)
    student = lossworks.fit(_bare(400, 2), teach=str(tmp_path / "pool"), epochs=5)
    assert np.mean([one == other for one, other in zip(student.predict(texts), pool.predict(texts), strict=True)]) > 0.85


def test_a_regression_teaches_numbers(tmp_path: Path) -> None:
    """Texts alone give what the teacher gives, in its own units, and validation goes by how far that is."""
    numbers = [(text, 1000.0 + 50 * sum(word in text for word in WORDS[:2])) for text, _ in _rows(300)]
    lossworks.fit(numbers, out=tmp_path / "teacher", epochs=5, task="regress")
    teach, texts = str(tmp_path / "teacher"), _bare(100, 2)
    wanted = np.array(lossworks.load(teach).predict(texts))
    student = lossworks.fit(_bare(600, 1), teach=teach, out=tmp_path / "student", epochs=8)
    assert np.abs(np.array(student.predict(texts)) - wanted).mean() < 5
    assert student.record["config"]["loss"] == "imitation"
    events = [json.loads(line) for line in (tmp_path / "student" / "log.jsonl").read_text().splitlines()]
    scored = [event[DIVERGENCE] for event in events if event["event"] == "valid"]
    assert scored[-1] < 100 < scored[0]  # squared, in units of the data
    ones = [(text, float(number)) for number, text in enumerate(_bare(60, 3))]
    both = lossworks.fit(ones, teach=teach, epochs=2, task="regress")
    assert both.record["config"]["loss"] == "0.5*mse+0.5*imitation"
    with pytest.raises(UsageError, match="needs a teacher of each number"):
        lossworks.fit(ones, loss="imitation", task="regress")
    with pytest.raises(UsageError, match="gives numbers, and a posterior is of probabilities"):
        lossworks.fit(ones, teach=f"posterior:{teach}", task="regress")


def test_a_number_by_hand() -> None:
    """A label and the teacher's number weigh half each, in units of the labels there are; what is silent gives the label."""
    said = np.array([[5.0], [np.nan], [-1.0]])
    corpus = load(
        [{"text": f"text {i}", "label": label} for i, label in enumerate((1.5, 7.5, None))],
        lossworks.ReadOptions(unlabelled=True),
    )
    taught = teach([corpus], [None], "auto", Teacher("some", label_task("regress", ()), lambda task: lambda texts: said))
    data = assemble([corpus], [None], "auto", None, 0, 0, 0, taught)
    assert data.target.tolist() == [1.5, 7.5, -1.0]
    outputs = torch.tensor([[0.5], [0.0], [2.0]])
    teacher = data.taught(np.arange(3), outputs)
    own, numbers = data.task.readable(outputs.numpy()), np.array([5.0, 7.5, -1.0])
    assert data.task.readable(teacher.numpy()).tolist() == pytest.approx(numbers.tolist(), abs=1e-5)
    losses = data.task.losses(
        build("0.5*mse+0.5*imitation"), outputs, torch.from_numpy(data.task.of_network(data.target)), teacher
    )
    wanted = (0.5 * (own - data.target) ** 2 + 0.5 * (own - numbers) ** 2) / data.task.spread**2
    assert losses.tolist() == pytest.approx(wanted.tolist(), rel=1e-5)


def test_sets_of_labels_are_taught(tmp_path: Path) -> None:
    """A run of sets of labels teaches texts without any."""
    sets = [{"text": text, "label": " ".join(sorted(set(text.split()) & {"good", "bad"})) or "odd"} for text in _bare(300)]
    lossworks.fit(sets, task="multilabel", out=tmp_path / "teacher", epochs=5)
    student = lossworks.fit(_bare(600, 1), teach=str(tmp_path / "teacher"), epochs=12)
    texts = _bare(100, 2)
    assert student.predictor.task.kind == "multilabel"
    apart = np.abs(student.predict_proba(texts) - lossworks.load(tmp_path / "teacher").predict_proba(texts))
    assert apart.mean() < 0.09  # of answers that are apart by 0.3 on average, were they dealt out at random


@pytest.mark.parametrize("kind", ["classify", "multilabel"])
@pytest.mark.parametrize("labels", [("no", "yes"), ("a", "b", "c")])
def test_a_posterior_by_hand(kind: Any, labels: tuple[str, ...]) -> None:
    """The product of what the network says now and of the source to a power, renormalised; its gradient is not taken, log 0 stays
    log 0, and where the source is silent it is what the network says.
    """
    said = np.full((4, len(labels)), -1.0)
    said[0, 0], said[1, -1] = 2.0, -np.inf
    said[2] = np.nan
    rows = [{"text": f"text {number}", "label": labels[number % len(labels)]} for number in range(4)]
    corpus = load(rows, lossworks.ReadOptions(unlabelled=True))
    taught = teach([corpus], [None], kind, Teacher("some", None, lambda task: lambda texts: said, posterior=2.0))
    data = assemble([corpus], [None], kind, None, 0, 0, 0, taught)
    outputs = torch.linspace(-1, 1, 4 * data.task.outputs).view(4, -1).requires_grad_()
    teacher = data.taught(np.arange(4), outputs)
    whole = torch.cat([torch.zeros(4, 1), outputs], 1) if data.task.is_binary else outputs
    own, power = whole.detach().double(), 2 * torch.from_numpy(np.nan_to_num(said, nan=0.0, neginf=-np.inf))
    if kind == "classify":
        wanted = own.softmax(1) * power.exp()
        torch.testing.assert_close(teacher.double().softmax(1), wanted / wanted.sum(1, keepdim=True), atol=1e-6, rtol=1e-5)
    else:
        wanted = own.exp() * power.exp()
        torch.testing.assert_close(teacher.double().sigmoid(), wanted / (1 + wanted), atol=1e-6, rtol=1e-5)
    assert not teacher.requires_grad
    losses = data.task.losses(build("forward_kl"), outputs, torch.from_numpy(data.task.of_network(data.target)), teacher)
    assert losses.isfinite().all()
    assert losses[2].item() == pytest.approx(0, abs=1e-6)


def test_a_lexicon_regularises(tmp_path: Path) -> None:
    """Beside labels that have nothing to do with a word, what a lexicon says of it draws the student its way, the more the higher
    its power.
    """
    (tmp_path / "words.csv").write_text("word,label\nred,yes\n")
    few: dict[str, Any] = {"epochs": 4, "valid": 0, "test": 0}
    teachers = [None, *(f"posterior={power}:lexicon:{tmp_path / 'words.csv'}" for power in (0.5, 2))]
    found = [lossworks.fit(_rows(200), teach=each, **few).predict_proba(["red sad", "odd red"])[:, 1].mean() for each in teachers]
    assert found[0] + 0.02 < found[1] < found[2] - 0.02


@pytest.mark.parametrize(
    ("data", "choices", "said"),
    [
        (_rows(60), {"loss": "forward_kl"}, "needs a teacher at each position. Name one with --teach"),
        (_rows(60), {"teach": "uniform", "loss": "focal"}, "compares with no teacher"),
        ([(text, float(number) / 7) for number, (text, _) in enumerate(_rows(60))], {"teach": "uniform"}, "the task is regress"),
        (_bare(60), {"teach": "uniform"}, "no row has a label"),
        (_rows(60), {"teach": "no/such/run"}, "no such directory. Give a run's directory, lexicon:FILE, votes:FILE, or uniform"),
        (_rows(60), {"teach": "uniform:3"}, "uniform takes nothing"),
        (_rows(60), {"teach": "posterior=0:uniform"}, "wanted more than 0"),
        (_rows(60), {"teach": "uniform", "model": "ngram"}, "--teach is for"),
    ],
)
def test_refused(data: Any, choices: dict[str, Any], said: str) -> None:
    """What does not fit together says what to do."""
    with pytest.raises(LossworksError, match=said):
        lossworks.fit(data, **choices)


def test_refused_of_runs_and_rows(tmp_path: Path) -> None:
    """A run of other labels; a test row without a label; a lexicon that hits nothing; to train a taught run again."""
    lossworks.fit(_rows(200), out=tmp_path / "teacher", epochs=1)
    with pytest.raises(UsageError, match=r"other labels: 'a' \(.* does not know it\)"):
        lossworks.fit(_rows(60, labels=("a", "no", "yes")), teach=str(tmp_path / "teacher"))
    with pytest.raises(DataError, match="test rows need one"):
        lossworks.fit(
            _rows(60), teach=str(tmp_path / "teacher"), test=[{"text": "x", "label": None}, {"text": "y", "label": "no"}]
        )
    (tmp_path / "words.csv").write_text("word,label\nzzz,yes\n")
    with pytest.raises(DataError, match="says nothing of any text"):
        lossworks.fit(_rows(60), teach=f"lexicon:{tmp_path / 'words.csv'}")
    lossworks.fit(_rows(60), teach="uniform", out=tmp_path / "taught", epochs=1)
    with pytest.raises(UsageError, match="was taught by uniform"):
        lossworks.landscape(tmp_path / "taught")
