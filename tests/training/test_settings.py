"""One set of settings: the same wrong value gets the same error from Python, from TOML and from a record."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest

import lossworks
from lossworks.core.errors import UsageError
from lossworks.training import Settings, toml
from lossworks.training.choices import for_family, from_values

ROWS = [("good", "yes"), ("bad", "no")] * 30
WRONG: list[tuple[str, Any, str]] = [
    ("epochs", 2.5, "epochs is 2.5; wanted a whole number, 1 or more."),
    ("epochs", 0, "epochs is 0; wanted a whole number, 1 or more."),
    ("epochs", float("nan"), "epochs is nan; wanted a whole number, 1 or more."),
    ("epochs", "x", "epochs is 'x'; wanted a whole number, 1 or more."),
    ("patience", -1, "patience is -1; wanted a whole number, 1 or more."),
    ("batch_size", "many", "batch_size is 'many'; wanted a whole number, 1 or more, or auto."),
    ("micro_batch", 1.5, "micro_batch is 1.5; wanted a whole number, 1 or more, or auto."),
    ("lr", float("inf"), "lr is inf; wanted a finite number above 0, or auto."),
    ("lr", "fast", "lr is 'fast'; wanted a finite number above 0, or auto."),
    ("lr", "1m", "lr is '1m'; wanted a finite number above 0, without a unit, or auto."),
    ("loss", "", "loss is empty. Name one, or leave it out."),
    ("penalty", "", "penalty is empty. Name one, or leave it out."),
    ("clip", 0, "clip is 0; wanted a finite number above 0."),
    ("ema", 1.5, "ema is 1.5; wanted a finite number above 0 and below 1."),
    ("seed", "lucky", "seed is 'lucky'; wanted a whole number."),
    ("seed", 0.5, "seed is 0.5; wanted a whole number."),
    ("valid", 1.5, "valid is 1.5; wanted a share, 0 or more and below 1, or a file."),
    ("task", "clasify", "unknown task 'clasify'. Did you mean 'classify'?"),
    ("steps", 5, "--steps is for families trained by gradients"),
    ("device", "warp", "device 'warp' cannot be used"),
]


def toml_of(value: Any) -> str:
    """How TOML spells a value."""
    return f'"{value}"' if isinstance(value, str) else str(value)


@pytest.mark.parametrize(("name", "value", "said"), WRONG)
def test_the_same_error_everywhere(name: str, value: Any, said: str, tmp_path: Path) -> None:
    """From Python, from settings, from a TOML file, from a record's config."""
    if name == "steps":
        said = "--steps is for"
    path = tmp_path / "fit.toml"
    path.write_text(f"{name} = {toml_of(value)}\n")
    for call in (
        lambda: lossworks.fit(ROWS, **{name: value}),
        lambda: Settings(**{name: value}),
        lambda: toml(path, {}),
        lambda: from_values({name: value}, "configuration"),
    ):
        with pytest.raises(UsageError) as error:
            call()
        assert said in str(error.value)


def test_numbers_as_text_are_no_numbers() -> None:
    """From Python "3" is text, and said to be."""
    with pytest.raises(UsageError, match="epochs is '3'; wanted a whole number"):
        lossworks.fit(ROWS, epochs="3")


def test_names_of_before() -> None:
    """A run of before spelled two settings otherwise; they are understood."""
    found = from_values({"task": "lm", "model": "ngram", "tokens": "chars", "texts": "file"}, "configuration")
    assert (found.tokenizer, found.document_unit) == ("chars", "file")
    with pytest.raises(UsageError, match=r"unknown key of configuration: 'epoch'. Did you mean 'epochs'"):
        from_values({"epoch": 3}, "configuration")


def test_what_applies_to_a_family() -> None:
    """What several families share goes to those it means something to; what a family is given itself must fit it."""
    shared = {"task": "lm", "optimizer": None, "steps": 10, "batch_tokens": 64, "tokenizer": "chars"}
    assert for_family(shared, {"model": "ngram:order=2"}).steps is None
    assert for_family(shared, {"model": "rnn"}).steps == 10
    with pytest.raises(UsageError, match="--steps is for"):
        for_family({"task": "lm"}, {"model": "ngram", "steps": 10})


def test_round_trip() -> None:
    """The record's config makes the same settings again, for every family."""
    for choices in (
        {"model": "bag:dim=8", "lr": 0.1, "class_weight": {"a,b": 2.0}},
        {"task": "lm", "model": "ngram", "memory": "2G"},
        {"task": "lm", "model": "transformer", "minutes": 2, "pack": True},
    ):
        settings = Settings(**choices)  # type: ignore[arg-type]
        assert from_values(settings.to_json(), "configuration") == settings
