"""Named things: a registry per kind, filled by walking a package, so that one new file is all a new member needs."""

from __future__ import annotations

import importlib
import pkgutil
import re
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Generic, TypeVar

from . import own, specs
from .errors import UnknownName, UsageError

T = TypeVar("T")
_WORD = 3  # letters that may be but a particle, and members to name at most
_REGISTRIES: list[Registry[Any]] = []
_ROOMS = ("losses", "optim", "penalties", "risks", "balances", "schedules")  # whose names are taken for one another's


@dataclass(frozen=True, slots=True)
class Entry(Generic[T]):
    """One member: its canonical name, the thing itself, and where its definition comes from."""

    name: str
    thing: type[T]
    source: str

    @property
    def summary(self) -> str:
        """The first line of the member's docstring."""
        return (self.thing.__doc__ or "").strip().split("\n", 1)[0]


class Registry(Generic[T]):
    """The members of one kind ("loss", "optimizer", ...), found by importing every module of ``package``.

    All extend ``base``; ``remedy`` says what to give in the place of what does not, ``elsewhere`` what else a name that is like
    none of them may be, with ``{}`` for the name.
    """

    def __init__(self, kind: str, package: str, base: Any, remedy: str, elsewhere: str = "") -> None:
        self.kind, self._elsewhere = kind, elsewhere
        self._package, self._base, self._remedy = package, base, remedy
        self._entries: dict[str, Entry[T]] = {}
        self._discovered = False
        _REGISTRIES.append(self)

    def add(self, name: str, *, source: str) -> Callable[[type[T]], type[T]]:
        """Decorator that registers a member under ``name``; one that is defined anew, as in a notebook, takes its own place."""

        def register(thing: type[T]) -> type[T]:
            given: Any = thing  # a user's file may decorate a function
            if not (isinstance(given, type) and issubclass(given, self._base)):
                raise UsageError(
                    f"a {self.kind} is a class derived from {self._base.__name__}, and {thing.__name__} is none. "
                    "docs/guides/own-loss.md has an example."
                )
            if not thing.__module__.startswith(self._package):
                self._import_home(_key(name))
            before = self._entries.get(name)
            if before is not None and _place(before.thing) != _place(thing):
                raise ValueError(f"two members of {self._package} are named {name!r}")
            self._entries[name] = Entry(name, thing, source)
            return thing

        return register

    def __getitem__(self, name: str) -> Entry[T]:
        if name not in self:
            elsewhere, file = self._elsewhere.format(name), own.ELSEWHERE.format(name) if self.kind in own.KINDS else ""
            where = " ".join(filter(None, [elsewhere, f"Known: {', '.join(sorted(self._entries))}.", file]))
            raise UnknownName(self.kind, name, self._entries, self._others(name), self._near(name), where)
        return self._entries[_key(name)]

    def __contains__(self, name: str) -> bool:
        if _key(name) not in self._entries and not self._discovered:
            self._import_home(_key(name))
        if _key(name) not in self._entries:
            self._discover()
        return _key(name) in self._entries

    def __iter__(self) -> Iterator[Entry[T]]:
        self._discover()
        return iter(sorted(self._entries.values(), key=lambda entry: entry.name))

    def added(self) -> list[Entry[T]]:
        """The members so far, without looking for others."""
        return list(self._entries.values())

    def known(self, thing: type[Any]) -> str | None:
        """What a class is registered as; None: it is not."""
        own = (entry.name for entry in self._entries.values() if entry.thing is thing)  # who has it imported what adds it
        return next(own, None)

    def name_of(self, thing: type[T]) -> str:
        """The canonical name of a registered member.

        Raises:
            UsageError: it was never registered.
        """
        if (name := self.known(thing)) is not None:
            return name
        raise UsageError(
            f"{getattr(thing, '__name__', thing)!r} is not a registered {self.kind}. Register it with @add(name, source=…)."
        )

    def build(self, spec: str | T) -> T:
        """The configured member that ``spec`` spells; a member is returned as it is.

        Raises:
            UsageError: an unknown name or key, a value outside its domain, or no member.
        """
        member: T = self.build_as(self._base, spec, self._remedy)
        return member

    def build_as(self, base: Any, spec: Any, remedy: str) -> Any:
        """What ``build`` gives, of those members alone that extend ``base``.

        Raises:
            UsageError: as of ``build``, or another member; ``remedy`` says what to give.
        """
        thing = spec
        if isinstance(spec, str):
            spec = self.resolved(own.without_files(spec, self.kind))
            name = spec.partition(":")[0]
            thing = specs.read(self[name].thing, spec, f"{self.kind} {name!r}")
        if not isinstance(thing, base):
            article = "an" if self.kind[0] in "aeiou" else "a"
            raise UsageError(f"got {thing!r} as {article} {self.kind}. {remedy}")
        return thing

    def resolved(self, spec: str) -> str:
        """``spec`` by the name of the member it means: a word among a family's keys may stand for another, of its ``forms``; a
        key with its value may too, which the other then has.
        """
        name, _, keys = spec.partition(":")
        leading, *others = keys.split(",")
        for word, member in getattr(self[name].thing, "forms", {}).items():
            if word in others:
                kept = [other for other in others if other != word or "=" in word]
                return f"{member}:{','.join([leading, *kept])}"
        return spec

    def render(self, member: T) -> str:
        """The spec that spells ``member``, with only the fields that differ from their defaults."""
        return specs.written(self.name_of(type(member)), member)

    def whole(self, member: T) -> str:
        """The spec that spells ``member`` with all its fields, so that whoever goes by those that are named finds each."""
        return specs.written(self.name_of(type(member)), member, whole=True)

    def _others(self, name: str) -> list[str]:
        """The other kinds of thing of which one has this name."""
        for room in _ROOMS:
            importlib.import_module(f"lossworks.{room}.base")
        return [other.kind for other in _REGISTRIES if other.kind != self.kind and _key(name) in other]

    def _near(self, name: str) -> list[str]:
        """The spec that was meant, where a member's name begins it; else members whose docstrings speak of what is called so."""
        begun, keys = re.fullmatch(r"([\w-]*)(.*)", name, re.DOTALL).groups()  # type: ignore[union-attr]  # it always matches
        if keys and begun in self:
            return [f"{begun}:{keys.strip('(,) ')}"]
        spelled = r"[\s_-]+".join(map(re.escape, re.split(r"[\s_-]+", name)))
        word = re.compile(rf"\b{spelled}\b", re.IGNORECASE)
        return [entry.name for entry in self if len(name) > _WORD and word.search(entry.thing.__doc__ or "")][:_WORD]

    def _import_home(self, key: str) -> None:
        """Import the module that adds a member of this name, as its source says; the others may take long to import."""
        package = importlib.import_module(self._package)
        said = f'.add("{key}"'.encode()
        for path in sorted(Path(package.__path__[0]).rglob("*.py")):
            if said in path.read_bytes():
                inner = path.relative_to(package.__path__[0]).with_suffix("").parts
                importlib.import_module(".".join((self._package, *inner)))

    def _discover(self) -> None:
        if not self._discovered:
            package = importlib.import_module(self._package)
            for module in pkgutil.iter_modules(package.__path__):
                importlib.import_module(f"{self._package}.{module.name}")
            self._discovered = True


def _place(thing: type[Any]) -> tuple[str, str]:
    return thing.__module__, thing.__qualname__


def every() -> list[Registry[Any]]:
    """All registries that have been imported."""
    return list(_REGISTRIES)


def _key(name: str) -> str:
    return name.strip().lower().replace("-", "_")
