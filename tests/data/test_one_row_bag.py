"""A text by itself, as a network reads it."""

from __future__ import annotations

import numpy as np

from lossworks.data import HashedFeatures


def test_one_text_is_read_as_among_others() -> None:
    """The bag of each row by itself has the ids and values that it has in a bag of all, wherever the row lies."""
    texts = ["a good thing", "", "bad", "a thing never seen before", "good bad thing"]
    features = HashedFeatures(2, 5, 16, min_count=1, max_features=1 << 16, norm="tfidf")
    counter = features.counter()
    read = features.read(texts)
    counter.add(read, np.array([True, True, True, False, True]))
    features.learn(counter)
    selected = features.select(read)
    every = selected.bags(np.arange(len(texts)))
    for row in range(len(texts)):
        one, part = selected.bags(np.array([row])), slice(every.offsets[row], every.offsets[row + 1])
        assert one.offsets.tolist() == [0, part.stop - part.start]
        assert one.ids.tolist() == every.ids[part].tolist()
        assert one.values.tolist() == every.values[part].tolist()
