"""Errors, seeds and threads."""

from __future__ import annotations

import math
import threading
from types import SimpleNamespace
from typing import Any

import numpy as np
import pytest

from lossworks.core import domains, errors, seeds, threads


def test_one_tree_of_errors() -> None:
    """Every error of the house is below the root, drawn in the docstring, with the exit code it says."""
    tree = [e for e in vars(errors).values() if isinstance(e, type) and issubclass(e, Exception)]
    assert all(issubclass(e, errors.LossworksError) for e in tree)
    assert all(e.__name__ in (errors.__doc__ or "") for e in tree)
    codes = {e.__name__: e.exit_code for e in tree}
    assert codes == dict.fromkeys(codes, 2) | {"Diverged": 3, "OutOfMemory": 4, "PeerLost": 5, "Interrupted": 130}
    assert issubclass(errors.UsageError, ValueError)
    assert issubclass(errors.DataError, ValueError)


@pytest.mark.parametrize("name", ["cross_entrpy", "Cross_Entropy", "CROSS_ENTROPY", "ce", "CE"])
def test_suggestions(name: str) -> None:
    """A typo, other capitals or the initials get the name that was meant."""
    with pytest.raises(errors.UnknownName, match=r"Did you mean 'cross_entropy'\?"):
        raise errors.UnknownName("loss", name, ["mse", "nce", "cross_entropy"])


@pytest.mark.parametrize(
    ("check", "inside", "outside"),
    [
        (domains.positive, [1e-300, 1], [0, -1, math.inf, math.nan]),
        (domains.nonnegative, [0, 1], [-1e-300, math.inf, math.nan]),
        (domains.share, [0, 0.999], [-0.1, 1, math.nan]),
        (domains.count, [1, None], [0, -1, math.nan]),
    ],
)
def test_domains(check: Any, inside: list[float], outside: list[float]) -> None:
    """The ends of each domain, and what is no number; the error names the field."""
    check(SimpleNamespace(**{f"field{n}": value for n, value in enumerate(inside)}), *(f"field{n}" for n in range(len(inside))))
    for value in outside:
        with pytest.raises(errors.UsageError, match=f"^second is {value}; wanted "):
            check(SimpleNamespace(first=inside[0], second=value), "first", "second")


def test_seeds_are_a_function_of_their_place() -> None:
    """The numbers are written down here: another version must not order a resumed run's data anew."""
    assert seeds.derive(0, "order", 3) == 5486038029339273987
    assert seeds.generator(7, "x").integers(0, 1000, 5).tolist() == [339, 657, 368, 8, 387]


def test_places_do_not_meet() -> None:
    """Other seeds, words and numbers give other seeds, all within 63 bits."""
    found = {seeds.derive(s, word, n) for s in range(20) for word in ("order", "step", "weights") for n in range(50)}
    assert len(found) == 20 * 3 * 50
    assert all(0 <= seed < 2**63 for seed in found)


def test_generators_do_not_share_a_state() -> None:
    """Two of the same place give the same numbers, however they are mixed."""
    first, second = seeds.generator(1, "a"), seeds.generator(1, "a")
    mixed = [(first.random(), second.random()) for _ in range(5)]
    assert all(a == b for a, b in mixed)


@pytest.fixture
def fresh(monkeypatch: pytest.MonkeyPatch) -> pytest.MonkeyPatch:
    """The number of threads, not yet looked up; forgotten again afterwards."""
    threads.available.cache_clear()
    yield monkeypatch
    threads.available.cache_clear()


@pytest.mark.parametrize(("setting", "want"), [("3", 3), (" 12 ", 12)])
def test_threads_as_set(fresh: pytest.MonkeyPatch, setting: str, want: int) -> None:
    """The environment's word counts."""
    fresh.setenv("LOSSWORKS_THREADS", setting)
    assert threads.available() == want


@pytest.mark.parametrize("setting", ["", "0", None])
def test_threads_as_there_are(fresh: pytest.MonkeyPatch, setting: str | None) -> None:
    """Without a setting, the processors that may be used; all of them on a system that cannot say."""
    fresh.delenv("LOSSWORKS_THREADS", raising=False)
    if setting is not None:
        fresh.setenv("LOSSWORKS_THREADS", setting)
    fresh.setattr("os.sched_getaffinity", lambda pid: {0, 4, 7})
    assert threads.available() == 3
    threads.available.cache_clear()
    fresh.delattr("os.sched_getaffinity")
    fresh.setattr("os.cpu_count", lambda: 6)
    assert threads.available() == 6


@pytest.mark.parametrize(("processes", "want"), [("1", 8), ("2", 4), ("3", 2), ("20", 1), ("", 8), ("0", 8)])
def test_threads_beside_other_processes(fresh: pytest.MonkeyPatch, processes: str, want: int) -> None:
    """Processes that torchrun starts share the processors; at least one each. What is set is not divided."""
    fresh.delenv("LOSSWORKS_THREADS", raising=False)
    fresh.setenv("LOCAL_WORLD_SIZE", processes)
    fresh.setattr("os.sched_getaffinity", lambda pid: set(range(8)))
    assert threads.available() == want
    threads.available.cache_clear()
    fresh.setenv("LOSSWORKS_THREADS", "5")
    assert threads.available() == 5


@pytest.mark.parametrize("setting", ["two", "-1", "1.5"])
def test_threads_wrongly_set(fresh: pytest.MonkeyPatch, setting: str) -> None:
    """Is told in the user's words."""
    fresh.setenv("LOSSWORKS_THREADS", setting)
    with pytest.raises(errors.UsageError, match=f"LOSSWORKS_THREADS is '{setting}'; wanted a whole number"):
        threads.available()


def test_work_is_shared(monkeypatch: pytest.MonkeyPatch) -> None:
    """Every part is done once, on threads of its own where the work is large, here where it is small."""
    monkeypatch.setattr(threads, "available", lambda: 4)
    threads.renew()
    together = threading.Barrier(4, timeout=20)  # breaks unless all four parts run at the same time

    def kernel(part: int, parts: int, out: np.ndarray) -> None:
        if parts > 1:
            together.wait()
        out[part::parts] += 1

    for work in (10**6, 10):
        out = np.zeros(10)
        threads.share(kernel, work, out)
        assert out.tolist() == [1.0] * 10
    threads._pool().shutdown()
    threads.renew()


def test_an_error_in_a_part_is_raised(monkeypatch: pytest.MonkeyPatch) -> None:
    """Whichever thread it happened in."""
    monkeypatch.setattr(threads, "available", lambda: 2)

    def kernel(part: int, parts: int) -> None:
        if part == parts - 1:
            raise ZeroDivisionError

    for work in (10**6, 10):
        with pytest.raises(ZeroDivisionError):
            threads.share(kernel, work)
