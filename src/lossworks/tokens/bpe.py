"""Pairs of symbols merged by frequency, over bytes; and any ``tokenizer.json`` of the ``tokenizers`` library."""

from __future__ import annotations

import json
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np
from numpy.typing import NDArray

from ..core.errors import UsageError
from ..record import write_atomic
from .base import END, START, UNKNOWN, Encoded, Progress, Tokenizer, TokenizerSpec, counted, tokenizers
from .byte_names import BYTE_OF, NAME_OF
from .characters import bytes_of
from .vocabulary import Vocabulary

if TYPE_CHECKING:
    import tokenizers as library

_BYTES = 256
_MOST = 1 << 24  # tokens
# What other tokenizers call the same, the likeliest first.
_UNKNOWNS, _STARTS, _ENDS = (
    (UNKNOWN, "[UNK]", "<UNK>"),
    (START, "<bos>", "<|begin_of_text|>", "<|startoftext|>", "[CLS]"),
    (END, "<eos>", "<|end_of_text|>", "<|endoftext|>", "[SEP]"),
)


@tokenizers.add("bpe", source="Sennrich et al. 2016, ACL, arXiv:1508.07909; over bytes: Radford et al. 2019 (GPT-2)")
@dataclass(frozen=True, kw_only=True)
class BpeSpec(TokenizerSpec):
    """Byte-level byte-pair encoding: frequent runs of bytes within a word become tokens. Nothing is unknown, and it is lossless.

    Keys: size, how many tokens there are, the 256 bytes and the two marks of start and end among them.
    """

    size: int = 8000

    def __post_init__(self) -> None:
        if self.size < _BYTES + 2:
            raise UsageError(f"size is {self.size}; wanted {_BYTES + 2} (the bytes, start and end) or more.")

    def learn(
        self, blocks: Iterable[Sequence[str]], progress: Progress = lambda texts: None, languages: Sequence[str] | None = None
    ) -> Bpe:
        from tokenizers import Tokenizer as Library
        from tokenizers import decoders, models, pre_tokenizers, trainers

        made = Library(models.BPE())
        made.pre_tokenizer = pre_tokenizers.ByteLevel(add_prefix_space=False)
        made.decoder = decoders.ByteLevel()
        trainer = trainers.BpeTrainer(
            vocab_size=self.size,
            special_tokens=[START, END],
            initial_alphabet=sorted(pre_tokenizers.ByteLevel.alphabet()),
            show_progress=False,
        )
        made.train_from_iterator(counted(blocks, progress), trainer)
        return Bpe(made)

    def restore(self, saved: dict[str, Any]) -> Bpe:
        from tokenizers import Tokenizer as Library

        _check_numbers(saved)
        try:
            made = Library.from_str(json.dumps(saved))
            made.encode("a")  # fails by what names a token that there is not
            return Bpe(made)
        except (KeyboardInterrupt, SystemExit):
            raise
        except BaseException as error:  # noqa: BLE001  # the library raises nothing more special, and panics are no Exception
            raise ValueError(str(error)) from None


class Bpe(Tokenizer):
    """A tokenizer of the library, with its own numbers. Marks that it has no tokens for are numbered after its last."""

    def __init__(self, made: library.Tokenizer) -> None:
        made.encode_special_tokens = True  # a mark that stands in a text is text
        made.no_truncation()  # whoever reads texts cuts and pads them
        made.no_padding()
        self._made = made
        size = 1 + max(made.get_vocab().values(), default=-1)  # the library's own size leaves out numbers that no token has
        unknown = _first_known(made, (getattr(made.model, "unk_token", None), *_UNKNOWNS))
        start = _first_known(made, _STARTS)
        end = _first_known(made, _ENDS)
        added = [number for number in (start, end) if number is None]
        start = size if start is None else start
        end = size + len(added) - 1 if end is None else end
        self.vocabulary = Vocabulary(size + len(added), unknown, start, end)
        outline = json.loads(made.to_str())
        self.lossless = outline["normalizer"] is None and _keeps_bytes(outline["pre_tokenizer"] or {})

    def encode(self, texts: Sequence[str]) -> Encoded:
        try:
            found = self._made.encode_batch_fast(list(texts), add_special_tokens=False)
        except TypeError:  # a lone surrogate, which no UTF-8 has
            texts = [text.encode("utf-8", "replace").decode() for text in texts]
            found = self._made.encode_batch_fast(texts, add_special_tokens=False)
        rows = [row.ids for row in found]
        offsets = np.zeros(len(rows) + 1, np.int64)
        np.cumsum(np.fromiter(map(len, rows), np.int64, len(rows)), out=offsets[1:])
        ids = np.empty(offsets[-1], self.dtype)
        for row, first in zip(rows, offsets.tolist(), strict=False):
            ids[first : first + len(row)] = row
        return ids, offsets

    def decode(self, ids: Sequence[int] | NDArray[Any]) -> str:
        text: str = self._made.decode([int(token) for token in ids], skip_special_tokens=False)
        return text

    def spans(self, text: str) -> NDArray[np.int64]:
        text = text.encode("utf-8", "replace").decode()
        found = self._made.encode(text, add_special_tokens=False)
        if self.lossless:  # the library leaves white space out of a token's place
            sizes, owner = self._sizes[found.ids], bytes_of(text)
            after = np.cumsum(sizes)
            if sizes.sum() == len(owner):
                return np.stack([owner[after - sizes], owner[after - 1] + 1], 1)
        return np.array(found.offsets, np.int64).reshape(-1, 2)

    def spelling(self, token: int) -> str:
        if token in (self.vocabulary.start, self.vocabulary.end):
            return START if token == self.vocabulary.start else END
        alone, name = self.decode([token]), str(self._made.id_to_token(token))
        if "\ufffd" in alone and self.lossless:  # part of a character: its name would read as other characters
            return "".join(f"\\x{BYTE_OF[char]:02x}" for char in name) if set(name) <= BYTE_OF.keys() else alone
        return name if "\ufffd" in alone or not alone else alone

    @cached_property
    def _sizes(self) -> NDArray[np.int64]:
        """How many bytes each token is, of those that name bytes."""
        names = (str(self._made.id_to_token(token)) for token in range(self.vocabulary.size))
        return np.array([len(name) if set(name) <= BYTE_OF.keys() else len(name.encode()) for name in names], np.int64)

    def save(self, path: Path) -> None:
        write_atomic(path, lambda part: self._made.save(str(part)))

    def library(self) -> library.Tokenizer:
        return self._made


def of_merges(merges: Iterable[tuple[int, int]], words: str) -> Bpe:
    """A tokenizer over bytes of pairs of symbols to merge, in their order, within words as a regular expression finds them.

    Symbols are the 256 bytes, and from 256 on what the merges make, but for what spells the same as one before it.
    """
    from tokenizers import Regex, decoders, models, pre_tokenizers
    from tokenizers import Tokenizer as Library

    numbers = {name: byte for byte, name in enumerate(NAME_OF)}
    spelled, pairs = list(NAME_OF), dict[tuple[str, str], None]()
    for first, second in merges:
        pairs[spelled[first], spelled[second]] = None
        if (name := spelled[first] + spelled[second]) not in numbers:
            numbers[name] = len(spelled)
            spelled.append(name)
    marks = (START, END)
    vocabulary = dict(zip([*marks, *spelled], range(len(marks) + len(spelled)), strict=True))
    made = Library(models.BPE(vocabulary, list(pairs)))
    made.pre_tokenizer = pre_tokenizers.Sequence(
        [
            pre_tokenizers.Split(Regex(words), "isolated"),
            pre_tokenizers.ByteLevel(add_prefix_space=False, use_regex=False),
        ]
    )
    made.decoder = decoders.ByteLevel()
    made.add_special_tokens(list(marks))
    return Bpe(made)


def _check_numbers(saved: dict[str, Any]) -> None:
    """Raise ValueError for numbers that the library takes and cannot keep: it makes room up to the largest, and ends the process
    where that is not there; of two tokens with one number it saves one.
    """
    model, added = saved["model"], saved.get("added_tokens")
    vocabulary = model.get("vocab") if isinstance(model, dict) else None
    own = list(vocabulary.values()) if isinstance(vocabulary, dict) else []
    more = [token.get("id") for token in added if isinstance(token, dict)] if isinstance(added, list) else []
    if wrong := [number for number in (*own, *more) if isinstance(number, int) and number >= _MOST]:
        raise ValueError(f"a token has the number {wrong[0]}, and there are at most {_MOST:,}")
    if len({*own}) < len(own):
        raise ValueError("two tokens have the same number")


def _keeps_bytes(outline: dict[str, Any]) -> bool:
    """Whether a pre-tokenizer of the library hands every byte on, in the words that it cuts."""
    if outline.get("type") == "Sequence":
        *before, last = outline["pretokenizers"]
        return _keeps_bytes(last) and all(each["type"] == "Split" and each["behavior"] != "Removed" for each in before)
    return outline.get("type") == "ByteLevel"


def _first_known(made: library.Tokenizer, names: Iterable[str | None]) -> int | None:
    """The number of the first token that there is."""
    numbers = (made.token_to_id(name) for name in names if name)
    return next((number for number in numbers if number is not None), None)
