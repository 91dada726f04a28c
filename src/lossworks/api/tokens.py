"""Tokenizers by themselves: learnt from files, one a language, and what they charge each language for the same content."""

from __future__ import annotations

from collections import Counter
from collections.abc import Sequence
from contextlib import closing
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np

from .. import tokens
from ..core.errors import UsageError
from ..data import ReadOptions, load, read_options
from ..data.parallel import Parallel, load_parallel, names_of
from ..metrics.parallel import gini, premiums
from ..record import Run
from ..tokens import Tokenizer
from ..tokens.graphemes import composed_note
from .held import as_trained


def build_tokenizer(files: Sequence[str], spec: str, read: ReadOptions | None = None) -> Tokenizer:
    """A tokenizer learnt from all texts of some files; of those that learn by language each file is one.

    Raises:
        UsageError: the spec is none, or is already a tokenizer.
        DataError: a file cannot be read, or there is nothing to learn.
    """
    chosen = tokens.named(spec)
    if isinstance(chosen, Tokenizer):
        raise UsageError(f"{spec} is a tokenizer that has learnt already. Name a kind to learn, such as parity_bpe:size=32000.")
    read = replace(read_options(read), unlabelled=True, label=None, texts="line")
    blocks: list[list[str]] = []
    languages: list[str] = []
    changed: Counter[str] = Counter()
    for file, name in zip(files, names_of(files) if len(files) > 1 else files, strict=True):
        with closing(load(file, read)) as corpus:
            blocks += corpus.blocks()
            languages += [name] * len(corpus)
            changed[name] = corpus.composed or 0
    made = chosen.learn(blocks, languages=languages)
    made.notes += composed_note(changed.total(), len(languages), changed if len(files) > 1 else None)
    return made


def report_tokens(
    files: Sequence[str], tokenizer: str = "bytes", reference: str | None = None, read: ReadOptions | None = None
) -> dict[str, Any]:
    """What a tokenizer charges each language of parallel text, the dearest first.

    ``languages`` has of each its ``tokens``, ``characters`` and ``bytes``, how many of the tokens are ``unknown``, and its
    ``premium``: how many times the reference's tokens it takes to say the same, with the 95 % interval over lines. ``gini`` tells
    how unequal the languages' tokens are.

    Args:
        files: of parallel text, as of ``load_parallel``.
        tokenizer: the run of a model that reads tokens, a ``tokenizer.json``, or "bytes".
        reference: the language that the others are compared with; None: English, or without it the cheapest.
        read: columns, encoding and format of the files.

    Raises:
        UsageError, DataError, RecordError: the tokenizer must first be learnt, or cannot be read; as of ``load_parallel``.
    """
    held = _tokenizer(tokenizer)
    text = load_parallel(files, as_trained(read, *([Run(tokenizer).summary] if _is_run(tokenizer) else [])))
    counts, unknown = [], []
    for texts in text.texts:
        ids, offsets = held.encode(texts)
        counts.append(np.diff(offsets))
        unknown.append(0 if held.vocabulary.unknown is None else int((ids == held.vocabulary.unknown).sum()))
    amounts = np.array(counts, np.float64)
    totals, against = amounts.sum(1), text.reference(reference)
    if against is None:
        against = int(totals.argmin())
    rows = [
        _row(text, number, int(totals[number]), unknown[number]) | {"premium": premium.to_json()}
        for number, premium in enumerate(premiums(amounts, against))
    ]
    return {
        "tokenizer": tokenizer,
        "vocabulary": held.vocabulary.size,
        "lines": len(text.texts[0]),
        "left_out": text.left_out,
        "notes": list(text.notes),
        "reference": text.names[against],
        "tokens": int(totals.sum()),
        "gini": gini(amounts).to_json(),
        "languages": sorted(rows, key=lambda row: (-row["premium"]["value"], row["language"])),
    }


def _row(text: Parallel, number: int, total: int, unknown: int) -> dict[str, Any]:
    characters, size = sum(map(len, text.texts[number])), sum(len(line.encode()) for line in text.texts[number])
    return {"language": text.names[number], "tokens": total, "unknown": unknown, "characters": characters, "bytes": size}


def _is_run(named: str) -> bool:
    return Path(named, "run.json").exists()


def _tokenizer(named: str) -> Tokenizer:
    """What a run reads by, a file holds, or is there without learning."""
    if _is_run(named):
        if not (file := Path(named, "tokenizer.json")).exists():
            raise UsageError(f"{named} reads hashed n-grams, and has no tokens. Name a run of a model that reads tokens.")
        return tokens.load(file)
    found = tokens.named(named)
    if isinstance(found, Tokenizer):
        return found
    if named != "bytes":
        raise UsageError(f"{named} learns its tokens from text. lossworks tokens build makes a file of it: name that, or a run.")
    return found.learn([])
