"""Sharded scores against dense ones: every statistic and every loss, its values and gradients, on 2 and on 4 processes.

The processes are forked once: each of them goes through all ``CHECKS`` and writes down what went wrong. The tests then look up
what became of their check.
"""

from __future__ import annotations

import fcntl
import importlib
import json
import math
import os
import sys
import traceback
from collections.abc import Callable
from functools import partial
from itertools import accumulate
from pathlib import Path
from typing import Any
from unittest import mock

import pytest
import torch
from torch import Tensor, distributed
from torch.distributed import ReduceOp

from losses.case import Case, near, per_class
from losses.odd import cases
from lossworks.core.errors import UsageError
from lossworks.engine.joining import world as joined
from lossworks.losses import BinaryLoss, CategoricalLoss, losses
from lossworks.scores import Dense, Scores, Sharded, dense, replicated, sharded
from lossworks.scores.teacher import TopK
from processes import worlds
from scores.test_dense import STATISTICS

module, between = (importlib.import_module(f"lossworks.scores.{name}") for name in ("sharded", "between"))
WORLDS = (2, 4)
WHOLE: dict[str, str] = {}
"""Losses that ask for ``logits``, each with the reason. They must raise."""

CASES = {spec: case for entry in losses if issubclass(entry.thing, CategoricalLoss) for spec, case in cases(entry.name).items()}
CHECKS: dict[str, Callable[[], None]] = {}


def everywhere(check: Callable[[], None]) -> Callable[[], None]:
    """A check that runs on every process."""
    CHECKS[check.__name__] = check
    return check


def split(classes: int, *, uneven: bool = False) -> slice:
    """This process's outcomes: as even as can be, or with the last processes holding the most and the first few or none."""
    world, rank = distributed.get_world_size(), distributed.get_rank()
    sizes = [classes // world + (i < classes % world) for i in range(world)]
    if uneven:
        sizes = [(classes * (i + 1) ** 2) // world**2 - (classes * i**2) // world**2 for i in range(world)]
    edges = [0, *accumulate(sizes)]
    return slice(edges[rank], edges[rank + 1])


def shard(view: Dense, own: slice) -> Sharded:
    """The same scores, divided; of the logits this process keeps its own part, as a leaf."""
    teacher = shard(view.teacher, own) if isinstance(view.teacher, Dense) else view.teacher
    logits = view.logits.detach()[..., own].clone().requires_grad_()
    return sharded(logits, view.target, teacher=teacher, negatives=view.negatives)


def some(*shape: int, classes: int = 5, dtype: torch.dtype = torch.float64) -> tuple[Tensor, Tensor]:
    """Random logits that ask for gradients, and random targets; the same on every process."""
    logits = 2 * torch.randn(*shape, classes, dtype=torch.float64)
    return logits.to(dtype).requires_grad_(), torch.randint(classes, shape)


def close(*pairs: tuple[Tensor, Tensor], tolerance: float = 1e-12) -> None:
    """Each is what was wanted on every process, or all of them raise: one that went on alone would wait for the others."""
    wrong = []
    for got, want in pairs:
        try:
            near(got, want, tolerance)
        except AssertionError as error:
            wrong.append(str(error))
    count = torch.tensor(bool(wrong)).long()
    distributed.all_reduce(count)
    assert not count, f"wrong on {count} processes; on this one: {wrong}"


def agree(statistic: Callable[[Scores], Tensor], view: Dense, tolerance: float = 1e-10) -> None:
    """The same values and, into each process's logits, the same gradients as dense scores, however they are divided."""
    want = statistic(view)
    grad_output = torch.where(want.isfinite(), torch.randn(want.shape, dtype=want.dtype), 0.0)
    slope = torch.autograd.grad(want, view.logits, grad_output)[0]
    for uneven in (False, True):
        own = split(view.classes, uneven=uneven)
        mine = shard(view, own)
        got = statistic(mine)
        close((got, want), (torch.autograd.grad(got, mine._given, grad_output)[0], slope[..., own]), tolerance=tolerance)


TOLERANCE = {torch.float64: 1e-10, torch.float32: 2e-5, torch.bfloat16: 0.06}


def loss_agrees(case: Case, classes: int, *, uneven: bool = False, dtype: torch.dtype = torch.float64) -> None:
    """Values, the gradient into the hidden states and into this process's rows of the head's weight are those of dense."""
    hidden, weight = torch.randn(2, 3, 4, dtype=torch.float64).to(dtype), torch.randn(classes, 4, dtype=torch.float64).to(dtype)
    target = torch.randint(classes, (2, 3))
    beside = case.beside(target, classes) if case.beside else {}
    whole = hidden.clone().requires_grad_(), weight.clone().requires_grad_()
    want = case.loss(dense(whole[0] @ whole[1].T, target, **beside))
    own = split(classes, uneven=uneven)
    if isinstance(beside.get("teacher"), Dense):
        beside |= {"teacher": shard(beside["teacher"], own)}
    parts = hidden.clone().requires_grad_(), weight[own].clone().requires_grad_()
    got = case.loss(sharded(replicated(parts[0]) @ parts[1].T, target, **beside))
    grad_output = torch.randn(want.shape, dtype=want.dtype)
    into_hidden, into_weight = torch.autograd.grad(want, whole, grad_output)
    slopes = torch.autograd.grad(got, parts, grad_output)
    close((got, want), (slopes[0], into_hidden), (slopes[1], into_weight[own]), tolerance=TOLERANCE[dtype])


def check_loss(spec: str) -> None:
    """The loss ``spec``: agrees with dense scores, or refuses."""
    case = CASES[spec]
    if spec.partition(":")[0] in WHOLE:
        refuses("Gather the logits", lambda: loss_agrees(case, case.classes))
        return
    loss_agrees(case, case.classes)
    if distributed.get_world_size() != 2:
        return
    for dtype in (torch.float32, torch.bfloat16):
        loss_agrees(case, case.classes, dtype=dtype)
    if not per_class(case.loss) and not isinstance(case.loss, BinaryLoss):
        loss_agrees(case, 7, uneven=True)


CHECKS |= {f"loss {spec}": partial(check_loss, spec) for spec in CASES}


@everywhere
def check_head_of_a_language_model() -> None:
    """All that a head has at once: soft-capped logits, smoothing, weights of classes, a z-loss, targets that are ignored; of more
    outcomes than processes, of which none divides them, and of fewer.
    """
    for classes in (5, 3):
        weights = "/".join(str(0.5 + outcome) for outcome in range(classes))
        loss = losses.build(f"cross_entropy:label_smoothing=0.1,class_weights={weights}"), losses.build("z_loss")
        hidden, weight = torch.randn(7, 4, dtype=torch.float64), torch.randn(classes, 4, dtype=torch.float64)
        target, kept = torch.randint(classes, (7,)), torch.tensor([1.0, 0, 1, 1, 0, 1, 1], dtype=torch.float64)

        def mean(scores: Scores, loss: tuple[Any, ...] = loss, kept: Tensor = kept) -> Tensor:
            return ((loss[0](scores) + 0.01 * loss[1](scores)) * kept).sum() / kept.sum()

        whole, own = (hidden.clone().requires_grad_(), weight.clone().requires_grad_()), split(classes)
        want = mean(dense(2 * torch.tanh(whole[0] @ whole[1].T / 2), target))
        parts = hidden.clone().requires_grad_(), weight[own].clone().requires_grad_()
        got = mean(sharded(2 * torch.tanh(replicated(parts[0]) @ parts[1].T / 2), target))
        slopes, others = torch.autograd.grad(got, parts), torch.autograd.grad(want, whole)
        close((got, want), (slopes[0], others[0]), (slopes[1], others[1][own]))


WEIGHT = torch.tensor([1.0, 0.0, 2.5, 0.3, 7.0], dtype=torch.float64)
MORE: dict[str, Callable[[Scores], Tensor]] = {
    "max_other_logp": lambda s: s.max_other_logp,
    "rest_logp": lambda s: s.rest_logp,
    "expected_logp by position": lambda s: s.expected_logp(torch.linspace(0, 1, 30, dtype=torch.float64).view(2, 3, 5)),
    "sum": lambda s: s.sum(lambda logp: logp.exp() * logp.square()),
    "sum beside classes": lambda s: s.sum(lambda logp, w: w * logp.exp().pow(3), WEIGHT),
    "sum beside classes by position": lambda s: s.sum(torch.mul, torch.linspace(0, 1, 30, dtype=torch.float64).view(2, 3, 5)),
    "sum beside a statistic": lambda s: s.sum(lambda logp, h: (logp + h).square() * logp.exp(), s.entropy.unsqueeze(-1)),
    "sum of sums": lambda s: s.sum(lambda p, m: (p - m).square(), s.sum(lambda p: p.exp().sqrt()).unsqueeze(-1)),
    "lse twice": lambda s: s.logsumexp.square() * s.logp - s.logsumexp * s.entropy,
    "adjusted": lambda s: s.adjusted(scale=0.7, offset=WEIGHT, margin=torch.arange(6.0).view(2, 3)).entropy,
    "adjusted by a statistic": lambda s: s.adjusted(margin=s.entropy).logp * s.logp,
    "adjusted, target": lambda s: s.adjusted(scale=3.0, margin=torch.full((2, 3), 0.5)).logp,
    "rows": lambda s: s.rows(torch.tensor([4, 0, 4])).logp,
    "rows, a slice": lambda s: s.rows(slice(1, 5)).entropy,
    "values a class": lambda s: s.at_target(s.of_classes((1.0, 2.0, 3.0, 4.0, 5.0), "weights")) * s.logp,
}
EVERY = {name: statistic for name, (statistic, _, _) in STATISTICS.items()} | MORE


def check_statistic(name: str) -> None:
    """The statistic of positions in two axes."""
    agree(EVERY[name], dense(*some(2, 3)), 1e-12)


def check_single(name: str) -> None:
    """The statistic of one position without an axis, and of none."""
    agree(EVERY[name], dense(*some()))
    agree(EVERY[name], dense(*some(0)))


def check_extremes(name: str) -> None:
    """-inf and ±1e4 give what they give dense scores, and no nan."""
    low, high = -math.inf, 1e4
    rows = [[low, low, low, low, 0.0], [high, low, high, low, -high], [high, -high, high, -high, 0.0], [0.0, low, low, 1.0, low]]
    logits, target = torch.tensor(rows, dtype=torch.float64, requires_grad=True), torch.tensor([4, 2, 0, 3])
    agree(EVERY[name], dense(logits, target))
    values = EVERY[name](dense(logits, target))
    assert not values.isnan().any()
    mine = sharded(logits.detach().float()[:, split(5)].requires_grad_(), target)
    single = EVERY[name](mine)
    slopes = [torch.autograd.grad(v[v.isfinite()].sum(), z)[0] for v, z in ((single, mine._given), (values, logits))]
    close((single.double(), values), (slopes[0].double(), slopes[1][:, split(5)]), tolerance=1e-6)


CHECKS |= {f"statistic {name}": partial(check_statistic, name) for name in EVERY}
CHECKS |= {f"shape of {name}": partial(check_single, name) for name in STATISTICS}
CHECKS |= {f"extremes of {name}": partial(check_extremes, name) for name in (*STATISTICS, "max_other_logp", "rest_logp")}


@everywhere
def asked_without_gradients_first() -> None:
    """A statistic that was first read under no_grad still has its gradient afterwards."""
    for name in ("logp", "mean_logp", "entropy", "logsumexp", "max_other_logp", "rest_logp", "log_probabilities"):
        logits, target = some(3)
        mine = shard(dense(logits, target), split(5))
        with torch.no_grad():
            getattr(mine, name)
        assert getattr(mine, name).requires_grad, name


@everywhere
def one_outcome() -> None:
    """A vocabulary of one word: sure of it, and no other is second."""
    agree(lambda s: s.logp, dense(*some(3, classes=1)))
    assert shard(dense(*some(3, classes=1)), split(1)).max_other_logp.tolist() == [-math.inf] * 3


@everywhere
def half_precision() -> None:
    """Is read in float32, and its gradient comes back in its own type."""
    for dtype in (torch.float16, torch.bfloat16):
        logits, target = some(30, dtype=dtype)
        own = split(5)
        mine = logits.detach()[..., own].clone().requires_grad_()
        got, want = sharded(mine, target).entropy, dense(logits, target).entropy
        assert got.dtype == torch.float32
        close((got, want), tolerance=1e-6)
        slopes = [torch.autograd.grad(values.sum(), z)[0] for values, z in ((got, mine), (want, logits))]
        assert slopes[0].dtype == dtype
        close((slopes[0], slopes[1][..., own]), tolerance=torch.finfo(dtype).eps)


@everywhere
def argmax_is_the_first_of_equals() -> None:
    """Over all processes, ties within one and between several; of all impossible ones too."""
    rows = [[1, 3, 3, 0, 3, 3, 2], [2] * 7, [0, 0, 0, 0, 0, 0, 1], [-math.inf, -math.inf, -5, -math.inf, -5, -9, -9]]
    view = dense(torch.tensor(rows, dtype=torch.float64), torch.tensor([1, 0, 6, 2]))
    for uneven in (False, True):
        mine = shard(view, split(7, uneven=uneven))
        assert mine.argmax.tolist() == [1, 0, 6, 2]
        close((mine.max_other_logp, view.max_other_logp))
    random = dense(*some(100, classes=7))
    assert torch.equal(shard(random, split(7)).argmax, random.argmax)


@everywhere
def teachers() -> None:
    """A sharded teacher compares as a dense one does, a top-k teacher too; rows of both; the teacher gets no gradient."""
    f = lambda p, q: (q.exp() * (q - p)).masked_fill(q.isneginf(), 0.0) + (p.exp() - q.exp()).square()  # noqa: E731
    for given in (dense(*some(2, 3)), TopK(torch.tensor([4, 1]).expand(2, 3, 2), torch.full((2, 3, 2), -1.5).double())):
        view = dense(*some(2, 3), teacher=given)
        agree(lambda s: s.against_teacher(f), view)
        agree(lambda s: s.rows(slice(2, 6)).against_teacher(f), view)
        agree(lambda s: s.adjusted(scale=2.0).against_teacher(f), view)
    mine = shard(dense(*some(2), teacher=dense(*some(2))), split(5))
    mine.against_teacher(f).sum().backward()
    assert mine._given.grad is not None
    assert mine.teacher._given.grad is None  # type: ignore[union-attr]


@everywhere
def negatives() -> None:
    """Ids to push down are found wherever they are; padding too."""
    ids = torch.tensor([[0, 4, -1], [2, 2, 3], [-1, -1, -1]])
    agree(lambda s: torch.where(s.logp_of_negatives()[1], s.logp_of_negatives()[0], 0.0).sum(-1), dense(*some(3), negatives=ids))


@everywhere
def second_derivatives() -> None:
    """The gradient of a gradient's squares is that of dense scores."""
    logits, target = some(4)
    own = split(5, uneven=True)

    def twice(statistic: Callable[[Scores], Tensor], view: Any, z: Tensor) -> Tensor:
        slope = torch.autograd.grad(statistic(view).square().sum(), z, create_graph=True)[0]
        penalty = slope.square().sum()
        return torch.autograd.grad(between.summed(penalty, None) if isinstance(view, Sharded) else penalty, z)[0]

    for statistic in (lambda s: s.logp, lambda s: s.entropy, lambda s: s.max_other_logp, lambda s: s.logsumexp):
        mine = logits.detach()[..., own].clone().requires_grad_()
        slopes = twice(statistic, sharded(mine, target), mine), twice(statistic, dense(logits, target), logits)
        close((slopes[0], slopes[1][..., own]), tolerance=1e-10)


@everywhere
def tells_which_part() -> None:
    """``explain`` names the processes and the slice; ``classes`` are all outcomes; the target is what was given."""
    logits, target = some(2)
    own = split(5)
    mine = sharded(logits.detach()[..., own], target)
    world = distributed.get_world_size()
    assert mine.explain().startswith(f"sharded: 5 outcomes over {world} processes, {own.start} to {own.stop}"), mine.explain()
    assert (mine.classes, mine.target is target) == (5, True)


@everywhere
def some_of_the_processes() -> None:
    """Groups of two share the outcomes of their own positions, and take no notice of one another."""
    pairs = [distributed.new_group([first, first + 1]) for first in range(0, distributed.get_world_size(), 2)]
    pair, place = divmod(distributed.get_rank(), 2)
    torch.manual_seed(pair)
    logits, target = some(6)
    own = (slice(0, 2), slice(2, 5))[place]
    mine = logits.detach()[..., own].clone().requires_grad_()
    got, want = sharded(mine, target, pairs[pair]).entropy, dense(logits, target).entropy
    slopes = [torch.autograd.grad(values.sum(), z)[0] for values, z in ((got, mine), (want, logits))]
    close((got, want), (slopes[0], slopes[1][..., own]))


@everywhere
def refusals() -> None:
    """What cannot be said raises on every process alike, with the remedy, and nothing hangs."""
    logits, target = some(3)
    own, rank = split(5), distributed.get_rank()
    mine = shard(dense(logits, target), own)
    refuses("Gather the logits", lambda: mine.logits)
    refuses("Shard both in the same way", lambda: mine.sum(torch.mul, dense(logits, target)))
    refuses("Shard both in the same way", lambda: mine.sum(torch.mul, shard(dense(logits, target), split(5, uneven=True))))
    refuses("wanted all 5 outcomes or 1 as its last axis", lambda: mine.sum(torch.mul, torch.zeros(3)))
    refuses("weights: got 2 values for 5 classes", lambda: mine.of_classes((1.0, 2.0), "weights"))
    refuses(r"target \(2,\)", lambda: sharded(logits[..., own], target[:2]))
    refuses("Give class numbers", lambda: sharded(logits[..., own], target.double()))
    count = 3 if rank else 2
    refuses(r"the processes hold \[2, 3.*\] positions", lambda: sharded(logits[:count, own], target[:count]))
    for bad in (-1, 5):
        for uneven in (False, True):
            part = logits[..., split(5, uneven=uneven)]
            refuses("for 5 outcomes, 0 to 4", lambda part=part, bad=bad: sharded(part, torch.full_like(target, bad)))


def refuses(message: str, act: Callable[[], object]) -> None:
    """``act`` raises UsageError, and it says so."""
    with pytest.raises(UsageError, match=message):
        act()


def _kept_here(ctx: Any, grad_output: Tensor) -> tuple[Tensor, None]:
    return grad_output, None


def _once_a_process(ctx: Any, grad_output: Tensor) -> tuple[Tensor, None]:
    return REDUCED(grad_output, ReduceOp.SUM, ctx.group), None


def _largest_here(tensor: Tensor, how: Any, group: Any) -> Tensor:
    return tensor.clone() if how == ReduceOp.MAX else REDUCED(tensor, how, group)


REDUCED = between.reduced
# each: what is put in the place of what, and the check that is there to catch it
FAULTS: dict[str, tuple[Any, str, Any, str]] = {
    "gradient of a shared value stays here": (between._Replicated, "backward", _kept_here, "statistic logp"),
    "loss counts once a process": (between._Total, "backward", _once_a_process, "statistic logp"),
    "hidden states not replicated": (sys.modules[__name__], "replicated", torch.clone, "loss cross_entropy"),
    "peak of this process alone": (module, "reduced", _largest_here, "statistic logp"),
    "slice of the first process": (module.Slice, "of", lambda own, v: v[..., : own.stop - own.start], "statistic expected_logp"),
}


def check_fault(name: str) -> None:
    """The planted fault is caught by the check named beside it."""
    where, what, wrong, check = FAULTS[name]
    with mock.patch.object(where, what, wrong), pytest.raises(AssertionError):
        CHECKS[check]()


CHECKS |= {f"fault: {name}": partial(check_fault, name) for name in FAULTS}


def checks(world: int) -> list[str]:
    """What is checked on so many processes: on 2 all; on more, all but the losses, which see the others through statistics
    alone (of them only the plain one and those with values a class), and the statistics of extremes and of single positions.
    """
    few = {f"loss {spec}" for spec, case in CASES.items() if spec != "cross_entropy" and not per_class(case.loss)}
    return [name for name in CHECKS if world == 2 or not (name in few or name.startswith(("shape of", "extremes of")))]


@pytest.fixture(scope="session")
def outcomes(tmp_path_factory: pytest.TempPathFactory) -> dict[int, list[dict[str, str]]]:
    """For each number of processes, what each process wrote down: the check's name and, where it failed, how.

    Where the tests themselves are shared among workers, the first that gets here starts the processes, and the others wait.
    """
    folder = tmp_path_factory.getbasetemp() / "sharded"
    if "PYTEST_XDIST_WORKER" in os.environ:
        folder = folder.parents[1] / "sharded"
    folder.mkdir(exist_ok=True)
    files = {world: [folder / f"{world}-{rank}.json" for rank in range(world)] for world in WORLDS}
    with (folder / "lock").open("w") as lock:
        fcntl.flock(lock, fcntl.LOCK_EX)
        if not (folder / "ended").exists():
            for world in WORLDS:
                worlds.run(world, partial(_process, folder))
            (folder / "ended").touch()
    return {
        world: [json.loads(file.read_text()) if file.exists() else {} for file in written] for world, written in files.items()
    }


@pytest.mark.parametrize(("name", "world"), [(name, world) for world in WORLDS for name in checks(world)])
def test_sharded(name: str, world: int, outcomes: dict[int, list[dict[str, str]]]) -> None:
    """The check of this name held on every process."""
    for rank, told in enumerate(outcomes[world]):
        wrong = told.get(name, "not run: a check before it broke off")
        assert not wrong, f"process {rank} of {world}: {wrong}"


def test_without_processes() -> None:
    """Without a process group the error says how to make one."""
    with pytest.raises(UsageError, match="init_process_group"):
        sharded(torch.zeros(3, 5), torch.zeros(3, dtype=torch.int64))


def test_what_asks_for_logits_is_registered() -> None:
    """No excuse outlives its loss."""
    assert WHOLE.keys() <= {entry.name for entry in losses}


def _process(folder: Path, rank: int) -> None:
    """Go through all checks as one process of several."""
    world = joined().size
    told = {}
    for name in checks(world):
        torch.manual_seed(0)
        told[name] = _what_went_wrong(CHECKS[name])
        (folder / f"{world}-{rank}.json").write_text(json.dumps(told))
        failed = torch.tensor(bool(told[name])).long()
        distributed.all_reduce(failed)
        if failed not in (0, world):  # what the processes do next might no longer fit together
            break


def _what_went_wrong(check: Callable[[], None]) -> str:
    try:
        check()
    except (Exception, pytest.fail.Exception):  # noqa: BLE001 - whatever it is, the test that asks for it shows it
        return traceback.format_exc()
    return ""
