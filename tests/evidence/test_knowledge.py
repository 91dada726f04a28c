"""Whether the knowledge of an arm is shown to help: its controls, pools, and what is said of them."""

from __future__ import annotations

import json
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import numpy as np
import pytest
from numpy.typing import NDArray

import lossworks
from lossworks.api.comparison_asked import Asked
from lossworks.core.errors import UsageError
from lossworks.data import TEST, TRAIN, VALID
from lossworks.engine import Callbacks
from lossworks.evidence import statistics
from lossworks.evidence.knowledge import HELPS, NO_TWIN, NOT_SHOWN, SAME_CUT, SAME_WITHOUT, Claim, judge_claims
from lossworks.evidence.labels import LabelBenchmark
from lossworks.evidence.lineup import Pool, lineup
from lossworks.evidence.outcome import Outcome
from lossworks.evidence.pooling import PooledRuns
from lossworks.evidence.store import RUN, Key
from lossworks.evidence.verdicts import Measured

Put = Callable[[str, str | bytes], Path]
DRAW = np.random.default_rng(0)
HARD = DRAW.exponential(1, 200)
QUICK: dict[str, Any] = {"model": "linear:bits=14", "epochs": 6, "trials": 0, "optimizer": "adam:lr=0.02"}
GOOD, BAD = [f"g{n}" for n in range(20)], [f"b{n}" for n in range(20)]


@pytest.fixture(autouse=True)
def few_flips(monkeypatch: pytest.MonkeyPatch) -> None:
    """A fifth of the draws of the permutation test: its p is needed to the hundredth."""
    real = statistics.flips
    monkeypatch.setattr(statistics, "flips", lambda d, seed=0, count=1999: real(d, seed, count))


def arm(shift: float, seeds: int = 6, diverged: tuple[int, ...] = (), sign: int = 1) -> Measured:
    """An arm whose rows cost as much as they are hard, and ``shift`` more."""
    rows = HARD + shift + DRAW.normal(0, 0.02, (seeds, 1)) + DRAW.normal(0, 0.02, (seeds, 200))
    return Measured(name="arm", rows=sign * rows, seeds=tuple(range(seeds)), diverged=diverged)


def said(own: Measured, without: Measured, cut: Measured, metric: str = "nll") -> tuple[str, str]:
    """The word and the sentence on one arm."""
    (found,) = judge_claims([Claim("lexicon:x", own, {SAME_WITHOUT: without, SAME_CUT: cut})], metric, "nats")
    return found.word, found.sentence


def test_both_controls_must_be_beaten() -> None:
    """Better than without it and than with it cut: it helps. What the cut teacher does too, or none does too, is no knowledge."""
    word, sentence = said(arm(-0.3), arm(0.0), arm(-0.1))
    assert (word, "beside the same arm with it cut from its texts, and more elsewhere" in sentence) == (HELPS, True)
    assert said(arm(-0.3), arm(0.0), arm(-0.3))[0] == NOT_SHOWN
    word, sentence = said(arm(-0.3), arm(-0.3), arm(0.0))
    assert (word, "beside that of the same arm without it" in sentence) == (NOT_SHOWN, True)
    assert said(arm(0.0), arm(-0.3), arm(-0.3))[0] == NOT_SHOWN


def test_metrics_that_rise_few_seeds_and_divergence() -> None:
    """Of a metric that rises more is better; one seed says nothing; an arm that diverged is never helped."""
    assert said(arm(-0.3, sign=-1), arm(0.0, sign=-1), arm(-0.1, sign=-1), "accuracy")[0] == HELPS
    assert said(arm(-0.3), arm(0.0), arm(-0.1), "accuracy")[0] == NOT_SHOWN
    assert said(arm(-0.3, seeds=1), arm(0.0), arm(0.0))[0] == NO_TWIN
    assert said(arm(-0.3, diverged=(2,)), arm(0.0), arm(0.0))[0] == NOT_SHOWN


def test_several_sources_are_corrected_for() -> None:
    """Holm's correction goes over the sources: of twelve without knowledge none is said to help."""
    claims = [Claim(f"s{n}", arm(0.0), {SAME_WITHOUT: arm(0.0), SAME_CUT: arm(0.0)}) for n in range(12)]
    assert sum(verdict.word == HELPS for verdict in judge_claims(claims, "nll", "nats")) == 0


def test_controls_are_added() -> None:
    """An arm with a teacher stands between the same without and the same with it cut; none is added that was asked for."""
    found = lineup([{"teach": "uniform"}], {})
    assert [own["teach"] for own in found.own] == [None, "uniform", "cut:uniform"]
    assert found.controls == {1: {SAME_WITHOUT: 0, SAME_CUT: 2}}
    found = lineup([{"model": "bag", "teach": None}, {"model": "bag", "teach": "uniform", "loss": "forward_kl"}], {})
    assert [own["teach"] for own in found.own] == [None, "uniform", "cut:uniform"]
    assert found.controls == {1: {SAME_WITHOUT: 0, SAME_CUT: 2}}
    found = lineup([{"loss": "forward_kl", "teach": "uniform"}, {"loss": "forward_kl", "teach": "cut:uniform"}], {})
    assert [(own["loss"], own["teach"]) for own in found.own] == [
        (None, None), ("forward_kl", "uniform"), ("forward_kl", "cut:uniform"),
    ]  # fmt: skip
    found = lineup([{"model": "linear"}, {"model": "vectors:v.txt,idf=true"}], {})
    assert found.own[2] == {"model": "vectors:v.txt,idf=true,cut=true"}
    assert found.controls == {1: {SAME_CUT: 2}}


def test_members_of_pools() -> None:
    """Those of a pool that nobody asked for are added, the controls of theirs too."""
    found = lineup([{"model": "pool:linear+bag"}, {"model": "bag"}], {})
    assert [own["model"] for own in found.own] == ["bag", "linear"]
    assert found.pools == (Pool("pool:linear+bag", "pool:linear+bag", (1, 0)),)
    found = lineup([{"model": "pool:linear+bag", "teach": "uniform"}], {})
    assert len(found.own) == 6
    assert [found.own[member] for member in found.pools[0].members] == [
        {"model": "linear", "teach": "uniform"}, {"model": "bag", "teach": "uniform"},
    ]  # fmt: skip
    for wrong in ("pool:linear", "pool:linear+linear", "pool:"):
        with pytest.raises(UsageError, match="two different members or more"):
            lineup([{"model": wrong}], {})
    with pytest.raises(UsageError, match="there is one arm"):
        lineup([{"loss": "mse"}], {})


def texts(count: int, seed: int) -> list[tuple[str, str]]:
    """Of one telling word among many that tell nothing."""
    draw = np.random.default_rng(seed)
    found = []
    for _ in range(count):
        label = draw.integers(2)
        words = [f"w{n}" for n in draw.integers(0, 200, 4)] + [str(draw.choice((BAD, GOOD)[label]))]
        found.append((" ".join(words), ("neg", "pos")[label]))
    return found


def table(rows: list[tuple[str, str]], labelled: int | None = None) -> str:
    """The rows as CSV, some without their labels."""
    lines = (f"{text},{label if labelled is None or n < labelled else ''}\n" for n, (text, label) in enumerate(rows))
    return "text,label\n" + "".join(lines)


@pytest.fixture
def data(put: Put) -> dict[str, Any]:
    """A few labelled rows, validation and test rows of their own, and a lexicon of half the words that tell."""
    put(
        "lexicon.csv",
        "word,label,weight\n" + "".join(f"{w},pos,3\n" for w in GOOD[::2]) + "".join(f"{w},neg,3\n" for w in BAD[::2]),
    )
    found = {
        "data": put("a.csv", table([*texts(398, 1), *texts(1, 3), *texts(1, 1)], 60)),
        "valid": put("v.csv", table(texts(60, 2))),
    }
    return {name: str(path) for name, path in {**found, "test": put("t.csv", table(texts(200, 3)))}.items()}


def test_a_lexicon_for_rows_without_labels(data: dict[str, Any], tmp_path: Path) -> None:
    """What a lexicon knows of them helps beside the few labels, and cut it does not; all is in record and page."""
    teacher = f"lexicon:{tmp_path / 'lexicon.csv'}"
    found = lossworks.compare(**data, teach=[teacher], seeds=3, out=tmp_path / "run", **QUICK)
    assert list(found.verdicts) == ["teach=none", f"teach={teacher}", f"teach=cut:{teacher}"]
    (verdict,) = found.record["result"]["knowledge"]
    assert (verdict["source"], verdict["word"]) == (teacher, HELPS), verdict["sentence"]
    assert [(check["than"], check["passed"]) for check in verdict["checks"]] == [(SAME_WITHOUT, True), (SAME_CUT, True)]
    assert found.record["duplicates"]["exact"]["test"] == 1  # beside a row without a label, which some arms learn from
    page = (tmp_path / "run" / "report.html").read_text("utf-8")
    assert "Is it the knowledge?" in page
    assert verdict["sentence"] in page


def test_arms_in_any_order(data: dict[str, Any], tmp_path: Path) -> None:
    """A training is a function of its stage, arm and number, whichever process does it, after whatever others: all arms have the
    same rows to be judged by, rows without a label are learned from where a teacher speaks of them, and cut ones are dealt out
    anew with every seed.
    """
    teachers = [f"lexicon:{tmp_path / 'lexicon.csv'}", "uniform"]
    asked = Asked(**data, teach=teachers, seeds=2, **QUICK | {"epochs": 1})
    rows: list[dict[Key, NDArray[np.float64]]] = []
    for order in (1, -1):
        found: dict[Key, NDArray[np.float64]] = {}
        with asked.opened(Callbacks()) as benchmark:
            design = asked.design(benchmark, tmp_path)
            assert [arm.settings.loss for arm in design.arms[:2]] == ["cross_entropy", "0.5*cross_entropy+0.5*forward_kl"]
            for key, _, settings in design.ready({})[::order]:
                outcome = benchmark.train(replace(settings, seed=design.seed(key)), "nll")
                assert outcome.rows is not None
                found[key] = outcome.rows
            cut = design.arms[2].settings
            dealt = [benchmark._rows.taught(benchmark.ready(cut), replace(cut, seed=seed)).teacher for seed in (1, 1, 2)]  # type: ignore[attr-defined]
            labelled = [benchmark.ready(arm.settings).given for arm in design.arms]
            learned = [int((benchmark.ready(arm.settings).parts == TRAIN).sum()) for arm in design.arms]
        rows.append(found)
    assert rows[0].keys() == rows[1].keys()
    assert all(np.array_equal(rows[0][key], rows[1][key]) for key in rows[0])
    assert all(given.sum() == 60 + 60 + 200 for given in labelled)  # the answers of one teacher are no labels beside another
    assert learned[0] == 60 < learned[1] == learned[2] < learned[3] == learned[4] == 400
    assert [np.array_equal(dealt[seed], dealt[other]) for seed, other in ((0, 1), (0, 2))] == [True, False]
    assert np.array_equal(rows[0][Key(RUN, 3, 0)], rows[0][Key(RUN, 4, 0)])  # of a uniform teacher nothing can be cut


def test_refused(data: dict[str, Any], put: Put) -> None:
    """Validation rows of which none has a label, teachers that are not there, pools over what is no distribution."""
    few = str(put("few.csv", table(texts(60, 1), 3)))
    with pytest.raises(UsageError, match="no validation rows with a label are held out"):
        lossworks.compare(few, test=data["test"], teach=["uniform"], seeds=2, **QUICK)
    with pytest.raises(UsageError, match="arms are pooled over classes or tokens, and the task is regress"):
        lossworks.compare([(text, float(len(text))) for text, _ in texts(60, 1)], model="pool:linear+bag", task="regress")
    with pytest.raises(UsageError, match="there is no such directory"):
        lossworks.compare(**data, teach=["nowhere"], seeds=2, **QUICK)


def test_weights_are_of_the_validation_rows(tmp_path: Path) -> None:
    """A pool goes by what its members knew of these, however that is on the test rows, and has their cost."""
    asked = Asked(texts(120, 5), model="pool:linear:bits=10+bag:dim=2,bits=10", seeds=2, trials=0, epochs=1)
    with asked.opened(Callbacks()) as benchmark:
        assert isinstance(benchmark, LabelBenchmark)
        settings, data = asked.design(benchmark, tmp_path).arms[0].settings, benchmark.split
        target = np.concatenate([data.target[data.parts == part] for part in (VALID, TEST)])
        valid = np.arange(len(target)) < (data.parts == VALID).sum()
        sure = np.array([0.2, 0.8])  # of the true label: where a member knows nothing, and where it knows
        members = []
        for knows in (valid, ~valid):
            p = np.where(np.arange(2) == target[:, None], sure[knows.astype(int)][:, None], 1 - sure[knows.astype(int)][:, None])
            members.append(Outcome(0.0, None, {}, [], 2.0, 5, logp=np.log(p).ravel()))
        found = benchmark.pooled(members, settings, "accuracy")
        assert found.metrics["accuracy"] == 0
        assert found.rows is not None
        assert benchmark.pooled(members[::-1], settings, "accuracy").metrics["accuracy"] == 0
        assert (found.texts, found.seconds >= 4) == (10, True)


def test_a_twin_has_two_seeds_of_the_best_member() -> None:
    """The best by the validation rows of all seeds, with itself in the next seed; a seed that one member lacks is no pool's, and
    one in which one diverged is the pool's divergence.
    """
    made: list[list[str]] = []

    def pooled(members: list[Any], settings: Any, metric: str) -> Any:
        made.append([one.note for one in members])
        return members[0]

    judged = {0: [0.5, 0.6, 0.5], 1: [0.4, 0.1, 0.4]}
    done = {
        Key(RUN, arm, seed): Outcome(value, None, {}, [], 1.0, 1, note=f"{arm}/{seed}", logp=np.zeros(1))
        for arm, values in judged.items() for seed, value in enumerate(values)
    }  # fmt: skip
    design: Any = SimpleNamespace(seeds=4, metric="nll", arms=[SimpleNamespace(settings=None)] * 2)
    benchmark: Any = SimpleNamespace(pooled=pooled)
    found = PooledRuns.of(design, done | {Key(RUN, 0, 3): done[Key(RUN, 0, 0)]}, benchmark, Pool("p", "p", (0, 1)))
    assert (found.best, list(found.runs), list(found.twins)) == (1, [0, 1, 2], [0, 1, 2])
    assert made[:3] == [["1/0", "1/1"], ["1/1", "1/2"], ["1/2", "1/0"]]
    assert made[3:] == [["0/0", "1/0"], ["0/1", "1/1"], ["0/2", "1/2"]]
    done[Key(RUN, 1, 1)] = replace(done[Key(RUN, 1, 1)], logp=None)
    assert PooledRuns.of(design, done, benchmark, Pool("p", "p", (0, 1))).runs[1].logp is None


def test_a_pool_of_arms(tmp_path: Path) -> None:
    """It is the mixture of its members in each seed by the validation rows, and nothing more is trained for it."""
    rows = texts(300, 5)
    found = lossworks.compare(
        rows, model=["linear:bits=10", "pool:linear:bits=10+bag:dim=4,bits=10"], seeds=3, trials=0, epochs=4,
        out=tmp_path / "run", metric="accuracy",
    )  # fmt: skip
    assert len(found.trainings) == 2 * 3
    names = list(found.verdicts)
    assert names[2] == "pool:linear:bits=10+bag:dim=4,bits=10"
    (verdict,) = found.record["result"]["knowledge"]
    assert verdict["source"] == names[2]
    assert [check["than"].split(",")[0] for check in verdict["checks"]] == [
        "its best member", "a pool of its best member with two seeds",
    ]  # fmt: skip
    nll = [arm["metrics"]["nll"] for arm in found.arms]
    assert nll[2] < max(nll[:2])
    assert names[2] in (tmp_path / "run" / "report.html").read_text("utf-8")
    record = json.loads((tmp_path / "run" / "run.json").read_text("utf-8"))
    assert record["result"]["of"] == record["result"]["done"] == 6


def test_a_pool_of_language_models(tmp_path: Path) -> None:
    """Token by token, of models over the same tokens."""
    draw = np.random.default_rng(0)
    lines = [" ".join(draw.choice(["to", "be", "or", "not"], 6)) for _ in range(80)]
    common: dict[str, Any] = {"task": "lm", "seeds": 2, "trials": 0, "steps": 12}
    pool = "pool:ngram:order=2+rnn:dim=8"
    found = lossworks.compare(lines, model=pool, tokenizer="chars", **common)
    values = [arm["value"] for arm in found.arms]
    assert list(found.verdicts)[2] == pool
    assert values[2] <= min(values[:2]) + 0.02
