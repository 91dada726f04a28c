"""Which settings mean something to which family of models, and what is said of one that does not."""

from __future__ import annotations

from ..core.errors import UsageError
from ..models import CountedSpec, GraphSpec, LanguageSpec, Spec

ALWAYS = ("task", "model", "valid", "test", "seed", "device")
BY_STEPS = ("loss", "optimizer", "lr", "schedule", "epochs", "patience", "stop_by", "clip", "ema")
"""What any training by gradients has."""
OF_EXAMPLES = ("penalty", "risk", "groups", "balance", "batch_size", "micro_batch", "class_weight")
"""What only a classifier or regression over features has."""
TEACH = "teach"
"""What these and language models that are trained by gradients have."""
OF_FACTS = ("batch_size", "glosses")
"""What a model of a knowledge graph has."""
SHARDS = "shards"
"""What whatever is trained by gradients has, for several processes."""
OF_TEXTS = ("tokenizer", "document_unit", "memory", "balance")
"""What every language model has."""
OF_TOKENS = ("steps", "batch_tokens", "pack", "risk")
"""What a language model has that is trained by gradients,"""
OF_NETWORKS = ("minutes", "dtype", "sharding")
"""and what of these only a network has."""


def applicable(spec: Spec) -> tuple[str, ...]:
    """The settings that mean something to the family, besides those of ``ALWAYS``."""
    if isinstance(spec, GraphSpec):
        return (*BY_STEPS, *OF_FACTS, SHARDS)
    if isinstance(spec, CountedSpec):
        return ("balance",)
    if not isinstance(spec, LanguageSpec):
        return (*BY_STEPS, *OF_EXAMPLES, TEACH, SHARDS)
    if spec.by_gradients:
        return (*BY_STEPS, *OF_TEXTS, *OF_TOKENS, "groups", *OF_NETWORKS, TEACH, SHARDS)
    if type(spec).sequence_network is LanguageSpec.sequence_network:  # it makes no network to train
        return OF_TEXTS
    return (*BY_STEPS, *OF_TEXTS, *OF_TOKENS, "groups", TEACH, SHARDS)


def misplaced(name: str, model: str, spec: Spec) -> UsageError:
    """The error for a setting that does not apply to the family, which ``model`` spells."""
    flag = f"--{name.replace('_', '-')}"
    if name == "tokenizer" and hasattr(spec, "tokens") and not isinstance(spec, LanguageSpec):
        return UsageError(f"{flag} is for language models. Say it in the model: --model {model.partition(':')[0]}:tokens=bpe.")
    if isinstance(spec, LanguageSpec | CountedSpec) and name in (*BY_STEPS, *OF_TOKENS, TEACH, SHARDS):
        return UsageError(f"{flag} is for families trained by gradients; {model} is counted. Leave it out.")
    whose = "language models (ngram, hmm)"
    if name in (*OF_NETWORKS, "device"):
        whose = "neural families (transformer, rnn)"
    elif name == "glosses":
        whose = "models of knowledge graphs (complex, rotate, …)"
    elif name in (*OF_EXAMPLES, TEACH):
        whose = "classifiers over features (linear, bag, encoders)" + ", and for transformer and rnn" * (name == TEACH)
    task = " For a language model say --task lm too." if name in OF_NETWORKS and not isinstance(spec, LanguageSpec) else ""
    return UsageError(f"{flag} is for {whose}; the model is {model}. Leave it out, or choose another --model.{task}")
