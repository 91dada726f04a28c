"""Members of a user's own, named by the file that registers them: ``my.py:sharpened:power=1.2``.

To name the file is to run it. Nothing else runs it: a run directory keeps a copy of the files that its training was told of,
whose code is run only where a user names the copy too, in a spec or in ``LOSSWORKS_OWN``.
"""

from __future__ import annotations

import os
import re
import sys
import traceback
from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass
from pathlib import Path
from types import ModuleType
from typing import Any

import xxhash

from .errors import UsageError

TRUSTED = "LOSSWORKS_OWN"
"""The environment variable with files whose code may be run where a record asks for it."""
KINDS = ("loss", "optimizer", "penalty", "risk", "balance", "schedule")
"""Settings whose specs may name a file."""
ELSEWHERE = "One in a file of yours is FILE.py:{}."
"""What else a name that none of them has may be."""
FOLDER = "own"
"""Of a run directory, with the copies."""
_PATH = r"(?P<path>[^\s:*+,=](?:[^:*+,=\n]*[^\s:*+,=])?\.py)"
_NAMED, _NAMELESS = re.compile(rf"{_PATH}:(?P<name>\w*)"), re.compile(rf"{_PATH}(?![\w:.])")
_WORD = re.compile(r"[A-Za-z]\w*+(?!\s*=)")


@dataclass(frozen=True, slots=True)
class OwnFile:
    """A file that was run: where it stands, what it held, a digest of that, and the members that it registered."""

    path: Path
    text: bytes
    digest: str
    names: tuple[str, ...]

    def to_json(self) -> dict[str, Any]:
        """What a record says of it."""
        return {"path": str(self.path), "kept": f"{FOLDER}/{self.path.name}", "xxh3": self.digest, "names": list(self.names)}


_FILES: dict[str, OwnFile] = {}  # by the name of the module that each became


def without_files(spec: str, kind: str = "") -> str:
    """``spec`` with plain names; each file that it names is run, once as long as it is the same.

    Args:
        kind: "loss", …: what is to have been registered; else anything may be. Of a kind that is not of ``KINDS`` nothing is
            run: a model and its tokenizer are built of what a run's own files say, which may be anybody's.

    Raises:
        UsageError: a file cannot be read or run, or does not register what is asked of it.
    """
    if kind not in ("", *KINDS):
        return spec
    for path, name in [*_NAMED.findall(spec), *((path, "") for path in _NAMELESS.findall(spec))]:
        module = _run(Path(path))
        if name not in (known := _registered(module, kind)):
            raise UsageError(_unregistered(path, name, kind or "member", known, getattr(sys.modules[module], name, None)))
    return str(plain(spec))


def plain(value: Any) -> Any:
    """A value of settings with the files left out of all specs within; runs nothing."""
    return _changed(value, lambda spec: _NAMED.sub(r"\g<name>", spec))


def settled(values: Mapping[str, Any]) -> dict[str, Any]:
    """Settings, or lists of them, with plain names in all specs that may name a file, each of which is run."""
    return {key: _changed(value, without_files) if key in KINDS else value for key, value in values.items()}


def files_of(values: Any) -> list[OwnFile]:
    """The files that have registered what specs within ``values`` name.

    Raises:
        UsageError: two of them have one name, under which neither could be kept.
    """
    found = [file for file in _FILES.values() if _words(values) & {*file.names}]
    if len({file.path.name for file in found}) < len(found):
        raise UsageError(f"two files of your own are named {found[0].path.name}. Rename one.")
    return found


def run_again(files: Iterable[tuple[Path, str]]) -> None:
    """Run files in another process, those that it has not yet; each with the digest that it had.

    Raises:
        UsageError: one has changed since.
    """
    for path, digest in files:
        if _FILES[_run(path)].digest != digest:
            raise UsageError(f"{path} has changed while it was in use. Repeat the command with another --out.")


def raised(error: Exception) -> str:
    """Where in a user's file, and why, code of it has failed while it was used; empty of an error that has passed none."""
    for path in (str(sys.modules[module].__file__) for module in _FILES):
        if line := _line(error, path):
            return f"{path}{line}: {type(error).__name__}: {error}"
    return ""


def check_trusted(record: Mapping[str, Any], folder: Path, values: Any) -> None:
    """See to it that the files of a run whose members are named within ``values`` have been run, if the user has named them.

    Raises:
        UsageError: one has not been named: its code may be anybody's.
    """
    if plain(values) != values:
        raise UsageError(f"{folder / 'run.json'} names a file to run, which no record of ours does. Do not trust it.")
    for kept in record.get("own", ()):
        if not _words(values) & {*kept["names"]}:
            continue
        for path in map(Path, filter(None, os.environ.get(TRUSTED, "").split(os.pathsep))):
            if path.is_file() and _digest(path.read_bytes()) == kept["xxh3"]:
                _run(path)
        if kept["xxh3"] not in {file.digest for file in _FILES.values()}:
            copy = folder / FOLDER / Path(kept["kept"]).name
            raise UsageError(
                f"{folder} was trained with code in a file, and training it again runs that code. Read {copy}; if you trust it, "
                f"put {TRUSTED}={copy} before the command."
            )


def _changed(value: Any, change: Callable[[str], str]) -> Any:
    if isinstance(value, str):
        return change(value)
    if isinstance(value, Mapping):
        return {key: _changed(each, change) for key, each in value.items()}
    return [_changed(each, change) for each in value] if isinstance(value, list | tuple) else value


def _run(path: Path) -> str:
    """The name of the module that the file at ``path`` became when it was run."""
    try:
        text = path.read_bytes()
    except OSError as error:
        kept = f" A run that it was used in keeps a copy: RUN/{FOLDER}/{path.name}."
        raise UsageError(f"cannot read {path}: {error.strerror}.{kept}") from None
    digest = _digest(text)
    for module, file in _FILES.items():
        if file.digest == digest:
            return module
    name = f"lossworks_own_{path.stem}_{_digest(str(path.resolve()).encode())[:8]}"  # the same of a file that has changed
    sys.modules[name] = made = ModuleType(name)  # where dataclasses look for it
    made.__file__ = str(path)
    try:
        exec(compile(text, str(path), "exec"), made.__dict__)  # the user has named it to be run
    except (Exception, SystemExit) as error:
        said = error.msg if isinstance(error, SyntaxError) else error
        raise UsageError(f"{path}{_line(error, str(path))}: {type(error).__name__}: {said}") from error
    _FILES[name] = OwnFile(path.resolve(), text, digest, tuple(sorted(_registered(name, ""))))
    return name


def _unregistered(path: str, name: str, kind: str, known: Mapping[str, type[Any]], defined: Any) -> str:
    """What to do about a name that a file does not register, of those that it does; ``defined``: what else it calls so."""
    has = f"It has {', '.join(known)}." if known else f"Register it with @losses.add({name or 'name'!r}, source=…)."
    if not name:
        return f"{path} is a file, and which {kind} of it is meant is not said: {path}:{next(iter(known), 'NAME')}. {has}"
    if under := [each for each, thing in known.items() if thing is defined]:
        return f"{path} registers {name} as {under[0]!r}: {path}:{under[0]}."
    if defined is not None and not isinstance(defined, type):
        has = f"It defines {name}, which is no class, as a {kind} is: docs/guides/own-loss.md has an example."
    elif defined is not None and known:
        has = f"It defines {name}, and registers but {', '.join(known)}: put @losses.add({name!r}, source=…) above it."
    return f"{path} registers no {kind} {name!r}. {has}"


def _line(error: BaseException, path: str) -> str:
    lines = [frame.lineno for frame in traceback.extract_tb(error.__traceback__) if frame.filename == path]
    found = lines[-1] if lines else None
    if isinstance(error, SyntaxError) and error.filename == path:  # its own, and not what it imports
        found = error.lineno
    return "" if found is None else f", line {found}"


def _registered(module: str, kind: str) -> dict[str, type[Any]]:
    """What a module has registered, of one kind or of all, by name."""
    from .registry import every

    kinds = [registry for registry in every() if kind in ("", registry.kind)]
    return {entry.name: entry.thing for registry in kinds for entry in registry.added() if entry.thing.__module__ == module}


def _words(values: Any) -> set[str]:
    """The names within specs, which keys are not."""
    if isinstance(values, str):
        return set(_WORD.findall(plain(values)))
    inner = values.values() if isinstance(values, Mapping) else values if isinstance(values, list | tuple) else ()
    return {word for each in inner for word in _words(each)}


def _digest(text: bytes) -> str:
    return xxhash.xxh3_128_hexdigest(text)
