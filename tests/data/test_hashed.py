"""Which n-grams are kept and what they weigh, against the definitions spelled with dictionaries."""

from __future__ import annotations

import math
from collections import Counter
from collections.abc import Callable

import numpy as np
import pytest
import torch

from lossworks.core.errors import DataError
from lossworks.data import Batch, HashedFeatures, Selected
from lossworks.data.ragged import Ragged
from lossworks.tokens import ngrams
from lossworks.tokens.ngrams import hashed_ngrams

TEXTS = ["good good phone", "bad phone", "good sound 好音", "the phone", ""]
HALF = 1 << 15
NOTHING = torch.empty(0)


def made(norm: str = "tfidf", chars: int = 4, min_count: int = 1, most: int = 1 << 16, **weighing: float) -> HashedFeatures:
    """Features with 16 bits; nothing learnt."""
    return HashedFeatures(2, chars, 16, min_count, most, norm, **weighing)  # type: ignore[arg-type]


def learnt(features: HashedFeatures, texts: list[str], use: list[bool] | None = None) -> HashedFeatures:
    """The features, shown the texts marked in ``use``."""
    counter = features.counter()
    counter.add(features.read(texts), np.array(use if use is not None else [True] * len(texts)))
    features.learn(counter)
    return features


def grams(features: HashedFeatures, text: str) -> list[int]:
    """A text's buckets."""
    return features.read([text]).ids.tolist()


def word_bucket(features: HashedFeatures, word: str) -> int:
    """The bucket of a word by itself."""
    return int(hashed_ngrams([word], 1, 0, features.bits)[0][0])


def document_counts(features: HashedFeatures, texts: list[str]) -> Counter[int]:
    """In how many texts each bucket is."""
    return Counter(bucket for text in texts for bucket in set(grams(features, text)))


def batch_of(features: HashedFeatures, texts: list[str]) -> tuple[Selected, Batch]:
    """The batch of all texts."""
    selected = features.select(features.read(texts))
    return selected, selected.batch(np.arange(len(texts)), NOTHING, NOTHING)


def values_of(batch: Batch, features: HashedFeatures) -> list[list[tuple[int, float]]]:
    """(bucket, value) of each example."""
    spans = zip(batch.offsets[:-1], batch.offsets[1:], strict=True)
    return [
        [(int(features.buckets[i]), float(v)) for i, v in zip(batch.ids[a:b], batch.values[a:b], strict=True)] for a, b in spans
    ]


def test_the_busiest_features_are_kept_first() -> None:
    """Ids run by falling document frequency, equals by bucket; no more than asked for, none too rare."""
    features = learnt(made(), TEXTS)
    counts = document_counts(features, TEXTS)
    wanted = sorted(counts, key=lambda bucket: (-counts[bucket], bucket))
    assert features.buckets.tolist() == wanted
    assert learnt(made(most=7), TEXTS).buckets.tolist() == wanted[:7]
    assert learnt(made(min_count=2), TEXTS).buckets.tolist() == [b for b in wanted if counts[b] >= 2]


def test_only_training_texts_teach() -> None:
    """Texts outside the training part leave no trace: neither features nor counts."""
    use = [True, False, True, False, True]
    features, alone = learnt(made(), TEXTS, use), learnt(made(), [t for t, used in zip(TEXTS, use, strict=True) if used])
    assert np.array_equal(features.buckets, alone.buckets)
    assert np.array_equal(features.weights, alone.weights)


def test_counting_in_pieces() -> None:
    """Documents are counted once each, however the texts are divided among calls."""
    features = made()
    whole, pieces = features.counter(), features.counter()
    whole.add(features.read(TEXTS), np.ones(5, bool))
    for text in TEXTS:
        pieces.add(features.read([text]), np.ones(1, bool))
    assert np.array_equal(whole.counts, pieces.counts)
    assert whole.texts == pieces.texts == 5
    assert {b: int(n) for b, n in enumerate(whole.counts) if n} == dict(document_counts(features, TEXTS))


def test_long_texts_are_counted_like_short_ones() -> None:
    """A text counts once in each of its buckets, also one of thousands among short ones, and many of them to a bucket."""
    rng = np.random.default_rng(0)
    texts = [" ".join(f"w{n}" for n in rng.integers(0, 3000, size)) for size in (3, 4000, 0, 1, 4000, 50)]
    features = HashedFeatures(2, 3, 10, 1, 1 << 10, "tfidf")
    counter = features.counter()
    counter.add(features.read(texts), np.array([True, True, True, True, False, True]))
    found = {bucket: int(n) for bucket, n in enumerate(counter.counts) if n}
    assert found == dict(document_counts(features, texts[:4] + texts[5:]))


@pytest.mark.parametrize(
    ("weighing", "power", "words"),
    [({}, 0.5, 0.9), ({"share": 0.25, "idf": 1.0}, 1.0, 0.25), ({"share": 0.5, "idf": 0.0}, 0.0, 0.5)],
)
def test_tfidf_by_hand(weighing: dict[str, float], power: float, words: float) -> None:
    """(log((1 + N)/(1 + n)) + 1)^idf an occurrence, words having their share of the squared length and characters the rest."""
    features = learnt(made(**weighing), TEXTS)
    counts = document_counts(features, TEXTS)
    _, batch = batch_of(features, TEXTS)
    for text, found in zip(TEXTS, values_of(batch, features), strict=True):
        idf = {bucket: (math.log((1 + len(TEXTS)) / (1 + counts[bucket])) + 1) ** power for bucket in grams(features, text)}
        for square, part in ((words, lambda bucket: bucket < HALF), (1 - words, lambda bucket: bucket >= HALF)):
            wanted = [idf[bucket] for bucket in grams(features, text) if part(bucket)]
            length = math.sqrt(sum(value**2 for value in wanted) / square)
            np.testing.assert_allclose([v for b, v in found if part(b)], [v / length for v in wanted], rtol=1e-6)


def test_words_alone_have_length_one() -> None:
    """Where one of the two parts is empty, the other has the whole length."""
    features = learnt(made(), [*TEXTS, "好 音"])
    _, batch = batch_of(features, ["好 音", "好 音 unheard-of"])
    assert np.linalg.norm(values_of(batch, features)[0], axis=0)[1] == pytest.approx(1, rel=1e-6)


def test_idf_is_that_of_scikit_learn() -> None:
    """The squared weights of words are TfidfVectorizer's smoothed ones."""
    from sklearn.feature_extraction.text import TfidfVectorizer

    vectorizer = TfidfVectorizer(token_pattern=r"\w+").fit(TEXTS)
    features = learnt(made(chars=0), TEXTS)
    weight = dict(zip(features.buckets.tolist(), features.weights.tolist(), strict=True))
    for word, place in vectorizer.vocabulary_.items():
        if word.isascii():
            assert weight[word_bucket(features, word)] ** 2 == pytest.approx(vectorizer.idf_[place], rel=1e-6)


def test_means() -> None:
    """With norm "mean" every kept occurrence weighs one over how many are kept."""
    features = learnt(made("mean", chars=0), TEXTS)
    _, batch = batch_of(features, ["good good phone", "good unheard", "", "unheard"])
    found = values_of(batch, features)
    # three words, four pairs with the ends, the first two words with the start; good and its start
    assert [len(row) for row in found] == [8, 2, 0, 0]
    assert all(value == pytest.approx(1 / len(row)) for row in found for _, value in row)


def test_unseen_features_are_dropped() -> None:
    """What training had not is neither looked up nor weighed."""
    features = learnt(made(), TEXTS)
    selected, batch = batch_of(features, ["good xylophones", "zzz qqq", ""])
    assert len(selected) == len(batch) == 3
    assert batch.offsets[1] == batch.offsets[2] == batch.offsets[3]
    assert word_bucket(features, "good") in {bucket for bucket, _ in values_of(batch, features)[0]}
    assert np.isfinite(batch.values).all()


def test_a_batch_takes_its_rows() -> None:
    """A batch of some rows, in any order, is those rows of the whole; target and weight are handed on."""
    features = learnt(made(), TEXTS)
    selected, whole = batch_of(features, TEXTS)
    target, weight = torch.tensor([1, 0, 1]), torch.tensor([1.0, 2.0, 3.0])
    some = selected.batch(np.array([3, 0, 0]), target, weight)
    rows = values_of(whole, features)
    assert values_of(some, features) == [rows[3], rows[0], rows[0]]
    assert some.target is target
    assert some.weight is weight


@pytest.mark.parametrize("texts", [["", "  "], ["every", "bit", "unique"]])
def test_nothing_to_learn(texts: list[str]) -> None:
    """Texts without a feature, or with none frequent enough, are an error that says so."""
    with pytest.raises(DataError, match="nothing to learn from"):
        learnt(made(min_count=2), texts)


def test_what_was_learnt_is_restored() -> None:
    """Buckets and weights are all there is to keep."""
    features, again = learnt(made(), TEXTS), made()
    again.restore(features.buckets, features.weights)
    one, other = batch_of(features, TEXTS)[1], batch_of(again, TEXTS)[1]
    assert np.array_equal(one.ids, other.ids)
    assert np.array_equal(one.values, other.values)


def test_threads_do_not_matter(threads: Callable[[int], None]) -> None:
    """Counts, features and values have the same bits on 1, 2 and 4 threads."""
    rng = np.random.default_rng(0)
    texts = [" ".join(f"w{n}" for n in rng.zipf(1.3, 12) % 500) for _ in range(800)]
    found = []
    for count in (1, 2, 4):
        threads(count)
        features = learnt(made(), texts)
        _selected, batch = batch_of(features, texts)
        arrays = (features.buckets, features.weights, batch.ids, batch.offsets, batch.values)
        found.append(b"".join(array.tobytes() for array in arrays))
    assert found[0] == found[1] == found[2]


@pytest.mark.parametrize("norm", ["tfidf", "mean"])
def test_places_of_the_kept(norm: str, threads: Callable[[int], None]) -> None:
    """What is located is what a network is given, each feature with the place of its n-gram; what is not kept is gone."""
    features = learnt(made(norm, min_count=2), TEXTS)
    texts = ["the bad good phoney", "", "new", "phone good"]
    plain, batch = batch_of(features, texts)
    threads(2)
    found, spans, rest = features.located(texts)
    every = ngrams.located_ngrams(texts, features.words, features.chars, features.bits)
    kept = np.isin(every.buckets, features.buckets)
    assert 0 < kept.sum() < len(kept)
    of = np.concatenate([np.arange(first, first + size) for first, size in zip(found.starts, found.lengths, strict=True)])
    assert (spans[of] == every.spans[kept]).all()
    assert (rest[of] == every.rest[kept]).all()
    assert (found.ids[of] == batch.ids).all()
    assert (found.values[of] == batch.values).all()
    assert (found.lengths == plain.lengths).all()


def test_first_bucket_counted_once() -> None:
    """A text has bucket 0 once, whatever comes between: others that share its place in the table of those met."""
    counter = made().counter()
    counter.add(Ragged(np.array([0, 64, 0, 128, 64], np.uint32), np.array([0, 5])), np.array([True]))
    assert {bucket: int(counter.counts[bucket]) for bucket in (0, 64, 128)} == {0: 1, 64: 1, 128: 1}


def test_how_full() -> None:
    """The shares of the halves' buckets that are kept."""
    features = learnt(made(chars=3), TEXTS)
    words = len({bucket for text in TEXTS for bucket in grams(features, text) if bucket < HALF})
    chars = len({bucket for text in TEXTS for bucket in grams(features, text) if bucket >= HALF})
    assert features.fill() == (words / HALF, chars / HALF)
