"""What ``--teach`` names, opened: a run, or another source of labels or of language."""

from __future__ import annotations

import re
from dataclasses import replace
from pathlib import Path

from ..core.errors import UsageError
from ..fusion.sources import RunSource, kind_of, kinds
from ..fusion.votes import VotesSource
from ..inference import Predictor, Tokens, same_tokens
from ..models import LanguageModel
from ..models.pool import UniformSpec
from ..tasks import LabelTask, label_task
from ..training.teaching import CUT, Answers, Teacher
from .language import Language
from .loading import load_text

_UNIFORM = "uniform"
_POSTERIOR = re.compile(r"posterior(?:=(?P<power>\d+\.?\d*|\.\d+))?:(?P<of>.+)", re.DOTALL)


def open_teacher(spec: str, device: str) -> Teacher:
    """The teacher of a spec: a run's directory, of labels or of language; "votes:FILE", "lexicon:FILE" or "uniform"; of
    classifiers also posterior:SPEC or posterior=POWER:SPEC, which is multiplied with what the student says, and cut:SPEC, whose
    answers training deals out among the texts anew.

    Raises:
        UsageError, DataError, RecordError: there is none, or it cannot be read.
    """
    if spec.startswith(CUT):
        whole = open_teacher(spec.removeprefix(CUT), device)
        return replace(whole, name=spec, language=None)
    if found := _POSTERIOR.fullmatch(spec):
        whose = open_teacher(found["of"], device)
        if whose.language is not None and whose.task is None and whose.tokenizer is not None:
            raise UsageError(f"--teach {spec} is for classifiers, and {found['of']} holds a language model. Leave posterior out.")
        if not (power := float(found["power"] or 1)) > 0:
            raise UsageError(f"--teach {spec}: the power is {power:g}; wanted more than 0.")
        return replace(whose, name=spec, posterior=power, language=None)
    name, _, where = spec.partition(":")
    if name in kinds() and name != RunSource.kind and not Path(spec).is_dir():

        def opened(task: LabelTask) -> Answers:
            return kind_of(name).open(where, task).logits

        own = label_task("classify", VotesSource.labels_in(where)) if name == VotesSource.kind else None
        return Teacher(spec, own, opened, _uniform if spec == _UNIFORM else None)
    place = spec.removeprefix("run:")
    if not Path(place).is_dir() and name not in kinds():
        known = ", ".join(f"{kind}:FILE" for kind in sorted(kinds()) if kind not in ("run", _UNIFORM))
        raise UsageError(f"--teach {spec}: there is no such directory. Give a run's directory, {known}, or uniform.")
    model = load_text(place, device)
    return _of_language(spec, place, model) if isinstance(model, Language) else _of_labels(spec, model.predictor)


def _of_labels(spec: str, predictor: Predictor) -> Teacher:
    """A classifier, or a regression."""
    known = predictor.task.labels

    def answers(task: LabelTask) -> Answers:
        if missing := sorted({*task.labels} ^ {*known}):
            whose = "the data has none" if missing[0] in known else f"{spec} does not know it"
            raise UsageError(f"--teach {spec} is of other labels: {missing[0]!r} ({whose}). Teach with a run on the same labels.")
        order = [known.index(label) for label in task.labels]
        source = RunSource(predictor)
        if not task.has_probabilities:
            return lambda texts: source.logits(texts)[:, None]
        return lambda texts: source.logits(texts)[:, order]

    return Teacher(spec, predictor.task, answers)


def _of_language(spec: str, place: str, model: Language) -> Teacher:
    """A language model."""

    def labels(task: LabelTask) -> Answers:
        raise UsageError(
            f"--teach {spec} holds a language model, which knows no labels. Teach with a classifier, or train a language model "
            "(--task lm)."
        )

    def language(tokens: Tokens) -> LanguageModel:
        if said := same_tokens([spec, "the model"], [model.trained.tokens, tokens]):
            raise UsageError(
                f"--teach: {said}. Leave --tokenizer and --document-unit out, and the teacher's are taken; or teach with a run "
                "that was fitted on the same tokens."
            )
        found: LanguageModel = model.model
        return found

    own = f"{place}/tokenizer.json"
    return Teacher(spec, None, labels, language, tokenizer=own, document_unit=model.document_unit)


def _uniform(tokens: Tokens) -> LanguageModel:
    return UniformSpec().made(tokens.vocabulary, tokens.ends)
