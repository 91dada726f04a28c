"""Descriptions beside a graph: what they add, who is asked about by them, and the trial of whether they help."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch

import lossworks
from lossworks.api import Graph, load
from lossworks.core.errors import DataError, RecordError, UsageError
from lossworks.models.glosses import Glosses
from lossworks.record.tensors import map_tensors, write_tensors

SIZE, KINDS = 40, 5
FACTS = [(f"e{i:02}", "is", f"kind{i % KINDS}") for i in range(SIZE)]
FACTS += [(f"kind{i}", "above", f"e{j:02}") for i in range(KINDS) for j in range(i, SIZE, KINDS * 2)]
GLOSSES = {f"e{i:02}": f"something w{i % KINDS} of the sort s{i % KINDS} n{i % 7}" for i in range(SIZE)}
GLOSSES |= {f"kind{i}": f"what is w{i}" for i in range(KINDS)}
TEST, VALID, TRAIN = FACTS[:12], FACTS[12:16], FACTS[16:]
"""What an entity is, only its words tell: the test's entities are in no training fact, or in one of the other relation."""
SMALL: dict[str, Any] = {"task": "graph", "model": "complex:dim=8,n3=0.001", "batch_size": 16, "epochs": 10, "patience": 10}


@pytest.fixture(scope="module")
def described(tmp_path_factory: pytest.TempPathFactory) -> Graph:
    """A finished run with descriptions, all of whose data is in files."""
    folder = tmp_path_factory.mktemp("glosses")
    for name, rows in (("train", TRAIN), ("valid", VALID), ("test", TEST)):
        (folder / f"{name}.tsv").write_text("".join("\t".join(row) + "\n" for row in rows))
    lines = [f"{name}\t{text}\n" for name, text in GLOSSES.items() if name != "e30"]
    (folder / "glosses.tsv").write_text("".join(lines) + "stranger\tsomething w1\n")
    parts = {"valid": folder / "valid.tsv", "test": folder / "test.tsv", "glosses": folder / "glosses.tsv"}
    fitted = lossworks.fit(folder / "train.tsv", out=folder / "run", **parts, **SMALL)
    assert isinstance(fitted, Graph)
    return fitted


def test_counts(described: Graph) -> None:
    """What has no description, what describes nothing, and what only a description tells of, are counted."""
    told = " ".join(described.record["data"]["notes"])
    assert f"{SIZE + KINDS - 1} of {SIZE + KINDS} entities have a description" in told
    assert "1 entities have none" in told
    assert "1 descriptions are of names in none of the facts" in told
    assert "entities are known by their description alone" in told


def test_verdict(described: Graph) -> None:
    """The trial finds that they help, from the run alone, beside both controls; the figures are the run's own, and the control's
    are those of a fit with permuted descriptions. Descriptions that say nothing are not found to help.
    """
    assert described.path is not None
    found = lossworks.check_glosses(described.path)
    own, permuted, none = found.arms
    assert found.word == "helps", found
    assert own.mrr == pytest.approx(described.metrics["mrr"]["value"])
    assert own.mrr > permuted.mrr + 0.2
    assert own.mrr > none.mrr + 0.2
    assert own.unseen is not None
    assert [gain.than for gain in found.gains] == ["permuted among the entities", "none"]
    assert found.gains[1].value == pytest.approx(own.mrr - none.mrr)
    parts = {"valid": VALID, "test": TEST}
    assert none.mrr == pytest.approx(lossworks.fit(TRAIN, **parts, **SMALL).metrics["mrr"]["value"])
    said = {
        name: GLOSSES[other] for name, other in zip(GLOSSES, np.random.default_rng(0).permutation(list(GLOSSES)), strict=True)
    }
    out = described.path.parent / "nothing"
    files = {name: described.path.parent / f"{name}.tsv" for name in parts}
    lossworks.fit(described.path.parent / "train.tsv", out=out, **files, glosses=said, **SMALL | {"epochs": 3})
    nothing = lossworks.check_glosses(out, glosses=said, seeds=2)
    assert (nothing.word, nothing.did["seeds"]) == ("no knowledge shown", 2)
    assert "not shown to help" in nothing.sentence


def test_asked_by_description(described: Graph) -> None:
    """What no file names is asked about by its words, as what has the same words and no fact is; from the loaded run likewise."""
    assert described.path is not None
    again = load(described.path)
    assert isinstance(again, Graph)
    queries = ["it is w3 of the sort s3\tis", "e03\tis", "?\tabove\tw2 s2"]
    new, named, heads = again.predict(queries, top=3)
    assert [new[0]["entity"], named[0]["entity"], heads[0]["entity"]] == ["kind3", "kind3", "kind2"]
    assert new[0]["known"] is False
    assert again.predict(queries, top=3) == described.predict(queries, top=3)
    same = again.predict([f"{GLOSSES['e03']}\tis"], top=3)[0]
    assert [answer["entity"] for answer in same] == [answer["entity"] for answer in named]
    assert described.vectors.shape == (SIZE + KINDS, 32)
    with pytest.raises(DataError, match="query 2: 'zebra' names no entity, and as a description it has no known word"):
        again.predict(["e03\tis", "zebra\tis"])


def test_loops(described: Graph) -> None:
    """What is asked about is an answer as good as its words say, less what its relation has learnt, by all entities and by drawn
    ones; in the scores of both parts. What has a training fact is asked about by both.
    """
    graph = described.trained
    part, scores = graph.network.described, graph.answering()
    assert part is not None
    assert isinstance(part.entities, Glosses)
    loops, table = part.entities.loops.weight.detach()[:, 0], part.table().detach()
    assert (loops[:2] < 0).all()
    known, unknown = int(graph.facts[0, 0]), int(np.flatnonzero(scores.alone)[0])
    for head in (known, unknown):
        found = scores(np.array([head]), np.array([1]))[0]
        own = graph.network.logits(torch.tensor([head]), scores.tables[0][[head]], torch.tensor([1]), scores.tables[0])[0]
        words = part.compose(table[[head]], part.relations(torch.tensor([1]))) @ table.T
        words[0, head] += loops[1]
        want = words[0] + (own if head == known else 0)
        torch.testing.assert_close(torch.from_numpy(found), want.detach())


@pytest.mark.parametrize("model", ["distmult:dim=4,n3=0", "transe:dim=4", "rotate:dim=4,negatives=7"])
def test_families(model: str) -> None:
    """Any of them, with all entities or a few drawn."""
    assert lossworks.fit(TRAIN, valid=VALID, test=TEST, glosses=GLOSSES, **SMALL | {"model": model, "epochs": 2}).metrics


def test_bad(described: Graph, tmp_path: Path) -> None:
    """What is refused, with what to do; a damaged file of descriptions is found."""
    plain = lossworks.fit(TRAIN, valid=VALID, test=TEST, out=tmp_path / "plain", **SMALL | {"epochs": 1})
    assert plain.path is not None
    with pytest.raises(UsageError, match="was not fitted with descriptions"):
        lossworks.check_glosses(plain.path)
    with pytest.raises(DataError, match=r"none of 1 descriptions is of an entity of the facts: .*'e00'.*'x'"):
        lossworks.fit(TRAIN, glosses={"x": "y"}, **SMALL)
    with pytest.raises(UsageError, match="wanted a description in words"):
        lossworks.fit(TRAIN, glosses={"x": 3}, **SMALL)  # type: ignore[dict-item]
    with pytest.raises(UsageError, match="--glosses is for models of knowledge graphs"):
        lossworks.fit([("good", "a"), ("bad", "b")], glosses="x")
    described.trained.save(tmp_path)
    file, reading = tmp_path / "glosses.safetensors", type(described.trained)
    arrays = {name: np.array(array) for name, array in map_tensors(file)[0].items()}
    for name, by, message in (("ids", 1000, "words that are not there"), ("lengths", 1, "not of these entities")):
        write_tensors(file, arrays | {name: arrays[name] + np.array(by, arrays[name].dtype)}, {})
        with pytest.raises(RecordError, match=message):
            reading.load(tmp_path)
