"""A step by 1, 3 and 4 processes: the gradient of plain autograd within 1e-12, and the same bits in every world."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path

import pytest
import torch

from losses.case import near
from lossworks.engine.distributed import World
from lossworks.engine.joining import world
from lossworks.engine.tree import TreeSum, cover
from processes import audit, worlds

SPECS = ("cross_entropy", "forward_kl", "huber")
# Every loss with every risk, in turn whole and by single rows with sparse gradients; `python bench/parity.py` has all.
EACH = [each for n, each in enumerate(audit.combinations(SPECS)) if (n + n // 2 + n // 8) % 2]
SHARDS = 12  # which 1, 2, 3 and 4 divide, and which is no power of two


@pytest.fixture(scope="module")
def found(tmp_path_factory: pytest.TempPathFactory) -> dict[int, list[dict[str, list[torch.Tensor]]]]:
    """Of each world what each process made of each combination."""
    folder, every = tmp_path_factory.mktemp("worlds"), audit.every_case()

    def work(rank: int) -> None:
        joined = replace(world(), shards=SHARDS)
        made = {str(each): audit.made(every[each[0]], *each[1:], joined) for each in EACH}
        torch.save(made, folder / f"{joined.size}-{rank}.pt")

    alone = World(shards=SHARDS)
    one = {str(each): audit.made(every[each[0]], *each[1:], alone) for each in EACH}
    for size in (3, 4):
        assert worlds.run(size, work) == [0] * size
    return {1: [one]} | {size: [torch.load(folder / f"{size}-{rank}.pt") for rank in range(size)] for size in (3, 4)}


def test_like_plain_autograd(found: dict[int, list[dict[str, list[torch.Tensor]]]]) -> None:
    """Every loss, risk and way of accumulating, whole and sparse gradients: within 1e-12 of all rows at once; one shard too."""
    every = audit.every_case()
    for each in EACH:
        want = audit.wanted(every[each[0]], each[1])
        for got in (found[1][0][str(each)], audit.made(every[each[0]], *each[1:], World())):
            for mine, its in zip(got[:-1], want, strict=True):
                near(mine, its, 1e-12)


def test_same_bits_in_every_world(found: dict[int, list[dict[str, list[torch.Tensor]]]]) -> None:
    """Every process of every world has the bits of one process with as many shards."""
    for size, processes in found.items():
        for rank, made in enumerate(processes):
            for name, want in found[1][0].items():
                assert all(map(torch.equal, made[name], want)), (size, rank, name)


def test_memory_runs_out_in_one_process(tmp_path: Path) -> None:
    """Its shards alone are made in smaller parts; the others' bits stay, nobody waits for ever, and all know of it."""
    case, small = audit.every_case()["cross_entropy"], [100, 100, 1, 1]
    for risk in ("mean", "cvar:alpha=0.35"):

        def work(rank: int, risk: str = risk) -> None:
            joined = replace(world(), shards=4)
            torch.save(audit.made(case, risk, 100, False, joined, room=1 if rank else 100), tmp_path / f"{rank}.pt")

        assert worlds.run(2, work) == [0, 0]
        want = audit.made(case, risk, small, False, World(shards=4))
        for rank in range(2):
            for got, its in zip(torch.load(tmp_path / f"{rank}.pt"), want, strict=True):
                assert torch.equal(got, its), (risk, rank)
    *_, sizes = audit.made(case, "mean", 100, False, World(shards=4), room=2)
    assert sizes.tolist() == [100, 1, 1, 1]  # the first shard has two rows, the others three
    whole = audit.made(case, "mean", 100, False, World(shards=4))
    assert not all(map(torch.equal, whole, audit.made(case, "mean", small, False, World(shards=4))))


@pytest.mark.parametrize("count", range(1, 20))
def test_tree(count: int) -> None:
    """Whoever adds what first, the brackets are the same; the nodes that processes can sum are whole, and few."""

    def bracket(one: str, other: str) -> str:
        return f"({one} {other})"

    def whole(order: Iterator[int]) -> str:
        tree: TreeSum[str] = TreeSum(count, bracket)
        for part in order:
            tree.put((part, part + 1), str(part))
        return tree.total

    assert whole(iter(range(count))) == whole(iter(reversed(range(count))))
    for size in (size for size in range(1, count + 1) if count % size == 0):
        joined, tree = World(0, size, count), TreeSum(count, bracket)
        for rank in reversed(range(size)):
            own: TreeSum[str] = TreeSum(count, bracket)
            for part in joined.own_of(rank):
                own.put((part, part + 1), str(part))
            assert sorted(own.nodes) == cover((joined.own_of(rank).start, joined.own_of(rank).stop), (0, count))
            for node, value in own.nodes.items():
                tree.put(node, value)
        assert tree.total == whole(iter(range(count)))
