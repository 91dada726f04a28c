"""The metrics against scikit-learn's and against numbers worked out by hand."""

from __future__ import annotations

import math

import numpy as np
import pytest
from sklearn import metrics as sk

from lossworks import metrics
from lossworks.core.errors import UsageError


def scores(rows: int, classes: int, seed: int = 0) -> tuple[np.ndarray, np.ndarray]:
    """Logits that lean towards the truth, and the truth."""
    rng = np.random.default_rng(seed)
    target = rng.integers(0, classes, rows)
    logits = rng.normal(size=(rows, classes))
    logits[np.arange(rows), target] += 1.5
    return logits, target


def softmax(logits: np.ndarray) -> np.ndarray:
    """The probabilities, spelled independently."""
    p = np.exp(logits - logits.max(1, keepdims=True))
    return np.asarray(p / p.sum(1, keepdims=True))


@pytest.mark.parametrize("classes", [2, 7])
@pytest.mark.parametrize("weighted", [False, True])
def test_classify_agrees_with_scikit_learn(classes: int, weighted: bool) -> None:
    """Accuracy, macro-F1, log loss, Brier and the per-class table, with and without weights."""
    logits, target = scores(500, classes)
    weights = np.random.default_rng(1).uniform(0.2, 3, 500) if weighted else None
    found = metrics.classify(logits, target, weights=weights, temperature=2.0)
    p = softmax(logits / 2)
    want = {
        "accuracy": sk.accuracy_score(target, p.argmax(1), sample_weight=weights),
        "macro_f1": sk.f1_score(target, p.argmax(1), average="macro", sample_weight=weights),
        "nll": sk.log_loss(target, p, sample_weight=weights),
        "brier": sk.brier_score_loss(target, p, sample_weight=weights, scale_by_half=False, labels=range(classes)),
    }
    assert {key: found.metrics[key].value for key in want} == pytest.approx(want)
    assert found.uncalibrated["nll"].value == pytest.approx(sk.log_loss(target, softmax(logits), sample_weight=weights))
    precision, recall, f1, _ = sk.precision_recall_fscore_support(target, p.argmax(1), sample_weight=weights)
    assert [row["f1"] for row in found.per_class] == pytest.approx(f1)
    assert [row["precision"] for row in found.per_class] == pytest.approx(precision)
    assert [row["recall"] for row in found.per_class] == pytest.approx(recall)
    table = sk.confusion_matrix(target, p.argmax(1))
    assert found.to_json([str(k) for k in range(classes)])["confusion"] == table.tolist()


def test_macro_f1_leaves_out_classes_that_never_occur() -> None:
    """Three known classes, two of them met: the mean is over two, as scikit-learn has it."""
    logits, target = scores(50, 2)
    wide = np.c_[logits, np.full(50, -20.0)]
    want = sk.f1_score(target, logits.argmax(1), average="macro")
    assert metrics.classify(wide, target).metrics["macro_f1"].value == pytest.approx(want)


def test_multilabel_agrees_with_scikit_learn() -> None:
    """Micro-F1, macro-F1, exact match and the summed log loss over labels, thresholds among them."""
    rng = np.random.default_rng(3)
    target = rng.random((400, 4)) < [0.5, 0.2, 0.1, 0.4]
    logits = rng.normal(size=(400, 4)) + 2 * target - 1
    cut = [0.3, 0.5, 0.6, 0.45]
    found = metrics.multilabel(logits, target, thresholds=cut)
    p = 1 / (1 + np.exp(-logits))
    said = p >= cut
    want = {
        "micro_f1": sk.f1_score(target, said, average="micro"),
        "macro_f1": sk.f1_score(target, said, average="macro"),
        "subset_accuracy": sk.accuracy_score(target, said),
        "nll": sum(sk.log_loss(target[:, k], p[:, k]) for k in range(4)),
        "brier": sum(sk.brier_score_loss(target[:, k], p[:, k]) for k in range(4)),
    }
    assert {key: found.metrics[key].value for key in want} == pytest.approx(want)
    assert sum(b["count"] for b in found.reliability["after"]) == 1600


def test_regress_agrees_with_scikit_learn() -> None:
    """Squared and absolute error, and R², which is undefined for a target that never varies."""
    rng = np.random.default_rng(4)
    target = rng.normal(size=300)
    guess = target + rng.normal(size=300) * 0.4
    found = {key: metric.value for key, metric in metrics.regress(guess, target).metrics.items()}
    mse = sk.mean_squared_error(target, guess)
    r2, mae = sk.r2_score(target, guess), sk.mean_absolute_error(target, guess)
    assert found == pytest.approx({"mse": mse, "rmse": math.sqrt(mse), "mae": mae, "r2": r2})
    assert metrics.regress(guess, np.ones(300)).to_json()["metrics"]["r2"]["value"] is None


def test_ece_by_hand() -> None:
    """Four rows at confidence 0.9, three of them right; two at 0.6, both right: (4·0.15 + 2·0.4) / 6."""
    sure, unsure = math.log(9), math.log(1.5)
    logits = np.array([[0, sure]] * 4 + [[0, unsure]] * 2)
    found = metrics.classify(logits, np.array([1, 1, 1, 0, 1, 1]))
    assert found.metrics["ece"].value == pytest.approx((4 * 0.15 + 2 * 0.4) / 6)
    assert [round(b["confidence"], 6) for b in found.reliability["after"]] == [0.6, 0.9]
    assert [b["count"] for b in found.reliability["after"]] == [2, 4]


def test_huge_logits_are_safe() -> None:
    """Logits of ±1e4 give the exact loss, in single precision too, and nothing overflows."""
    logits = np.array([[1e4, -1e4], [-1e4, 1e4]], np.float32)
    assert metrics.classify(logits, np.array([1, 1])).metrics["nll"].value == pytest.approx(1e4)
    assert metrics.multilabel(logits, np.array([[1, 1], [0, 1]])).metrics["nll"].value == pytest.approx(5e3)


def test_threshold_moves_decisions_and_nothing_else() -> None:
    """A threshold of 0.9 on class 1 changes the accuracy but neither NLL, Brier nor ECE."""
    logits, target = scores(200, 2)
    plain, cut = metrics.classify(logits, target), metrics.classify(logits, target, threshold=0.9)
    assert np.array_equal(cut.predicted, softmax(logits)[:, 1] >= 0.9)
    assert cut.metrics["accuracy"] != plain.metrics["accuracy"]
    assert [cut.metrics[key] for key in ("nll", "brier", "ece")] == [plain.metrics[key] for key in ("nll", "brier", "ece")]


def test_blocks_do_not_show() -> None:
    """More rows than one block give what the rows give one by one."""
    logits, target = scores(70_000, 3)
    found = metrics.classify(logits, target)
    p = softmax(logits)
    assert found.metrics["nll"].value == pytest.approx(-np.log(p[np.arange(len(p)), target]).mean())
    labels = np.eye(3)[target]
    many = metrics.multilabel(logits, labels)
    assert many.metrics["micro_f1"].value == pytest.approx(sk.f1_score(labels, logits >= 0, average="micro"))


def test_bad_arguments_are_named() -> None:
    """Wrong shapes, unknown classes, non-finite scores, bad weights and a threshold for three classes."""
    logits, target = scores(10, 3)
    broken = logits.copy()
    broken[7, 1] = np.nan
    with pytest.raises(UsageError, match="row 7"):
        metrics.classify(broken, target)
    with pytest.raises(UsageError, match="class 5"):
        metrics.classify(logits, target * 0 + 5)
    with pytest.raises(UsageError, match="two classes"):
        metrics.classify(logits, target, threshold=0.5)
    with pytest.raises(UsageError, match="no rows"):
        metrics.classify(logits[:0], target[:0])
    with pytest.raises(UsageError, match="zero or more"):
        metrics.classify(logits, target, weights=-np.ones(10))
    with pytest.raises(UsageError, match="thresholds"):
        metrics.multilabel(logits, np.eye(3)[target], thresholds=[0.5])
    with pytest.raises(UsageError, match="shape"):
        metrics.regress(logits, target)


def test_mistakes_come_surest_first() -> None:
    """Wrong rows only, by falling confidence; for numbers by falling error."""
    logits = np.array([[0.0, 3.0], [0.0, 1.0], [2.0, 0.0], [0.0, 2.0]])
    target = np.array([0, 0, 0, 0])
    assert metrics.mistakes(metrics.classify(logits, target), target).tolist() == [0, 3, 1]
    assert metrics.mistakes(metrics.classify(logits, target), target, limit=1).tolist() == [0]
    sets = np.array([[0, 1], [0, 0], [1, 0], [0, 1]])
    assert metrics.mistakes(metrics.multilabel(logits - 0.5, sets), sets).tolist() == [1]
    numbers = np.array([1.0, 2.0, 3.0])
    assert metrics.mistakes(metrics.regress(np.array([1.0, 2.5, 1.0]), numbers), numbers).tolist() == [2, 1]


def test_record_shape() -> None:
    """`to_json` has the keys of the run record, and plain values only."""
    logits, target = scores(30, 2)
    value = metrics.classify(logits, target, temperature=1.5).to_json(["no", "yes"])
    assert set(value) == {"metrics", "uncalibrated", "confusion", "per_class", "reliability"}
    assert list(value["metrics"]) == ["accuracy", "macro_f1", "nll", "brier", "ece"]
    assert value["per_class"][1]["label"] == "yes"
    assert set(value["per_class"][1]) == {"label", "precision", "recall", "f1", "support"}
    assert all(type(n) is int for row in value["confusion"] for n in row)
    assert list(metrics.regress(logits[:, 0], logits[:, 1]).to_json()) == ["metrics", "scatter"]


def test_baselines() -> None:
    """The majority class with its frequencies, the usual label set, and the mean."""
    train, test = np.array([0, 1, 1, 1]), np.array([1, 1, 0, 1, 1])
    found = metrics.baseline("classify", train, test, labels=["bad", "good"])
    assert found["name"] == "majority class 'good'"
    assert found["metrics"]["accuracy"]["value"] == pytest.approx(0.8)
    assert found["metrics"]["nll"]["value"] == pytest.approx(-(4 * math.log(0.75) + math.log(0.25)) / 5)
    sets = np.array([[1, 0], [1, 0], [0, 0], [1, 1]])
    many = metrics.baseline("multilabel", sets, sets, labels=["a", "b"])
    assert many["name"] == "most frequent answer per label ('a')"
    assert many["metrics"]["subset_accuracy"]["value"] == pytest.approx(0.5)
    numbers = metrics.baseline("regress", np.array([1.0, 3.0]), np.array([2.0, 4.0]))
    assert numbers["metrics"]["mse"]["value"] == pytest.approx(2)
    unseen = metrics.baseline("classify", np.array([0, 0]), np.array([0, 1]), labels=["seen", "unseen"])
    assert unseen["metrics"]["nll"]["value"] == pytest.approx(-(math.log(0.8) + math.log(0.2)) / 2)
