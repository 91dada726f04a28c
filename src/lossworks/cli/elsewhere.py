"""What flags and arguments are called in other tools, for errors that name ours."""

from __future__ import annotations

from typing import Any

_FLAGS = {
    "--label": ("--target", "--labels", "--label-column", "--y"),
    "--text": ("--column", "--text-column", "--input", "--x"),
    "--out": ("--output", "--output-dir", "--output-file", "--save", "--save-dir", "-o"),
    "--html": ("--output", "--output-file", "--out", "-o"),
    "--to": ("--format",),
    "--lr": ("--learning-rate", "--eta", "--step-size"),
    "--test": ("--test-size", "--test-split", "--holdout"),
    "--valid": ("--validation", "--validation-split", "--validation-fraction", "--val", "--dev", "--eval"),
    "--folds": ("--cv", "--k-fold", "--splits", "--n-splits"),
    "--seed": ("--random-state", "--random-seed"),
    "--seeds": ("--runs", "--repeats"),
    "--epochs": ("--epoch", "--num-epochs", "--n-epochs", "--num-train-epochs", "--max-epochs"),
    "--steps": ("--max-steps", "--iterations", "--max-iter"),
    "--minutes": ("--time", "--time-limit", "--max-time", "--timeout", "--hours"),
    "--loss": ("--criterion", "--objective"),
    "--penalty": ("--regularization", "--weight-decay"),
    "--clip": ("--max-grad-norm", "--grad-clip", "--gradient-clip"),
    "--from": ("--checkpoint", "--pretrained", "--finetune", "--init"),
    "--device": ("--gpu", "--cuda", "--accelerator"),
    "--class-weight": ("--class-weights", "--pos-weight", "--scale-pos-weight"),
    "--metric": ("--scoring", "--eval-metric"),
    "--max-new-tokens": ("--max-tokens", "--max-length", "--length", "--tokens"),
    "--samples": ("--num-samples", "--num-return-sequences", "--n"),
    "--top": ("--top-k", "--topk"),
    "--json": ("--proba", "--probabilities", "--predict-proba"),
}
"""Of a flag, what else means the same; the flag of a verb that has neither is told by what it is like."""
_ARGUMENTS = {
    "generate": "How the text begins is said with --prompt.",
    "compare": "Repeat a flag for several values: --loss cross_entropy --loss mse.",
}
"""Of a verb, what is meant by an argument too many."""


def hint(error: Any) -> None:
    """Have an error of the command line name the flag that was meant, where that is known."""
    if (context := getattr(error, "ctx", None)) is None:
        return
    if (asked := getattr(error, "option_name", None)) and hasattr(error, "possibilities"):
        known = {name for parameter in context.command.params for name in parameter.opts}
        meant = [flag for flag, names in _FLAGS.items() if asked.replace("_", "-") in names and flag in known]
        error.possibilities = meant or error.possibilities
    elif "extra argument" in error.message and context.info_name in _ARGUMENTS:
        error.message = f"{error.message}. {_ARGUMENTS[context.info_name]}"
