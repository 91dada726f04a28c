"""ARPA files: there and back, with KenLM in both directions, and whatever is wrong with one is told with its line."""

from __future__ import annotations

import gzip
import json
import math
import os
import re
import subprocess
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from lossworks.core.errors import DataError, RecordError, UsageError
from lossworks.data import Ragged
from lossworks.models.ngram import NgramModel, arpa_reader, arpa_writer, read_arpa, write_arpa
from lossworks.models.ngram.lines import _number, _write_number
from lossworks.models.ngram.spelling import decode, encode
from models.ngram.tries import Gram, Valued, ragged, vocabulary
from models.ngram.written import TEXTS, TRAIN, WORDS, asked, model, spelled_texts

REFERENCE: dict[str, dict[str, Any]] = json.loads(
    (Path(__file__).parents[2] / "parity" / "kenlm_reference.json").read_text("utf-8")
)

SMALL = """\\data\\
ngram 1=5
ngram 2=3
ngram 3=2

\\1-grams:
-1.5\t<unk>
-99\t<s>\t-0.5
-1\t</s>
-0.75\ta\t-0.25
-0.5\tb\t-0.125

\\2-grams:
-0.5\t<s> a\t-0.0625
-0.25\ta b\t-1
-0.375\tb a

\\3-grams:
-0.125\t<s> a b
-0.1875\ta b a

\\end\\
"""


def put(folder: Path, text: str) -> Path:
    """A file with the text."""
    (folder / "model.arpa").write_text(text, "utf-8")
    return folder / "model.arpa"


def read(path: Path) -> tuple[NgramModel, list[str]]:
    """The model in a file, and its words."""
    trie, words = read_arpa(path)
    return NgramModel(trie, vocabulary(len(words))), words


def encoded(texts: str, words: list[str]) -> Ragged:
    """Lines of words as tokens."""
    number = {word: place for place, word in enumerate(words)}
    return ragged([[number.get(word, 0) for word in line.split()] for line in texts.split("\n")[:-1]])


def log10_of(path: Path, *texts: str) -> list[float]:
    """log10 p of every position of texts."""
    found, words = read(path)
    logp = found.logp(encoded("".join(text + "\n" for text in texts), words))
    return (logp / math.log(10)).tolist()


def test_kenlm_says_the_same(tmp_path: Path) -> None:
    """By a file of KenLM's, every word's probability is what KenLM's own ``query`` says, and the perplexities are."""
    theirs = REFERENCE["theirs"]
    found, words = read(put(tmp_path, theirs["arpa"]))
    texts = encoded(theirs["texts"], words)
    np.testing.assert_allclose(found.logp(texts) / math.log(10), theirs["log10"], rtol=2e-6, atol=2e-7)
    perplexity = found.perplexity(texts)
    assert perplexity.including == pytest.approx(theirs["including"], rel=1e-6)
    assert perplexity.excluding == pytest.approx(theirs["excluding"], rel=1e-6)
    assert perplexity.unknown > 0


def test_kenlm_reads_ours(tmp_path: Path) -> None:
    """What we write is what KenLM was asked about, and it says what the model says, of spaces, marks and the empty word too."""
    ours = REFERENCE["ours"]
    write_arpa(model(), WORDS, tmp_path / "a")
    assert (tmp_path / "a").read_text("utf-8") == ours["arpa"]
    assert spelled_texts() == ours["texts"]
    np.testing.assert_allclose(model().logp(asked()) / math.log(10), ours["log10"], rtol=2e-6, atol=2e-7)
    perplexity = model().perplexity(asked())
    assert perplexity.including == pytest.approx(ours["including"], rel=1e-6)
    assert perplexity.excluding == pytest.approx(ours["excluding"], rel=1e-6)


def test_kenlm_now(tmp_path: Path) -> None:
    """The same asked of KenLM's programs, where there are any."""
    folder = os.environ.get("LOSSWORKS_KENLM")
    if not folder:
        pytest.skip("LOSSWORKS_KENLM names no folder with KenLM's programs")
    write_arpa(model(), WORDS, tmp_path / "a.arpa")
    for kind in ("trie", "probing"):
        subprocess.run([f"{folder}/build_binary", kind, tmp_path / "a.arpa", tmp_path / kind], check=True, capture_output=True)
        command = [f"{folder}/query", "-v", "summary", str(tmp_path / kind)]
        said = subprocess.run(command, input=spelled_texts(), text=True, check=True, capture_output=True).stdout
        found = re.search(r"including OOVs:\s*(\S+)", said)
        assert found is not None
        assert float(found[1]) == pytest.approx(model().perplexity(asked()).including, rel=1e-6)


@pytest.mark.parametrize("name", ["a.arpa", "a.arpa.gz"])
@pytest.mark.parametrize("order", [1, 2, 4])
def test_there_and_back(tmp_path: Path, name: str, order: int) -> None:
    """Read back, a model says the same, of the same words; and once more."""
    write_arpa(model(order), WORDS, tmp_path / name)
    found, words = read(tmp_path / name)
    assert words == ["<unk>", "<s>", "</s>", *WORDS[3:]]
    np.testing.assert_allclose(found.logp(asked()), model(order).logp(asked()), rtol=1e-6)
    assert (tmp_path / name).read_bytes()[:2] == (b"\x1f\x8b" if name.endswith("gz") else b"\\d")
    write_arpa(found, words, tmp_path / f"again-{name}")
    np.testing.assert_allclose(read(tmp_path / f"again-{name}")[0].logp(asked()), found.logp(asked()), rtol=1e-6)


def test_blocks(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Files of many blocks, and n-grams written in many parts, come out the same."""
    write_arpa(model(), WORDS, tmp_path / "a")
    trie, _ = read_arpa(tmp_path / "a")
    monkeypatch.setattr(arpa_reader, "_CHUNK", 50)
    monkeypatch.setattr(arpa_writer, "_ROWS", 3)
    told: list[dict[str, Any]] = []
    again, _ = read_arpa(tmp_path / "a", lambda event, fields: told.append(fields))
    for level, other in zip(trie.levels, again.levels, strict=True):
        for name in ("word", "begin", "prob", "context", "backoff"):
            np.testing.assert_array_equal(getattr(level, name), getattr(other, name))
    assert told[-1]["rows"] == told[-1]["of"]
    write_arpa(model(), WORDS, tmp_path / "b", lambda event, fields: told.append(fields))
    assert (tmp_path / "b").read_bytes() == (tmp_path / "a").read_bytes()
    assert told[-1]["rows"] == told[-1]["of"]


def test_by_hand(tmp_path: Path) -> None:
    """Probabilities and backoffs add up as the format says."""
    assert log10_of(put(tmp_path, SMALL), "a b a", "b c") == pytest.approx(
        [
            -0.5, -0.125, -0.1875, -0.25 - 1,  # a after <s>; b; a; </s> after "b a" and "a", whose backoffs are 0 and -0.25
            -0.5 - 0.5, -0.125 - 1.5, -1,
        ],
        abs=1e-7,
    )  # fmt: skip


@pytest.mark.parametrize(
    "change",
    [
        lambda text: text.replace("\t", " "),
        lambda text: text.replace("\n", "\r\n"),
        lambda text: text.replace("\n", "  \n"),
        lambda text: "\ufeff" + text,
        lambda text: "\n\n" + text + "\n\n",
        lambda text: text.removesuffix("\n"),
        lambda text: text.replace("<unk>", "<UNK>"),
        lambda text: text.replace("-1\t</s>", "-1\t</s>\t0"),
        lambda text: text.replace("ngram 1=5", "ngram 1 = 5"),
        lambda text: text.replace("-0.5\t<s> a\t-0.0625\n-0.25\ta b\t-1", "-0.25\ta b\t-1\n-0.5\t<s> a\t-0.0625"),
        lambda text: text.replace("-0.125\t<s> a b", "-1.25e-1\t<s> a b\t0"),
        lambda text: text.replace("-0.125\t<s> a b", "-.125\t<s>  a\t b"),
        lambda text: "a model\n\n-1 of é\n\\data\n" + text,
    ],
)
def test_other_programs_files(tmp_path: Path, change: Callable[[str], str]) -> None:
    """Blanks for tabs, ends of lines of Windows, marks of other programs, any order: the model is the same."""
    wanted = log10_of(put(tmp_path, SMALL), "a b a", "b c")
    assert log10_of(put(tmp_path, change(SMALL)), "a b a", "b c") == wanted


def test_white_space_within_words(tmp_path: Path) -> None:
    """A no-break space, an ideographic one, a form feed are part of a word, in 1-grams and in longer ones."""
    words, wanted = {"a": "a\u00a0b", "b": "\u3000\f"}, read(put(tmp_path, SMALL))[0].logp(ragged([[3, 4, 3]]))
    found, spelled = read(put(tmp_path, re.sub(r"(?<=[\t ])[ab](?=\s)", lambda word: words[word[0]], SMALL)))
    assert spelled[3:] == list(words.values())
    assert np.array_equal(found.logp(ragged([[3, 4, 3]])), wanted)


def test_log_of_zero(tmp_path: Path) -> None:
    """-inf, in any case, is probability 0, and as a backoff weight 0; what is not backed off to stays as it was."""
    text = SMALL.replace("-0.5\tb\t-0.125", "-inf\tb\t-Inf").replace("-0.375\tb a", "-INF\tb a").replace("b\t-1", "b\t-inf")
    assert log10_of(put(tmp_path, text), "a b a", "b a", "a b c") == pytest.approx(
        [-0.5, -0.125, -0.1875, -1.25, -math.inf, -math.inf, -1.25, -0.5, -0.125, -math.inf, -1], abs=1e-7
    )
    trie, words = read_arpa(tmp_path / "model.arpa")
    write_arpa(NgramModel(trie, vocabulary(len(words))), words, tmp_path / "again.arpa")
    assert "-99\tb\t-99" in (tmp_path / "again.arpa").read_text("utf-8")


def test_other_encodings(tmp_path: Path) -> None:
    """A file of another encoding is read by that name, and without it the error names the flag."""
    (tmp_path / "latin").write_bytes(("© someone\n" + SMALL.replace("b", "é")).encode("latin-1"))
    with pytest.raises(DataError, match=r"latin, line 12: byte 0xE9 is not UTF-8.*--encoding cp1252"):
        read_arpa(tmp_path / "latin")
    trie, words = read_arpa(tmp_path / "latin", encoding="latin-1")
    assert words[3:] == ["a", "é"]
    wanted = read(put(tmp_path, SMALL))[0].logp(ragged([[3, 4, 3]]))
    assert np.array_equal(NgramModel(trie, vocabulary(5)).logp(ragged([[3, 4, 3]])), wanted)


def test_missing_marks(tmp_path: Path) -> None:
    """A file without <unk> gives an unknown word what KenLM gives it; the marks stand first wherever they were."""
    text = (
        SMALL.replace("-1.5\t<unk>\n", "").replace("1=5", "1=4").replace("-1\t</s>\n", "").replace("\n\\2-", "-1\t</s>\n\n\\2-")
    )
    _, words = read(put(tmp_path, text))
    assert words == ["<unk>", "<s>", "</s>", "a", "b"]
    assert log10_of(tmp_path / "model.arpa", "c")[0] == pytest.approx(-0.5 - 100)


def test_missing_contexts(tmp_path: Path) -> None:
    """Contexts that pruning took away are put in with what backing off gives, and nothing else changes."""
    text = SMALL.replace("-0.25\ta b\t-1\n", "").replace("ngram 2=3", "ngram 2=2")
    wanted = [-0.5, -0.125, -0.1875, -0.25 - 1]
    assert log10_of(put(tmp_path, text), "a b a") == pytest.approx(wanted, abs=1e-7)
    assert log10_of(tmp_path / "model.arpa", "b a b")[2] == pytest.approx(-0.25 - 0.5, abs=1e-7)  # "a b", by backing off


CASES = settings(max_examples=25, deadline=None)


@CASES
@given(st.integers(0, 2**32 - 1), st.integers(2, 4))
def test_any_set_of_ngrams(tmp_path_factory: pytest.TempPathFactory, seed: int, order: int) -> None:
    """N-grams drawn at random, whatever contexts and suffixes they lack, say what the recursion over dicts says."""
    rng, size = np.random.default_rng(seed), 6
    grams: set[Gram] = {(w,) for w in range(size)}
    for _ in range(25):
        k = int(rng.integers(2, order + 1))
        grams.add(
            (int(rng.integers(1, 2) if rng.random() < 0.2 else rng.integers(3, size)), *rng.integers(2, size, k - 1).tolist())
        )
    prob = {gram: -round(float(rng.uniform(0.01, 4)), 3) for gram in grams}
    backoff = {gram: round(float(rng.uniform(-2, 0.3)), 3) for gram in grams if len(gram) < order}
    words = ["<unk>", "<s>", "</s>", "x", "y", "z"]
    sections = []
    for k in range(1, order + 1):
        mine = sorted(gram for gram in prob if len(gram) == k)
        if k > 1:
            rng.shuffle(mine)
        rows = [f"{prob[g := tuple(gram)]}\t{' '.join(words[w] for w in g)}\t{backoff.get(g, '')}".strip() for gram in mine]
        sections.append((len(mine), "\n".join([f"\\{k}-grams:", *rows])))
    head = "".join(f"ngram {k}={count}\n" for k, (count, _) in enumerate(sections, 1))
    text = "\\data\\\n" + head + "\n" + "\n\n".join(rows for _, rows in sections) + "\n\n\\end\\\n"
    found, _ = read(put(tmp_path_factory.mktemp("arpa"), text))
    valued = Valued(prob, backoff, size, order)
    texts = [rng.choice([0, 3, 4, 5], 8).tolist() for _ in range(6)]
    marked = [[1, *text, 2] for text in texts]
    wanted = [valued.log10(tuple(text[:i]), text[i]) for text in marked for i in range(1, len(text))]
    np.testing.assert_allclose(found.logp(ragged(texts)) / math.log(10), wanted, rtol=1e-5, atol=1e-5)


@pytest.mark.parametrize(
    ("old", "new", "words"),
    [
        ("-0.375\tb a", "0.375\tb a", ("line 16", "above 0")),
        ("-0.5\tb\t-0.125", "0.5\tb\t-0.125", ("line 11", "above 0")),
        ("-0.375\tb a", "-0.375\tb z", ("line 16", "not among the 1-grams")),
        ("-0.375\tb a", "-0.375\tb", ("line 16", "too few words")),
        ("-0.375\tb a", "x\tb a", ("line 16", "log10 probability")),
        ("-0.375\tb a", "-\tb a", ("line 16", "log10 probability")),
        ("-0.375\tb a", "-1e\tb a", ("line 16", "log10 probability")),
        ("-0.375\tb a", "nan\tb a", ("line 16", "log10 probability")),
        ("-0.375\tb a", "-0.375\tb a c", ("line 16", "last field")),
        ("-0.375\tb a", "-0.375\tb a 1 2", ("line 16", "last field")),
        ("-0.125\t<s> a b", "-0.125\t<s> a b\t-1", ("line 19", "last field")),
        ("-0.375\tb a", "-0.375\ta b", ("lines 15 and 16", "'a b'")),
        ("-0.5\tb\t-0.125", "-0.5\ta\t-0.125", ("line 11", "twice")),
        ("-0.5\tb\t-0.125", "-0.5\t<s>\t-0.125", ("line 11", "twice")),
        ("-0.5\tb\t-0.125", "-0.5\tb\tx", ("line 11", "numbers")),
        ("-0.5\tb\t-0.125", "inf\tb\t-0.125", ("line 11", "above 0")),
        ("-0.5\tb\t-0.125", "nan\tb\t-0.125", ("line 11", "numbers")),
        ("-0.5\tb\t-0.125", "-0.5\tb\t1e39", ("line 11", "backoff is above 308")),
        ("-0.375\tb a", "Inf\tb a", ("line 16", "above 0")),
        ("-0.375\tb a", "-0.375\tb a\tinf", ("line 16", "backoff is above 308")),
        ("-0.375\tb a", "-0.375\tb a\t1e39", ("line 16", "backoff is above 308")),
        ("-0.375\tb a", "-0.375\tb\u00a0a", ("line 16", "not among the 1-grams")),
        ("ngram 1=5", "ngram 1=" + "5" * 5000, ("line 2", "numbers of n-grams")),
        ("-0.5\tb\t-0.125", "-0.5", ("line 11", "too few")),
        ("-0.5\tb\t-0.125", "-0.5 b 1 2", ("line 11", "last field")),
        ("ngram 1=5", "ngram 1=4", ("line 11", r"\2-grams:")),
        ("ngram 1=5", "ngram 1=6", ("line 12", "end after 5")),
        ("ngram 2=3", "ngram 2=4", ("line 17", "end after 3")),
        ("ngram 2=3", "ngram 2=2", ("line 16", r"\3-grams:")),
        ("ngram 2=3", "ngram 2=99999999999999999", ("line 14", "more than there is room for")),
        ("ngram 2=3", "ngram 4=3", ("line 3", "number of 2-grams")),
        ("ngram 3=2\n", "", ("line 13", "last field")),
        ("\\data\\", "data", (r"wanted a line \data\, but the file ends",)),
        ("ngram 1=5\nngram 2=3\nngram 3=2\n", "", ("line 2", "numbers of n-grams")),
        ("\\end\\\n", "", ("the file ends",)),
    ],
)  # fmt: skip
def test_what_is_wrong(tmp_path: Path, old: str, new: str, words: tuple[str, ...]) -> None:
    """Every fault is told with the file, the line and what to do."""
    assert old in SMALL
    with pytest.raises(DataError) as caught:
        read_arpa(put(tmp_path, SMALL.replace(old, new)))
    message = str(caught.value)
    assert all(word in message for word in ("model.arpa", *words)), message
    assert any(remedy in message for remedy in ("make the file again", "Remove one")), message


@pytest.mark.parametrize("packed", [False, True])
def test_truncated(tmp_path: Path, packed: bool) -> None:
    """Cut anywhere, packed or not."""
    whole = gzip.compress(SMALL.encode()) if packed else SMALL.encode()
    for length in range(0, len(whole) - 1 - (not packed) * len("\\"), 1 if packed else 3):
        (tmp_path / "model.arpa").write_bytes(whole[:length])
        with pytest.raises(DataError, match=r"model\.arpa"):
            read_arpa(tmp_path / "model.arpa")


def test_noise(tmp_path: Path) -> None:
    """Bytes changed anywhere: a model or a reason, never anything else."""
    rng, path = np.random.default_rng(0), tmp_path / "model.arpa"
    for _ in range(300):
        raw = bytearray(SMALL.encode())
        for place in rng.integers(0, len(raw), int(rng.integers(1, 4))):
            raw[place] = rng.integers(256)
        path.write_bytes(raw)
        try:
            read_arpa(path)
        except DataError as error:
            assert "model.arpa" in str(error)  # noqa: PT017


def test_files_that_are_none(tmp_path: Path) -> None:
    """No file, a folder, no UTF-8; a place that cannot be written."""
    with pytest.raises(DataError, match="cannot read"):
        read_arpa(tmp_path / "none")
    with pytest.raises(DataError, match="cannot read"):
        read_arpa(tmp_path)
    (tmp_path / "latin").write_bytes(SMALL.encode().replace(b"\tb\t", b"\t\xe9\t"))
    with pytest.raises(DataError, match=r"latin, line 11: byte 0xE9 is not UTF-8"):
        read_arpa(tmp_path / "latin")
    with pytest.raises(RecordError, match="cannot write"):
        write_arpa(model(), WORDS, tmp_path / "none" / "a")


def test_words_that_do_not_fit(tmp_path: Path) -> None:
    """Too few words, and two that are the same."""
    for words, message in ((WORDS[:-1], "got 11 words for 12 tokens"), ([*WORDS[:-1], " "], "spelled alike")):
        with pytest.raises(UsageError, match=message):
            write_arpa(model(), words, tmp_path / "a")
    assert not list(tmp_path.iterdir())


@given(st.text(st.characters(codec=None) | st.sampled_from("\u2420\u2426\u2400 \n<s>"), max_size=6))
def test_spelling(word: str) -> None:
    """Every word is read back as it was, from bytes that no reader would part or take for a mark."""
    raw = encode(word)
    assert decode(raw) == word
    assert raw
    assert raw.split() == [raw]
    assert raw.lower() not in (b"<unk>", b"<s>", b"</s>")


@given(st.floats(-990, 990))
def test_numbers(value: float) -> None:
    """Numbers are written to seven decimals, and read as Python reads them."""
    out = np.zeros(32, np.uint8)
    end = _write_number(value, out, 0)
    text = bytes(out[:end]).decode()
    assert float(text) == pytest.approx(value, abs=5.1e-8)
    for spelled in (text, f"{value:.9e}", repr(value), f"{value:.3f}"):
        raw = np.frombuffer(spelled.encode() + b"\t", np.uint8)
        number, stop = _number(raw, 0)
        assert stop == len(spelled)
        assert number == pytest.approx(float(spelled), rel=1e-14, abs=1e-280)


def test_the_training_texts_are_known() -> None:
    """The model that KenLM was asked about is one that has something to say."""
    assert model().perplexity(ragged(TRAIN)).including < model().perplexity(ragged(TEXTS)).including
