"""Registries: members found by walking a folder, one new file each."""

from __future__ import annotations

import sys
from pathlib import Path

import pytest

from lossworks.core.errors import UnknownName, UsageError
from lossworks.core.registry import Registry

MEMBER = '''
from {package} import things

@things.add("{name}", source="somewhere")
class Thing:
    """The first line.

    The second.
    """
'''


@pytest.fixture
def things(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Registry[object]:
    """The registry of a package with two files, one member each."""
    package = f"folder_{tmp_path.name}"
    (tmp_path / package).mkdir()
    (tmp_path / package / "__init__.py").write_text(
        f"from lossworks.core.registry import Registry\nthings = Registry('thing', '{package}', object, 'Give a spec.')\n"
    )
    for name in ("second_one", "first"):
        (tmp_path / package / f"{name}.py").write_text(MEMBER.format(package=package, name=name))
    monkeypatch.syspath_prepend(tmp_path)
    return __import__(package).things


def test_members_are_found_by_walking(things: Registry[object]) -> None:
    """In the order of their names; hyphens, spaces and capitals in a name do not matter."""
    assert [entry.name for entry in things] == ["first", "second_one"]
    entry = things[" Second-One "]
    assert (entry.summary, entry.source) == ("The first line.", "somewhere")
    assert things.name_of(entry.thing) == "second_one"


def test_unknown_names(things: Registry[object]) -> None:
    """A near miss is told what was probably meant, and so is what members speak of; others are told what there is."""
    with pytest.raises(UnknownName, match=r"unknown thing 'frist'\. Did you mean 'first'\? Known: first, second_one\.") as error:
        things["frist"]
    assert error.value.name == "frist"
    for name in ("xyz", "The", ""):
        with pytest.raises(UnknownName, match=rf"unknown thing '{name}'\. Known: first, second_one\."):
            things[name]
    with pytest.raises(UnknownName, match=r"unknown thing 'line'\. Did you mean 'first' or 'second_one'\?"):
        things["line"]
    with pytest.raises(UnknownName, match=r"unknown thing 'the_first-line'\. Did you mean 'first' or 'second_one'\?"):
        things["the_first-line"]
    with pytest.raises(UsageError, match="'dict' is not a registered thing"):
        things.name_of(dict)


def test_two_members_of_one_name(things: Registry[object]) -> None:
    """Are a programming error, told at import."""
    assert things["first"]
    with pytest.raises(ValueError, match=r"two members of folder_.* are named 'first'"):
        things.add("first", source="elsewhere")(dict)


def test_nothing_is_imported_before_it_is_needed(things: Registry[object]) -> None:
    """Making a registry imports no member, and asking for one imports no other."""
    package = things._package
    assert f"{package}.first" not in sys.modules
    assert things["first"]
    assert f"{package}.first" in sys.modules
    assert f"{package}.second_one" not in sys.modules
    assert things.name_of(things["first"].thing) == "first"
    assert f"{package}.second_one" not in sys.modules
