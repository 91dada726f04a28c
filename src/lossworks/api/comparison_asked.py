"""What is asked of ``compare``: the arms, what they have in common, and the data, checked; and the design that this makes."""

from __future__ import annotations

import hashlib
import json
import os
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import replace
from functools import partial
from pathlib import Path
from typing import Any

from ..core import own, values
from ..core.errors import UsageError
from ..data import ReadOptions
from ..data.formats.prepared import apart
from ..engine import Callbacks
from ..evidence import arms as arms_
from ..evidence import tuning
from ..evidence.benchmark import Benchmark
from ..evidence.design import Design
from ..evidence.each import family_of, is_each
from ..evidence.lineup import Pool, is_pool, lineup, members_of
from ..evidence.runs import opened
from ..models import build_language, is_graph, is_language
from ..training import Settings
from ..training.choices import check_names, for_family, renamed
from ..training.teaching import CUT, Teacher
from .reading import Source, held_out, reading_for
from .teaching import open_teacher

SEEDS, TRIALS = 8, 12


class Asked:
    """What was asked for, checked as far as can be without the data. Arguments as of ``compare``."""

    def __init__(
        self,
        data: Source,
        *,
        valid: Source | float | None = None,
        test: Source | float | None = None,
        read: ReadOptions | None = None,
        settings: Settings | Mapping[str, Any] | None = None,
        arms: Sequence[Mapping[str, Any]] = (),
        seeds: int = SEEDS,
        trials: int = TRIALS,
        tune: Sequence[str] = ("lr",),
        metric: str | None = None,
        margin: float | None = None,
        storage: str | None = None,
        jobs: int = 1,
        **choices: Any,
    ) -> None:
        for name, value, least in (("seeds", seeds, 1), ("trials", trials, 0), ("jobs", jobs, 1)):
            values.whole(name, value, least=least)
        values.number("margin", margin)
        data, valid, test = apart(data, valid, test)
        shares, given = held_out(valid, test)
        choices, arms = own.settled(choices | shares), [own.settled(arm) for arm in arms]
        named = {key: list(value) for key, value in choices.items() if isinstance(value, list | tuple)}
        common = {**_given(settings), **{key: value for key, value in choices.items() if key not in named}}
        check_names("compare", common, "arms", "read", "seeds", "trials", "tune", "out", "settings")
        for key in ("teach", "model"):  # what adds arms is an arm's own
            if key in common and (key == "teach" or is_pool(common[key]) or is_each(common[key])):
                named[key] = [common.pop(key)]
        families = [model for arm in arms for model in [arm.get("model")] if model] or [
            *named.get("model", []), *[common[key] for key in ("model",) if common.get(key)]
        ]  # fmt: skip
        families = [family_of(member) for model in families for member in members_of(model)]
        self.of_language = _of_language(common.get("task", "auto"), families)
        if self.of_language:
            common |= _first_language(common, families, [*named.get("tokenizer", []), *(arm.get("tokenizer") for arm in arms)])
        if "auto" in (common.get("lr"), *named.get("lr", [])):
            raise UsageError("lr is auto; compare tunes the rates itself, of all arms alike. Leave it out.")
        self.common = common
        self.lineup = lineup(arms_.choices_of(self.of_language, named, arms), common)
        self.own = self.lineup.own
        usual = for_family(common, {})
        taught = list(dict.fromkeys(own["teach"].removeprefix(CUT) for own in self.own if own.get("teach")))
        self.teachers: dict[str, Callable[[], Teacher]] = {name: partial(open_teacher, name, usual.device) for name in taught}
        self.read = reading_for(replace(usual, teach=taught[0]) if taught else usual, read)
        each = next((own["model"] for own in self.own if is_each(own.get("model"))), None)
        if each is not None and self.read.language is None:
            raise UsageError(
                f"--model {each} needs to know each row's language. Say where it stands: --language COLUMN, or --language file."
            )
        self.jobs, self.storage, self.margin = jobs, storage, margin
        self.seeds, self.trials, self.metric = seeds, trials, metric
        self.tune = tuning.parse(tune) if trials else ()
        self.spelled_tune = list(tune)
        self.sources: tuple[tuple[Any, int | None], ...] = tuple((_kept(source), part) for source, part in [(data, None), *given])

    @contextmanager
    def opened(self, callbacks: Callbacks) -> Iterator[Benchmark[Any]]:
        """The data, open."""
        how = self.sources, self.read, self.common, self.of_language, callbacks.watch, callbacks.stop
        with opened(*how, self.teachers) as benchmark:
            yield benchmark

    def design(self, benchmark: Benchmark[Any], folder: Path) -> Design:
        """What is to be done, all checks passed."""
        settings = [benchmark.resolve(own) for own in self.own]
        applied = {name for one in settings for name in one.to_json()}
        if unused := [name for name in self.common if name not in applied]:
            Settings(**{**self.common, **self.own[0]})  # says what it is for
            raise UsageError(f"--{unused[0].replace('_', '-')} applies to none of the arms. Leave it out.")
        found = arms_.arms_of(settings, {one.name for one in self.tune})
        metric = benchmark.metric(self.metric, settings)
        tuning.check_fits(self.tune, [arm.settings for arm in found])
        for arm in found:
            benchmark.check(arm.settings)
        _check_pools(self.lineup.pools, benchmark.task.kind)
        sources = self.sources
        if self.jobs > 1:
            if self.read.language is not None and any(source == "-" for source, _ in sources):
                raise UsageError("--language with --jobs is for files, which each process reads. Save what comes from stdin.")
            sources = tuple(
                (_rows(corpus, self.of_language) if source == "-" else source, part)
                for (source, part), corpus in zip(sources, benchmark.corpora, strict=True)
            )
        own_files = own.files_of(self.given())
        told = [self.given(), metric, benchmark.describe()["fingerprint"], *(file.digest for file in own_files)]
        name = json.dumps(told, sort_keys=True, default=str)
        return Design(
            name=hashlib.blake2b(name.encode(), digest_size=8).hexdigest(),
            sources=sources,
            read=self.read,
            common=self.common,
            of_language=self.of_language,
            arms=found,
            metric=metric,
            seeds=self.seeds,
            trials=self.trials,
            tune=self.tune,
            folder=folder.resolve(),
            storage=self.storage,
            controls=self.lineup.controls,
            pools=self.lineup.pools,
            teachers=self.teachers,
            own=tuple((file.path, file.digest) for file in own_files),
        )

    def given(self) -> dict[str, Any]:
        """What must be the same for the comparison to go on. Seeds and margin too: to choose them after a look at the verdict
        would undo it.
        """
        return {
            "common": self.common, "arms": self.own, "seeds": self.seeds, "trials": self.trials, "tune": self.spelled_tune,
            "metric": self.metric, "margin": self.margin,
            **({} if self.read.language is None else {"language": self.read.language}),
        }  # fmt: skip


def _check_pools(pools: Sequence[Pool], task: str) -> None:
    """Raise UsageError where the arms do not answer with distributions of one outcome."""
    for pool in pools:
        if task not in ("classify", "lm"):
            raise UsageError(f"{pool.name}: arms are pooled over classes or tokens, and the task is {task}. Leave it out.")


def _given(settings: Settings | Mapping[str, Any] | None) -> dict[str, Any]:
    """What settings say beyond what any say."""
    if not isinstance(settings, Settings):
        return {name: value for name, value in own.settled(renamed(settings or {})).items() if value is not None}
    blank = Settings()
    fields = Settings.__dataclass_fields__
    return own.settled({name: value for name in fields if (value := getattr(settings, name)) != getattr(blank, name)})


def _of_language(task: str, families: Sequence[str]) -> bool:
    """Whether the arms are language models.

    Raises:
        UsageError: they are models of knowledge graphs.
    """
    if task == "graph" or any(map(is_graph, families)):
        raise UsageError("compare is for models of text. Fit those of a knowledge graph one by one, with several seeds.")
    return task == "lm" or (task == "auto" and any(map(is_language, families)))


def _first_language(common: Mapping[str, Any], families: Sequence[str], tokenizers: Sequence[str | None]) -> dict[str, Any]:
    """The family and tokenizer that describe the data: of the first that is always trained by gradients, else the first."""
    names = list(families) or ["ngram"]
    first = next((one for one in names if build_language(one).by_gradients), names[0])
    tokenizer = common.get("tokenizer") or next((one for one in tokenizers if one), None)
    return {"model": first, "tokenizer": tokenizer or build_language(first).tokens}


def _kept(source: Any) -> Any:
    """A path, or rows that can be gone through more than once."""
    return source if isinstance(source, str | os.PathLike) else list(source)


def _rows(corpus: Any, of_language: bool) -> list[Any]:
    """The rows of stdin, for processes that cannot read it again."""
    texts = (text for block in corpus.blocks() for text in block)
    if of_language:
        return list(texts)
    weights = [1.0] * len(corpus) if corpus.weights is None else corpus.weights.tolist()
    return list(zip(texts, corpus.labels, weights, strict=True))
