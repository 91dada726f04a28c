"""Every choice that settings leave open made, as far as the task and the size of the data decide it."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace

from .. import balances, losses, models, optim, penalties, risks, schedules, tokens
from ..core import units
from ..core.errors import UsageError
from ..core.memory import rows_at_once
from ..metrics import STOPPING, check_metric
from ..models import LanguageSpec
from ..tasks import GraphCompletion, LabelTask, LanguageModeling
from .allowed import AUTO, BY_LANGUAGE
from .settings import Settings, spelled

_SMALLEST_BATCH = 16
_CLASS_TOKENS = "words"  # what tells classes apart best where spaces part them: docs/BENCHMARKS.md
_A_WORD, _MANY = 20, 0.08
"""Characters of a word, and the share of a text's characters that stand in longer ones from which on its words are not parted by
spaces: of 205 languages those with spaces have at most 0.06, and the others 0.11 or more."""
_UNSPACED = "tokens are characters, for in some of the texts no spaces stand between words; --tokenizer words says otherwise"


def for_examples(settings: Settings, task: LabelTask, rows: int) -> Settings:
    """Settings of a classifier or regression for ``rows`` training rows; all specs in their shortest spelling.

    Raises:
        UsageError: a choice does not fit the task.
    """
    settings = replace(settings, task=task.kind)
    model, risk = models.build(settings.spec), risks.build(settings.risk or "mean")  # type: ignore[arg-type]
    _check_risk(risk, task, settings)
    optimizer = optim.build(settings.optimizer or model.optimizer)
    full = optimizer.full_batch
    other = full and settings.optimizer is not None  # than the one that the model's epochs and patience are for
    given = settings.batch_size if isinstance(settings.batch_size, int) else _batch_size(rows)
    batch_size = rows if full else given
    if settings.optimizer is None and not full:  # the models' own are for the smallest batches
        optimizer = optimizer.for_batches(batch_size / _SMALLEST_BATCH)
    if isinstance(settings.lr, float | int):
        optimizer = replace(optimizer, lr=float(settings.lr))
    epochs, patience = (500, 20) if other else model.length(-(-rows // batch_size))
    penalty = settings.penalty or model.penalty(rows)
    micro_batch = settings.micro_batch or rows_at_once(task.outputs, model.micro_batch)
    measured = AUTO in (settings.batch_size, settings.micro_batch)
    return replace(
        settings,
        model=models.render(model),
        loss=losses.render(losses.build(settings.loss or task.default_loss)),
        optimizer=spelled(optimizer),
        schedule=schedules.render(schedules.build(settings.schedule or "constant")),
        penalty=penalties.render(penalties.build(penalty)) if penalty else None,
        risk=risks.render(risk),
        balance=settings.balance and balances.render(balances.build(settings.balance)),
        lr=AUTO if settings.lr == AUTO else optimizer.lr,
        epochs=settings.epochs or epochs,
        batch_size=batch_size,
        micro_batch=AUTO if measured else min(batch_size, int(micro_batch)),
        patience=settings.patience or patience,
    )


def for_language(settings: Settings, task: str) -> Settings:
    """Settings of a language model, or of classes by language models (``task``); specs in their shortest spelling."""
    spec = settings.spec
    assert isinstance(spec, LanguageSpec)
    if settings.lr == AUTO:
        raise UsageError("--lr auto is for classifiers and regressions. Give a rate.")
    check_stopping(settings, LanguageModeling.kind, judged=True)  # as far as is known
    asked = settings.tokenizer or (spec.tokens if task == "lm" else _CLASS_TOKENS)
    chosen = tokens.named(asked)
    # What is left open of a network is chosen later, so what was said of it must still be known, though it be the default.
    model = settings.model if spec.by_gradients else models.render(spec)
    return replace(
        settings,
        task=task,
        model=model or models.render(spec),
        tokenizer=tokens.render(chosen) if isinstance(chosen, tokens.TokenizerSpec) else asked,
        document_unit=settings.document_unit or "line",
        memory=None if settings.memory is None else units.size(settings.memory),
        balance=settings.balance and balances.render(balances.build(settings.balance)),
    )


def by_spaces(settings: Settings, texts: Sequence[str]) -> tuple[Settings, str]:
    """Settings whose tokens are words with characters in their place, and why, where no spaces part the words of some ``texts``,
    as in Chinese, Japanese or Thai; else as they are.
    """
    long = sum(len(word) for text in texts for word in text.split() if len(word) > _A_WORD)
    if long > _MANY * sum(map(len, texts)):
        return replace(settings, tokenizer="chars"), _UNSPACED
    return settings, ""


def for_graph(settings: Settings) -> Settings:
    """Settings of a model of a knowledge graph; all specs in their shortest spelling."""
    if AUTO in (settings.lr, settings.batch_size):
        raise UsageError("--lr auto and --batch-size auto are for classifiers and regressions. Give a number.")
    model = models.build_graph(settings.spec)  # type: ignore[arg-type]
    optimizer = settings.optimizer_or(model.optimizer)
    return replace(
        settings,
        task=GraphCompletion.kind,
        model=models.render(model),
        loss=losses.render(losses.build(settings.loss or GraphCompletion.default_loss)),
        optimizer=spelled(optimizer),
        schedule=schedules.render(schedules.build(settings.schedule or "constant")),
        lr=optimizer.lr,
        epochs=settings.epochs or model.epochs,
        batch_size=settings.batch_size or model.batch_size,
        patience=settings.patience or model.patience,
    )


def check_stopping(settings: Settings, kind: str, judged: bool) -> None:
    """Raise UsageError where training is to be stopped by a metric that the task has not, or by rows of which there are none
    (``judged``: there are, with what is true of them).
    """
    if settings.stop_by is None:
        return
    check_metric(kind, settings.stop_by, STOPPING)
    if not judged:
        raise UsageError("--stop-by judges by validation rows with labels, and there are none. Give --valid, or leave it out.")


def _check_risk(risk: risks.Risk, task: LabelTask, settings: Settings) -> None:
    """Raise UsageError where the risk compares groups and there are none, or the class weights would be lost in it."""
    if not risk.grouped or settings.groups == BY_LANGUAGE:
        return
    name = risks.render(risk)
    if not task.groups:
        raise UsageError(f"the risk {name!r} compares the classes; the task {task.kind} has none. Choose --risk mean or cvar.")
    if settings.class_weight is not None:
        raise UsageError(
            f"--class-weight has no effect on the risk {name!r}: it compares the classes' means, where a factor for "
            "a whole class cancels. Leave one of them out."
        )


def _batch_size(rows: int) -> int:
    """16 for a few thousand rows, up to 1,024 for many: 250 steps an epoch or more."""
    size = _SMALLEST_BATCH
    while size < 1024 and rows >= 250 * 2 * size:
        size *= 2
    return size
