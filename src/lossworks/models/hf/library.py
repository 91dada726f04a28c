"""transformers and peft, where they are installed: kept quiet, their files found, and their errors as ours."""

from __future__ import annotations

import contextlib
import importlib
import warnings
from collections.abc import Iterator
from pathlib import Path
from typing import Any

from safetensors import safe_open

from ...core.errors import LossworksError, NotInstalled, RecordError, UsageError
from ...record import read_object, write_atomic
from ...record.files import make_folder

PREDICTS_END = "predicts_end"
"""The key of ``tokenizer_config.json`` by which an export says that its model predicts the end token after each text."""
FOLDER = "hf"
"""Of a run, where the model's own files stand: the run's ``config.json`` has the same name."""
_LAYERS = ("num_hidden_layers", "num_layers", "n_layer", "n_layers")
"""How configurations name the number of layers."""
_WHAT = {
    "AutoModelForCausalLM": "causal language model",
    "AutoModelForSequenceClassification": "classifier of texts",
    "AutoModel": "model that gives states",
}


def package(name: str) -> Any:
    """``transformers`` or ``peft``.

    Raises:
        NotInstalled: it is missing.
    """
    try:
        return importlib.import_module(name)
    except ModuleNotFoundError:
        raise NotInstalled(f"{name} is not installed. Install it, or all at once: pip install 'lossworks[hf]'.") from None


def hub_file(name: str, file: str) -> str | None:
    """Where a file of what the hub calls ``name`` is on this machine, fetched if it must be; None where it has no such file.

    Raises:
        UsageError: transformers is missing, or there is no such name.
    """
    package("transformers")
    from transformers.utils.hub import cached_file

    with told(name, here=False):
        found = cached_file(name, file, _raise_exceptions_for_missing_entries=False)
        return None if found is None else str(found)


def named(path: str) -> str:
    """The path or name of a family's model.

    Raises:
        UsageError: there is none.
    """
    if not path:
        raise UsageError("the family alone names no model; wanted a directory or a name at the hub: hf:PATH.")
    return path


def tokenizer_file(path: str) -> str:
    """The ``tokenizer.json`` of a directory, or of what the hub calls so.

    Raises:
        UsageError: it has none that the ``tokenizers`` library reads.
    """
    if found := _file(path, "tokenizer.json"):
        return found
    raise UsageError(
        f"{path} holds no tokenizer.json. Save its tokenizer there: "
        f"AutoTokenizer.from_pretrained(…).save_pretrained({path!r}). For a language model --tokenizer FILE.json names another."
    )


def predicts_end(path: str) -> bool:
    """Whether the model that is called so predicts where a text ends, as it says beside its tokenizer; most say nothing."""
    found = _file(path, "tokenizer_config.json")
    return found is not None and bool(read_object(Path(found)).get(PREDICTS_END, False))


def _file(path: str, name: str) -> str | None:
    """Where a file of a directory is, or of what the hub calls so; None where there is none."""
    if not Path(path).is_dir():
        return hub_file(path, name)
    return str(Path(path) / name) if (Path(path) / name).exists() else None


def write_config(config: Any, folder: Path) -> None:
    """Keep a model's configuration in a run's ``folder``."""
    make_folder(folder / FOLDER)
    write_atomic(folder / FOLDER / "config.json", config.to_json_file)


def kept_config(folder: Path, **more: Any) -> Any:
    """The configuration that ``write_config`` kept, with ``more`` over it.

    Raises:
        RecordError: it is missing.
    """
    if not (folder / FOLDER / "config.json").exists():
        raise RecordError(f"{folder / FOLDER / 'config.json'} is missing. Restore it from a copy, or fit again.")
    config = package("transformers").AutoConfig
    return config.from_pretrained(folder / FOLDER, trust_remote_code=False, local_files_only=True, **more)


def pretrained(auto: Any, name: str | Path, **more: Any) -> Any:
    """What a class of transformers reads from a directory, or of what the hub calls so: safetensors alone, and no program is run.

    Raises:
        ValueError: the directory tells of more layers than it has weights for. Others as transformers raises them.
    """
    return _read(auto, name, use_safetensors=True, **more)


def configuration(name: str | Path) -> Any:
    """The configuration of a directory, or of what the hub calls so; no program from there is run.

    Raises:
        ValueError: as of ``pretrained``.
    """
    return _read(package("transformers").AutoConfig, name)


def _read(auto: Any, name: str | Path, **more: Any) -> Any:
    here = Path(name).is_dir()
    if here:
        _check_layers(Path(name))
    return auto.from_pretrained(name, trust_remote_code=False, local_files_only=here, **more)


def _check_layers(folder: Path) -> None:
    """Refuse a configuration of more layers than the directory's safetensors have tensors: transformers makes all of them, one
    after another, before it looks for their weights.

    Raises:
        ValueError: it is one.
    """
    config = read_object(folder / "config.json")
    each = [config, *(part for part in config.values() if isinstance(part, dict))]
    told = (part[key] for part in each for key in _LAYERS if isinstance(part.get(key), int | float))
    layers, tensors = max(told, default=0), 0
    for path in folder.glob("*.safetensors"):
        with safe_open(path, "numpy") as file:
            tensors += len(file.keys())
    if tensors and layers > tensors:
        raise ValueError(f"config.json tells of {layers:,} layers, and its weights are {tensors:,} tensors")


@contextlib.contextmanager
def told(name: str | Path, here: bool, auto: str = "AutoModelForCausalLM") -> Iterator[None]:
    """The errors of transformers as ours: it raises whatever the layer that failed raises.

    ``here``: whether ``name`` is a directory; ``auto``: the class that is to read it.
    """
    try:
        yield
    except LossworksError:
        raise
    except Exception as error:  # noqa: BLE001  # whatever it is
        said = str(error).strip().split("\n", 1)[0]
        if here and not any(Path(name).glob("*.safetensors")) and any(Path(name).glob("*.bin")):
            raise UsageError(
                f"{name} holds its weights as pickles, which can run any program when read. Where you trust it, write them as "
                f"safetensors: {auto}.from_pretrained(path).save_pretrained(other)."
            ) from None
        if said.startswith("Unrecognized configuration class"):
            raise UsageError(f"transformers makes no {_WHAT[auto]} of {name} ({said}). Give a model of another kind.") from None
        if here:
            raise RecordError(f"{name} cannot be read as a {_WHAT[auto]} ({said}). Restore it from its source.") from None
        raise UsageError(
            f"{name!r} is no directory here, and Hugging Face gave none ({said}). Look at the name's spelling."
        ) from None


@contextlib.contextmanager
def quiet() -> Iterator[None]:
    """No bars, and no reports of weights that are left out or drawn anew, where that is meant."""
    logging = package("transformers").utils.logging
    before, bars = logging.get_verbosity(), logging.is_progress_bar_enabled()
    logging.set_verbosity_error()
    logging.disable_progress_bar()
    try:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")  # peft's, of what it puts right by itself
            yield
    finally:
        logging.set_verbosity(before)
        if bars:
            logging.enable_progress_bar()
