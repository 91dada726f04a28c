"""Which language a text is in: from a folder of texts to answers, by the command and from Python."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import pytest

import lossworks
from lossworks.core.errors import DataError, UsageError

from .conftest import Command

Put = Callable[[str, str | bytes], Path]
LINES = {
    "deu": "der Hund und die Katze sind nicht im Haus\nwir haben das Brot mit {} gegessen\n",
    "eng": "the dog and the cat are not in the house\nwe have eaten the bread with {} today\n",
    "zh-CN": "我们今天吃了{}个面包\n狗和猫不在房子里面\n",
}
"""Two sentences in each of three languages, that {} makes others of."""


def lines(code: str, count: int = 30) -> str:
    """So many lines of a language."""
    return "".join(LINES[code].format(number) for number in range(count))


@pytest.fixture
def folder(put: Put) -> Path:
    """A file a language, one of them in two."""
    put("texts/news.eng.txt", "\n" + lines("eng"))
    put("texts/more.eng.txt", lines("eng", 40))
    put("texts/news.zh-CN.txt", lines("zh-CN"))
    put("texts/LICENSE", "none")
    return put("texts/deu.txt", lines("deu")).parent


def test_files(command: Command, folder: Path, monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    """``build`` makes a run in the user's folder of data, where ``identify`` finds it; what it does not know is unknown."""
    monkeypatch.setenv("XDG_DATA_HOME", str(tmp_path / "data"))
    ended = command("languages", "identify", "hello")
    assert ended.code == 2
    assert f"no model of languages in {tmp_path / 'data/lossworks/languages'}" in ended.err
    assert "lossworks languages build FOLDER" in ended.err
    with pytest.raises(UsageError, match="languages build FOLDER"):
        lossworks.languages.identify(["hello"])
    ended = command("languages", "build", folder)
    assert ended.code == 0, ended.err
    assert "left out, as no language's: LICENSE" in ended.err
    texts = ["the cat and the dog", "der Hund und die Katze", "狗和猫", "собака и кот", "12!", "", "\ud800"]
    expected = ["eng", "deu", "zh-CN", *["unknown"] * 4]
    assert lossworks.languages.identify(texts) == expected
    assert lossworks.languages.identify([]) == []
    found = lossworks.languages.identified(texts)
    assert [one.script for one in found] == ["Latn", "Latn", "Hani", "Cyrl", "Zyyy", "Zzzz", "Zzzz"]
    assert [one.probability for one in found[2:]] == [1, 0, 0, 0, 0]  # one language is written in Chinese characters, none else
    mixed = "the Hund and die bread"
    model = lossworks.load(tmp_path / "data/lossworks/languages")
    assert isinstance(model, lossworks.Model)
    model.predictor.temperature = 8.0
    (among,) = model.predict_proba([mixed])  # of all, in any script
    (one,) = lossworks.languages.identified([mixed], model)
    assert 0.5 < one.probability < 0.99
    assert one.probability == pytest.approx(max(among[:2]) / sum(among[:2]), rel=1e-5)
    many = lossworks.languages.identify(texts[:3] * 1400)  # more than are worked on at once
    assert many == expected[:3] * 1400
    ended = command("languages", "identify", "the cat and the dog", "tab\there", "--json")
    assert ended.json["texts"][0] == {"text": texts[0], "language": "eng", "probability": found[0].probability, "script": "Latn"}
    ended = command("languages", "identify", "the cat and the dog", "собака\tи")
    assert ended.out.partition("\n")[::2] == (
        "language\tscript\tprobability\ttext",
        f"eng\tLatn\t{found[0].probability:.4f}\tthe cat and the dog\nunknown\tCyrl\t0.0000\tсобака\\tи\n",
    )
    run = tmp_path / "data/lossworks/languages"
    ended = command("predict", run, "der Hund", "--json")
    assert ended.json["predictions"][0]["label"] == "deu"


def test_close_call(command: Command, put: Put) -> None:
    """Two languages that nothing tells apart are as probable as each other, and the answer is not given."""
    for code, like in (("bos", "deu"), ("hrv", "deu"), ("eng", "eng")):
        for part, count in (("train", 20), ("dev", 5), ("test", 3)):
            put(f"texts/{code}/{part}.txt", lines(like, count))
    assert command("languages", "build", "texts", "--out", "run").code == 0
    (found,) = lossworks.languages.identified(["der Hund und die Katze"], "run")
    assert found.language == "unknown"
    assert found.probability == pytest.approx(0.5)
    ended = command("languages", "identify", "der Hund und die Katze", "дом", "--model", "run", "--least", "0")
    assert [line.split("\t")[0] for line in ended.out.splitlines()[1:]] == ["bos", "unknown"]  # the script is not known at all


def test_folders(put: Put, tmp_path: Path) -> None:
    """Folders with train, dev and test: each is the part that it says, and the label is the folder's name."""
    for code in ("deu", "eng"):
        for part, count in (("train", 20), ("dev", 5), ("test", 3)):
            rows = "".join(f"{number}\tx\t{line}\n" for number, line in enumerate(lines(code, count).splitlines()))
            put(f"texts/{code}_Latn/{part}.tsv", "id\tcategory\ttext\n" + rows)
    made = lossworks.languages.build(tmp_path / "texts", tmp_path / "run")
    assert made.record["data"]["parts"] == {"train": 80, "valid": 20, "test": 12}
    assert made.labels == ("deu_Latn", "eng_Latn")
    texts = ["wir haben das Brot", "x" * 9, "the bread"]
    assert lossworks.languages.identify(texts, made)[::2] == ["deu_Latn", "eng_Latn"]
    assert lossworks.languages.identify(texts, tmp_path / "run") == lossworks.languages.identify(texts, made)


@pytest.mark.parametrize(
    ("files", "message"),
    [
        ({"texts/german.txt": "a\n", "texts/eng.txt": "b\n"}, "german.txt: 'german' is no code of a language"),
        ({"texts/deu_latn/train.tsv": "text\na\n"}, "'deu_latn' is no code of a language"),
        ({"texts/deu/test.tsv": "text\na\n", "texts/eng/train.tsv": "text\nb\n"}, "texts/deu holds no train.txt, train.csv"),
        ({"texts/deu.txt": "a\nb\n", "texts/README": "c\n"}, "fewer than two languages"),
        ({"texts": "a\n"}, "is no folder"),
        ({"texts/deu/train.tsv": "words\tx\na\tb\n", "texts/eng/train.tsv": "text\nb\n"}, "'text'"),
    ],
)
def test_other_folders(put: Put, tmp_path: Path, files: dict[str, str], message: str) -> None:
    """A folder of any other kind is refused, saying what of it is wrong, and nothing is made."""
    for name, text in files.items():
        put(name, text)
    with pytest.raises(DataError, match=message):
        lossworks.languages.build(tmp_path / "texts", tmp_path / "run")
    assert not (tmp_path / "run").exists()


def test_other_models(command: Command, folder: Path, put: Put) -> None:
    """A family that learns by gradients, and a run of something else, are refused with the command that helps."""
    with pytest.raises(UsageError, match="naive_bayes"):
        lossworks.languages.build(folder, "run", model="linear")
    data = put("rows.csv", "text,label\n" + "".join(f"a {n},x\nb {n},y\n" for n in range(30)))
    assert command("fit", data, "--model", "linear:bits=10,chars=0", "--epochs", "1", "--out", "other").code == 0
    ended = command("languages", "identify", "hello", "--model", "other")
    assert ended.code == 2
    assert "other is no model of languages" in ended.err
