"""Shares under linear models and bags, against sums over n-grams spelled in Python, closed forms and fine integration."""

from __future__ import annotations

import copy
import random
import unicodedata
from collections import Counter
from collections.abc import Callable
from itertools import product
from typing import Any

import numpy as np
import pytest
import torch

import lossworks
from lossworks.attribution import Explanation, additive, explaining
from lossworks.attribution.collisions import sharing
from lossworks.core.errors import UnknownName, UsageError
from lossworks.data import Selected
from lossworks.inference import NetworkPredictor
from lossworks.losses import losses, render
from lossworks.models.base import build
from lossworks.tasks import LABEL_TASKS, LabelTask
from tokens.spelling import located

TEXTS = [
    "A good, GOOD film!", "not bad, isn't it?", "", "   ", "xyzzy", "好看 不好看",
    "e\u0301te\u0301 👩‍👩‍👧 \u0301 👍🏽  bad\u200b\n", "a", "naïve ❤️ film",
]  # fmt: skip
WORDS = ["good", "bad", "film", "not", "isn't", "a", "it", ",", "!", "好", "看", "不", "été", "👍🏽", "👩‍👩‍👧"]


LINEAR, BAG, HIDDEN = "linear:bits=12,chars=3", "bag:dim=6,words=2,bits=14", "bag:dim=6,hidden=9,words=2,bits=14"
TASKS: dict[str, LabelTask] = {
    "two": LABEL_TASKS["classify"](("no", "yes")),
    "three": LABEL_TASKS["classify"](("a", "b", "c")),
    "sets": LABEL_TASKS["multilabel"](("x", "y", "z")),
    "numbers": LABEL_TASKS["regress"]((), 7.0, 20.0),
}


@pytest.fixture(scope="module")
def models() -> dict[tuple[str, str], lossworks.Model]:
    """A model of each family for each task, with any weights, and a temperature."""
    return {(name, spec): made(task, spec) for name, task in TASKS.items() for spec in (LINEAR, BAG, HIDDEN)}


def made(task: LabelTask, spec: str) -> lossworks.Model:
    """A model that knows the n-grams of some texts."""
    built, draw = build(spec), random.Random(1)
    features = built.features()
    counter, texts = features.counter(), [" ".join(draw.choices(WORDS, k=6)) for _ in range(60)]
    counter.add(features.read(texts), np.ones(len(texts), np.bool_))
    features.learn(counter)
    network = built.network(len(features), task.outputs, 0)
    torch.manual_seed(5)
    for weight in network.parameters():
        torch.nn.init.normal_(weight)
    temperature = 0.7 if task.has_probabilities else 1.0
    return lossworks.Model(NetworkPredictor(task, built, features, network, temperature=temperature))


def network(model: lossworks.Model) -> NetworkPredictor:
    """The model's predictor."""
    assert isinstance(model.predictor, NetworkPredictor)
    return model.predictor


def by_hand(model: lossworks.Model, text: str, spans: list[list[int]], direction: np.ndarray) -> list[float]:
    """The sum over n-grams, each shared among the visible characters that it covers, in plain Python."""
    predictor = network(model)
    features = predictor.features
    read = predictor.prepared([text])
    value = dict(zip(read.ids[: read.lengths[0]].tolist(), read.values[: read.lengths[0]].tolist(), strict=True))
    number = {bucket: at for at, bucket in enumerate(features.buckets.tolist())}
    table = predictor.network.table.weight.detach().double().numpy()
    characters = [0.0] * len(text)
    for bucket, first, last in located(text, features.words, features.chars, features.bits):
        if bucket not in number:
            continue
        feature = number[bucket]
        seen = [at for at in range(first, last) if unicodedata.category(text[at])[0] not in "ZC"]
        for at in seen:
            characters[at] += value[feature] * float(table[feature] @ direction) / len(seen)
    return [sum(characters[first:last]) for first, last in spans]


@pytest.mark.parametrize("by", ["word", "char"])
@pytest.mark.parametrize("spec", [LINEAR, BAG])
def test_sums_by_hand(by: str, spec: str, models: dict[tuple[str, str], lossworks.Model]) -> None:
    """Each part has what its characters have of the n-grams' contributions: of one output, several, sets, and numbers."""
    for name, label in (("two", "no"), ("three", "b"), ("sets", "z"), ("numbers", None)):
        model = models[name, spec]
        rows_of = (
            network(model).network.head.weight.detach().double().numpy() if spec == BAG else np.eye(model.predictor.task.outputs)
        )
        direction = {
            "two": -rows_of[0],
            "three": rows_of[min(1, len(rows_of) - 1)] * 1.5 - rows_of.sum(0) / 2,
            "sets": rows_of[-1],
            "numbers": rows_of[0] * model.predictor.task.spread,
        }[name] / model.predictor.temperature
        for text, found in zip(TEXTS, model.explain(TEXTS, label=label, by=by, trial=False), strict=True):
            assert found.method == "exact"
            wanted = by_hand(model, text, found.spans.tolist(), direction)
            np.testing.assert_allclose(found.shares, wanted, atol=1e-11)


def quantities(model: lossworks.Model) -> list[str]:
    """Every quantity with a gradient that there is for a model's task: each loss among them, and a sum of losses."""
    task = model.predictor.task
    counts = (5.0, 2.0, 3.0)[: len(task.labels)]
    each = [entry.thing().with_counts(counts) for entry in losses if not task.misfit(entry.thing())]
    fitting = [render(loss) for loss in each if loss.descends_value]
    own = ["logit", "probability", "surprisal", "focal:gamma=0.5+0.1*cross_entropy"] if task.has_probabilities else ["value"]
    return own + fitting


def told(model: lossworks.Model, quantity: str, label: Any, texts: list[str]) -> np.ndarray | None:
    """What the model itself says, of the quantities that are easily told."""
    if quantity == "value":
        return np.array(model.predict(texts))
    if quantity not in ("logit", "probability", "surprisal"):
        return None
    p = model.predict_proba(texts)[:, list(model.labels).index(label)]
    if quantity == "logit":
        return np.log(p / (1 - p)) if len(model.labels) == 2 or model.predictor.task.kind == "multilabel" else None
    return p if quantity == "probability" else -np.log(p)


@pytest.mark.parametrize("spec", [LINEAR, BAG, HIDDEN])
@pytest.mark.parametrize("name", TASKS)
def test_complete(name: str, spec: str, models: dict[tuple[str, str], lossworks.Model]) -> None:
    """Of every quantity the shares add up to its value less the baseline; the value is what the model says, to rounding."""
    model = models[name, spec]
    label = {"two": "yes", "three": "c", "sets": "y"}.get(name)
    for quantity in quantities(model):
        asked = {"quantity": quantity, "label": 3.0 if name == "numbers" and quantity != "value" else label}
        found = model.explain(TEXTS, **asked, trial=False)
        for each in found:
            assert abs(each.residual) <= 1e-12 + 1e-9 * max(abs(each.value), abs(each.baseline)), (quantity, each)
        assert {each.baseline for each in found} == {found[TEXTS.index("")].value}
        if (wanted := told(model, quantity, label, TEXTS)) is not None:
            np.testing.assert_allclose([each.value for each in found], wanted, rtol=2e-5, atol=1e-6)


def integrated(model: lossworks.Model, text: str, quantity: Callable[[torch.Tensor], torch.Tensor], steps: int) -> np.ndarray:
    """The mean gradient of a quantity of the outputs by the sum of rows, from nothing to the text's, by the midpoint rule."""
    predictor = network(model)
    double = copy.deepcopy(predictor.network).double()
    read = predictor.prepared([text])
    ids, values = read.ids[: read.lengths[0]].astype(np.int64), read.values[: read.lengths[0]]
    whole = torch.from_numpy(values).double() @ double.table.weight.detach()[ids]
    points = ((torch.arange(steps) + 0.5) / steps)[:, None].double() * whole
    points.requires_grad_()
    outputs = points
    if hasattr(double, "head"):
        outputs = double.head(points if double.hidden is None else double.hidden(points).relu())
    else:
        outputs = points + double.bias
    (gradient,) = torch.autograd.grad(quantity(outputs).sum(), points)
    return gradient.mean(0).numpy()


@pytest.mark.parametrize(
    ("spec", "quantity"), [(HIDDEN, "logit"), *product((LINEAR, BAG, HIDDEN), ("probability", "cross_entropy"))]
)
def test_integrated(spec: str, quantity: str, models: dict[tuple[str, str], lossworks.Model]) -> None:
    """Along the straight line, switching units and all, the shares are those of many small steps."""
    model, text = models["three", spec], TEXTS[0]

    def of(outputs: torch.Tensor) -> torch.Tensor:
        outputs = outputs / model.predictor.temperature
        if quantity == "logit":
            return outputs[:, 1] - (outputs[:, 0] + outputs[:, 2]) / 2
        logp = outputs.log_softmax(1)[:, 1]
        return logp.exp() if quantity == "probability" else -logp

    (found,) = model.explain([text], quantity=quantity, label="b", trial=False)
    assert found.method == "integrated_gradients"
    wanted = by_hand(model, text, found.spans.tolist(), integrated(model, text, of, 200_000))
    np.testing.assert_allclose(found.shares, wanted, atol=1e-5)  # as near as small steps come to where units switch


def test_units_switch(models: dict[tuple[str, str], lossworks.Model]) -> None:
    """The test above and below is of units that come on, go off, and stay: with this network there are all of these."""
    hidden = network(models["three", HIDDEN]).network.hidden
    with torch.no_grad():
        hidden.weight[:4] = 0
        hidden.weight[:4, 0] = torch.tensor([1.0, -1.0, 1.0, 0.0])
        hidden.bias[:4] = torch.tensor([-0.01, 0.01, 0.01, 0.5])
    model = additive.Additive.of(models["three", HIDDEN].predictor)
    assert model is not None
    sums = np.zeros((2, 6))
    sums[:, 0] = 0.04, -0.04
    at, rising = model.switches(sums)
    on = np.where(rising, 1 - at, at)[:, :4]
    np.testing.assert_allclose(on, [[0.75, 0.25, 1, 1], [0, 1, 0.25, 1]], atol=1e-6)
    points = np.linspace(0, 1, 100_001)[1:, None, None] * sums
    np.testing.assert_allclose((points @ model.hidden[0].T + model.hidden[1] > 0).mean(0)[:, :4], on, atol=1e-4)


def test_against(models: dict[tuple[str, str], lossworks.Model]) -> None:
    """The difference of two labels' logits is the difference of their shares; of two classes the other's is the negative."""
    model = models["three", LINEAR]
    first, second = (model.explain(TEXTS[:2], label="a", against=other, trial=False) for other in ("b", "c"))
    mean = model.explain(TEXTS[:2], label="a", trial=False)
    for one, other, both in zip(first, second, mean, strict=True):
        np.testing.assert_allclose((one.shares + other.shares) / 2, both.shares, atol=1e-12)
    no, yes = (models["two", LINEAR].explain(TEXTS[:1], label=label, trial=False)[0] for label in ("no", "yes"))
    np.testing.assert_allclose(no.shares, -yes.shares, atol=1e-12)


def test_nothing_known(models: dict[tuple[str, str], lossworks.Model]) -> None:
    """Texts of nothing, of white space, of one token, and of nothing the model knows."""
    model = models["two", LINEAR]
    for text, parts in (("", 0), (" \n", 0), ("\u200b\ue000", 0), ("qqq ωωω", 2), ("good", 1)):
        (found,) = model.explain([text])
        assert len(found.shares) == parts
        assert found.residual == pytest.approx(0, abs=1e-12)
        if text != "good":
            assert not found.shares.any()
            assert found.value == found.baseline
    with pytest.raises(UsageError, match="hashed n-grams"):
        model.explain(["good"], by="token")
    assert model.explain([]) == []


def test_texts_apart(models: dict[tuple[str, str], lossworks.Model], monkeypatch: pytest.MonkeyPatch) -> None:
    """Texts explained together, in blocks and alone get the same, of any family and quantity."""
    for spec, quantity in product((LINEAR, HIDDEN), (None, "probability")):
        model = models["three", spec]
        together = model.explain(TEXTS, quantity=quantity, trial=False)
        with monkeypatch.context() as patch:
            patch.setattr(additive, "_CHARACTERS", 20)
            blocks = model.explain(TEXTS, quantity=quantity, trial=False)
        for text, one, other in zip(TEXTS, together, blocks, strict=True):
            (alone,) = model.explain([text], quantity=quantity, trial=False)
            assert one.notes == other.notes == alone.notes
            np.testing.assert_allclose(one.shares, other.shares, atol=1e-14)
            np.testing.assert_allclose(one.shares, alone.shares, atol=1e-14)


def test_a_text_of_more_features_than_the_table_has_rows(models: dict[tuple[str, str], lossworks.Model]) -> None:
    """It is weighed row by row, with the same result."""
    model = models["three", LINEAR]
    words = WORDS * 150
    (long,) = model.explain([" ".join(words)], label="a", trial=False)
    assert network(model).prepared([" ".join(words)]).lengths[0] > len(network(model).features)
    wanted = by_hand(model, " ".join(words), long.spans.tolist(), np.array([1, -0.5, -0.5]) / model.predictor.temperature)
    np.testing.assert_allclose(long.shares, wanted, atol=1e-12)


def test_deletions_beside(models: dict[tuple[str, str], lossworks.Model], monkeypatch: pytest.MonkeyPatch) -> None:
    """With a trial what deletions do stands beside the shares, but of long texts; without one, nothing is read again."""
    model = models["two", LINEAR]
    alone = model.explain(TEXTS, method="leave_one_out", trial=False)
    for found, wanted in zip(model.explain(TEXTS), alone, strict=True):
        np.testing.assert_allclose(found.deleted, wanted.shares, atol=1e-6)
        assert found.trial is not None
    monkeypatch.setattr(explaining, "MOST", 3)
    assert [each.deleted is None for each in model.explain(["a good film", "a good film !"])] == [False, True]
    calls = []
    scores = NetworkPredictor.scores
    monkeypatch.setattr(NetworkPredictor, "scores", lambda self, texts: (calls.append(len(texts)), scores(self, texts))[1])
    assert model.explain(TEXTS, trial=False)[0].deleted is None
    assert calls == [len(TEXTS)]  # for the answers
    model.explain(TEXTS, label="yes", trial=False)
    assert len(calls) == 1
    models["numbers", LINEAR].explain(TEXTS, trial=False)
    assert len(calls) == 1


def test_methods(models: dict[tuple[str, str], lossworks.Model]) -> None:
    """Each family's, by name."""
    asked = {"trial": False, "label": "a"}
    assert models["three", LINEAR].explain(["a"], method="exact", **asked)[0].method == "exact"
    assert models["three", HIDDEN].explain(["a"], method="integrated_gradients", **asked)[0].method == "integrated_gradients"
    with pytest.raises(UnknownName, match="integrated_gradients, leave_one_out"):
        models["three", HIDDEN].explain(["a"], method="exact", **asked)
    with pytest.raises(UnknownName, match="auto, integrated_gradients, leave_one_out"):
        models["three", LINEAR].explain(["a"], method="exact", quantity="probability", **asked)
    with pytest.raises(UnknownName, match="Known: auto, leave_one_out"):  # its gradient is not its own
        models["three", LINEAR].explain(["a"], method="integrated_gradients", quantity="dynamic_fine_tuning", **asked)


def shared(found: Explanation) -> tuple[int, int]:
    """How many n-grams the note says that there are, and how many share a weight."""
    numbers = [int(word.replace(",", "")) for word in found.notes[1].split() if word.replace(",", "").isdigit()]
    return numbers[0], numbers[1]


def test_collisions(threads: Callable[[int], None]) -> None:
    """In a small table n-grams share buckets: as many as distinct hashes in one bucket, text by text; and how full it is."""
    texts = [" ".join(words) for words in ("one two three four five six seven one", "eight nine ten", "", "one one one")]
    model = lossworks.fit([(text or "x", label) for text in texts for label in ("a", "b")], model="linear:bits=8", epochs=1)
    assert isinstance(model, lossworks.Model)
    features = network(model).features
    threads(2)
    for text, found in zip(texts, model.explain(texts, trial=False), strict=True):
        wide = Counter(located(text, 2, 5, 40))  # so wide that nothing collides
        narrow = Counter(located(text, 2, 5, 8))
        known = [bucket for bucket, _, _ in narrow.elements() if bucket in features.buckets]
        assert len(wide) == sum(wide.values())
        owners: dict[int, set[int]] = {}
        pairs = pairs_of(text)
        for bucket, whole in pairs:
            owners.setdefault(bucket, set()).add(whole)
        wanted = sum(len(owners[bucket]) > 1 for bucket, _ in pairs if bucket in features.buckets)
        assert shared(found) == (len(known), wanted)
    assert f"up to {100 * max(features.fill()):.2g} %" in found.notes[1]


def test_collisions_of_the_first_feature() -> None:
    """Number 0 is a feature like any other, whoever else belongs into its place in a table; and texts do not see one another."""
    ids, rest = np.array([0, 64, 0, 0, 64, 64, 0], np.uint32), np.array([1, 2, 3, 1, 2, 2, 1], np.uint32)
    texts = Selected(ids, np.empty(0, np.float32), np.array([0, 3, 7]), np.array([3, 4, 0]))
    assert sharing(texts, rest).tolist() == [2, 0, 0]


def pairs_of(text: str) -> list[tuple[int, int]]:
    """Each n-gram's bucket of 8 bits, and its bucket of 40 bits, which begins with the same bits of the hash."""
    upper = 1 << 39
    return [
        ((whole >> 32) if whole < upper else (1 << 7) + ((whole - upper) >> 32), whole) for whole, _, _ in located(text, 2, 5, 40)
    ]
