"""``lossworks fuse`` in a terminal."""

from __future__ import annotations

import json
from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest
from typer.testing import CliRunner

import lossworks
from lossworks.api import evaluate
from lossworks.api.whole_texts import fuse_texts
from lossworks.cli.app import app

LINES = "to be or not to be\nthat is the question\nwhether it is nobler in the mind\nto suffer the slings\n"
Put = Callable[[str, str | bytes], Path]


@pytest.fixture
def told(put: Put, tmp_path: Path) -> Callable[..., str]:
    """``told(flags…)``: what ``lossworks fuse`` says of two models of language and a cache."""
    run, data = CliRunner(), put("train.txt", LINES * 30)
    put("on.txt", "to be in the mind\nthat is the question\n" * 10)
    put("test.txt", "it is the question\nor not to be nobler\n" * 10)
    for name, order in (("one", 2), ("two", 4)):
        tokens = ["--tokenizer", "chars" if name == "one" else f"{tmp_path}/one/tokenizer.json"]
        given = [f"{data}", "--task", "lm", "--model", f"ngram:order={order}", *tokens, "--out", f"{tmp_path}/{name}"]
        assert run.invoke(app(), ["fit", *given]).exit_code == 0

    def tell(*flags: str) -> str:
        sources = [f"{tmp_path}/one", f"{tmp_path}/two", "cache"]
        done = run.invoke(app(), ["fuse", *sources, "--on", f"{tmp_path}/on.txt", *flags], env={"COLUMNS": None})
        assert done.exit_code == 0, done.output
        return done.stdout

    return tell


def test_for_people(told: Callable[..., str], tmp_path: Path) -> None:
    """Sources with their weights, the pool's loss, a verdict on each source but the first, and what to do next."""
    said = told("--test", f"{tmp_path}/test.txt", "--out", f"{tmp_path}/pool")
    assert "the pool" in said
    assert f"{tmp_path}/two helps by its knowledge" in said
    assert "beside the pool cut from its texts" in said
    assert f"lossworks evaluate {tmp_path}/pool TEXT" in said
    page = (tmp_path / "pool" / "report.html").read_text("utf-8")
    assert "of 2 sources shown to help" in page or "No knowledge shown" in page
    assert "with its mean answer alone in its place" in page or "cut from its texts" in page


def test_json(told: Callable[..., str], tmp_path: Path) -> None:
    """One object on stdout, whose weights sum to one."""
    found = json.loads(told("--test", f"{tmp_path}/test.txt", "--json"))
    assert sum(row["weight"] for row in found["sources"]) == pytest.approx(1)
    assert [verdict["source"] for verdict in found["verdicts"]] == [f"{tmp_path}/two", "cache"]


def test_whole_texts(told: Callable[..., str], tmp_path: Path, put: Put) -> None:
    """Models of other tokens are mixed text by text: the mixture's probability is the weighted sum of theirs."""
    data = str(put("lines.txt", "".join(f"line {n % 7} of the text\n" for n in range(80))))
    run = CliRunner()
    for name, tokens in (("bpe", "bpe:size=300"), ("bytes", "bytes")):
        given = ["fit", data, "--task", "lm", "--model", "ngram:order=3", "--tokenizer", tokens, "--out", f"{tmp_path}/{name}"]
        assert run.invoke(app(), given).exit_code == 0
    sources = [f"{tmp_path}/bpe", f"{tmp_path}/bytes"]
    for more in ([], ["--per", "text", "--out", f"{tmp_path}/pool"]):
        refused = run.invoke(app(), ["fuse", *sources, "--on", data, *more])
        assert refused.exit_code != 0
        assert "--per text and no --out" in str(refused.exception)
    done = run.invoke(app(), ["fuse", *sources, "--on", data, "--test", data, "--per", "text", "--json"])
    assert done.exit_code == 0, done.output
    found = json.loads(done.stdout)
    assert sum(row["weight"] for row in found["sources"]) == pytest.approx(1)
    assert found["loss"]["value"] <= min(row["loss"]["value"] for row in found["sources"]) + 1e-9
    mixed = fuse_texts(sources, on=data)
    alone = [lossworks.load(source).score(["line 1"])[0].logp for source in sources]  # type: ignore[union-attr]
    assert mixed.logp(["line 1"])[0] == pytest.approx(np.log(mixed.weights @ np.exp(alone)))


def test_whole_texts_pay_for_every_byte(tmp_path: Path, put: Put) -> None:
    """What is unknown to a source costs it as many bits a byte as evaluate says, and the mixture no less for it."""
    data = str(put("lines.txt", "".join(f"line {n} of the text, {n}\n" for n in range(80))))
    other = str(put("other.txt", "".join(f"line {n} of the 電 text\n" for n in range(40))))
    for tokens in ("chars", "bytes"):
        lossworks.fit(data, task="lm", model="ngram:order=3", tokenizer=tokens, out=tmp_path / tokens)
    mixed = fuse_texts([tmp_path / "chars", tmp_path / "bytes"], on=data, test=other)
    told = [evaluate(lossworks.load(path), other)["metrics"]["bits_per_byte"]["value"] for path in mixed.sources]
    assert [row["loss"]["value"] for row in mixed.facts["sources"]] == pytest.approx(told)
    assert told[0] > 8 * 3 / 24
    assert mixed.facts["loss"]["value"] > 8 * 3 / 24


def test_whole_texts_as_a_run(told: Callable[..., str], tmp_path: Path) -> None:
    """Of models that share their tokens the mixture is a run, which scores texts as their weighted sum and has a next token."""
    one, two, pool = (str(tmp_path / name) for name in ("one", "two", "pool"))
    run, on, test = CliRunner(), f"{tmp_path}/mixed.txt", f"{tmp_path}/test.txt"
    Path(on).write_text("".join(f"{line}\n{line[::-1]}\n" for line in LINES.splitlines() * 5))
    given = ["fuse", one, two, "--per", "text", "--on", on]
    done = run.invoke(app(), [*given, "--test", test, "--out", pool, "--json"])
    assert done.exit_code == 0, done.output
    found = json.loads(done.stdout)
    assert found["run"] == pool
    page = Path(pool, "report.html").read_text("utf-8")
    assert "a mixture of whole texts" in page
    assert "Losses are in bits a byte" in page
    mixed, *alone = (lossworks.load(path) for path in (pool, one, two))
    texts = ["that is not the Question", "to be", ""]
    weights = [row["weight"] for row in found["sources"]]
    assert min(weights) > 0.1
    each = np.array([[row.logp for row in model.score(texts)] for model in alone])  # type: ignore[union-attr]
    assert [row.logp for row in mixed.score(texts)] == pytest.approx(np.log(weights @ np.exp(each)))  # type: ignore[union-attr]
    assert sum(p for _, p in mixed.next("to be", top=100)) == pytest.approx(1)  # type: ignore[union-attr]
    done = run.invoke(app(), ["evaluate", pool, f"{tmp_path}/on.txt", test, "--parallel", "--json"])
    assert done.exit_code == 0, done.output
    for data, word in ((f"{tmp_path}/train.txt", "was trained on"), (test, "--test is the text")):
        refused = run.invoke(app(), ["fuse", one, two, "--per", "text", "--on", data, "--test", test, "--out", f"{tmp_path}/no"])
        assert word in str(refused.exception)


def test_nothing_judged(told: Callable[..., str]) -> None:
    """Without --test it is said that nothing was judged."""
    assert "Nothing was judged" in told("--kind", "log_linear", "--by-context")
