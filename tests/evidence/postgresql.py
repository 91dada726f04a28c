"""A PostgreSQL server for a test: its own data, its own socket, gone afterwards."""

from __future__ import annotations

import os
import pwd
import shutil
import subprocess
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest


@contextmanager
def serving() -> Iterator[str]:
    """The address of a running server; skips where PostgreSQL is not installed."""
    pytest.importorskip("psycopg", reason="no PostgreSQL driver: pip install psycopg[binary]")
    found = sorted(Path("/usr/lib/postgresql").glob("*/bin/initdb"))
    where = found[-1].parent if found else Path(shutil.which("initdb") or "").parent
    if not (where / "pg_ctl").exists():
        pytest.skip("no PostgreSQL server here (Debian: postgresql)")
    folder = Path(tempfile.mkdtemp(prefix="lossworks-pg-"))
    user = _user(folder)
    try:
        _run(where / "initdb", "-D", str(folder / "data"), "-A", "trust", "-U", "lossworks", "--no-sync", user=user)
        options = f"-k {folder} -c listen_addresses='' -c fsync=off"
        log = str(folder / "log")
        _run(where / "pg_ctl", "-D", str(folder / "data"), "-o", options, "-l", log, "-w", "start", user=user)
        try:
            yield f"postgresql://lossworks@/postgres?host={folder}"
        finally:
            _run(where / "pg_ctl", "-D", str(folder / "data"), "-m", "immediate", "stop", user=user)
    finally:
        shutil.rmtree(folder, ignore_errors=True)


def _user(folder: Path) -> str | None:
    """Whom to serve as: PostgreSQL refuses root, so then as the user that its package makes."""
    if os.geteuid() != 0:
        return None
    try:
        entry = pwd.getpwnam("postgres")
    except KeyError:
        pytest.skip("PostgreSQL does not run as root, and there is no user postgres")
    os.chown(folder, entry.pw_uid, entry.pw_gid)
    return "postgres"


def _run(*command: object, user: str | None) -> None:
    subprocess.run([str(part) for part in command], user=user, check=True, cwd="/", stdout=subprocess.DEVNULL)
