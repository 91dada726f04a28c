"""Knowledge graphs from facts to answers: fit, resume, evaluate, predict, load, report; what is refused."""

from __future__ import annotations

import json
from pathlib import Path
from threading import Event
from typing import Any

import numpy as np
import pytest
from torch import nn

import lossworks
from lossworks.api import Graph, evaluate, load
from lossworks.core.errors import DataError, Interrupted, RecordError, UsageError
from lossworks.engine import Callbacks
from lossworks.optim import Stepper

SIZE, SHIFTS = 24, (1, 2, 3, 5, 8)
FACTS = [(f"e{i:02}", f"+{shift}", f"e{(i + shift) % SIZE:02}") for shift in SHIFTS for i in range(SIZE)]
ORDER = np.random.default_rng(0).permutation(len(FACTS))
TEST, VALID, TRAIN = ([FACTS[i] for i in part] for part in np.split(ORDER, [24, 36]))
"""Steps on a circle: each relation can be told from the others, and the held-out facts from the relations."""
SMALL: dict[str, Any] = {"task": "graph", "model": "complex:dim=16,n3=0.001", "batch_size": 32, "epochs": 40, "patience": 40}


@pytest.fixture(scope="module")
def graph(tmp_path_factory: pytest.TempPathFactory) -> Graph:
    """A finished run."""
    out = tmp_path_factory.mktemp("graphs") / "run"
    fitted = lossworks.fit(TRAIN, valid=VALID, test=TEST, out=out, **SMALL)
    assert isinstance(fitted, Graph)
    return fitted


def test_learns(graph: Graph) -> None:
    """Held-out facts follow from the others, far beyond what is most frequent; with the relations shuffled nothing does."""
    found, below = graph.metrics["mrr"], graph.record["result"]["baseline"]["metrics"]["mrr"]
    assert found["low"] > below["value"] + 0.3
    rng = np.random.default_rng(1)
    tails = rng.permutation([tail for _, _, tail in TRAIN]).tolist()
    shuffled = [(head, relation, tail) for (head, relation, _), tail in zip(TRAIN, tails, strict=True)]
    control = lossworks.fit(shuffled, valid=VALID, test=TEST, **SMALL)
    assert control.metrics["mrr"]["value"] < found["low"] - 0.3


@pytest.mark.parametrize(
    ("negatives", "optimizer", "rows"), [(10, "adagrad", True), (0, "adagrad", False), (10, "adam:lr=0.01", False)]
)
def test_vectors_of_few_entities_are_stepped_alone(
    negatives: int, optimizer: str, rows: bool, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Where only some are read in a step, and the optimizer can; else whole tables are."""
    seen: list[tuple[bool, nn.Module]] = []

    def looked_at(optimizer: Any, network: Any, **how: Any) -> Stepper:
        stepper = Stepper(optimizer, network, **how)
        seen.append((stepper.by_rows, network))
        return stepper

    monkeypatch.setattr("lossworks.training.graph.Stepper", looked_at)
    model = f"complex:dim=8,negatives={negatives}"
    lossworks.fit(TRAIN, valid=VALID, test=TEST, **SMALL | {"model": model, "optimizer": optimizer, "epochs": 1})
    for by_rows, network in seen:
        assert by_rows is rows
        assert {table.sparse for table in network.modules() if isinstance(table, nn.Embedding)} == {rows}
    assert seen


@pytest.mark.parametrize(
    ("model", "loss"),
    [
        ("distmult:dim=8", "cross_entropy"),
        ("transe:dim=8", "mse"),
        ("rotate:dim=8", "focal:gamma=1"),
        ("complex:dim=8,negatives=10", "cross_entropy"),
        ("complex:dim=8,negatives=10", "mse"),
    ],
)
def test_families_and_losses(model: str, loss: str) -> None:
    """Each family by any loss over outcomes, on steps along a line (which a translation can follow, unlike a circle)."""
    line = [fact for fact in FACTS if fact[0] < fact[2]]
    fitted = lossworks.fit(line, task="graph", model=model, loss=loss, batch_size=8, epochs=12, valid=0.0, test=0.0)
    assert isinstance(fitted, Graph)
    found = evaluate(fitted, line)["metrics"]["mrr"]["value"]
    assert found > 2 * np.mean(1 / np.arange(1, SIZE + 1))  # twice what ranks drawn by lot would reach


def test_optimizer() -> None:
    """One that needs whole gradients gets them, also where few entities are drawn."""
    choices = SMALL | {"model": "complex:dim=8,negatives=10", "epochs": 2, "optimizer": "adam:lr=0.01"}
    assert lossworks.fit(TRAIN, valid=VALID, test=TEST, **choices).metrics


def test_held_out_metrics(graph: Graph) -> None:
    """They are the record's: of ``evaluate`` on the recorded test part, from the loaded run, to the last digit."""
    again = load(graph.path or "")
    assert isinstance(again, Graph)
    assert again.entities == graph.entities == tuple(f"e{i:02}" for i in range(SIZE))
    found = evaluate(again, TEST)
    assert found["metrics"] == graph.metrics
    assert found["baseline"] == graph.record["result"]["baseline"]
    assert (found["rows"], found["trained_on"]) == (len(TEST), False)
    assert evaluate(again, TRAIN)["trained_on"]


def test_drawn_parts(tmp_path: Path) -> None:
    """Without files of their own, held-out facts are drawn; ``evaluate`` finds the same ones again in the recorded file."""
    path = tmp_path / "facts.tsv"
    path.write_text("".join("\t".join(fact) + "\n" for fact in FACTS))
    fitted = lossworks.fit(path, out=tmp_path / "run", **SMALL | {"epochs": 2})
    assert fitted.record["data"]["parts"] == {"train": 96, "valid": 12, "test": 12}
    found = evaluate(load(tmp_path / "run"))
    assert found["metrics"] == fitted.metrics
    nothing = lossworks.fit(path, valid=0.0, test=0.0, **SMALL | {"epochs": 1})
    assert (nothing.metrics, nothing.record["result"]["part"]) == ({}, None)


def test_answers(graph: Graph) -> None:
    """Probabilities among all entities, the best first, with what is known; heads are asked for by the inverse relation."""
    tails, heads, same = graph.predict(["e03\t+5", "?\t+5\te08", "e03\t+5\t?"], top=SIZE)
    for answers in (tails, heads):
        shares = [answer["probability"] for answer in answers]
        assert sum(shares) == pytest.approx(1)
        assert shares == sorted(shares, reverse=True)
        assert sorted(answer["entity"] for answer in answers) == list(graph.entities)
    assert (tails[0]["entity"], heads[0]["entity"]) == ("e08", "e03")
    assert [answer["entity"] for answer in tails if answer["known"]] == ["e08"]
    assert same == tails
    assert graph.predict(["e03\t+5"], top=1)[0] == tails[:1]
    assert graph.predict([]) == []
    assert graph.vectors.shape == (SIZE, 32)
    assert repr(graph).startswith("Graph(model='complex:dim=16,n3=0.001', entities=24, relations=5")


@pytest.mark.parametrize("query", ["e03", "?\t+5", "?\t+5\t?", "e03\t+5\te08", ""])
def test_bad_queries(graph: Graph, query: str) -> None:
    """A query that asks nothing, or two things, is refused with how it is spelled."""
    with pytest.raises(UsageError, match=r"cannot read the query .* a tab between"):
        graph.predict([query])


def test_strange_names(graph: Graph) -> None:
    """An entity or relation that no file held is an error that says where."""
    with pytest.raises(DataError, match="query 2: the entity 'e99'"):
        graph.predict(["e03\t+5", "e99\t+5"])
    with pytest.raises(DataError, match=r"row 1: the relation '\+9' was in none of the files"):
        evaluate(graph, [("e01", "+9", "e10")])


def test_untrained_names_are_counted() -> None:
    """Entities of the held-out files alone are entities too: ranked as they come, and said."""
    fitted = lossworks.fit(TRAIN, valid=VALID, test=[*TEST, ("new", "+1", "e01")], **SMALL | {"epochs": 2})
    assert fitted.record["data"]["entities"] == SIZE + 1
    (note,) = fitted.record["data"]["notes"]
    assert note.startswith(f"1 of {len(TEST) + 1} test rows name an entity or relation of which no training row")


def test_resumed_is_the_same(tmp_path: Path) -> None:
    """A stopped fit goes on to the same bits, with entities drawn at random and described too."""
    glosses = {entity: f"about w{entity[1]}" for fact in FACTS for entity in fact[::2]}
    choices = SMALL | {"model": "complex:dim=8,negatives=6", "epochs": 6, "glosses": glosses}
    whole = lossworks.fit(TRAIN, valid=VALID, test=TEST, **choices)
    stop, steps = Event(), iter(range(100))

    def stepped() -> None:
        if next(steps) == 20:
            stop.set()

    parts = {"valid": VALID, "test": TEST, "out": tmp_path / "run", **choices}
    with pytest.raises(Interrupted):
        lossworks.fit(TRAIN, callbacks=Callbacks(stop=stop, stepped=stepped), **parts)
    resumed = lossworks.fit(TRAIN, resume=True, **parts)
    assert isinstance(whole, Graph)
    assert isinstance(resumed, Graph)
    assert np.array_equal(whole.vectors, resumed.vectors)
    assert whole.metrics == resumed.metrics


def test_report(graph: Graph) -> None:
    """The page has verdict, metrics and curves, and speaks of facts."""
    assert graph.path is not None
    page = (graph.path / "report.html").read_text("utf-8")
    said = ["Better than the baseline", "Hits at 10", "facts of 24 entities in 5 relations", "validation mean reciprocal rank"]
    assert [each for each in said if each not in page] == []
    assert "None on these texts" not in page
    events = [json.loads(line) for line in (graph.path / "log.jsonl").read_text().splitlines()]
    assert {"train", "valid", "end"} <= {event["event"] for event in events}


@pytest.mark.parametrize(
    ("choices", "message"),
    [
        ({"penalty": "l2"}, "--penalty is for"),
        ({"tokenizer": "words"}, "--tokenizer is for"),
        ({"minutes": 1}, "--minutes is for"),
        ({"lr": "auto"}, "--lr auto and --batch-size auto are for"),
        ({"model": "linear"}, "model of a knowledge graph is wanted"),
        ({"loss": "binary_cross_entropy"}, "the task graph"),
        ({"loss": "mae"}, "the task graph"),
    ],
)
def test_misplaced(choices: dict[str, Any], message: str) -> None:
    """What means nothing to a graph is refused by name."""
    with pytest.raises(UsageError, match=message):
        lossworks.fit(TRAIN, **{"task": "graph", **choices})


def test_damage(graph: Graph, tmp_path: Path) -> None:
    """A flipped bit in any file of the model is an error."""
    assert graph.path is not None
    graph.trained.save(tmp_path)
    for name in ("config.json", "facts.safetensors", "model.safetensors"):
        for source in graph.path.iterdir():
            if source.is_file():
                (tmp_path / source.name).write_bytes(source.read_bytes())
        data = bytearray((tmp_path / name).read_bytes())
        data[-1] ^= 1
        (tmp_path / name).write_bytes(bytes(data))
        with pytest.raises(RecordError, match="checksum"):
            load(tmp_path)
