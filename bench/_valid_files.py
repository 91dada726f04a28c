"""Valid files of every kind, made in a folder."""

from __future__ import annotations

import json
import zipfile
from collections.abc import Callable
from contextlib import suppress
from pathlib import Path
from threading import Event
from typing import Any

import polars as pl
import torch
from safetensors import safe_open
from safetensors.torch import save_file

import lossworks
from lossworks.api import load_labels, load_text
from lossworks.core.errors import Interrupted
from lossworks.engine import Callbacks

WORDS = (("lovely", "good"), ("awful", "bad"))
ROWS = [(f"a {WORDS[i % 2][0]} thing, number {i % 7}", WORDS[i % 2][1]) for i in range(40)]
MANY = [(f"{text}, {number}", label) for number, (text, label) in enumerate(ROWS * 3)]
TEXTS = [text for text, _ in ROWS]
FACTS = [(f"e{i % 9}", f"r{i % 3}", f"e{(i * i + i % 3) % 9}") for i in range(60)]
Made = Callable[[Path], Path]
CSV = "text,label\n" + "".join(f'"{text}",{label}\n' for text, label in ROWS)
JSONL = "".join(json.dumps({"text": text, "label": label, "weight": 1.5}) + "\n" for text, label in ROWS)
LEXICON = "word,label,weight\nlovely,good,2\nawful,bad,1.5\nthing,good,0.1\n"
ARMS = [{"loss": "cross_entropy"}, {"loss": "mse"}]
VECTORS = "4 3\n" + "".join(f"{word} 0.5 -1.25 {i}e-3\n" for i, word in enumerate(("a", "lovely", "awful", "thing")))


def file(name: str, content: str | bytes) -> Made:
    def make(folder: Path) -> Path:
        (folder / name).write_bytes(content.encode() if isinstance(content, str) else content)
        return folder / name

    return make


def zipped(folder: Path) -> Path:
    with zipfile.ZipFile(folder / "rows.zip", "w") as file:
        file.writestr("train.csv", CSV)
        file.writestr("more.csv", CSV)
    return folder / "rows.zip"


def folder_of_classes(folder: Path) -> Path:
    for number, (text, label) in enumerate(ROWS[:6]):
        (folder / "rows" / label).mkdir(parents=True, exist_ok=True)
        (folder / "rows" / label / f"{number}.txt").write_text(text)
    return folder / "rows"


def frame(folder: Path) -> pl.DataFrame:
    return pl.DataFrame({"text": TEXTS, "label": [label for _, label in ROWS]})


def parquet(folder: Path) -> Path:
    frame(folder).write_parquet(folder / "rows.parquet")
    return folder / "rows.parquet"


def parquet_lexicon(folder: Path) -> Path:
    pl.DataFrame({"word": ["lovely", "awful"], "label": ["good", "bad"]}).write_parquet(folder / "lexicon.parquet")
    return folder / "lexicon.parquet"


def parquet_votes(folder: Path) -> Path:
    frame = pl.DataFrame({"text": TEXTS, "votes": [[label, None] for _, label in ROWS]})
    frame.write_parquet(folder / "votes.parquet")
    return folder / "votes.parquet"


def excel(folder: Path) -> Path:
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
            "_rels/.rels": f'<Relationships xmlns="{links}"><Relationship Id="a" Type="{kind}/officeDocument" '
            'Target="xl/workbook.xml"/></Relationships>',
            "xl/_rels/workbook.xml.rels": f'<Relationships xmlns="{links}"><Relationship Id="b" Type="{kind}/worksheet" '
            'Target="worksheets/sheet1.xml"/></Relationships>',
            "xl/workbook.xml": f'<workbook xmlns="{main}" xmlns:r="{kind}"><sheets><sheet name="Sheet1" sheetId="1" '
            'r:id="b"/></sheets></workbook>',
            "xl/worksheets/sheet1.xml": f'<worksheet xmlns="{main}"><sheetData>\n{rows}\n</sheetData></worksheet>',
        }.items():
            file.writestr(name, content)
    return folder / "rows.xlsx"


def prepared(folder: Path) -> Path:
    (folder / "rows.csv").write_text(CSV)
    lossworks.prepare(folder / "rows.csv", out=folder / "made", test=0.2, tokenizer="bpe:size=270")
    return folder / "made"


def parallel(folder: Path) -> Path:
    for name in ("a.txt", "b.txt"):
        (folder / name).write_text("".join(f"{text}\n" for text in TEXTS))
    return folder


def fitted(data: Any, *, checked: bool = False, **choices: Any) -> Made:
    """A run; not ``checked``: without checksums, which would find most changes before anything else does."""

    def make(folder: Path) -> Path:
        lossworks.fit(data, out=folder / "run", **choices)
        return folder / "run" if checked else unchecked(folder / "run")

    return make


def unchecked(run: Path) -> Path:
    record = json.loads((run / "run.json").read_text("utf-8"))
    record.pop("files", None)
    (run / "run.json").write_text(json.dumps(record), "utf-8")
    return run


def quantized(data: Any, **choices: Any) -> Made:
    """A run in few bytes."""

    def make(folder: Path) -> Path:
        lossworks.quantize(load_labels(fitted(data, **choices)(folder)), folder / "few")
        return unchecked(folder / "few")

    return make


def exported(folder: Path) -> Path:
    run = fitted(TEXTS, task="lm", model="transformer:layers=1,heads=1,dim=8,context=16", tokenizer="bpe:size=270", steps=2)(
        folder
    )
    lossworks.export(load_text(run), folder / "hf", to="hf")
    return folder / "hf"


def table(folder: Path) -> Path:
    home = exported(folder)
    save_file({"vectors": torch.ones(300, 4)}, home / "vectors.safetensors")
    return home


def arpa(folder: Path) -> Path:
    run = fitted(TEXTS, task="lm", model="ngram:order=3", tokenizer="words")(folder)
    lossworks.export(load_text(run), folder / "model.arpa", to="arpa")
    return folder / "model.arpa"


def stopped(data: Any, **choices: Any) -> Made:
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


def pooled(folder: Path) -> Path:
    runs = []
    (folder / "lexicon.csv").write_text(LEXICON)
    for name, model in (("one", "linear:bits=8"), ("two", "ngram:order=1")):
        lossworks.fit(ROWS, out=folder / name, model=model)
        runs.append(str(folder / name))
    lossworks.fuse([*runs, f"lexicon:{folder / 'lexicon.csv'}"], on=MANY, out=folder / "pool")
    return unchecked(folder / "pool")


def compared(folder: Path) -> Path:
    lossworks.compare(MANY, arms=ARMS, seeds=2, trials=1, out=folder / "run", model="linear:bits=8", epochs=1)
    record = json.loads((folder / "run/run.json").read_text("utf-8"))
    (folder / "run/run.json").write_text(
        json.dumps(record | {"status": "interrupted"}), "utf-8"
    )  # so that it can be gone on with
    return folder / "run"
