"""The store of finished trainings, in SQLite and in PostgreSQL: what is kept, who may train, what is refused."""

from __future__ import annotations

import json
import math
import sqlite3
import subprocess
import sys
from collections import Counter
from collections.abc import Iterator
from contextlib import closing
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from lossworks.core.errors import RecordError, UsageError
from lossworks.evidence.outcome import Outcome
from lossworks.evidence.store import FORMAT, RUN, TUNE, Key, Store, packed, unpacked

from .postgresql import serving

ARMS = ["cross_entropy", "mse"]
_BEGIN = """
import json, sys, time
from pathlib import Path
from lossworks.evidence.outcome import Outcome
from lossworks.evidence.store import RUN, TUNE, Key, Store
folder, url, number = Path(sys.argv[1]), sys.argv[2] or None, int(sys.argv[3])
"""
_CLAIM = """
with Store(folder, url, "name", ["a", "b"]).claim(Key(RUN, 0, 0)) as ours:
    print(ours, flush=True)
    time.sleep(60)
"""
_HAMMER = """
print("ready", flush=True)
sys.stdin.readline()
store, done = Store(folder, url, "name", ["a", "b"]), []
keys = [Key(stage, arm, seed) for stage in (TUNE, RUN) for arm in (0, 1) for seed in range(10)]
for key in keys[number * 7 :] + keys:
    with store.claim(key) as ours:
        if ours and not store.has(key):
            store.add(key, {"lr": 0.1}, Outcome(number, None, {}, [], 1.0, 1))
            done.append([key.stage, key.arm, key.number])
print(json.dumps(done))
"""


def _begun(script: str, folder: Path, url: str | None, number: int = 0) -> subprocess.Popen[bytes]:
    """A process at the store."""
    command = [sys.executable, "-c", _BEGIN + script, str(folder), url or "", str(number)]
    return subprocess.Popen(command, stdin=subprocess.PIPE, stdout=subprocess.PIPE)


@pytest.fixture(scope="module")
def server() -> Iterator[str]:
    """A PostgreSQL of the test's own."""
    with serving() as address:
        yield address


@pytest.fixture(params=["sqlite", "postgresql"])
def url(request: pytest.FixtureRequest) -> str | None:
    """No address, which is SQLite, and that of a server with no tables of ours."""
    if request.param == "sqlite":
        return None
    address: str = request.getfixturevalue("server")
    _psql(address, "DROP SCHEMA public CASCADE", "CREATE SCHEMA public")
    return address


def outcome(judged: float = 0.5, **more: Any) -> Outcome:
    """A training's end."""
    usual: dict[str, Any] = {
        "rows": None,
        "metrics": {"nll": 0.25},
        "curve": [(1.0, 0.5, 0.1 + 0.2)],
        "seconds": 1.5,
        "texts": 40,
    }
    return Outcome(judged=judged, **usual | more)


def test_kept_exactly(tmp_path: Path, url: str | None) -> None:
    """Everything comes back as it was, to the last bit: infinities, arrays, tuples, texts of any characters."""
    arrays = {"rows": np.array([0.1, math.inf, -0.0, 5e-324]), "said": np.array([1.0, 0.0])}
    full = outcome(math.pi, note="stopped: «early»\n\0", bins=[(0.9, 1 / 3, 7)], f1=[0.1, 1e-300], **arrays)
    one = Store(tmp_path, url, "name", ARMS)
    one.add(Key(RUN, 1, 0), {}, full)
    one.add(Key(TUNE, 0, 1), {"lr": 0.1}, outcome(math.inf, note="diverged"))
    for store in (one, Store(tmp_path, url, "name", ARMS)):
        found = store.finished()
        assert list(found) == [Key(TUNE, 0, 1), Key(RUN, 1, 0)]
        back, diverged = found[Key(RUN, 1, 0)], found[Key(TUNE, 0, 1)]
        for name, values in arrays.items():
            assert getattr(back, name).tobytes() == values.tobytes()
        for name in ("judged", "metrics", "curve", "seconds", "texts", "note", "bins", "f1"):
            assert getattr(back, name) == getattr(full, name)
        assert diverged.judged == math.inf
        assert diverged.rows is None
    assert unpacked(packed(arrays["rows"])).tobytes() == arrays["rows"].tobytes()


def test_comparisons_apart(tmp_path: Path, url: str | None) -> None:
    """Comparisons of other names in the same database do not see each other's trainings; the first record of a training stays."""
    one, other = (Store(tmp_path, url, name, ARMS) for name in ("one", "other"))
    one.add(Key(RUN, 0, 0), {}, outcome(1.0))
    one.add(Key(RUN, 0, 0), {}, outcome(2.0))
    assert one.finished()[Key(RUN, 0, 0)].judged == 1.0
    assert (one.has(Key(RUN, 0, 0)), one.has(Key(RUN, 0, 1)), other.has(Key(RUN, 0, 0))) == (True, False, False)
    assert not other.finished()


def test_claims(tmp_path: Path, url: str | None) -> None:
    """One at a time has a training; released, it can be had again, and what is being trained is nowhere in the records."""
    one, other = (Store(tmp_path, url, "name", ARMS) for _ in range(2))
    with one.claim(Key(RUN, 0, 0)) as first, other.claim(Key(RUN, 0, 0)) as second, other.claim(Key(RUN, 0, 1)) as third:
        assert (first, second, third) == (True, False, True)
        assert not other.has(Key(RUN, 0, 0))
    with other.claim(Key(RUN, 0, 0)) as again:
        assert again


def test_killed_while_training(tmp_path: Path, url: str | None) -> None:
    """A process killed with its claim leaves neither a lock nor a record."""
    process = _begun(_CLAIM, tmp_path, url)
    assert process.stdout is not None
    assert process.stdout.readline() == b"True\n"
    store = Store(tmp_path, url, "name", ARMS)
    with store.claim(Key(RUN, 0, 0)) as ours:
        assert not ours
    process.kill()
    process.communicate()
    assert not store.finished()
    for _ in range(1000):  # PostgreSQL notices a client's end a moment later
        with store.claim(Key(RUN, 0, 0)) as ours:
            if ours:
                return
    raise AssertionError("the lock outlived its process")


def test_four_processes(tmp_path: Path, url: str | None) -> None:
    """Four that begin at once make the tables once and divide forty trainings: none is lost, none is done twice."""
    processes = [_begun(_HAMMER, tmp_path, url, number) for number in range(4)]
    for process in processes:
        assert process.stdout is not None
        assert process.stdout.readline() == b"ready\n"
    for process in processes:
        assert process.stdin is not None
        process.stdin.write(b"go\n")
        process.stdin.flush()
    done = [(Key(*key), n) for n, process in enumerate(processes) for key in json.loads(process.communicate(timeout=60)[0])]
    assert len(done) == 40
    assert max(Counter(key for key, _ in done).values()) == 1
    assert {key: found.judged for key, found in Store(tmp_path, url, "name", ARMS).finished().items()} == dict(done)


def test_other_formats(tmp_path: Path, url: str | None, monkeypatch: pytest.MonkeyPatch) -> None:
    """Records of a later format are refused with both versions, and so are the Optuna studies of before, untouched."""
    Store(tmp_path, url, "name", ARMS)
    with monkeypatch.context() as patch:
        patch.setattr("lossworks.evidence.store.FORMAT", FORMAT + 1)
        with pytest.raises(RecordError, match=f"format {FORMAT} .*format {FORMAT + 1}.*another --out"):
            Store(tmp_path, url, "name", ARMS)
    before = [
        "DROP TABLE lossworks_format",
        "DROP TABLE lossworks_trainings",
        "CREATE TABLE study_user_attributes (study_id INTEGER, key VARCHAR(512), value_json TEXT)",
        "INSERT INTO study_user_attributes VALUES (1, 'somebody''s', '\"other\"')",
    ]
    _sql(tmp_path, url, *before)
    Store(tmp_path, url, "name", ARMS)  # studies of another program do not matter
    _sql(tmp_path, url, *before[:2], "INSERT INTO study_user_attributes VALUES (1, 'lossworks', '2')")
    with pytest.raises(RecordError, match=f"holds records of format 2 and this version reads format {FORMAT}"):
        Store(tmp_path, url, "name", ARMS)


@pytest.mark.parametrize("text", ["{", "{}", "[1]", '{"rows": "?"}', '{"rows": null, "said": null, "curve": [], "bins": 3}'])
def test_damaged_record(tmp_path: Path, text: str) -> None:
    """A record that is no outcome is named."""
    store = Store(tmp_path, None, "name", ARMS)
    store.add(Key(RUN, 1, 4), {}, outcome())
    _sql(tmp_path, None, f"UPDATE lossworks_trainings SET outcome = '{text}'")
    with pytest.raises(RecordError, match="record of run 4 of arm 1 is damaged"):
        store.finished()


def test_damaged_database(tmp_path: Path) -> None:
    """A file that is no database, and one cut short, end in our words."""
    store = Store(tmp_path, None, "name", ARMS)
    for number in range(40):
        store.add(Key(RUN, 0, number), {}, outcome(rows=np.random.default_rng(number).random(500)))
    whole = (tmp_path / "trials.db").read_bytes()
    for broken in (b"no database" * 100, whole[:9000], whole[:4096] + b"\xff" * (len(whole) - 4096)):
        (tmp_path / "trials.db").write_bytes(broken)
        with pytest.raises(RecordError, match="the storage of the trainings cannot be used"):
            Store(tmp_path, None, "name", ARMS).finished()


def test_busy(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """What another process is writing is waited for, and then an error of ours."""
    store = Store(tmp_path, None, "name", ARMS)
    monkeypatch.setattr("lossworks.evidence.store.databases._PATIENCE", 0.01)
    with closing(sqlite3.connect(tmp_path / "trials.db", isolation_level=None)) as other:
        other.execute("BEGIN EXCLUSIVE")
        with pytest.raises(RecordError, match="cannot be used: database is locked"):
            store.add(Key(RUN, 0, 0), {}, outcome())
        other.execute("COMMIT")
        store.add(Key(RUN, 0, 0), {}, outcome())
    assert store.has(Key(RUN, 0, 0))


def test_connection_cut(tmp_path: Path, server: str) -> None:
    """A server that drops every connection in the middle of a training: the lock is gone, the outcome is still kept."""
    _psql(server, "DROP SCHEMA public CASCADE", "CREATE SCHEMA public")
    store = Store(tmp_path, server, "cut", ARMS)
    with store.claim(Key(RUN, 0, 0)) as ours:
        assert ours
        _psql(server, "SELECT pg_terminate_backend(pid) FROM pg_stat_activity WHERE pid <> pg_backend_pid()")
        store.add(Key(RUN, 0, 0), {}, outcome())
    assert store.has(Key(RUN, 0, 0))


def test_no_driver(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Without psycopg the extra to install is named."""
    monkeypatch.setitem(sys.modules, "psycopg", None)
    with pytest.raises(UsageError, match=r'pip install "lossworks\[postgresql\]"'):
        Store(tmp_path, "postgresql://here", "name", ARMS)


def _sql(folder: Path, url: str | None, *statements: str) -> None:
    """Run statements in the store's database."""
    if url is not None:
        _psql(url, *statements)
        return
    with closing(sqlite3.connect(folder / "trials.db", isolation_level=None)) as connection:
        for statement in statements:
            connection.execute(statement)


def _psql(url: str, *statements: str) -> None:
    import psycopg

    with closing(psycopg.connect(url, autocommit=True)) as connection:
        for statement in statements:
            connection.execute(statement.encode())
