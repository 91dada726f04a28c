"""Word vectors: files read to the last number or refused with the line, and texts as the mean of what is known of them."""

from __future__ import annotations

import gzip
import struct
from pathlib import Path

import numpy as np
import pytest
import zstandard
from safetensors.numpy import save_file

from lossworks.core.errors import DataError, RecordError
from lossworks.data.vector_features import VectorFeatures
from lossworks.data.vector_file import read_table, read_words
from lossworks.tokens.lexicon import Lexicon, split_words

LINES = "the 0.5 -1 2e-1\ncat 1 2 3\n, 0 0 1\nCat 3 2 1\n猫 7 8 9\n. . . 4 5 6\n"
WANTED = [[0.5, -1, 0.2], [1, 2, 3], [0, 0, 1], [3, 2, 1], [7, 8, 9], [4, 5, 6]]
WORDS = ["the", "cat", ",", "Cat", "猫", ". . ."]


def written(folder: Path, text: str | bytes, name: str = "vectors.txt") -> Path:
    """A file of its own."""
    path = folder / name
    path.write_bytes(text.encode() if isinstance(text, str) else text)
    return path


@pytest.mark.parametrize("form", ["plain", "header", "gz", "zst", "no last end", "ends with spaces", "CR"])
def test_every_form(form: str, tmp_path: Path) -> None:
    """GloVe's, word2vec's and fastText's form, packed or not, give the same words and numbers."""
    text = {
        "header": "6 3\n" + LINES,
        "no last end": LINES.rstrip("\n"),
        "ends with spaces": LINES.replace("\n", " \n"),
        "CR": LINES.replace("\n", "\r\n"),
    }.get(form, LINES)
    packed = {"gz": gzip.compress, "zst": zstandard.ZstdCompressor().compress}.get(form, bytes)(text.encode())
    words, vectors, more = read_words(written(tmp_path, packed), 100)
    assert words == WORDS
    assert np.array_equal(vectors, np.array(WANTED, np.float32))
    assert not more


def test_part_of_a_file(tmp_path: Path) -> None:
    """As many words as were asked for, the first; of a word that comes twice the first line; what is left out is said."""
    words, vectors, more = read_words(written(tmp_path, LINES), 2)
    assert (words, vectors.tolist(), more) == (["the", "cat"], np.array(WANTED, np.float32)[:2].tolist(), True)
    assert read_words(written(tmp_path, "a 1\na 2\n"), 9)[1].tolist() == [[1.0]]
    features = VectorFeatures(str(written(tmp_path, LINES)), 2)
    features.prepare([["cat"]])
    assert "more than the 2 words" in features.notes[0]


BAD = {
    "shorter": ("the 1 2 3\ncat 1 2\n", r"vectors\.txt, line 2: 2 numbers; wanted 3"),
    "longer": ("the 1 2 3\n\ncat 1 2 3 4\n", r"line 3: more than the 3 numbers"),
    "another header": ("2 4\nthe 1 2 3\ncat 1 2 3\n", "line 2: 3 numbers; wanted 4"),
    "no number": ("the 1 2 3\ncat 1 x 3\n", "line 2: could not convert string to float: 'x'"),
    "not finite": ("the 1 2 3\ncat 1 nan 3\n", "line 2: a number is not finite"),
    "too large": ("the 1 2 1e99\n", "line 1: a number is not finite, or beyond float32"),
    "cut off": ("3 2\nthe 1 2\ncat 1 2\n", "ends after 2 of the 3 words"),
    "empty": ("", "holds no word vectors"),
    "blank": ("\n \n", "holds no word vectors"),
    "header alone": ("0 3\n", "holds no word vectors"),
    "words alone": ("the\ncat\n", "line 1: 0 numbers; wanted 1 or more"),
}


@pytest.mark.parametrize("kind", BAD)
def test_bad_files(kind: str, tmp_path: Path) -> None:
    """What is wrong is said, with the line."""
    text, said = BAD[kind]
    with pytest.raises(DataError, match=said):
        read_words(written(tmp_path, text), 100)


def test_binary_and_missing_files(tmp_path: Path) -> None:
    """word2vec's binary form is called that, with how to write it as text; a file that is not there, with its neighbour."""
    binary = b"2 3\n" + b"".join(word + b" " + struct.pack("<3f", 0.1, 2, -3) + b"\n" for word in (b"the", b"cat"))
    with pytest.raises(DataError, match=r"is binary\. Write it as text: with gensim"):
        read_words(written(tmp_path, binary), 100)
    with pytest.raises(DataError, match=r"Did you mean .*vectors\.txt"):
        read_words(tmp_path / "vektors.txt", 100)


def test_words_of_any_script() -> None:
    """Runs of letters and digits, ideographs one by one, marks; words of two texts never join; case is the second choice."""
    words, offsets = split_words(["The cat's 2nd!", "", "好猫 x", "y"])
    assert words == ["The", "cat's", "2nd", "!", "好", "猫", "x", "y"]
    assert offsets.tolist() == [0, 4, 4, 7, 8]
    ids, offsets = Lexicon(WORDS).encode(["The Cat CAT", "a dog", "猫,"])
    assert ids.tolist() == [0, 3, 1, 4, 2]
    assert offsets.tolist() == [0, 3, 3, 5]


def reading(path: Path, texts: list[str], idf: bool = False) -> VectorFeatures:
    """A reading that has learnt from texts."""
    features = VectorFeatures(str(path), 100, idf)
    features.prepare([texts[:1], texts[1:]])
    counter = features.counter()
    counter.add(features.read(texts), np.ones(len(texts), bool))
    features.learn(counter)
    return features


def test_state_is_the_mean(tmp_path: Path) -> None:
    """The mean of the known words, as often as they stand there; with idf the words of few texts weigh more."""
    path, texts = written(tmp_path, LINES), ["the cat", "the dog", "the the Cat", "dog"]
    the, cat, great_cat = np.array(WANTED)[[0, 1, 3]]
    found = reading(path, texts).states([*texts, ""])
    np.testing.assert_allclose(found, [(the + cat) / 2, the, (2 * the + great_cat) / 3, 0 * the, 0 * the], rtol=1e-6)
    few, many = np.log(5 / 2) + 1, np.log(5 / 4) + 1
    found = reading(path, texts, idf=True).states(texts)
    np.testing.assert_allclose(found[0], (many * the + few * cat) / (many + few), rtol=1e-6)
    np.testing.assert_allclose(found[2], (2 * many * the + few * great_cat) / (2 * many + few), rtol=1e-6)


def test_cut_vectors(tmp_path: Path) -> None:
    """Dealt out among the words anew, always in the same way: the same vectors, of other words."""
    path = written(tmp_path, "".join(f"w{n} {n} {n * n}\n" for n in range(30)))
    whole, cut, again = (VectorFeatures(str(path), 1000, cut=cut) for cut in (False, True, True))
    for one in (whole, cut, again):
        one.prepare([["w1 w2"]])
    assert sorted(cut.vectors.tolist()) == sorted(whole.vectors.tolist())
    assert np.array_equal(cut.vectors, again.vectors)
    assert (cut.vectors == whole.vectors).all(1).sum() < 5


def test_centred_over_training_texts(tmp_path: Path) -> None:
    """What a network is given has the mean 0 and the length 1 over the training texts that hold a known word; else it is 0."""
    texts = ["the cat", "the", "Cat ,", "dog", "猫"]
    features = reading(written(tmp_path, LINES), texts)
    states = features.select(features.read(texts)).ids.view(np.float32).reshape(5, 3)
    assert not states[3].any()
    known = np.delete(states, 3, 0)
    np.testing.assert_allclose(known.mean(0), 0, atol=1e-6)
    np.testing.assert_allclose(np.square(known).sum(1).mean(), 1, rtol=1e-5)
    counter = features.counter()
    counter.add(features.read(["the", "cat"]), np.array([False, True]))
    assert counter.count == 1
    np.testing.assert_allclose(counter.total, np.array([1, 2, 3]) / np.sqrt(14), rtol=1e-6)


def test_nothing_known(tmp_path: Path) -> None:
    """Vectors of another language are refused, for nothing could be learnt."""
    with pytest.raises(DataError, match="knows nothing of any"):
        reading(written(tmp_path, LINES), ["hund", "katze"])


def test_table_with_a_tokenizer(tmp_path: Path) -> None:
    """A safetensors file holds one table, whose rows are the tokens of the tokenizer beside it; else it is refused."""
    from lossworks import tokens

    texts = ["the cat sat", "a cat"]
    tokenizer = tokens.build("words").learn([texts])
    size = tokenizer.vocabulary.size
    vectors = np.random.default_rng(0).normal(size=(size, 3)).astype(np.float16)
    path = tmp_path / "table.safetensors"
    save_file({"embedding.weight": vectors, "bias": np.zeros(3, np.float32)}, path)
    with pytest.raises(RecordError, match=r"tokenizer\.json"):
        read_table(path)
    tokenizer.save(tmp_path / "tokenizer.json")
    features = reading(path, texts)
    ids, _ = tokenizer.encode(["a cat"])
    np.testing.assert_allclose(features.states(["a cat"])[0], vectors[ids].astype(np.float32).mean(0), rtol=1e-6)
    for bad, said in (
        ({"a": vectors, "b": vectors}, "holds 2 tables"),
        ({"a": vectors[:-1]}, f"has {size - 1} vectors, and the tokenizer beside it {size} tokens"),
        ({"a": np.full_like(vectors, np.inf)}, "not finite"),
    ):
        save_file(bad, path)
        with pytest.raises(DataError, match=said):
            read_table(path)
    path.write_bytes(b"nothing of the kind")
    with pytest.raises(DataError, match="is damaged"):
        read_table(path)
