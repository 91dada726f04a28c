"""Languages in training, from the settings to the record: drawn as said, compared as said, and resumed in the same bits."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
import polars as pl
import pytest
import torch

import lossworks
from lossworks import ReadOptions
from lossworks.api import Language, Model
from lossworks.core.errors import Interrupted, UsageError
from lossworks.data import load
from lossworks.engine import Callbacks
from lossworks.losses import build as loss_of
from lossworks.models import build as model_of
from lossworks.training import Settings
from lossworks.training.assembling import assemble, read_features
from lossworks.training.refit import training
from lossworks.training.resolving import for_examples

READ = ReadOptions(language="lang")
SMALL = {"model": "linear:bits=9,chars=0", "epochs": 3, "valid": 0.0, "test": 0.0}


def rows(labels: bool = True) -> list[dict[str, Any]]:
    """Three languages of 160, 60 and 20 texts."""
    rng, found = np.random.default_rng(0), []
    for lang, size in (("aa", 160), ("bb", 60), ("cc", 20)):
        for n in range(size):
            words = " ".join(f"{lang}{w}" for w in rng.integers(0, 20, 3))
            found.append({"text": f"{words} {n}", "lang": lang} | ({"label": "xy"[n % 5 == 0]} if labels else {}))
    return found


def weights(data: list[dict[str, Any]] | None = None, **choices: Any) -> dict[str, torch.Tensor]:
    """The weights after a short fit."""
    model = lossworks.fit(data or rows(), read=READ, **{**SMALL, **choices})
    assert isinstance(model, Model)
    found: dict[str, torch.Tensor] = model.predictor.network.state_dict()  # type: ignore[attr-defined]
    return found


def loop_of(tmp_path: Path, **choices: Any) -> Any:
    """The training of these choices, not begun."""
    settings = Settings(task="classify", **{**SMALL, **choices})
    corpus = load(rows(), READ)
    data = assemble([corpus], [None], "classify", None, 0.0, 0.0, 0, balance=settings.balance)
    spec = model_of(settings.spec)  # type: ignore[arg-type]
    read_features(data, spec.features(), tmp_path, 0, 1 << 20, Callbacks())
    settings = for_examples(settings, data.task, 240)
    return training(data, spec, loss_of("cross_entropy"), settings, Callbacks())


def same(one: dict[str, torch.Tensor], other: dict[str, torch.Tensor]) -> bool:
    """Equal in all bits."""
    return all(torch.equal(one[name], other[name]) for name in one)


def test_what_a_classifier_is_trained_on(tmp_path: Path) -> None:
    """Steps hold the drawn rows, the loop's clock counts them, and a risk is told of the language and class of each."""
    loop = loop_of(tmp_path, balance="unimax:repeats=2", risk="group_dro", groups="language,label", batch_size=16)
    objective, languages = loop.objective, loop.objective.data.languages
    steps = list(objective.steps(1))
    assert len(steps) == loop.clock.per_epoch == objective.per_epoch == 15
    drawn = np.concatenate([chosen for step in steps for _, chosen in step])
    assert np.bincount(languages.of_row[drawn]).tolist() == [100, 100, 40]
    (batch,) = objective.micro_batches(steps[0], 1, 16)
    target = objective.data.target[batch[1]]
    assert objective.losses(batch).groups.tolist() == (languages.of_row[batch[1]] * 2 + target).tolist()
    assert len(loop.reduction.state) == 6
    alone = loop_of(tmp_path / "x", risk="group_dro", groups="language") if (tmp_path / "x").mkdir() is None else None
    assert len(alone.reduction.state) == 3
    assert alone.objective.losses(batch).groups.tolist() == languages.of_row[batch[1]].tolist()


def test_limits(tmp_path: Path) -> None:
    """Proportional is what there is without a balance, in its bits; where all rows are a step, each weighs what it is drawn."""
    plain = weights()
    assert same(plain, weights(balance="proportional"))
    assert not same(plain, weights(balance="unimax"))
    whole = loop_of(tmp_path, balance="unimax:repeats=2", optimizer="lbfgs").objective
    (step,) = whole.steps(0)
    assert sum(len(chosen) for _, chosen in step) == 240
    weight, language = whole.data.loss_weight, whole.data.languages.of_row
    assert [float(weight[language == number].sum()) for number in range(3)] == pytest.approx([100, 100, 40], rel=1e-5)


def test_resumed_in_the_same_bits(tmp_path: Path) -> None:
    """Stopped at every second checkpoint and gone on with, a balanced fit over groups ends as one left alone; so does one that
    is done again from its record.
    """
    pl.DataFrame(rows()).write_csv(tmp_path / "rows.csv")
    data = tmp_path / "rows.csv"
    how: dict[str, Any] = {**SMALL, "balance": "alpha:0.2", "risk": "group_dro:step=0.5", "groups": "language", "batch_size": 50}
    lossworks.fit(data, read=READ, out=tmp_path / "whole", **how)
    for _ in range(30):
        callbacks, left = Callbacks(checkpoint_every=0.0), [2]

        def watch(event: str, fields: dict[str, Any], callbacks: Callbacks = callbacks, left: list[int] = left) -> None:
            left[0] -= event == "checkpoint"
            if not left[0]:
                callbacks.stop.set()

        callbacks.watch = watch
        try:
            done = lossworks.fit(data, read=READ, out=tmp_path / "run", resume=True, callbacks=callbacks, **how)
            break
        except Interrupted:
            continue
    assert (tmp_path / "run/model.safetensors").read_bytes() == (tmp_path / "whole/model.safetensors").read_bytes()
    assert lossworks.learning(tmp_path / "whole").found.exact
    said = done.record["result"]["balance"]
    assert said["spec"] == "alpha:0.2"
    assert [row["language"] for row in said["languages"]] == ["cc", "bb", "aa"]
    for row in said["languages"]:
        assert row["drawn"] == round(row["rows"] * row["repeats"])
    assert sum(row["drawn"] for row in said["languages"]) == pytest.approx(240, abs=1)


@pytest.mark.parametrize("family", ["ngram:order=2", "hmm:states=2,iterations=3"])
def test_what_is_counted(family: str) -> None:
    """Families that count or run EM, and tokenizers, see each text as often as it is drawn: whole times, by hand."""
    texts = [row for row in rows(labels=False) if row["lang"] != "bb"]
    for row in texts:
        row["text"] = {"aa": "a b", "cc": "z"}[row["lang"]] + " d" * (row["lang"] == "cc")
    texts = [{**row, "text": "a b c d"} if row["lang"] == "aa" else {**row, "text": "z y x d"} for row in texts]
    how: dict[str, Any] = {"task": "lm", "model": family, "tokenizer": "words", "valid": 0.0, "test": 0.0}
    balanced = lossworks.fit(texts, read=READ, balance="alpha:0", **how)  # 160 and 20 texts: 90 of each
    by_hand = lossworks.fit([texts[0]] * 90 + [texts[-1]] * 90, read=READ, **how)
    plain = lossworks.fit(texts, read=READ, **how)
    asked = ["a b c d", "z y x d", "a z"]
    found = [[float(one.logp) for one in each.score(asked)] for each in (balanced, by_hand, plain) if isinstance(each, Language)]
    assert found[0] == pytest.approx(found[1])
    assert found[0] != pytest.approx(found[2], rel=1e-2)


def test_classes_by_language_models_and_tokenizers() -> None:
    """The prior of classes counts what is drawn; byte pairs are merged by what is drawn."""
    data = [{"text": f"{'a' * 9} {n}", "lang": "aa", "label": "x"} for n in range(90)]
    data += [{"text": f"{'z' * 9} {n}", "lang": "cc", "label": "y"} for n in range(30)]
    model = lossworks.fit(data, read=READ, model="ngram:order=1", balance="alpha:0", valid=0.0, test=0.0)
    assert isinstance(model, Model)
    assert model.predictor.counts == (60, 60)  # type: ignore[attr-defined]
    same = [{**row, "text": row["text"][:9]} for row in data]
    how: dict[str, Any] = {"read": READ, "model": "naive_bayes:bits=10", "valid": 0.0, "test": 0.0}
    fits = [lossworks.fit(same, balance="alpha:0", **how), lossworks.fit(same[:60] + same[90:] * 2, **how)]
    balanced, by_hand, plain = [one.predict_proba(["aaz"]) for one in [*fits, lossworks.fit(same, **how)]]  # type: ignore[union-attr]
    np.testing.assert_allclose(balanced, by_hand)
    assert not np.allclose(balanced, plain, rtol=1e-2)
    assert [row["drawn"] for row in fits[0].record["result"]["balance"]["languages"]] == [60, 60]
    texts = [{key: row[key] for key in ("text", "lang")} for row in data]
    sizes = []
    for balance in (None, "alpha:0"):
        made = lossworks.fit(
            texts, read=READ, task="lm", model="ngram:order=1", tokenizer="bpe:size=260", balance=balance, valid=0.0, test=0.0
        )
        assert isinstance(made, Language)
        sizes.append([len(made.tokenizer.encode([letter * 9])[0]) for letter in "az"])
    assert sizes[0][0] < sizes[0][1]  # two merges, both of the language there is more of
    assert sizes[1][1] < sizes[0][1]


def test_language_networks() -> None:
    """A network over tokens is drawn and compared by language, and says what it was trained on."""
    made = lossworks.fit(
        rows(labels=False), read=READ, task="lm", model="transformer:layers=1,dim=8,heads=2", tokenizer="chars", steps=3,
        batch_tokens=256, balance="unimax", risk="worst_group",
    )  # fmt: skip
    assert [row["language"] for row in made.record["result"]["balance"]["languages"]] == ["cc", "bb", "aa"]
    assert made.record["config"]["risk"] == "worst_group"


@pytest.mark.parametrize(
    ("how", "said"),
    [
        ({"balance": "unimax"}, "--balance unimax needs to know each row's language"),
        ({"risk": "group_dro", "groups": "language"}, "--groups language needs to know each row's language"),
        ({"groups": "label"}, "--groups label is for a risk that compares groups, and the risk is 'mean'"),
        ({"risk": "group_dro", "groups": "author"}, "unknown groups 'author'"),
        (
            {"task": "lm", "model": "rnn:dim=4", "steps": 1, "tokenizer": "chars", "risk": "worst_group"},
            "which of a language model",
        ),
        ({"task": "lm", "model": "rnn:dim=4", "steps": 1, "risk": "worst_group", "groups": "label"}, "the task has none"),
        ({"model": "ngram", "task": "lm", "risk": "worst_group"}, "--risk is for"),
    ],
)
def test_refused(how: dict[str, Any], said: str) -> None:
    """What needs languages says so where there are none, and groups are those of a risk."""
    data = [{key: value for key, value in row.items() if key != "lang"} for row in rows("lm" not in how.values())]
    with pytest.raises(UsageError, match=said):
        lossworks.fit(data, **{**({} if "task" in how else SMALL), **how})
