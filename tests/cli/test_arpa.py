"""``export`` and ``import``: n-gram models to ARPA files and back."""

from __future__ import annotations

import gzip
import math
import re
from collections.abc import Callable
from pathlib import Path

import pytest

import lossworks
from lossworks import export, import_model
from lossworks.api import Language, load_language
from lossworks.core.errors import UsageError

from .conftest import Command

TEXTS = [
    f"the {animal} {does} the {thing}"
    for animal in ("cat", "dog", "cow")
    for does in ("sees", "eats")
    for thing in ("hay", "moon")
]
HAND = """\\data\\
ngram 1=4
ngram 2=2

\\1-grams:
-99\t<s>\t-0.5
-0.5\t</s>
-1.0\t<unk>
-0.3\ta\t-0.2

\\2-grams:
-0.1\t<s> a
-0.4\ta </s>

\\end\\
"""


@pytest.fixture
def words(tmp_path: Path) -> Language:
    """A model of words with a run directory."""
    return lossworks.fit(TEXTS, task="lm", model="ngram:order=3", tokenizer="words", out=tmp_path / "words")


@pytest.mark.parametrize("name", ["model.arpa", "model.arpa.gz"])
def test_there_and_back(words: Language, tmp_path: Path, name: str) -> None:
    """What was exported scores every text as before, to the digits of the file; the same model gives the same bytes."""
    export(words, tmp_path / name)
    back = import_model(tmp_path / name, tmp_path / "back")
    texts = [*TEXTS[:3], "the cat sees", "an unknown cat", "hay the the moon", ""]
    for before, after in zip(words.score(texts), back.score(texts), strict=True):
        assert after.tokens == before.tokens
        assert after.nats == pytest.approx(before.nats, abs=1e-5)
    first = (tmp_path / name).read_bytes()
    export(words, tmp_path / name)
    assert (tmp_path / name).read_bytes() == first
    export(load_language(tmp_path / "back"), tmp_path / f"again-{name}")
    unpack = gzip.decompress if name.endswith(".gz") else bytes
    assert len(unpack((tmp_path / f"again-{name}").read_bytes()).splitlines()) == len(unpack(first).splitlines())


@pytest.mark.parametrize("tokens", ["chars", "bytes", "bpe:size=300"])
def test_other_tokens(command: Command, tmp_path: Path, tokens: str) -> None:
    """Any tokenizer's model is exported, spaces among its tokens; such a file is refused as words, with what to do."""
    assert lossworks.fit(
        ["a b\tc é", "a\u0085b \u2420"] * 3, task="lm", model="ngram:order=2", tokenizer=tokens, out=tmp_path / "run"
    )
    assert command("export", tmp_path / "run", "run.arpa").code == 0
    ended = command("import", "run.arpa", "--out", "back")
    assert ended.code == 2
    assert "copy the run directory" in ended.err
    assert not (tmp_path / "back").exists()


def test_by_hand(command: Command, put: Callable[[str, str], Path], tmp_path: Path) -> None:
    """A file of two bigrams, scored as by hand; the run has a record and a report, and says that it has no figures."""
    said = command("import", put("hand.arpa", HAND), "--out", "hand", "--json").json
    assert (said["status"], said["result"]["part"], said["data"]["imported"]) == ("finished", None, True)
    rows = command("score", "hand", "a", "a a", "b", "--json").json["texts"]
    wanted = [[-0.1, -0.4], [-0.1, -0.2 - 0.3, -0.4], [-0.5 - 1.0, -0.5]]
    for row, log10s in zip(rows, wanted, strict=True):
        assert [token["nats"] for token in row["tokens"]] == pytest.approx([-x * math.log(10) for x in log10s], abs=1e-6)
    assert "says nothing of how good it is" in (tmp_path / "hand/report.html").read_text("utf-8")
    assert command("report", "hand").code == 0


def test_words_with_other_spaces(command: Command, put: Callable[[str, str | bytes], Path], tmp_path: Path) -> None:
    """A word that holds a no-break space is one word of a text too; in Latin-1 as well, which the error names."""
    text = "a note\n\n" + re.sub(r"(?<=[\t ])a(?=\s)", "a\u00a0é", HAND)
    put("latin.arpa", text.encode("latin-1"))
    ended = command("import", "latin.arpa", "--out", "run")
    assert (ended.code, "--encoding cp1252" in ended.err, (tmp_path / "run").exists()) == (2, True, False)
    assert command("import", "latin.arpa", "--encoding", "latin-1", "--out", "run").code == 0
    (row,) = command("score", "run", "a\u00a0é a\u00a0é", "--json").json["texts"]
    assert [token["token"] for token in row["tokens"]] == ["a\u00a0é", "a\u00a0é", "</s>"]
    assert [token["nats"] for token in row["tokens"]] == pytest.approx(
        [x * math.log(10) for x in (0.1, 0.2 + 0.3, 0.4)], abs=1e-6
    )


def test_evaluate(command: Command, put: Callable[[str, str], Path]) -> None:
    """An imported model is evaluated without a baseline, for nothing is known of how frequent its words were."""
    command("import", put("hand.arpa", HAND), "--out", "hand", "-q")
    found = command("evaluate", "hand", put("texts.txt", "a\na a\nb\n"), "--json").json
    assert "baseline" not in found
    nats = (0.5 + 1.0 + 2.0) * math.log(10)
    assert found["metrics"]["nats_per_token"]["value"] == pytest.approx(nats / 7, abs=1e-6)
    assert found["metrics"]["unknown_rate"]["value"] == pytest.approx(1 / 4)
    assert command("evaluate", "hand", "texts.txt").code == 0


def test_impossible(command: Command, put: Callable[[str, str], Path]) -> None:
    """A token of probability 0 makes a text's figures infinite, which JSON says as null."""
    impossible = HAND.replace("ngram 1=4", "ngram 1=5").replace("-0.3\ta\t-0.2\n", "-0.3\ta\t-0.2\n-inf\tb\n")
    command("import", put("hand.arpa", impossible), "--out", "hand", "-q")
    put("texts.txt", "a a\na b\na\n")
    found = command("evaluate", "hand", "texts.txt", "--json").json
    assert found["metrics"]["perplexity"] == {"value": None, "low": 1.0, "high": None}
    assert found["surprising"]["most"][0]["nats_per_token"] is None
    assert command("evaluate", "hand", "texts.txt").code == 0


def test_without_an_end(command: Command, put: Callable[[str, str], Path]) -> None:
    """Where the file never predicts the end, texts have none."""
    command(
        "import", put("hand.arpa", HAND.replace("-0.5\t</s>", "-99\t</s>").replace("-0.4\ta </s>", "-0.4\ta a")), "--out", "hand"
    )
    assert [token["token"] for token in command("score", "hand", "a a", "--json").json["texts"][0]["tokens"]] == ["a", "a"]


@pytest.mark.parametrize(
    ("content", "said"),
    [
        ("", r"wanted a line \data\, but the file ends"),
        (HAND.replace("ngram 2=2", "ngram 2=3"), "the 2-grams end after 2"),
        (HAND.replace("-0.1\t<s> a", "-0.1\t<s> z"), "not among the 1-grams"),
        (HAND.replace("-0.3\ta", "0.3\ta"), "is above 0"),
        (HAND.replace("\\end\\", ""), r"wanted \end\, but the file ends"),
    ],
)
def test_damaged(command: Command, put: Callable[[str, str], Path], tmp_path: Path, content: str, said: str) -> None:
    """A damaged file is an error that names it; no run is left behind."""
    ended = command("import", put("bad.arpa", content), "--out", "run")
    assert ended.code == 2
    assert said in ended.err
    assert "bad.arpa" in ended.err
    assert not (tmp_path / "run").exists()


def test_refusals(command: Command, words: Language, fitted: Path, tmp_path: Path) -> None:
    """No such format or file, a classifier, a model of no n-grams, a place that holds a run: each is said with the remedy."""
    assert "arpa" in command("export", tmp_path / "words", "x", "--to", "arap").err
    assert command("import", "nothing.arpa", "--out", "run").code == 2
    ended = command("export", fitted, "x.pkl")
    assert "x.pkl would be an ARPA file" in ended.err
    assert "ends in .onnx (networks), .html or .js (linear, bag), or say --to" in ended.err
    export(words, tmp_path / "model.arpa")
    assert "already holds a run" in command("import", "model.arpa", "--out", tmp_path / "words").err
    assert "--encoding is for ARPA files" in command("import", tmp_path, "--encoding", "latin-1", "--out", "run").err
    hmm = lossworks.fit(TEXTS, task="lm", model="hmm:states=2", tokenizer="words")
    with pytest.raises(UsageError, match="the model is hmm"):
        export(hmm, tmp_path / "x.arpa")
