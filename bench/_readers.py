"""What opens a file, by name: how a valid one is made, and how it is read."""

from __future__ import annotations

import bz2
import gzip
import json
import lzma
import shutil
import zipfile
from collections.abc import Callable
from contextlib import closing, suppress
from dataclasses import dataclass
from pathlib import Path
from threading import Event
from typing import Any

import numpy as np
import polars as pl
import zstandard
from safetensors import safe_open
from safetensors.torch import save_file

import lossworks
from lossworks import report, tokens
from lossworks.api import Language
from lossworks.api.graph import Graph
from lossworks.checks import answers
from lossworks.core.errors import Interrupted
from lossworks.core.specs import read_toml
from lossworks.data import ReadOptions, load
from lossworks.data.glosses import read_glosses
from lossworks.data.parallel import load_parallel
from lossworks.data.vector_file import read_table, read_words
from lossworks.engine import Callbacks
from lossworks.fusion.sources import kind_of
from lossworks.models.ngram.arpa_reader import read_arpa
from lossworks.serving.asked import fields
from lossworks.serving.refusals import Refused
from lossworks.tasks import LABEL_TASKS

WORDS = (("lovely", "good"), ("awful", "bad"))
ROWS = [(f"a {WORDS[i % 2][0]} thing, number {i % 7}", WORDS[i % 2][1]) for i in range(40)]
MANY = [(f"{text}, {number}", label) for number, (text, label) in enumerate(ROWS * 3)]
TEXTS = [text for text, _ in ROWS]
FACTS = [(f"e{i % 9}", f"r{i % 3}", f"e{(i * i + i % 3) % 9}") for i in range(60)]
Made = Callable[[Path], Path]


@dataclass(frozen=True)
class Reader:
    """``make(folder)``: a valid file there, or a folder of such. ``read(path)``: opens it. ``only``: of a folder, what is changed.

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


def _file(name: str, content: str | bytes) -> Made:
    def make(folder: Path) -> Path:
        (folder / name).write_bytes(content.encode() if isinstance(content, str) else content)
        return folder / name

    return make


def _zipped(folder: Path) -> Path:
    with zipfile.ZipFile(folder / "rows.zip", "w") as file:
        file.writestr("train.csv", CSV)
        file.writestr("more.csv", CSV)
    return folder / "rows.zip"


def _folder_of_classes(folder: Path) -> Path:
    for number, (text, label) in enumerate(ROWS[:6]):
        (folder / "rows" / label).mkdir(parents=True, exist_ok=True)
        (folder / "rows" / label / f"{number}.txt").write_text(text)
    return folder / "rows"


def _frame(folder: Path) -> pl.DataFrame:
    return pl.DataFrame({"text": TEXTS, "label": [label for _, label in ROWS]})


def _parquet(folder: Path) -> Path:
    _frame(folder).write_parquet(folder / "rows.parquet")
    return folder / "rows.parquet"


def _parquet_lexicon(folder: Path) -> Path:
    pl.DataFrame({"word": ["lovely", "awful"], "label": ["good", "bad"]}).write_parquet(folder / "lexicon.parquet")
    return folder / "lexicon.parquet"


def _parquet_votes(folder: Path) -> Path:
    frame = pl.DataFrame({"text": TEXTS, "votes": [[label, None] for _, label in ROWS]})
    frame.write_parquet(folder / "votes.parquet")
    return folder / "votes.parquet"


def _excel(folder: Path) -> Path:
    """The least that a workbook holds: two columns of text in one sheet."""
    cells = [[f'<c t="inlineStr"><is><t>{cell}</t></is></c>' for cell in row] for row in (("text", "label"), *ROWS)]
    rows = "\n".join(f"<row>{''.join(row)}</row>" for row in cells)
    office, main = "http://schemas.openxmlformats.org", "http://schemas.openxmlformats.org/spreadsheetml/2006/main"
    links, kind = f"{office}/package/2006/relationships", f"{office}/officeDocument/2006/relationships"
    part = "application/vnd.openxmlformats-officedocument.spreadsheetml"
    with zipfile.ZipFile(folder / "rows.xlsx", "w") as file:
        for name, content in {
            "[Content_Types].xml": f'<Types xmlns="{office}/package/2006/content-types"><Default Extension="rels" '
            'ContentType="application/vnd.openxmlformats-package.relationships+xml"/>'
            f'<Override PartName="/xl/workbook.xml" ContentType="{part}.sheet.main+xml"/>'
            f'<Override PartName="/xl/worksheets/sheet1.xml" ContentType="{part}.worksheet+xml"/></Types>',
            "_rels/.rels": f'<Relationships xmlns="{links}"><Relationship Id="a" Type="{kind}/officeDocument" Target="xl/workbook.xml"/>'
            "</Relationships>",
            "xl/_rels/workbook.xml.rels": f'<Relationships xmlns="{links}"><Relationship Id="b" Type="{kind}/worksheet" '
            'Target="worksheets/sheet1.xml"/></Relationships>',
            "xl/workbook.xml": f'<workbook xmlns="{main}" xmlns:r="{kind}"><sheets><sheet name="Sheet1" sheetId="1" r:id="b"/></sheets>'
            "</workbook>",
            "xl/worksheets/sheet1.xml": f'<worksheet xmlns="{main}"><sheetData>\n{rows}\n</sheetData></worksheet>',
        }.items():
            file.writestr(name, content)
    return folder / "rows.xlsx"


def _prepared(folder: Path) -> Path:
    (folder / "rows.csv").write_text(CSV)
    lossworks.prepare(folder / "rows.csv", out=folder / "made", test=0.2, tokenizer="bpe:size=270")
    return folder / "made"


def _parallel(folder: Path) -> Path:
    for name in ("a.txt", "b.txt"):
        (folder / name).write_text("".join(f"{text}\n" for text in TEXTS))
    return folder


def _fitted(data: Any, *, checked: bool = False, **choices: Any) -> Made:
    """A run; not ``checked``: without checksums, which would find most changes before anything else does."""

    def make(folder: Path) -> Path:
        lossworks.fit(data, out=folder / "run", **choices)
        return folder / "run" if checked else _unchecked(folder / "run")

    return make


def _unchecked(run: Path) -> Path:
    record = json.loads((run / "run.json").read_text("utf-8"))
    record.pop("files", None)
    (run / "run.json").write_text(json.dumps(record), "utf-8")
    return run


def _exported(folder: Path) -> Path:
    run = _fitted(TEXTS, task="lm", model="transformer:layers=1,heads=1,dim=8,context=16", tokenizer="bpe:size=270", steps=2)(folder)
    lossworks.export(lossworks.load(run), folder / "hf", to="hf")
    return folder / "hf"


def _arpa(folder: Path) -> Path:
    run = _fitted(TEXTS, task="lm", model="ngram:order=3", tokenizer="words")(folder)
    lossworks.export(lossworks.load(run), folder / "model.arpa", to="arpa")
    return folder / "model.arpa"


def _stopped(data: Any, **choices: Any) -> Made:
    """A run that was stopped after its second checkpoint, which then lost its checksum."""

    def make(folder: Path) -> Path:
        stop = Event()
        seen = []

        def watch(event: str, fields: dict[str, Any]) -> None:
            if event == "checkpoint":
                seen.append(event)
                stop.set() if len(seen) == 2 else None

        with suppress(Interrupted):
            lossworks.fit(data, out=folder / "run", callbacks=Callbacks(watch=watch, checkpoint_every=0, stop=stop), **choices)
        (path,) = (folder / "run/checkpoints").glob("step-*")
        with safe_open(path, "pt") as file:
            tensors, state = {name: file.get_tensor(name) for name in file.keys()}, json.loads(file.metadata()["state"])  # noqa: SIM118
        del state["checksum"]
        save_file(tensors, path, {"state": json.dumps(state)})
        return folder / "run"

    return make


def _resumed(data: Any, **choices: Any) -> Callable[[Path], Any]:
    return lambda run: lossworks.fit(data, out=run, resume=True, **choices)


def _pooled(folder: Path) -> Path:
    runs = []
    (folder / "lexicon.csv").write_text(LEXICON)
    for name, model in (("one", "linear:bits=8"), ("two", "ngram:order=1")):
        lossworks.fit(ROWS, out=folder / name, model=model)
        runs.append(str(folder / name))
    lossworks.fuse([*runs, f"lexicon:{folder / 'lexicon.csv'}"], on=MANY, out=folder / "pool")
    return _unchecked(folder / "pool")


def _compared(folder: Path) -> Path:
    lossworks.compare(MANY, arms=ARMS, seeds=2, trials=1, out=folder / "run", model="linear:bits=8", epochs=1)
    record = json.loads((folder / "run/run.json").read_text("utf-8"))
    (folder / "run/run.json").write_text(json.dumps(record | {"status": "interrupted"}), "utf-8")  # so that it can be gone on with
    return folder / "run"


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


CSV = "text,label\n" + "".join(f'"{text}",{label}\n' for text, label in ROWS)
JSONL = "".join(json.dumps({"text": text, "label": label, "weight": 1.5}) + "\n" for text, label in ROWS)
LEXICON = "word,label,weight\nlovely,good,2\nawful,bad,1.5\nthing,good,0.1\n"
ARMS = [{"loss": "cross_entropy"}, {"loss": "mse"}]
_VECTORS = "4 3\n" + "".join(f"{word} 0.5 -1.25 {i}e-3\n" for i, word in enumerate(("a", "lovely", "awful", "thing")))
_LM: dict[str, Any] = {"task": "lm", "steps": 4}
_SMALL: dict[str, Any] = {"model": "linear:bits=8", "epochs": 3}

READERS: dict[str, Reader] = {
    "CSV": Reader(_file("rows.csv", CSV), _rows),
    "TSV": Reader(_file("rows.tsv", CSV.replace('"', "").replace(", n", " n").replace(",", "\t")), lambda path: _rows(path, weight=None)),
    "JSON lines": Reader(_file("rows.jsonl", JSONL), lambda path: _rows(path, weight="weight")),
    "JSON array": Reader(_file("rows.json", json.dumps([{"text": t, "label": n} for t, n in ROWS])), _rows),
    "sets of labels": Reader(_file("rows.jsonl", JSONL.replace('"good"', '["good", "new"]').replace('"bad"', "[]")), lambda path: _rows(path, label_sep="auto")),
    "numbers": Reader(_file("rows.csv", CSV.replace("good", "1.5").replace("bad", "2e1")), _rows),
    "fastText labels": Reader(_file("rows.txt", "".join(f"__label__{label} {text}\n" for text, label in ROWS)), _rows),
    "text": Reader(_file("text.txt", "\n".join(TEXTS)), lambda path: _rows(path, unlabelled=True, texts="line")),
    "UTF-16": Reader(_file("rows.csv", CSV.encode("utf-16")), lambda path: _rows(path, encoding="utf-16")),
    "language column": Reader(_file("rows.csv", CSV.replace("label\n", "label,lang\n").replace("d\n", "d,hau\n")), lambda path: _rows(path, language="lang")),
    "gzip": Reader(_file("rows.csv.gz", gzip.compress(CSV.encode())), _rows),
    "bzip2": Reader(_file("rows.csv.bz2", bz2.compress(CSV.encode())), _rows),
    "xz": Reader(_file("rows.csv.xz", lzma.compress(CSV.encode())), _rows),
    "zstd": Reader(_file("rows.jsonl.zst", zstandard.compress(JSONL.encode())), _rows),
    "zip": Reader(_zipped, _rows),
    "folder of classes": Reader(_folder_of_classes, _rows),
    "Parquet": Reader(_parquet, _rows),
    "Excel": Reader(_excel, _rows),
    "prepared": Reader(_prepared, lambda path: [_rows(path), lossworks.fit(path, model="linear:bits=8", epochs=1)], trains=True),
    "facts": Reader(_file("facts.tsv", "".join("\t".join(fact) + "\n" for fact in FACTS)), lambda path: _rows(path, triples=True, unlabelled=True)),
    "descriptions": Reader(_file("glosses.tsv", "".join(f"e{i}\tthe entity {i}\n" for i in range(9))), read_glosses),
    "parallel text": Reader(_parallel, lambda path: load_parallel([path / "a.txt", path / "b.txt"])),
    "word vectors": Reader(_file("words.vec", _VECTORS), lambda path: read_words(path, 1000)),
    "lexicon": Reader(_file("lexicon.csv", LEXICON), _of_source("lexicon")),
    "votes": Reader(_file("votes.jsonl", "".join(json.dumps({"text": t, "votes": [n, None, "good"]}) + "\n" for t, n in ROWS)), _of_source("votes")),
    "votes, CSV": Reader(_file("votes.csv", "text,one,two\n" + "".join(f'"{t}",{n},good\n' for t, n in ROWS)), _of_source("votes")),
    "lexicon, Parquet": Reader(_parquet_lexicon, _of_source("lexicon")),
    "votes, Parquet": Reader(_parquet_votes, _of_source("votes")),
    "hand check": Reader(_file("answers.json", json.dumps({"kind": answers.KIND, "check": {"data": "x"}, "answers": ["right"]})), answers.read),
    "TOML": Reader(_file("fit.toml", 'model = "linear:bits=8"\nepochs = 1\nvalid = 0.1\nseed = 3\nloss = "focal:gamma=2"\n'), lambda path: lossworks.fit(ROWS, **read_toml(path)), trains=True),
    "table of runs": Reader(_file("runs.csv", "params,tokens,loss\n" + "".join(f"{10**i},{t * 10 ** (i + 1)},{4 - i / 3 - t / 99:.3f}\n" for i in range(3, 8) for t in (5, 10, 20, 40))), lambda path: lossworks.plan(path, params=1e9, tokens=1e11), trains=True),
    "request": Reader(_file("body.json", json.dumps({"texts": TEXTS[:2], "top": 3})), _asked),
    "tokenizer, BPE": Reader(lambda folder: _exported(folder) / "tokenizer.json", tokens.load),
    "tokenizer, words": Reader(lambda folder: _fitted(TEXTS, task="lm", model="ngram:order=2", tokenizer="words")(folder) / "tokenizer.json", tokens.load),
    "tokenizer, chars": Reader(lambda folder: _fitted(TEXTS, task="lm", model="ngram:order=2", tokenizer="chars")(folder) / "tokenizer.json", tokens.load),
    "ARPA": Reader(_arpa, read_arpa),
    "ARPA, imported": Reader(_arpa, _imported),
    "Llama directory": Reader(_exported, _imported),
    "Hugging Face directory": Reader(_exported, lambda path: lossworks.load(f"hf:{path}").score(TEXTS[:2])),
    "table of vectors": Reader(_exported, lambda path: read_table(path / "model.safetensors")),
    "pool": Reader(_pooled, _answered),
    "comparison": Reader(_compared, _comparison, writes=True, trains=True),
    "report": Reader(_fitted(ROWS, model="linear:bits=8", epochs=2), _reported, "*.json*", writes=True),
    "report, language": Reader(_fitted(TEXTS, task="lm", model="ngram:order=2"), _reported, "*.json*", writes=True),
    "going on from": Reader(_fitted(ROWS, checked=True, model="linear:bits=8", epochs=1), _again, trains=True),
    "checkpoint, linear": Reader(_stopped(ROWS, **_SMALL), _resumed(ROWS, **_SMALL), writes=True, trains=True),
    "checkpoint, transformer": Reader(_stopped(TEXTS, model="transformer:layers=1,heads=1,dim=8,context=16", tokenizer="chars", **_LM), _resumed(TEXTS, model="transformer:layers=1,heads=1,dim=8,context=16", tokenizer="chars", **_LM), writes=True, trains=True),
    "run, linear": Reader(_fitted(ROWS, model="linear:bits=8", epochs=1), _answered),
    "run, bag": Reader(_fitted(ROWS, model="bag:dim=4", epochs=1), _answered),
    "run, encoder": Reader(_fitted(ROWS, model="transformer:layers=1,heads=1,dim=8,context=16", epochs=1), _answered),
    "run, naive_bayes": Reader(_fitted(ROWS, model="naive_bayes"), _answered),
    "run, generative": Reader(_fitted(ROWS, model="ngram:order=2"), _answered),
    "run, graph": Reader(_fitted(FACTS, task="graph", model="complex:dim=4", epochs=1), _answered),
    "run, ngram": Reader(_fitted(TEXTS, task="lm", model="ngram:order=3"), _answered),
    "run, hmm": Reader(_fitted(TEXTS, task="lm", model="hmm:states=3,iterations=2"), _answered),
    "run, rnn": Reader(_fitted(TEXTS, task="lm", model="rnn:layers=1,dim=8", tokenizer="chars", steps=2), _answered),
    "run, transformer": Reader(_fitted(TEXTS, task="lm", model="transformer:layers=1,heads=1,dim=8,context=16", tokenizer="bpe:size=270", steps=2), _answered),
}  # fmt: skip
