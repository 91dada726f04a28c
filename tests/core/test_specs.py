"""Specs: one spelling for every configured thing, read and written without loss."""

from __future__ import annotations

import dataclasses
import types
import typing
from dataclasses import dataclass
from typing import Any

import pytest
from hypothesis import HealthCheck, assume, given, settings
from hypothesis import strategies as st

from lossworks import losses, models, optim, penalties
from lossworks.core import specs
from lossworks.core.errors import UnknownName, UsageError
from lossworks.core.registry import Registry

REGISTRIES: list[Registry[Any]] = [losses.losses, penalties.penalties, optim.optimizers, models.models]
MEMBERS = [
    pytest.param(registry, entry.name, id=f"{registry.kind} {entry.name}") for registry in REGISTRIES for entry in registry
]


@dataclass(frozen=True, kw_only=True)
class Everything:
    """A field of every type that a spec may have."""

    number: float = 1.0
    count: int = 3
    flag: bool = False
    word: str = "a"
    maybe: float | None = None
    sizes: tuple[int, ...] = (1, 2)
    flags: tuple[bool, ...] = ()


THINGS: Registry[Any] = Registry("thing", "lossworks.core", Everything, "Give a spec such as 'everything'.")
THINGS.add("everything", source="here")(Everything)


def values_of(hint: Any) -> st.SearchStrategy[Any]:
    """Values of the types that fields have."""
    if typing.get_origin(hint) is tuple:
        return st.lists(values_of(typing.get_args(hint)[0]), max_size=4).map(tuple)
    if typing.get_origin(hint) in (typing.Union, types.UnionType):
        return st.one_of(*map(values_of, typing.get_args(hint)))
    numbers = st.floats(1e-12, 0.999) | st.floats(0, 1e6) | st.integers(0, 3).map(float)
    plain = {float: numbers, int: st.integers(0, 30), bool: st.booleans(), str: st.from_regex(r"[a-z_]{1,8}", fullmatch=True)}
    return plain[hint] if hint is not type(None) else st.none()


def round_trip(registry: Registry[Any], cls: type[Any], data: st.DataObject) -> None:
    """Fields in their domain survive being rendered and built, and the spelling is stable."""
    hints = typing.get_type_hints(cls)
    fields = [field.name for field in dataclasses.fields(cls)]
    chosen = data.draw(st.lists(st.sampled_from(fields), unique=True)) if fields else []
    try:
        thing = cls(**{name: data.draw(values_of(hints[name]), name) for name in chosen})
    except UsageError:  # outside the domain
        assume(False)
    spec = registry.render(thing)
    assert registry.build(spec) == thing
    assert registry.render(registry.build(spec)) == spec


some = settings(
    max_examples=5, deadline=None, derandomize=True, database=None, suppress_health_check=[HealthCheck.filter_too_much]
)


@pytest.mark.parametrize(("registry", "name"), MEMBERS)
@some
@given(data=st.data())
def test_round_trip(registry: Registry[Any], name: str, data: st.DataObject) -> None:
    """Every registered loss, penalty, optimiser and model."""
    round_trip(registry, registry[name].thing, data)


@settings(some, max_examples=50)
@given(data=st.data())
def test_round_trip_of_every_type(data: st.DataObject) -> None:
    """Numbers, truth values, words, none and tuples, empty ones too."""
    round_trip(THINGS, Everything, data)


@pytest.mark.parametrize(("registry", "name"), MEMBERS)
def test_defaults_are_spelled_by_the_name_alone(registry: Registry[Any], name: str) -> None:
    """And every member says what it is, and where it comes from."""
    spelled = f"{name}:somewhere" if hasattr(registry[name].thing, "leading") else name  # which there is no default for
    thing = registry.build(spelled)
    assert registry.render(thing) == spelled
    assert registry.build(thing) is thing
    assert registry[name].summary.strip(" .")
    assert registry[name].source


@pytest.mark.parametrize(
    ("spec", "want"),
    [
        ("everything:number=2", Everything(number=2.0)),
        (" Everything : count = 5 , flag=TRUE ", Everything(count=5, flag=True)),
        ("everything:sizes=7/8,maybe=0.5", Everything(sizes=(7, 8), maybe=0.5)),
        ("everything:maybe=none,sizes=", Everything(sizes=())),
        ("everything:", Everything()),
    ],
)
def test_spellings(spec: str, want: Everything) -> None:
    """Spaces and capitals in names do not matter; text becomes the field's type."""
    assert THINGS.build(spec) == want


@pytest.mark.parametrize(
    ("spec", "message"),
    [
        ("everythin", r"unknown thing 'everythin'\. Did you mean 'everything'\?"),
        ("", r"unknown thing ''\. Known: everything\."),
        ("everything:cuont=2", r"unknown key of thing 'everything': 'cuont'\. Did you mean 'count'\?"),
        ("everything:count", r"spec 'everything:count': got 'count', wanted key=value"),
        ("everything:count=1,count=2", r"got the key 'count' twice"),
        ("everything:count=2.5", r"thing 'everything', key 'count': got '2\.5', wanted int"),
        ("everything:number=many", r"key 'number': got 'many', wanted float"),
        ("everything:number=none", r"key 'number': got 'none', wanted float"),
        ("everything:flag=maybe", r"key 'flag': got 'maybe', wanted bool"),
        ("everything:sizes=1//2", r"key 'sizes' \(values are parted by /\): got '', wanted int"),
    ],
)
def test_wrong_spellings(spec: str, message: str) -> None:
    """Each error says what was got and where, and what was wanted or probably meant."""
    with pytest.raises(UsageError, match=message):
        THINGS.build(spec)


def test_wrong_values_from_a_configuration() -> None:
    """Values that come typed (TOML) are not bent: 2.5 is no count, 5 is no truth value, infinity no count either."""
    for values in ({"count": 2.5}, {"flag": 5}, {"count": float("inf")}, {"number": [1]}, {"count": None}):
        with pytest.raises(UsageError, match=f"a file, key '{next(iter(values))}': got "):
            specs.configure(Everything, values, "a file")
    assert specs.configure(Everything, {"count": 2.0, "flag": True, "sizes": [4]}, "a file") == Everything(
        count=2, flag=True, sizes=(4,)
    )


def test_a_member_without_keys() -> None:
    """Says that it takes none."""
    with pytest.raises(UsageError, match=r"loss 'mse' takes no keys, got 'gamma'"):
        losses.build("mse:gamma=1")


def test_the_domain_error_names_the_member() -> None:
    """What a class refuses is told with the name that the user wrote."""
    with pytest.raises(UsageError, match=r"loss 'cross_entropy': label_smoothing is 2\.0; wanted 0 to 1"):
        losses.build("cross_entropy:label_smoothing=2")


def test_what_was_never_registered_cannot_be_rendered() -> None:
    """An own class is told how to get a name."""

    class Mine(losses.CategoricalLoss):
        def values(self, scores: Any) -> Any:
            return scores.logp

    with pytest.raises(UsageError, match=r"'Mine' is not a registered loss. Register it"):
        losses.render(Mine())


@pytest.mark.parametrize("room", [losses, penalties, optim, models], ids=lambda room: room.__name__)
def test_what_is_no_member_is_refused(room: Any) -> None:
    """A number where a spec or an object belongs; a typo in a name."""
    with pytest.raises(UsageError, match=r"got 5 as an? .*Give a spec such as"):
        room.build(5)
    with pytest.raises(UnknownName, match=r"Known: |Did you mean"):
        room.build("nosuchthing")
