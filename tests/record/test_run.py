"""One run directory: made, noted in, torn, read back."""

from __future__ import annotations

import json
import os
from pathlib import Path

import pytest

from lossworks.core.errors import RecordError, UsageError
from lossworks.record import Events, Run


@pytest.fixture
def run(tmp_path: Path) -> Run:
    """A fresh run."""
    return Run.create(tmp_path / "runs" / "one")


def test_create_and_open(tmp_path: Path, run: Run) -> None:
    """The folders above are made; what was written is read by whoever opens it."""
    run.write_summary({"status": "running"})
    assert Run(run.path).summary == {"format": 1, "status": "running"}
    run.write_summary({"status": "finished"})
    assert Run(str(run.path)).summary["status"] == "finished"
    assert os.listdir(run.path) == ["run.json"]


def test_a_run_is_never_written_over(run: Run) -> None:
    """A folder with a run is refused; an empty one, as a killed start leaves it, is taken."""
    Run.create(run.path)
    run.write_summary({})
    for status, remedy in (
        (None, ". Add --resume to continue it, or choose"),
        ("running", ". Add --resume to continue it, or choose"),
        ("failed", ", which failed. Remove the folder, add --resume to go on from its last checkpoint, or choose"),
        ("finished", ", which is finished. Remove the folder, or choose"),
    ):
        run.write_summary({} if status is None else {"status": status})
        with pytest.raises(UsageError) as told:
            Run.create(run.path)
        assert str(told.value) == f"{run.path} already holds a run{remedy} another --out."


def test_places_that_are_none(tmp_path: Path) -> None:
    """No folder to open; a file in the way; a name too long for the disk."""
    with pytest.raises(RecordError, match="no run directory at"):
        Run(tmp_path / "none")
    (tmp_path / "file").write_text("")
    for path in (tmp_path / "file", tmp_path / "file" / "run", tmp_path / ("x" * 300)):
        with pytest.raises(RecordError, match="cannot write"):
            Run.create(path)


@pytest.mark.parametrize("content", ['{"format": 2}', "[]", '"text"', "{}", "null"])
def test_another_format(run: Run, content: str) -> None:
    """Is told, with the format that this version reads."""
    (run.path / "run.json").write_text(content)
    with pytest.raises(RecordError, match=r"run\.json has format .*; this version reads format 1"):
        _ = run.summary


def test_a_key_that_is_missing(run: Run) -> None:
    """The file and the whole name of the key are told; what is there is a plain dictionary's."""
    run.write_summary({"config": {"model": {}}, "labels": ["a"], "result": None, "rows": [{"text": "b"}]})
    summary = run.summary
    assert (summary["config"].get("seed"), "seed" in summary, summary["labels"]) == (None, False, ["a"])
    for read, name in (
        (lambda: summary["status"], "status"),
        (lambda: summary["result"], "result"),
        (lambda: summary["config"]["model"]["seed"], "config.model.seed"),
        (lambda: summary["rows"][0]["label"], "rows.0.label"),
    ):
        with pytest.raises(RecordError, match=rf"run\.json is damaged: it lacks {name}\."):
            read()


@pytest.mark.parametrize("value", [3, "text", [], True])
@pytest.mark.parametrize("key", ["config", "data", "given", "result", "files"])
def test_parts_that_are_no_objects(run: Run, key: str, value: object) -> None:
    """The file and the key are told."""
    run.write_summary({key: value})
    with pytest.raises(RecordError, match=rf"run\.json is damaged: {key} is no object"):
        _ = run.summary


def test_notes_are_read_in_order(run: Run) -> None:
    """Each is on the disk as soon as it is made; a second opening goes on where the first ended."""
    assert run.events() == []
    run.note("start", text="开始 “x”\n")
    assert Run(run.path).events() == [{"event": "start", "text": "开始 “x”\n"}]
    run.close()
    run.close()
    run.note("train", step=1, loss=0.5)
    assert [event["event"] for event in Run(run.path).events()] == ["start", "train"]
    run.note("valid", loss=float("nan"), rates={"lr": float("inf")})
    assert run.events()[-1] == {"event": "valid", "loss": None, "rates": {"lr": None}}
    run.close()


@pytest.mark.parametrize("keep", range(1, 30))
def test_a_torn_line(run: Run, keep: int) -> None:
    """Cut anywhere, in the middle of a character too: it is not read, and the next note takes its place."""
    run.note("start")
    run.close()
    torn = json.dumps({"event": "train", "é": "产品产品"}, ensure_ascii=False).encode()[:keep]
    with (run.path / "log.jsonl").open("ab") as file:
        file.write(torn)
    assert [event["event"] for event in Run(run.path).events()] == ["start"]
    again = Run(run.path)
    again.note("resume", step=0)
    again.close()
    assert [event["event"] for event in again.events()] == ["start", "resume"]


def test_what_a_resumed_run_did_again_counts_once(run: Run) -> None:
    """Events after the step that was resumed from are replaced; two resumes in a row too."""
    run.note("start")
    for first, last in ((1, 6), (4, 5), (2, 3)):
        if first > 1:
            run.note("resume", step=first - 1)
        for step in range(first, last + 1):
            run.note("train", step=step, attempt=first)
    run.close()
    steps = [(e["step"], e["attempt"]) for e in run.events() if e["event"] == "train"]
    assert steps == [(1, 1), (2, 2), (3, 2)]
    assert run.events()[0] == {"event": "start"}


@pytest.mark.parametrize(
    "line",
    [b"{", b"5", b"[]", b"{}", b"null", b"\xff", b"", b'{"event": "resume"}', b'{"event": "resume", "step": "x"}'],
)
def test_a_damaged_line(run: Run, line: bytes) -> None:
    """Not at the end, so not torn by a crash: it is named by its number."""
    (run.path / "log.jsonl").write_bytes(b'{"event": "start"}\n' + line + b"\n")
    with pytest.raises(RecordError, match=r"log\.jsonl, line 2 is damaged. Delete that line"):
        run.events()


@pytest.mark.skipif(not Path("/dev/full").exists(), reason="needs a device that is always full")
def test_a_full_disk(run: Run, monkeypatch: pytest.MonkeyPatch) -> None:
    """A note that does not fit is an error of the house; closing afterwards is none, and nothing comes later."""
    (run.path / "log.jsonl").symlink_to("/dev/full")
    monkeypatch.setattr(os, "truncate", lambda path, length: None)
    monkeypatch.setattr(Path, "read_bytes", lambda path: b"")
    with pytest.raises(RecordError, match=r"cannot write .*log\.jsonl: No space left on device\. Free some space"):
        run.note("start")
    run.close()


def test_closing_on_a_failing_disk(run: Run, monkeypatch: pytest.MonkeyPatch) -> None:
    """The error of the last fsync is told, and the log let go of."""

    def fails(fd: int) -> None:
        raise OSError(5, "Input/output error")

    run.note("start")
    monkeypatch.setattr(os, "fsync", fails)
    with pytest.raises(RecordError, match=r"log\.jsonl: Input/output error"):
        run.close()
    run.close()


def test_read_as_it_grows(tmp_path: Path) -> None:
    """Only whole lines are taken, each once; a resumed run replaces; another log in the same place is read from its beginning."""
    path = tmp_path / "log.jsonl"
    events = Events(path)
    assert (events.read(), events.all) == (False, [])
    path.write_bytes(b'{"event": "start", "step": 0}\n{"event": "train", "st')
    assert events.read()
    assert [event["event"] for event in events.all] == ["start"]
    assert not events.read()
    with path.open("ab") as log:
        log.write(b'ep": 5}\n{"event": "resume", "step": 3}\n')
    assert events.read()
    assert [event["event"] for event in events.all] == ["start", "resume"]
    path.write_bytes(b'{"event": "start", "step": 0, "seed": 1}\n')
    assert events.read()
    assert events.all == [{"event": "start", "step": 0, "seed": 1}]


def test_one_writer(tmp_path: Path) -> None:
    """A run is held by one writer at a time, and everybody can see whether it is; nothing is left in the directory."""
    run, other = Run.create(tmp_path / "run"), Run(tmp_path / "run")
    assert not other.is_held
    with run.held():
        assert other.is_held
        with pytest.raises(RecordError, match="another process is writing"), other.held():
            pass
    assert not other.is_held
    assert list(run.path.iterdir()) == []
