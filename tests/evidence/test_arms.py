"""What arms are made of what is named, and arms that are no two."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import pytest

from lossworks.core.errors import DataError, UnknownName, UsageError
from lossworks.evidence.arms import arms_of, choices_of, read_toml
from lossworks.tasks import label_task
from lossworks.training import Settings
from lossworks.training.resolving import for_examples

COMMON = Settings(epochs=3)
CLASSES = label_task("classify", ("a", "b"))


def names(choices: list[dict[str, object]], tuned: set[str] | None = None) -> list[str]:
    """The arms' names."""
    resolved = [for_examples(replace(COMMON, **chosen), CLASSES, 1000) for chosen in choices]  # type: ignore[arg-type]
    return [arm.name for arm in arms_of(resolved, {"lr"} if tuned is None else tuned)]


def test_product() -> None:
    """All combinations, the first named first; names say what tells arms apart."""
    choices = choices_of(
        False, {"loss": ["cross_entropy", "focal:gamma=2"], "optimizer": ["adam:lr=0.1", "sgd:momentum=0.9"]}, []
    )
    assert names(choices) == [
        "cross_entropy · adam",
        "cross_entropy · sgd:momentum=0.9",
        "focal · adam",
        "focal · sgd:momentum=0.9",
    ]


def test_listed(tmp_path: Path) -> None:
    """Arms listed in TOML, each with every combination of what is named besides."""
    path = tmp_path / "arms.toml"
    path.write_text('epochs = 4\n[[arms]]\nloss = "mse"\n[[arms]]\nloss = "focal"\nclip = 1.0\n')
    common, listed = read_toml(path)
    assert common == {"epochs": 4}
    assert names(choices_of(False, {}, listed)) == ["mse · clip=None", "focal · clip=1.0"]
    assert len(choices_of(False, {"model": ["linear", "bag"]}, listed)) == 4
    path.write_text("arms = 3")
    with pytest.raises(UsageError, match="arms must be tables"):
        read_toml(path)
    path.write_text("=")
    with pytest.raises(DataError, match="not TOML"):
        read_toml(path)


def test_other_parts() -> None:
    """What arms cannot differ in is named."""
    with pytest.raises(UnknownName, match=r"part of an arm: 'los'. Did you mean 'loss'"):
        choices_of(False, {}, [{"los": "mse"}, {}])


def test_what_follows_is_not_said() -> None:
    """A loss that the teacher decides, and an optimizer and a penalty that the model decides, tell no arms apart."""
    taught = {"teach": "uniform", "loss": "0.5*cross_entropy+0.5*forward_kl"}
    assert names([{}, taught, taught | {"teach": "cut:uniform"}]) == ["teach=none", "teach=uniform", "teach=cut:uniform"]
    assert names([{"model": "linear"}, {"model": "bag"}]) == ["linear", "bag"]
    assert names([{"model": "linear", "optimizer": "adam"}, {"model": "linear"}, {"model": "bag"}])[0].startswith("linear · adam")


@pytest.mark.parametrize(
    ("one", "other"),
    [
        ({"loss": "focal"}, {"loss": "focal:gamma=2.0"}),
        ({"loss": None}, {"loss": "cross_entropy"}),
        ({"optimizer": "adam"}, {"optimizer": "adam:weight_decay=0"}),
    ],
)
def test_same_arms(one: dict[str, object], other: dict[str, object]) -> None:
    """Two spellings of one arm are found out."""
    with pytest.raises(UsageError, match=r"are the same. Leave one out"):
        names([one, other])


def test_arms_of_another_rate() -> None:
    """Rates tell arms apart only where they are not tuned."""
    choices = [{"optimizer": "sgd:lr=0.1"}, {"optimizer": "sgd:lr=1"}]
    assert names(choices, set()) == ["sgd:lr=0.1", "sgd:lr=1.0"]
    with pytest.raises(UsageError, match=r"but for the learning rate, which is tuned. Give --trials 0"):
        names(choices)
