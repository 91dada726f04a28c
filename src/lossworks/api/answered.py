"""What a model answers, as the one JSON object that `--json` of its verb prints and `serve` sends."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from .graph import Graph
    from .language import Language
    from .model import Model
    from .scored import Scored


def task_of(model: Model | Language | Graph) -> str:
    """What a model does, as its answers name it."""
    from .graph import Graph
    from .language import Language

    return "graph" if isinstance(model, Graph) else "lm" if isinstance(model, Language) else model.predictor.task.kind


def predictions(run: str, model: Model | Graph, rows: Sequence[dict[str, Any]]) -> dict[str, Any]:
    """The answers of a classifier, a regression or a model of a knowledge graph: the ``rows`` of ``answers`` or ``facts``."""
    return {"run": run, "task": task_of(model), "predictions": rows}


def facts(graph: Graph, queries: Sequence[str], top: int) -> list[dict[str, Any]]:
    """The answers to queries, as ``Graph.predict`` takes them."""
    return [{"query": query, "answers": found} for query, found in zip(queries, graph.predict(queries, top), strict=True)]


def scores(run: str, scored: Sequence[Scored]) -> dict[str, Any]:
    """How surprised a language model was by texts: all of them as one, and each."""
    from .scored import together

    return {"run": run, **together(scored), "texts": [row.to_json() for row in scored]}


def samples(run: str, seed: int, prompts: Sequence[str], drawn: Sequence[Sequence[str]]) -> dict[str, Any]:
    """Texts that were drawn, some for each prompt."""
    rows = [{"prompt": prompt, "samples": texts} for prompt, texts in zip(prompts, drawn, strict=True)]
    return {"run": run, "seed": seed, "prompts": rows}


def choices(run: str, prompts: Sequence[str], found: Iterable[Sequence[tuple[str, float]]]) -> dict[str, Any]:
    """The choices for each prompt, the most probable first, as ``Language.choose`` tells them."""
    rows = [
        {"prompt": prompt, "choices": [{"text": text, "probability": p} for text, p in ranked]}
        for prompt, ranked in zip(prompts, found, strict=True)
    ]
    return {"run": run, "prompts": rows}
