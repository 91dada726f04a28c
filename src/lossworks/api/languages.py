"""Which language a text is in: a classifier made of the user's own texts in known languages, and asked here.

Nothing is shipped: the texts that languages are learned from have licences of their own. ``build`` takes a minute.
"""

from __future__ import annotations

import os
import re
from collections.abc import Iterator, Sequence
from contextlib import closing
from dataclasses import dataclass, field, replace
from functools import lru_cache
from pathlib import Path
from typing import Any

import numpy as np

from .. import models
from ..core.errors import DataError, UsageError
from ..data import PARTS, ReadOptions, load, read_options
from ..engine import Callbacks
from ..inference import CountedPredictor
from ..inference.predictor import CHUNK
from ..models import CountedSpec
from ..tokens.scripts import scripts, scripts_of
from .fit import fit
from .held import several
from .loading import load_labels
from .model import Model
from .recording import is_unfinished

UNKNOWN = "unknown"
"""What is answered of a text in no language that the model knows."""
LEAST = 0.5
"""The calibrated probability up to which an answer is as likely wrong as right."""
FAMILY = "naive_bayes:shared=60,top=9500"
"""What a model is of where nothing is said: for 205 languages 4.9 MB, and as good as with all n-grams (docs/LANGUAGES.md)."""

_LOWEST = np.finfo(np.float32).min
_CODE = re.compile(r"[a-z]{2,3}([-_][A-Z][a-z]{3})?([-_]([A-Z]{2}|[0-9]{3}))?")  # language, script, region, as in BCP 47
_FILES = ".txt", ".csv", ".tsv", ".jsonl", ".parquet"
_PART = {"train": "train", "dev": "valid", "valid": "valid", "test": "test"}


@dataclass(frozen=True, slots=True)
class Identified:
    """What is known of one text: its language by the code that the model learned ("unknown": none), the probability of the most
    probable one (0: none is written so), and the script that most of it is in (ISO 15924).
    """

    language: str
    probability: float
    script: str


@dataclass(slots=True)
class _Found:
    """The texts with their languages, part by part, and what of the folder was left out."""

    rows: dict[str, list[tuple[str, str]]] = field(default_factory=lambda: {name: [] for name in PARTS})
    left_out: list[str] = field(default_factory=list)


def default_place() -> Path:
    """Where a model is looked for that nobody names: ``lossworks/languages`` in the user's folder of data."""
    return Path(os.environ.get("XDG_DATA_HOME") or Path.home() / ".local" / "share") / "lossworks" / "languages"


def build(
    folder: Path | str,
    out: Path | str | None = None,
    *,
    model: str = FAMILY,
    read: ReadOptions | None = None,
    seed: int = 0,
    callbacks: Callbacks | None = None,
    command: str | None = None,
) -> Model:
    """Train a classifier of languages on texts in known ones, and leave it as a run.

    Args:
        folder: one file a language, whose name, or the end of it after a dot, is the language's code ("deu.txt",
            "news.zho-CN.txt"), a text a line in .txt files; or one folder a language, named by its code ("deu_Latn"), with train,
            dev and test (dev and test may be missing) as .tsv, .csv, .jsonl, .parquet or .txt.
        out: the run directory to make. None: ``default_place()``.
        model: the family, one that counts.
        read: how files are read. None: the column ``text``, in UTF-8.
        seed: of the split, where dev and test are not given.
        callbacks, command: as of ``fit``.

    Raises:
        DataError: the folder is of neither kind, or a file cannot be read; says which and why.
        UsageError: the family does not count, or there is a run in ``out``.
    """
    models.models.build_as(CountedSpec, model, f"Languages are told apart by a family that counts: {FAMILY}.")
    callbacks = callbacks or Callbacks()
    read = read_options(read)
    found = _read(Path(folder), replace(read, normalize="none"), callbacks)
    if found.left_out:
        callbacks.watch("note", {"text": f"{folder}: left out, as no language's: {', '.join(found.left_out)}"})
    given: dict[str, Any] = {name: found.rows[name] for name in PARTS[1:] if found.rows[name]}
    place = default_place() if out is None else Path(out)
    place.parent.mkdir(parents=True, exist_ok=True)
    how: dict[str, Any] = {"model": model, "task": "classify", "seed": seed, "read": ReadOptions(normalize=read.normalize)}
    how |= {"callbacks": callbacks, "command": command or "lossworks.languages.build", "resume": is_unfinished(place)}
    made = fit(found.rows["train"], **given, out=place, **how)
    assert isinstance(made, Model)
    return made


def identify(texts: Sequence[str], model: Model | Path | str | None = None, *, least: float = LEAST) -> list[str]:
    """The code of the language of each text, "unknown" where the model does not know it; arguments and errors as of
    ``identified``.
    """
    return [code for codes, _, _ in _answers(texts, model, least) for code in codes]


def identified(texts: Sequence[str], model: Model | Path | str | None = None, *, least: float = LEAST) -> list[Identified]:
    """The language of each text, how probable it is, and the text's script.

    Only languages are considered that are written in the text's script, as the model has seen it. The answer is not given where
    there is none of them, or where its probability is not above ``least``.

    Args:
        texts: raw texts.
        model: what ``build`` returned, or its run directory. None: ``default_place()``.
        least: the probability above which an answer is given; 0: always, where any language is written in the text's script.

    Raises:
        UsageError: there is no model, or it is none of ``build``; says which command makes one.
    """
    return [Identified(*one) for some in _answers(texts, model, least) for one in zip(*some, strict=True)]


def _answers(
    texts: Sequence[str], model: Model | Path | str | None, least: float
) -> Iterator[tuple[list[str], list[float], list[str]]]:
    """Languages, probabilities and scripts of the texts, some at a time."""
    held = opened(model)
    predictor, texts = held.predictor, several(texts, held.record)
    assert isinstance(predictor, CountedPredictor)
    codes = np.array([*predictor.task.labels, UNKNOWN], object)
    order = {script: number for number, script in enumerate(scripts())}
    foreign = np.array([[script not in own for own in predictor.scripts] for script in order])
    for first in range(0, len(texts), CHUNK):
        some = texts[first : first + CHUNK]
        written = scripts_of(some)
        logits = predictor.scores(some) / np.float32(predictor.temperature)
        logits[foreign[[order[script] for script in written]]] = -np.inf
        highest = np.maximum(logits.max(1), _LOWEST)  # not -inf, of which nothing can be subtracted
        sums = np.exp(logits - highest[:, None]).sum(1)
        surest = np.divide(1, sums, out=np.zeros_like(sums), where=sums > 0)
        best = np.where(surest > least, logits.argmax(1), -1)
        yield codes[best].tolist(), surest.tolist(), written


def opened(model: Model | Path | str | None) -> Model:
    """A model of languages, which may be in a run directory; arguments and errors as of ``identified``."""
    if model is None and not (default_place() / "run.json").exists():
        raise UsageError(
            f"there is no model of languages in {default_place()}. None is shipped, as texts to learn from have licences of "
            "their own. Make one: lossworks languages build FOLDER, with a file or a folder of texts for each language."
        )
    if not isinstance(model, Model):
        place = Path(model or default_place())
        record = place / "run.json"
        model = _loaded(place, record.stat().st_mtime_ns if record.exists() else 0)
    if not isinstance(model.predictor, CountedPredictor):
        raise UsageError(f"{model.path} is no model of languages. Make one: lossworks languages build FOLDER --out RUN.")
    return model


@lru_cache(maxsize=1)
def _loaded(place: Path, written: int) -> Model:
    """The model in a run directory, kept until the directory is written anew."""
    return load_labels(place)


def _read(folder: Path, read: ReadOptions, callbacks: Callbacks) -> _Found:
    """The texts of a folder that is laid out in one of the two ways.

    Raises:
        DataError: it is not.
    """
    if not folder.is_dir():
        raise DataError(f"{folder} is no folder. Wanted one with a file or a folder of texts for each language.")
    members = sorted(path for path in folder.iterdir() if not path.name.startswith("."))
    folders = [path for path in members if path.is_dir()]
    files = [path for path in members if path not in folders and path.suffix in _FILES]
    found, taken = _Found(), folders or files
    found.left_out = [path.name for path in members if path not in taken]
    for number, path in enumerate(taken):
        code = path.name if folders else path.stem.rpartition(".")[2]
        if not _CODE.fullmatch(code):
            raise DataError(
                f"{path}: {code!r} is no code of a language. Wanted names such as deu, deu_Latn or zho-CN"
                f"{'' if folders else ' before the ending, as in news.deu.txt'}; move what is no language's out of {folder}."
            )
        parts = _parts(path) if folders else {path: "train"}
        for file, part in parts.items():
            found.rows[part] += [(text, code) for text in _texts(file, read)]
        callbacks.watch("class", {"label": code, "number": number + 1, "of": len(taken)})
    if len({code for _, code in found.rows["train"]}) < 2:
        raise DataError(
            f"{folder} holds texts of fewer than two languages. Wanted a file (news.deu.txt) or a folder (deu_Latn/train.tsv) "
            "for each language."
        )
    return found


def _parts(folder: Path) -> dict[Path, str]:
    """The files of one language, and the part that each is."""
    files = {path: _PART[path.stem] for path in sorted(folder.iterdir()) if path.suffix in _FILES and path.stem in _PART}
    if "train" not in files.values():
        raise DataError(f"{folder} holds no train{', train'.join(_FILES)}. Wanted train, dev and test, of which train is needed.")
    return files


def _texts(file: Path, read: ReadOptions) -> Iterator[str]:
    """The texts of one file, blank ones left out."""
    options = replace(read, unlabelled=True, format="lines", texts="line") if file.suffix == ".txt" else replace(
        read, unlabelled=True, text=read.text or "text"
    )  # fmt: skip
    with closing(load(file, options)) as corpus:
        yield from (text for block in corpus.blocks() for text in block)
