"""Finished runs as one table: from run directories, or from a file with a row each."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from pathlib import Path
from typing import Any

import numpy as np

from ..core.errors import DataError, UsageError
from ..record import Run
from ..scaling import Runs
from ..scaling.runs import FLOPS

NAMES = {
    "params": ("params", "parameters", "n_params", "num_params", "model_size", "n"),
    "tokens": ("tokens", "train_tokens", "training_tokens", "n_tokens", "num_tokens", "d"),
    "loss": ("loss", "valid_loss", "validation_loss", "val_loss", "eval_loss", "test_loss", "nats_per_token"),
    "compute": ("compute", "flops", "train_flops", "c"),
    "non_embedding": ("non_embedding", "params_no_embed", "non_embedding_params", "params_non_embedding"),
    "unique": ("unique_tokens", "unique"),
    "seconds": ("seconds", "train_seconds"),
    "memory": ("memory", "peak_memory"),
    "tuned": ("tuned", "lr_tuned"),
    "finished": ("finished", "complete", "completed"),
    "data": ("data", "dataset", "data_set", "dataset_name", "fingerprint"),
    "tokenizer": ("tokenizer",),
}
"""What columns are called, by what they hold; capitals do not matter."""
_NEEDED, _SAME = ("params", "tokens", "loss"), {"data": "data sets", "tokenizer": "tokenizers"}
_FLAGGED = {
    "tuned": "no learning rate searched for",
    "finished": "a schedule that was not finished",
    "trained": "fewer than 100 steps",
}
_FEW_STEPS = 100
_NUMBERS = (*_NEEDED, "non_embedding", "unique", "seconds", "memory")


def read_runs(sources: Sequence[str | Path], columns: Mapping[str, str], where: Mapping[str, str]) -> tuple[Runs, int | None]:
    """The runs of ``sources``, and the cores that all were trained on, where the record tells.

    Args:
        sources: run directories, or one file: CSV, JSON lines or Parquet.
        columns: what columns of a file are called, by what they hold (`NAMES`).
        where: keep the rows of a file that have these values in these columns.

    Raises:
        UsageError: nothing is given, or files and directories are mixed; there is no such column.
        DataError: the file cannot be read or lacks a number; runs are of several data sets or tokenizers.
        RecordError: a directory holds no run.
    """
    paths = [Path(source) for source in sources]
    if not paths:
        raise UsageError("no runs are given. Name run directories, or a table of runs: lossworks plan runs.csv --params 1e9 …")
    folders = [path for path in paths if path.is_dir()]
    if folders and (len(folders) < len(paths)):
        raise UsageError(
            f"{next(p for p in paths if p not in folders)} is no run directory, as the others are. Give either a table or runs."
        )
    if folders:
        if columns or where:
            raise UsageError("run directories have no columns; --column and --where are for a table.")
        rows = [_of_run(path) for path in paths]
        found = {key: [row[key] for row in rows] for key in rows[0]}
        cores = set(found.pop("cores"))
        return _runs(found, f"{len(paths)} runs", [str(path) for path in paths]), cores.pop() if len(cores) == 1 else None
    if len(paths) > 1:
        raise UsageError(f"{len(paths)} tables are given; wanted one. Join them, with a column for what differs.")
    return _of_table(paths[0], columns, where), None


def _of_run(path: Path) -> dict[str, Any]:
    """What planning reads of one run of a neural language model."""
    from ..models import build_language

    summary = Run(path).summary
    if summary.get("task") != "lm" or summary.get("status") != "finished" or "training" not in summary.get("result", {}):
        raise DataError(
            f"{path} is no finished run of a neural language model (task {summary.get('task')}, {summary.get('status')}). "
            "Leave it out; scaling laws are of the loss a token."
        )
    config, data, result = summary["config"], summary["data"], summary["result"]
    spec: Any = build_language(config["model"])
    if not hasattr(spec, "parameters"):
        raise DataError(f"{path}: a model {config['model']} does not tell how many parameters it has; give a table with them.")
    params, training = spec.parameters(data["vocabulary"]), result["training"]
    table = data["vocabulary"] * spec.dim * (1 if getattr(spec, "tied", True) else 2)
    return {
        "params": params,
        "tokens": training["passes"] * data["tokens"]["train"],
        "loss": result["metrics"]["nats_per_token"]["value"],
        "non_embedding": params - table,
        "unique": data["tokens"]["train"],
        "seconds": training["seconds"],
        "memory": training.get("peak_memory"),  # not in the record of an earlier version
        "tuned": True if "lr_search" in result else False if config.get("lr") is None else None,  # given: by whom is not known
        "trained": training["steps"] >= _FEW_STEPS,
        "finished": training["stopped"] in ("all steps done", "all epochs done"),
        "data": f"{data['fingerprint']}, in parts by seed {config.get('seed')}",
        "tokenizer": f"{config['tokenizer']} of {data['vocabulary']} tokens",
        "cores": (summary.get("machine") or {}).get("cores"),
    }


def _of_table(path: Path, columns: Mapping[str, str], where: Mapping[str, str]) -> Runs:
    import polars as pl

    readers: dict[str, Callable[..., pl.DataFrame]] = {
        ".csv": pl.read_csv,
        ".tsv": pl.read_csv,
        ".jsonl": pl.read_ndjson,
        ".ndjson": pl.read_ndjson,
        ".parquet": pl.read_parquet,
    }
    if not path.exists():
        raise UsageError(f"there is no file or run directory {path}.")
    if path.suffix.lower() not in readers:
        raise UsageError(f"{path}: a table of runs is .csv, .tsv, .jsonl or .parquet.")
    more: dict[str, Any] = {"separator": "\t"} if path.suffix.lower() == ".tsv" else {}
    try:
        frame = readers[path.suffix.lower()](path, **more)
    except (pl.exceptions.PolarsError, OSError) as error:
        raise DataError(f"{path} cannot be read as a table: {str(error).splitlines()[0]}") from error
    frame = frame.with_row_index("lossworks_row", 1)
    for only, value in where.items():
        if only not in frame.columns:
            raise UsageError(f"{path} has no column {only!r}; its columns: {', '.join(frame.columns[1:])}.")
        frame = frame.filter(pl.col(only).cast(pl.String) == value)
    named = {what: column for what in NAMES if (column := _column(what, frame.columns[1:], columns, path)) is not None}
    if wrong := set(columns) - set(NAMES):
        raise UsageError(f"--column {min(wrong)}=…: a run has {', '.join(NAMES)}.")
    found: dict[str, Any] = {what: frame[column].to_list() for what, column in named.items()}
    for what in (*_NUMBERS, "compute"):
        if what in found:
            found[what] = [
                _number(value, what, row, path) for value, row in zip(found[what], frame["lossworks_row"], strict=True)
            ]
    if "compute" in found:
        _from_compute(found)
    if missing := [what for what in _NEEDED if what not in found]:
        raise DataError(
            f"{path} has no column of {missing[0]} that is called as usual ({', '.join(NAMES[missing[0]][:3])}); its columns: "
            f"{', '.join(frame.columns[1:])}. Name it: --column {missing[0]}=COLUMN."
        )
    return _runs(found, str(path), [f"row {row}" for row in frame["lossworks_row"]])


def _column(what: str, names: Sequence[str], columns: Mapping[str, str], path: Path) -> str | None:
    """The column that holds ``what``: the one named, or the one that is called so."""
    if what in columns:
        if columns[what] not in names:
            raise UsageError(f"{path} has no column {columns[what]!r}; its columns: {', '.join(names)}.")
        return columns[what]
    called = [name for known in NAMES[what] for name in names if name.strip().casefold() == known]
    taken = [name for name in called if name not in columns.values()]
    if len(taken) > 1 and what in _NEEDED:
        raise UsageError(f"{path} has several columns of {what}: {', '.join(taken)}. Name the one: --column {what}={taken[0]}.")
    return taken[0] if taken else None


def _number(value: Any, what: str, row: int, path: Path) -> float:
    try:
        return float(value)
    except (TypeError, ValueError):
        shown = "missing" if value is None else repr(value)
        raise DataError(
            f"{path}, row {row}: {what} is {shown}; wanted a number. Leave the run out with --where, or mend the table."
        ) from None


def _from_compute(found: dict[str, Any]) -> None:
    """Of parameters, tokens and compute, the one that is not there: C = 6 N D."""
    compute = found.pop("compute")
    for what, other in (("tokens", "params"), ("params", "tokens")):
        if what not in found and other in found:
            found[what] = [c / FLOPS / have if have else float("nan") for c, have in zip(compute, found[other], strict=True)]


def _runs(found: dict[str, Any], source: str, names: Sequence[str]) -> Runs:
    for what, called in _SAME.items():
        if len(several := {str(value) for value in found.get(what, ())}) > 1:
            raise DataError(
                f"{source} has runs of several {called}: {', '.join(sorted(several)[:3])}. Losses on different tokens do not "
                "compare; keep the runs of one (a table's with --where COLUMN=VALUE)."
            )
    numbers = {key: np.array(found[key], dtype=float) for key in _NUMBERS if key in found and None not in found[key]}
    flags = []
    for what, said in _FLAGGED.items():
        wrong = [name for name, value in zip(names, found.get(what, ()), strict=False) if _is_no(value)]
        if wrong:
            shown = ", ".join(wrong[:3]) + ", …" * (len(wrong) > 3)
            flags.append(f"{len(wrong)} of {len(names)} runs have {said} ({shown}): their losses say less of larger runs.")
    return Runs(**numbers, names=names, flags=flags, source=source)


def _is_no(value: Any) -> bool:
    return value is False or str(value).strip().casefold() in ("false", "no", "0")
