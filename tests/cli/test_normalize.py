"""Text in composed form (NFC): brought into it once, said how many, and read alike by whatever reads for the same model."""

from __future__ import annotations

import json
import unicodedata
from collections.abc import Callable
from pathlib import Path

import pytest

import lossworks
from lossworks.core.errors import UnknownName
from lossworks.data import ReadOptions, load
from lossworks.tokens.graphemes import composed

from .conftest import SMALL, Command

Put = Callable[[str, str | bytes], Path]
WORDS = ("fiancée", "naïve", "Müller", "señor"), ("đường", "phở", "nước", "cà phê")
COUNT = 80


def rows(form: str, every: int = 1) -> list[tuple[str, str]]:
    """Rows of two classes, every so manieth in another form."""
    texts = [(f"{WORDS[i % 2][i // 2 % 4]}, number {i}", ("west", "east")[i % 2]) for i in range(COUNT)]
    return [(unicodedata.normalize(form, text) if i % every == 0 else text, label) for i, (text, label) in enumerate(texts)]


def csv(given: list[tuple[str, str]]) -> str:
    """A file of rows."""
    return "text,label\n" + "".join(f'"{text}",{label}\n' for text, label in given)


def test_forms() -> None:
    """Only what is not composed is made anew; a compatibility form such as a ligature or a wide letter stays what it is."""
    given = ["plain", "e\u0301 ﬁ", "ﬁ Ａ ²", "\u0915\u093c", "\u0958", "\ud800"]
    made, changed = composed(given)
    assert (list(made), changed) == (["plain", "\xe9 ﬁ", "ﬁ Ａ ²", "\u0915\u093c", "\u0915\u093c", "\ud800"], 2)
    assert composed(given[:1]) == (given[:1], 0)
    assert composed(given[:1])[0] is not given
    assert composed(made)[0] is made


def test_corpus(put: Put) -> None:
    """The same rows in either form are one corpus, whose count is of the good rows; read as they are, they are two."""
    told = put("a.csv", csv(rows("NFD", every=4))), put("b.csv", csv(rows("NFC")))
    decomposed, plain = (load(file) for file in told)
    assert (decomposed.composed, plain.composed) == (COUNT // 4, 0)
    assert decomposed.fingerprint == plain.fingerprint
    assert decomposed.notes == (f"NFC: {COUNT // 4} of {COUNT} texts changed",)
    assert plain.notes == ()
    raw = load(told[0], ReadOptions(normalize="none"))
    assert (raw.composed, raw.notes, raw.texts([0])) == (None, (), [rows("NFD")[0][0]])
    assert raw.fingerprint != plain.fingerprint
    bad = load([("e\u0301", "a"), ("  ", "b"), ("o\u0308", "b")], ReadOptions(bad_rows="skip"))
    assert (bad.composed, bad.texts([0, 1]), bad.skipped) == (2, ["\xe9", "\xf6"], 1)
    with pytest.raises(UnknownName, match="nfkc"):
        ReadOptions(normalize="nfkc")


def test_labels(command: Command, put: Put, tmp_path: Path) -> None:
    """A run reads as it was trained, whatever form is given: the same answers, shares, figures; one made before, as it is."""
    data, other = put("data.csv", csv(rows("NFD", every=4))), put("other.csv", csv(rows("NFD")))
    ended = command("fit", data, "--out", tmp_path / "run", *SMALL)
    assert f"NFC: {COUNT // 4} of {COUNT} texts changed" in ended.err
    raw = command("fit", data, "--out", tmp_path / "raw", *SMALL, "--normalize", "none")
    assert (raw.code, "NFC" in raw.err) == (0, False)
    run, unchanged = lossworks.load(tmp_path / "run"), lossworks.load(tmp_path / "raw")
    assert isinstance(run, lossworks.Model)
    assert isinstance(unchanged, lossworks.Model)
    assert run.record["data"]["normalize"] == "nfc"
    assert run.record["data"]["composed"] == COUNT // 4
    texts = [[text for text, _ in rows(form)] for form in ("NFC", "NFD")]
    assert (run.predict_proba(texts[0]) == run.predict_proba(texts[1])).all()
    assert not (unchanged.predict_proba(texts[0]) == unchanged.predict_proba(texts[1])).all()
    alone, apart = (each for text in (texts[0][1], texts[1][1]) for each in run.explain([text], trial=False))
    assert (alone.text, alone.spans.tolist(), alone.value) == (apart.text, apart.spans.tolist(), apart.value)

    for name, said in (("run", f"NFC: {COUNT} of {COUNT} texts changed"), ("raw", "")):
        own = command("evaluate", tmp_path / name, "--json").json
        assert own["rows"] == lossworks.load(tmp_path / name).record["data"]["parts"]["test"]
        assert command("evaluate", tmp_path / name, data, "--json").json["trained_on"]
        found = command("evaluate", tmp_path / name, other)
        assert (said in found.err, "NFC" in found.err) == (True, bool(said))
        there = command("predict", tmp_path / name, other)
        assert (said in there.err, texts[1][0] in there.out) == (True, not said)
        assert ("NFC" in there.err) == bool(said)
    both = command("evaluate", tmp_path / "raw", tmp_path / "run", other)  # one text for both
    assert f"NFC: {COUNT} of {COUNT} texts changed" in both.err
    assert "NFC: 1 of 1 texts changed" in command("predict", tmp_path / "run", texts[1][0]).err

    record = json.loads((tmp_path / "raw/run.json").read_text())
    assert "normalize" not in record["data"]  # as in those of versions before


def test_language(command: Command, put: Put, tmp_path: Path) -> None:
    """A language model's bits a byte and places of characters are of the text as it is read."""
    lines = put("lines.txt", "".join(f"{text}\n" for text, _ in rows("NFD", every=2)))
    flags = ["--task", "lm", "--model", "ngram:order=2", "--tokenizer", "chars"]
    assert f"NFC: {COUNT // 2} of {COUNT} texts changed" in command("fit", lines, "--out", tmp_path / "run", *flags).err
    run = lossworks.load(tmp_path / "run")
    assert isinstance(run, lossworks.Language)
    text = "phở nước"
    own, other = (run.score([unicodedata.normalize(form, text)])[0] for form in ("NFC", "NFD"))
    assert (other.text, other.spans.tolist(), other.bits.tolist()) == (own.text, own.spans.tolist(), own.bits.tolist())
    assert own.text == text
    prompt = unicodedata.normalize("NFD", "phở")
    assert run.generate(prompt, max_new_tokens=2)[0].startswith("phở")
    assert run.next(prompt) == run.next("phở")
    assert run.perplexity([prompt]) == run.perplexity(["phở"])
    two = [command("evaluate", tmp_path / "run", put(f"{form}.txt", text_of(form)), "--json").json for form in ("NFC", "NFD")]
    assert two[0]["metrics"] == two[1]["metrics"]
    ended = command("score", tmp_path / "run", tmp_path / "NFD.txt", "--json")
    assert f"NFC: {COUNT} of {COUNT} texts changed" in ended.err
    assert ended.json == command("score", tmp_path / "run", tmp_path / "NFC.txt", "--json").json


def text_of(form: str) -> str:
    """The texts, a line each."""
    return "".join(f"{text}\n" for text, _ in rows(form))


def test_begun(command: Command, put: Put, tmp_path: Path) -> None:
    """What was begun before text was composed goes on with the text as it was."""
    data = put("data.csv", csv(rows("NFD", every=4)))
    assert command("fit", data, "--out", tmp_path / "run", *SMALL, "--normalize", "none").code == 0
    record = json.loads((tmp_path / "run/run.json").read_text())
    record["status"] = "interrupted"
    (tmp_path / "run/run.json").write_text(json.dumps(record))
    ended = command("fit", data, "--out", tmp_path / "run", *SMALL, "--resume")
    assert ended.code == 0, ended.err
    again = json.loads((tmp_path / "run/run.json").read_text())
    assert again["data"] == record["data"]
    assert again["result"]["metrics"] == record["result"]["metrics"]
    (tmp_path / "run/run.json").write_text(json.dumps(record))
    ended = command("fit", data, "--out", tmp_path / "run", *SMALL, "--resume", "--normalize", "nfc")
    assert (ended.code, "the data is not what it was" in ended.err) == (2, True)


def test_compare(command: Command, put: Put, tmp_path: Path) -> None:
    """``compare`` reads alike, and says so."""
    data, out = put("data.csv", csv(rows("NFD", every=4))), tmp_path / "comparison"
    ended = command("compare", data, "--loss", "mse", "--loss", "cross_entropy", "--model", "linear:bits=10", "--epochs", 1,
                    "--seeds", 2, "--trials", 0, "--out", out)  # fmt: skip
    assert ended.code == 0, ended.err
    assert f"NFC: {COUNT // 4} of {COUNT} texts changed" in ended.err
    assert json.loads((out / "run.json").read_text())["data"]["composed"] == COUNT // 4
