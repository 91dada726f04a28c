"""Prepared directories: what stays is what a look at all pairs would leave, whoever works, and however often one is killed."""

from __future__ import annotations

import json
import subprocess
import sys
from collections import Counter
from pathlib import Path
from typing import Any

import numpy as np
import polars as pl
import pytest
import zstandard

import lossworks
from lossworks.api.prepare import prepare, wanted
from lossworks.core.errors import DataError, Interrupted, LossworksError, RecordError, UsageError
from lossworks.data import ReadOptions, load
from lossworks.engine import Callbacks
from lossworks.preparation import Texts, jaccard
from lossworks.preparation.pipeline import Job, Stage, layout, stages, work_through
from lossworks.preparation.pipeline import job as jobs
from lossworks.preparation.pipeline.layout import Layout
from lossworks.training import token_parts

from .conftest import Put, sentence

Sources = tuple[list[Path], list[str]]
PLAIN = ReadOptions(unlabelled=True)


def texts(place: Path) -> list[str]:
    """All texts of a prepared directory or part."""
    return [text for block in load(place, PLAIN).blocks() for text in block]


def bytes_of(folder: Path) -> dict[str, bytes]:
    """Every file in a folder."""
    return {path.relative_to(folder).as_posix(): path.read_bytes() for path in folder.rglob("*") if path.is_file()}


def all_pairs(rows: list[str], threshold: float) -> list[str]:
    """What stays if each text is held against every earlier one that stays."""
    kept: list[str] = []
    for text in rows:
        if not kept or jaccard(Texts.of([text] * len(kept)), Texts.of(kept)).max() < threshold:
            kept.append(text)
    return kept


@pytest.mark.usefixtures("small")
def test_what_stays(sources: Sources, tmp_path: Path, put: Put) -> None:
    """Of all formats, cut in pieces or not, each text stays once, the earliest, or has a reason not to that names its line."""
    files, rows = sources
    test = put("test.txt", f"{sentence(12)}\n{sentence(33)} too\n")
    made = prepare(files, tmp_path / "out", against=test, valid=0.2, test=0.2)
    leaked = {sentence(12), sentence(33)}
    stay = all_pairs([row for row in rows if row not in leaked], 0.7)
    found = {name: texts(tmp_path / "out" / name) for name in ("train", "valid", "test")}
    assert [text for part in found.values() for text in part] == texts(tmp_path / "out")
    assert Counter(texts(tmp_path / "out")) == Counter(stay)
    assert all(part == [row for row in stay if row in part] for part in found.values())  # in the order of the sources
    assert all(map(len, found.values()))
    assert not (tmp_path / "out/preparing").exists()
    counts = made["counts"]
    assert counts["rows"] == len(rows) == counts["kept"] + sum(counts["removed"].values())
    removed = pl.read_parquet(tmp_path / "out/removed/*.parquet")
    lines = {path.name: read_lines(path) for path in files}
    for source, line, reason, of_source, of_line, likeness in removed.iter_rows():
        text = lines[Path(source).name][line]
        other = [sentence(12), sentence(33) + " too"][of_line - 1] if reason == "leak" else lines[Path(of_source).name][of_line]
        assert reason in ("exact", "near", "leak")
        assert jaccard(Texts.of([text]), Texts.of([other]))[0] == likeness >= 0.7
        assert (text == other) or reason != "exact"
    labels = load(tmp_path / "out", PLAIN)
    given = dict(zip(texts(tmp_path / "out"), labels.labels, strict=True))
    assert given[sentence(30)] == "0"  # labels are of several types
    assert given[sentence(50)] == "x"
    assert given[sentence(1)] is None


def read_lines(path: Path) -> dict[int, str]:
    """The text of each line of one of the sources."""
    corpus = load(path, ReadOptions(unlabelled=True, texts="line"))
    rows = [text for block in corpus.blocks() for text in block]
    return {int(corpus.place(row).split()[-1]): text for row, text in enumerate(rows)}


KILLS = """
import os, sys
from pathlib import Path
from lossworks.preparation import Texts, bands, candidates, digests, normalise, verified
from lossworks.preparation.pipeline import Job, work_through
from lossworks.tokens import build
texts = normalise(Texts.of(["warm", "up"])).texts  # compiled code is loaded once, for all children
build("words").learn([["warm", "up"]]).encode(["warm"]), digests(texts), verified(texts, texts, candidates(bands(texts)))
out, sync = Path(sys.argv[1]), os.fsync
def forked(dies):
    child = os.fork()
    if child:
        return child
    left = [dies]
    def fsync(file):
        left[0] -= 1
        if left[0] == 0:
            os.kill(os.getpid(), 9)
        sync(file)
    os.fsync = fsync
    work_through(Job.open(out))
    os._exit(0)
killed = [os.waitstatus_to_exitcode(os.waitpid(forked(dies), 0)[1]) for dies in (2, 5, 13, 31)]
two = [forked(0), forked(0)]
print(killed, [os.waitstatus_to_exitcode(os.waitpid(child, 0)[1]) for child in two])
"""
"""Goes on with a preparation in processes that are killed while they write, each after some more files; then in two at once."""


@pytest.mark.usefixtures("small")
def test_same_bytes(sources: Sources, tmp_path: Path) -> None:
    """Killed again and again in the middle of a file, and then finished by two processes at once, it ends in the same bytes."""
    files, _ = sources
    settings: dict[str, Any] = {"valid": 0.1, "tokenizer": "words"}
    prepare(files, tmp_path / "whole", **settings)
    begun = Job.begin(tmp_path / "killed", wanted(files, **settings))
    assert len(begun.pieces) > len(files)
    assert begun.ranges > 1
    done = subprocess.run([sys.executable, "-c", KILLS, str(tmp_path / "killed")], capture_output=True, text=True, check=True)
    assert done.stdout.strip() == f"{[-9] * 4} [0, 0]"
    assert bytes_of(tmp_path / "killed") == bytes_of(tmp_path / "whole")
    tokens = bytes_of(tmp_path / "whole")
    assert any(name.endswith(".tokens.safetensors") for name in tokens)
    prepare(files, tmp_path / "killed", **settings)  # of what is finished nothing is done again
    with pytest.raises(UsageError, match="of other settings or sources"):
        prepare(files, tmp_path / "killed", valid=0.2)


@pytest.mark.usefixtures("small")
def test_written_tokens_are_used(sources: Sources, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """A fit takes the tokens that were written, of whole parts and of rows drawn from one, and ends as one that makes them."""
    prepare(sources[0], made := tmp_path / "made", valid=0.1, test=0.1, tokenizer="words")
    for data in (made, made / "train"):
        for out, change in ((tmp_path / "own", None), (tmp_path / "written", "in_tokens")):
            with monkeypatch.context() as patched:
                patched.setattr(token_parts, change or "_written", lambda *given, **more: None)
                lossworks.fit(data, out=out / data.name, task="lm", model="ngram:order=2")
        own, written = (tmp_path / name / data.name for name in ("own", "written"))
        assert (own / "model.safetensors").read_bytes() == (written / "model.safetensors").read_bytes()
        assert (own / "tokenizer.json").read_bytes() == (made / "tokenizer.json").read_bytes()
        results = [lossworks.load_run(run).summary["result"]["metrics"] for run in (own, written)]
        assert results[0] == results[1]
    lossworks.fit(made, task="lm", model="ngram:order=2", tokenizer="chars")


@pytest.mark.usefixtures("small")
def test_changing_sources(sources: Sources, tmp_path: Path) -> None:
    """A source that changes or vanishes under the work, another process with other settings: said, and nothing is made of it."""
    files, _ = sources
    out = tmp_path / "out"

    def stop_after(stage: str) -> Any:
        def watch(event: str, fields: dict[str, Any]) -> None:
            if fields["stage"] == stage:
                raise KeyboardInterrupt

        return watch

    with pytest.raises(Interrupted, match="the same command goes on"):
        prepare(files, out, callbacks=Callbacks(watch=stop_after("decide")))
    with pytest.raises(UsageError, match=r"begun with other settings \(near\)"):
        prepare(files, out, near=0.9)
    with pytest.raises(DataError, match="is not finished"):
        load(out)
    was = files[0].read_text("utf-8")
    files[0].write_text(was + "another\n", "utf-8")
    with pytest.raises(DataError, match=r"a\.txt has changed since its preparation began"):
        prepare(files, out)
    files[0].unlink()
    with pytest.raises(DataError, match=r"there is no file .*a\.txt"):
        prepare(files, out)
    assert not (out / "manifest.json").exists()


def test_bad_sources(tmp_path: Path, put: Put, monkeypatch: pytest.MonkeyPatch) -> None:
    """Bad rows are named by their line in the whole file or left out and counted; compression that is cut off is found."""
    monkeypatch.setattr(jobs, "PIECE", 100)
    lines = [json.dumps({"text": sentence(i)}) for i in range(8)]
    lines[6] = '{"text": '
    path = put("bad.jsonl", "\n".join(lines))
    with pytest.raises(DataError, match=r"bad\.jsonl, line 7: not JSON"):
        prepare(path, tmp_path / "a")
    made = prepare(path, tmp_path / "b", read=ReadOptions(bad_rows="skip"))
    assert (made["counts"]["rows"], made["counts"]["bad"], made["counts"]["kept"]) == (8, 1, 7)
    nul = put("nul.txt", "one good line\nbad\0line\nanother good line\n")
    with pytest.raises(DataError, match=r"nul\.txt, line 2: the text holds a NUL byte"):
        prepare(nul, tmp_path / "c")
    packed = zstandard.compress("\n".join(map(sentence, range(200))).encode())
    with pytest.raises(DataError, match="damaged or cut off"):
        prepare(put("cut.txt.zst", packed[:-50]), tmp_path / "d")
    with pytest.raises(DataError, match=r"latin\.txt, line 2: byte 0xE9 is not UTF-8"):
        prepare(put("latin.txt", "plain\ncaf\xe9\n".encode("latin-1")), tmp_path / "e")
    (tmp_path / "f").mkdir()
    put("f/mine.txt", "mine")
    with pytest.raises(UsageError, match="holds something else"):
        prepare(nul, tmp_path / "f")


def test_damaged_directory(tmp_path: Path, put: Put) -> None:
    """A flipped bit, a missing shard, a manifest of another version: each is an error, whatever the bit was."""
    prepare(put("a.txt", "\n".join(map(sentence, range(9)))), tmp_path / "out")
    shard, manifest = tmp_path / "out/train/00000.safetensors", tmp_path / "out/manifest.json"
    good = bytearray(shard.read_bytes())
    good[len(good) // 2] ^= 4
    shard.write_bytes(good)
    with pytest.raises(RecordError, match="is damaged: it is not what was written"):
        load(tmp_path / "out", PLAIN)
    shard.unlink()
    with pytest.raises(RecordError, match="is missing"):
        load(tmp_path / "out/train", PLAIN)
    manifest.write_text(json.dumps({**json.loads(manifest.read_text("utf-8")), "format": 99}), "utf-8")
    with pytest.raises(RecordError, match="has format 99; this version reads format 1"):
        load(tmp_path / "out", PLAIN)
    manifest.write_text("{", "utf-8")
    with pytest.raises(LossworksError, match=r"manifest\.json is damaged"):
        load(tmp_path / "out", PLAIN)


def test_lines_are_read_like_rows(put: Put, tmp_path: Path) -> None:
    """Plain text read as bytes gives what the reader of rows gives: blank lines, carriage returns, an end without a newline."""
    path = put("odd.txt", "one\r\n\n  \r\ntwo \rthree\r\n\r\nfour\u2028five\nsix")
    prepare(path, tmp_path / "out", near=None, exact=False)
    rows = load(path, ReadOptions(unlabelled=True, texts="line"))
    assert len(rows) == 4
    assert texts(tmp_path / "out")[2] == "four\nfive"
    assert [len(text.split()) for text in texts(tmp_path / "out")] == [
        len(text.split()) for block in rows.blocks() for text in block
    ]
    assert texts(tmp_path / "out")[::3] == ["one", "six"]


@pytest.mark.usefixtures("small")
def test_tasks_of_others_are_counted(sources: Sources, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Progress counts what all workers have done, not what this one has seen done; else what is left is told twice over."""
    job, perform, told = Job.begin(tmp_path / "made", wanted(sources[0])), Stage.perform, []

    def by_others(self: Stage, job: Job, number: int) -> bool:
        return perform(self, job, number) and number % 2 == 0  # of the odd ones the other tells nobody

    def tell(stage: str, done: int, of: int) -> None:
        if stage == "read":
            told.append((done, len(list((job.work / "read").glob("*.json"))), of))

    monkeypatch.setattr(Stage, "perform", by_others)
    work_through(job, tell)
    assert len(told) > 2
    assert all(done == there for done, there, _ in told)
    assert told[-1][0] == told[-1][2]


def test_few_texts_are_read_alone(put: Put, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Of a few texts of a chunk nothing around them is read: on a disk, that would be megabytes for each."""
    lines = [sentence(number) for number in range(400)]
    job = Job.begin(tmp_path / "made", wanted([put("a.txt", "\n".join(lines))]))
    reading = next(stages(job))
    assert all(reading.perform(job, number) for number in range(len(reading.outputs)))
    found, seen = Layout.of(job), list[bool]()
    mapped = layout.map_tensors
    monkeypatch.setattr(
        layout, "map_tensors", lambda path, scattered: seen.append(scattered) or mapped(path, scattered=scattered)
    )
    layout._mapped.cache_clear()
    for rows in ([7, 300], range(0, 400, 2)):
        assert found.texts(np.array(rows)).strings() == [lines[row] for row in rows]
    assert seen == [True, False, False]  # the texts, where they begin, and all texts
