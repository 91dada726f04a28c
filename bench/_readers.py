"""What opens a file, by name: how a valid one is made, and how it is read."""

from __future__ import annotations

import bz2
import gzip
import json
import lzma
import shutil
from collections.abc import Callable
from contextlib import closing
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import _valid_files as valid
import numpy as np
import zstandard
from _valid_files import ARMS, CSV, FACTS, JSONL, MANY, ROWS, TEXTS, Made

import lossworks
from lossworks import report, tokens
from lossworks.api import Language, load_labels, load_language
from lossworks.api.graph import Graph
from lossworks.checks import answers
from lossworks.core.specs import read_toml
from lossworks.data import ReadOptions, load
from lossworks.data.glosses import read_glosses
from lossworks.data.parallel import load_parallel
from lossworks.data.vector_file import read_table, read_words
from lossworks.fusion.sources import kind_of
from lossworks.models.ngram.arpa_reader import read_arpa
from lossworks.serving.asked import fields
from lossworks.serving.refusals import Refused
from lossworks.tasks import LABEL_TASKS


@dataclass(frozen=True)
class Reader:
    """``make(folder)``: a valid file there, or a folder of such. ``read(path)`` opens it. ``only``: what of a folder is changed.

    writes: whether reading changes what is there. trains: whether it trains something, and so takes long.
    """

    make: Made
    read: Callable[[Path], Any]
    only: str = "*"
    writes: bool = False
    trains: bool = False


def _rows(path: Path, **how: Any) -> int:
    with closing(load(path, ReadOptions(**how))) as corpus:
        return sum(len(block) for block in corpus.blocks())


def _resumed(data: Any, **choices: Any) -> Callable[[Path], Any]:
    return lambda run: lossworks.fit(data, out=run, resume=True, **choices)


def _comparison(run: Path) -> Any:
    lossworks.Comparison.load(run).table()
    report.write(run)
    return lossworks.compare(MANY, arms=ARMS, seeds=2, trials=1, out=run, resume=True, model="linear:bits=8", epochs=1)


def _answered(run: Path) -> Any:
    model = lossworks.load(run)
    if isinstance(model, Graph):
        return model.predict([f"{model.entities[0]}\t{model.relations[0]}\t?"])
    if isinstance(model, Language):
        return [model.score(TEXTS[:2]), model.next("a"), model.generate("a", max_new_tokens=3)]
    return [model.predict(TEXTS[:2]), model.predict_proba(TEXTS[:2])]


def _reported(run: Path) -> Any:
    report.write(run)
    return lossworks.load(run)


def _of_source(kind: str) -> Callable[[Path], Any]:
    with closing(load(ROWS, ReadOptions())) as corpus:
        task = LABEL_TASKS["classify"].of(corpus, np.ones(len(corpus), bool))
    return lambda path: kind_of(kind).open(str(path), task).logits(TEXTS[:3])


def _asked(path: Path) -> Any:
    try:
        return fields(path.read_bytes(), ("texts", "top"))
    except Refused:
        return None


def _again(run: Path) -> Any:
    return lossworks.fit(ROWS, start=run, epochs=1)


def _imported(path: Path) -> Any:
    out = path.with_name("imported")
    shutil.rmtree(out, ignore_errors=True)
    return _answered(lossworks.import_model(path, out).path or out)


_LM: dict[str, Any] = {"task": "lm", "steps": 4}


_TINY = "transformer:layers=1,heads=1,dim=8,context=16"
_SMALL: dict[str, Any] = {"model": "linear:bits=8", "epochs": 3}


READERS: dict[str, Reader] = {
    "CSV": Reader(valid.file("rows.csv", CSV), _rows),
    "TSV": Reader(
        valid.file("rows.tsv", CSV.replace('"', "").replace(", n", " n").replace(",", "\t")),
        lambda path: _rows(path, weight=None),
    ),
    "JSON lines": Reader(valid.file("rows.jsonl", JSONL), lambda path: _rows(path, weight="weight")),
    "JSON array": Reader(valid.file("rows.json", json.dumps([{"text": t, "label": n} for t, n in ROWS])), _rows),
    "sets of labels": Reader(
        valid.file("rows.jsonl", JSONL.replace('"good"', '["good", "new"]').replace('"bad"', "[]")),
        lambda path: _rows(path, label_sep="auto"),
    ),
    "numbers": Reader(valid.file("rows.csv", CSV.replace("good", "1.5").replace("bad", "2e1")), _rows),
    "fastText labels": Reader(valid.file("rows.txt", "".join(f"__label__{label} {text}\n" for text, label in ROWS)), _rows),
    "text": Reader(valid.file("text.txt", "\n".join(TEXTS)), lambda path: _rows(path, unlabelled=True, texts="line")),
    "UTF-16": Reader(valid.file("rows.csv", CSV.encode("utf-16")), lambda path: _rows(path, encoding="utf-16")),
    "language column": Reader(
        valid.file("rows.csv", CSV.replace("label\n", "label,lang\n").replace("d\n", "d,hau\n")),
        lambda path: _rows(path, language="lang"),
    ),
    "gzip": Reader(valid.file("rows.csv.gz", gzip.compress(CSV.encode())), _rows),
    "bzip2": Reader(valid.file("rows.csv.bz2", bz2.compress(CSV.encode())), _rows),
    "xz": Reader(valid.file("rows.csv.xz", lzma.compress(CSV.encode())), _rows),
    "zstd": Reader(valid.file("rows.jsonl.zst", zstandard.compress(JSONL.encode())), _rows),
    "zip": Reader(valid.zipped, _rows),
    "folder of classes": Reader(valid.folder_of_classes, _rows),
    "Parquet": Reader(valid.parquet, _rows),
    "Excel": Reader(valid.excel, _rows),
    "prepared": Reader(
        valid.prepared, lambda path: [_rows(path), lossworks.fit(path, model="linear:bits=8", epochs=1)], trains=True
    ),
    "facts": Reader(
        valid.file("facts.tsv", "".join("\t".join(fact) + "\n" for fact in FACTS)),
        lambda path: _rows(path, triples=True, unlabelled=True),
    ),
    "descriptions": Reader(valid.file("glosses.tsv", "".join(f"e{i}\tthe entity {i}\n" for i in range(9))), read_glosses),
    "parallel text": Reader(valid.parallel, lambda path: load_parallel([path / "a.txt", path / "b.txt"])),
    "word vectors": Reader(valid.file("words.vec", valid.VECTORS), lambda path: read_words(path, 1000)),
    "lexicon": Reader(valid.file("lexicon.csv", valid.LEXICON), _of_source("lexicon")),
    "votes": Reader(
        valid.file("votes.jsonl", "".join(json.dumps({"text": t, "votes": [n, None, "good"]}) + "\n" for t, n in ROWS)),
        _of_source("votes"),
    ),
    "votes, CSV": Reader(
        valid.file("votes.csv", "text,one,two\n" + "".join(f'"{t}",{n},good\n' for t, n in ROWS)), _of_source("votes")
    ),
    "lexicon, Parquet": Reader(valid.parquet_lexicon, _of_source("lexicon")),
    "votes, Parquet": Reader(valid.parquet_votes, _of_source("votes")),
    "hand check": Reader(
        valid.file("answers.json", json.dumps({"kind": answers.KIND, "check": {"data": "x"}, "answers": ["right"]})), answers.read
    ),
    "TOML": Reader(
        valid.file("fit.toml", 'model = "linear:bits=8"\nepochs = 1\nvalid = 0.1\nseed = 3\nloss = "focal:gamma=2"\n'),
        lambda path: lossworks.fit(ROWS, **read_toml(path)),
        trains=True,
    ),
    "table of runs": Reader(
        valid.file(
            "runs.csv",
            "params,tokens,loss\n"
            + "".join(f"{10**i},{t * 10 ** (i + 1)},{4 - i / 3 - t / 99:.3f}\n" for i in range(3, 8) for t in (5, 10, 20, 40)),
        ),
        lambda path: lossworks.plan(path, params=1e9, tokens=1e11),
        trains=True,
    ),
    "request": Reader(valid.file("body.json", json.dumps({"texts": TEXTS[:2], "top": 3})), _asked),
    "tokenizer, BPE": Reader(lambda folder: valid.exported(folder) / "tokenizer.json", tokens.load),
    "tokenizer, words": Reader(
        lambda folder: valid.fitted(TEXTS, task="lm", model="ngram:order=2", tokenizer="words")(folder) / "tokenizer.json",
        tokens.load,
    ),
    "tokenizer, chars": Reader(
        lambda folder: valid.fitted(TEXTS, task="lm", model="ngram:order=2", tokenizer="chars")(folder) / "tokenizer.json",
        tokens.load,
    ),
    "ARPA": Reader(valid.arpa, read_arpa),
    "ARPA, imported": Reader(valid.arpa, _imported),
    "Llama directory": Reader(valid.exported, _imported),
    "Hugging Face directory": Reader(valid.exported, lambda path: load_language(f"hf:{path}").score(TEXTS[:2])),
    "table of vectors": Reader(valid.table, lambda path: read_table(path / "vectors.safetensors")),
    "pool": Reader(valid.pooled, _answered),
    "comparison": Reader(valid.compared, _comparison, writes=True, trains=True),
    "report": Reader(valid.fitted(ROWS, model="linear:bits=8", epochs=2), _reported, "*.json*", writes=True),
    "report, language": Reader(valid.fitted(TEXTS, task="lm", model="ngram:order=2"), _reported, "*.json*", writes=True),
    "going on from": Reader(valid.fitted(ROWS, checked=True, model="linear:bits=8", epochs=1), _again, trains=True),
    "checkpoint, linear": Reader(valid.stopped(ROWS, **_SMALL), _resumed(ROWS, **_SMALL), writes=True, trains=True),
    "checkpoint, transformer": Reader(
        valid.stopped(TEXTS, model=_TINY, tokenizer="chars", **_LM),
        _resumed(TEXTS, model=_TINY, tokenizer="chars", **_LM),
        writes=True,
        trains=True,
    ),
    "run, linear": Reader(valid.fitted(ROWS, model="linear:bits=8", epochs=1), _answered),
    "run, bag": Reader(valid.fitted(ROWS, model="bag:dim=4", epochs=1), _answered),
    "run, quantised linear": Reader(valid.quantized(ROWS, model="linear:bits=8", epochs=1), _answered),
    "run, quantised bag": Reader(valid.quantized(ROWS, model="bag:dim=4", epochs=1), _answered),
    "run, numbers": Reader(
        valid.fitted([(text, i / 7) for i, text in enumerate(TEXTS)], task="regress", **_SMALL),
        lambda path: load_labels(path).predict(TEXTS[:2]),
    ),
    "run, label sets": Reader(
        valid.fitted([(text, [label, "new"][: i % 3]) for i, (text, label) in enumerate(ROWS)], **_SMALL), _answered
    ),
    "run, encoder": Reader(valid.fitted(ROWS, model=_TINY, epochs=1), _answered),
    "run, naive_bayes": Reader(valid.fitted(ROWS, model="naive_bayes"), _answered),
    "run, generative": Reader(valid.fitted(ROWS, model="ngram:order=2"), _answered),
    "run, graph": Reader(valid.fitted(FACTS, task="graph", model="complex:dim=4", epochs=1), _answered),
    "run, ngram": Reader(valid.fitted(TEXTS, task="lm", model="ngram:order=3"), _answered),
    "run, hmm": Reader(valid.fitted(TEXTS, task="lm", model="hmm:states=3,iterations=2"), _answered),
    "run, rnn": Reader(valid.fitted(TEXTS, task="lm", model="rnn:layers=1,dim=8", tokenizer="chars", steps=2), _answered),
    "run, transformer": Reader(valid.fitted(TEXTS, task="lm", model=_TINY, tokenizer="bpe:size=270", steps=2), _answered),
}
