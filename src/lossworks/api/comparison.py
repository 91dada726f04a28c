"""What ``compare`` leaves, as who called it holds it: the record of a comparison and the table of its trainings."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

from ..core.errors import RecordError, UsageError
from ..record import Run
from ..record.files import write_atomic

if TYPE_CHECKING:
    import polars as pl


@dataclass(frozen=True, slots=True, repr=False)
class Comparison:
    """A comparison's record. ``trainings`` has a row for every training; ``path`` is its directory, where it has one."""

    record: dict[str, Any]
    trainings: pl.DataFrame
    path: Path | None = None

    @classmethod
    def load(cls, path: Path | str) -> Comparison:
        """From its directory.

        Raises:
            RecordError: it cannot be read, or is no comparison's.
        """
        import polars as pl

        run = Run(path)
        record = run.summary
        if record.get("kind") != "comparison" or "result" not in record:
            raise RecordError(f"{run.path} holds no finished comparison. `lossworks compare … --out {run.path}` makes one.")
        try:
            return cls(record, pl.read_parquet(run.path / "results.parquet"), run.path)
        except (OSError, pl.exceptions.PolarsError) as error:
            raise RecordError(
                f"cannot read {run.path / 'results.parquet'}: {error}. Repeat the command with --resume."
            ) from error

    @property
    def arms(self) -> list[dict[str, Any]]:
        """Every arm as the record has it, the baseline first: settings, trials, seeds, figures."""
        found: list[dict[str, Any]] = self.record["result"]["arms"]
        return found

    @property
    def verdicts(self) -> dict[str, dict[str, Any]]:
        """The verdict on each arm, by its name: its ``word``, its ``sentence``, and the numbers behind them."""
        return {arm["name"]: arm["verdict"] for arm in self.arms}

    @property
    def knowledge(self) -> list[dict[str, Any]]:
        """What was shown of each arm's knowledge, and of each pool: ``source``, ``word``, ``sentence``, ``checks``."""
        found: list[dict[str, Any]] = self.record["result"].get("knowledge", [])  # missing in earlier records
        return found

    def table(self) -> pl.DataFrame:
        """A row for each arm: its mean, the difference from the baseline with its interval, p-values and verdict."""
        import polars as pl

        return pl.DataFrame([_row(arm) for arm in self.arms], infer_schema_length=None)

    def write(self, path: Path | str) -> Path:
        """Write ``table`` to a file, and return its path: .csv, .jsonl or .parquet, or .tex, a table for a paper with the metric,
        the differences and the verdicts.

        Raises:
            UsageError: another ending. RecordError: the file cannot be written.
        """
        from ..record.rows import FORMATS, write_rows

        path = Path(path)
        if path.suffix == ".tex":
            from ..report import latex

            text = latex.table(self.record)
            write_atomic(path, lambda part: part.write_text(text, "utf-8"))
            return path
        if path.suffix not in FORMATS:
            raise UsageError(f"the table's file is {str(path)!r}; wanted one that ends in {', '.join(FORMATS)} or .tex.")
        return write_rows(path, self.table().iter_rows(named=True))

    def __repr__(self) -> str:
        lines = [f"{name}: {verdict['sentence']}" for name, verdict in self.verdicts.items()]
        return "\n".join([f"Comparison by {self.record['result']['metric']}:", *lines])


def _row(arm: dict[str, Any]) -> dict[str, Any]:
    verdict = arm["verdict"]
    shown = ("value", "low", "high", "p", "p_holm", "min_detectable")
    return {
        "arm": arm["name"], "mean": arm["value"], "standard_error": arm["standard_error"], "verdict": verdict["word"],
        **{{"value": "difference"}.get(key, key): verdict[key] for key in shown}, "seeds": len(arm["seeds"]),
        "diverged": len(verdict["diverged"]), "lr": arm["tuning"]["lr"], "seconds": arm["seconds"], "texts": arm["texts"],
    }  # fmt: skip
