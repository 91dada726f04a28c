"""Sources by their names, opened: runs, files of knowledge, and what needs no training; and a second seed of a run."""

from __future__ import annotations

from collections.abc import Sequence
from contextlib import closing
from dataclasses import dataclass, field, replace
from pathlib import Path

import numpy as np

from ..core.errors import UsageError
from ..data import PARTS, ReadOptions, infer_task, load
from ..engine import Callbacks
from ..fusion.sources import LabelSource, RunSource, fitted_by, is_fitted, kind_of
from ..inference import same_tokens
from ..models import LanguageModel, LanguageSpec, build_language
from ..models.neural import NeuralModel
from ..models.pool import NearestSpec, UntrainedSpec
from ..record import Run
from ..record.scratch import temporary
from ..tasks import LABEL_TASKS, LabelTask
from ..training import Settings
from .fit import fit
from .held import as_trained
from .language import Language
from .loading import load_text as load_run
from .model import Model
from .reading import Source
from .replayed import settings_of
from .run_data import sources as recorded
from .trained_on import training_texts

_NEAREST = "nearest:"

Given = str | Path | Model | Language | LabelSource | LanguageSpec
"""A run's directory, ``run:DIR``, the spec of another source (``cache``, ``lexicon:FILE``), or one that was made."""


@dataclass(slots=True)
class Opened:
    """Sources by name, the first one's run, and for what labels they are (None: they are of language)."""

    names: list[str]
    sources: list[LabelSource | LanguageModel]
    models: list[Model | Language | None]
    task: LabelTask | None
    specs: list[LanguageSpec] = field(default_factory=list)

    @property
    def base(self) -> Model | Language | None:
        return self.models[0]

    def named(self) -> list[tuple[str, LabelSource | LanguageModel]]:
        return list(zip(self.names, self.sources, strict=True))


def open_sources(
    sources: Sequence[Given], on: Source, read: ReadOptions | None, device: str, callbacks: Callbacks
) -> tuple[Opened, ReadOptions]:
    """The sources, and how the data is read.

    Raises:
        UsageError: they are of different kinds, have other outcomes, or are to be fitted to training rows that are not there.
    """
    names = [_name(given, number) for number, given in enumerate(sources, 1)]
    if len(set(names)) < len(names):
        raise UsageError("a source is named twice. Name each once.")
    models = [_loaded(given, device) for given in sources]
    found = [model for model in models if model is not None]
    if any(isinstance(model, Language) for model in found):
        return _open_language(names, sources, models, read, device)
    base = next((model for model in found if isinstance(model, Model)), None)
    reading = as_trained(read, *(model.record for model in found))
    if base is None:
        with closing(load(on, reading)) as corpus:
            kind, _ = infer_task(corpus.labels)
            task = LABEL_TASKS[kind].of(corpus, np.ones(len(corpus), bool))
    else:
        task = base.predictor.task
    if not task.has_probabilities:
        raise UsageError("the sources predict numbers, and a pool is over outcomes. Average their predictions instead.")
    opened: list[LabelSource | LanguageModel] = []
    for number, (name, given) in enumerate(zip(names, sources, strict=True)):
        if is_fitted(str(given)) and base is not None and base.path is not None:
            callbacks.watch("fuse", {"doing": "training", "source": name})
            models[number] = _fitted(str(given), base, reading, device)
        model = models[number]
        if isinstance(model, Model):
            if (model.predictor.task.kind, model.predictor.task.labels) != (task.kind, task.labels):
                raise UsageError(f"{name} has other labels than {names[models.index(base)]}, so they cannot be pooled.")
            opened.append(RunSource(model.predictor))
        elif isinstance(given, LabelSource):
            opened.append(given)
        else:
            kind, _, where = str(given).partition(":")
            opened.append(kind_of(kind).open(where, task))
    return Opened(names, opened, models, task), reading


def _open_language(
    names: list[str], sources: Sequence[Given], models: list[Model | Language | None], read: ReadOptions | None, device: str
) -> tuple[Opened, ReadOptions]:
    base = models[0]
    if not isinstance(base, Language):
        raise UsageError(f"the first source is {names[0]}; wanted a run of a language model, to which the others are added.")
    if wrong := [name for name, model in zip(names, models, strict=True) if isinstance(model, Model)]:
        raise UsageError(f"{names[0]} is a language model, and {wrong[0]} is none: they have no outcomes in common.")
    runs = {name: model.trained.tokens for name, model in zip(names, models, strict=True) if isinstance(model, Language)}
    if said := same_tokens(list(runs), list(runs.values())):
        raise UsageError(
            f"{said}, so their probabilities are of other things. Fit one again on the tokens of the other: "
            f"--tokenizer {names[0]}/tokenizer.json; or mix whole texts, without a run of it: --per text and no --out."
        )
    opened: list[LabelSource | LanguageModel] = []
    specs: list[LanguageSpec] = []
    for name, given, model in zip(names, sources, models, strict=True):
        if isinstance(model, Language):
            specs.append(model.trained.spec)
            opened.append(model.model)
            continue
        if str(given).startswith(_NEAREST):
            spec, source = _nearest(str(given).removeprefix(_NEAREST), base, names[0], device)
            specs.append(spec)
            opened.append(source)
            continue
        spec = given if isinstance(given, LanguageSpec) else build_language(str(given))
        if not isinstance(spec, UntrainedSpec):
            raise UsageError(f"{name} is no source: it has to be trained first. Give the directory of a run of it.")
        specs.append(spec)
        opened.append(spec.made(base.model.vocabulary, base.model.ends))
    reading = as_trained(read, *(model.record for model in models if model is not None))
    reading = replace(reading, unlabelled=True, label=None, texts=base.document_unit)
    return Opened(names, opened, models, None, specs), reading


def _nearest(where: str, base: Language, name: str, device: str) -> tuple[LanguageSpec, LanguageModel]:
    """The memory of a run's network: ``RUN``, or ``RUN,k=32,temperature=0.5``.

    Raises:
        UsageError, DataError: the run has no network, has other tokens, or its training text is not there.
    """
    run, _, keys = where.partition(",")
    spec = build_language(f"nearest:{keys}" if keys else "nearest")
    model = load_run(run, device)
    if not isinstance(model, Language) or not isinstance(model.model, NeuralModel) or not isinstance(spec, NearestSpec):
        raise UsageError(f"nearest:{run} is the memory of a network, and {run} holds none: rnn, transformer or hf.")
    if said := same_tokens([name, run], [base.trained.tokens, model.trained.tokens]):
        raise UsageError(f"{said}. Fit it on the same tokens: --tokenizer {name}/tokenizer.json.")
    with temporary() as scratch:
        texts = training_texts(run, model, scratch)
        return spec, spec.remember(model.trained.spec, model.model, texts)


def _loaded(given: Given, device: str) -> Model | Language | None:
    """The model of a run; None of other sources."""
    if isinstance(given, Model | Language):
        return given
    if isinstance(given, LabelSource | LanguageSpec):
        return None
    place = str(given).removeprefix("run:")
    if str(given).startswith("run:") or Path(place).is_dir():
        return load_run(place, device)
    return None


def open_twin(twin: Given | None, opened: Opened, device: str, callbacks: Callbacks) -> LabelSource | LanguageModel | None:
    """A second seed of the first source.

    Raises:
        UsageError: it has none, or what is given is of other outcomes.
    """
    if twin is None:
        return None
    base, name = opened.base, opened.names[0]
    if str(twin) == "auto":
        if base is None or base.path is None or not has_seed(base):
            raise UsageError(
                f"--twin: a second seed of {name} is the same model, as nothing is random in its training. Leave it out."
            )
        callbacks.watch("fuse", {"doing": "twin", "source": name})
        model: Model | Language | None = _trained_twin(base, device)
    else:
        model = _loaded(twin, device)
        if model is None:
            raise UsageError(f"--twin is {twin}; wanted a run like {name} but for its seed, or auto.")
    if isinstance(base, Language) and isinstance(model, Language):
        if said := same_tokens([name, str(twin)], [base.trained.tokens, model.trained.tokens]):
            raise UsageError(f"{said}. Fit it on the same tokens: --tokenizer {name}/tokenizer.json.")
        return model.model  # type: ignore[no-any-return]
    if opened.task is None or not isinstance(model, Model) or model.predictor.task.labels != opened.task.labels:
        raise UsageError(f"--twin {twin} is of other outcomes than {name}. Give a run like it but for its seed.")
    return RunSource(model.predictor)


def _trained_twin(base: Model | Language, device: str) -> Model | Language:
    assert base.path is not None
    run = Run(base.path)
    settings = settings_of(run, base.record, device)
    settings = replace(settings, seed=settings.seed + 1)
    if isinstance(base, Language):
        settings = replace(settings, tokenizer=str(base.path / "tokenizer.json"))
    return _trained(base, settings, None, f"lossworks fit DATA --seed {settings.seed} and --twin RUN")


def _fitted(spec: str, base: Model, read: ReadOptions, device: str) -> Model:
    """A layer over pretrained knowledge, ``vectors:FILE`` or ``hf:PATH,frozen``, on the rows of the first run."""
    config = base.record["config"]
    same = {name: config[name] for name in ("task", "seed", "valid", "test", "class_weight") if config.get(name) is not None}
    model = _trained(base, Settings(**same, model=spec, device=device), read, fitted_by(spec))
    assert isinstance(model, Model)  # as its base is
    return model


def _trained(base: Model | Language, settings: Settings, read: ReadOptions | None, remedy: str) -> Model | Language:
    """A model of these settings on the data of a run; remedy: what to do where that is not here."""
    (data, _), *more = recorded(base.path, base.record, {}, remedy)
    held = {PARTS[part]: source for source, part in more if part is not None}
    trained = fit(data, settings=settings, read=read, **held)
    assert isinstance(trained, Model | Language)  # as its base is
    return trained


def has_seed(base: Model | Language | None) -> bool:
    """Whether training it once more with another seed would give another model."""
    config = {} if base is None else base.record.get("config", {})
    return config.get("optimizer") is not None or config.get("steps") is not None


def _name(given: Given, number: int) -> str:
    if isinstance(given, Model | Language):
        return str(given.path or f"model {number}")
    return str(given) if isinstance(given, str | Path) else f"{type(given).__name__} {number}"
