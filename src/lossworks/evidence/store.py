"""Where finished trainings are kept: Optuna studies, in SQLite in the run directory or in a PostgreSQL that machines share.

Only finished trainings are written, each in one transaction. Who is at one holds a lock that goes with its process (a file's, or
PostgreSQL's advisory one), so a killed training leaves no trace and is done again by whoever comes next.
"""

from __future__ import annotations

import base64
import fcntl
import hashlib
import math
import zlib
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from ..core.errors import RecordError, UsageError
from ..record.files import unwritable
from .outcome import Outcome

FORMAT = 2
TUNE, RUN = "tune", "run"
_PATIENCE = 60  # seconds that a write waits for another process's
_MAKING = 0x6C6F7373776F726B  # the lock under which the tables are made


@dataclass(frozen=True, slots=True)
class Key:
    """One training: the ``number``-th trial of an arm, or its training with seed number ``number``."""

    stage: str
    arm: int
    number: int


Finished = dict[Key, Outcome]


class Store:
    """The finished trainings of the comparison called ``name``, one Optuna study an arm and stage.

    Raises:
        RecordError: the storage cannot be reached or written, or holds records of another version.
    """

    def __init__(self, folder: Path, url: str | None, name: str, arms: list[str]) -> None:
        self.name = name
        self.shared = url is not None
        self._arms = arms
        self._locks = folder / "locks"
        self._storage = _open(folder, url)
        self._studies: dict[tuple[str, int], Any] = {}
        self._outcomes: dict[int, Outcome] = {}

    def finished(self) -> Finished:
        """Every training that has ended, by whomever it was done."""
        places = [(stage, arm) for stage in (TUNE, RUN) for arm in range(len(self._arms))]
        return {key: outcome for place in places for key, outcome in self._finished(*place).items()}

    def has(self, key: Key) -> bool:
        """Whether a training has ended."""
        return key in self._finished(key.stage, key.arm)

    def _finished(self, stage: str, arm: int) -> Finished:
        import optuna

        with _told():
            trials = self._study(stage, arm).get_trials(deepcopy=False, states=(optuna.trial.TrialState.COMPLETE,))
        found: Finished = {}
        for trial in trials:
            if trial._trial_id not in self._outcomes:
                self._outcomes[trial._trial_id] = _outcome(trial)
            found.setdefault(Key(stage, arm, trial.user_attrs["number"]), self._outcomes[trial._trial_id])
        return found

    def add(self, key: Key, params: dict[str, float], ranges: dict[str, tuple[float, float, bool]], outcome: Outcome) -> None:
        """Keep a finished training; ``params`` are those tuned, each with the range (low, high, in ratios) it is from."""
        import optuna

        distributions: dict[str, optuna.distributions.BaseDistribution] = {
            name: optuna.distributions.FloatDistribution(min(low, params[name]), max(high, params[name]), log=ratio)
            for name, (low, high, ratio) in ranges.items()
        }
        attributes = {
            "number": key.number,
            "metrics": outcome.metrics,
            "curve": outcome.curve,
            "seconds": outcome.seconds,
            "texts": outcome.texts,
            "note": outcome.note,
            "rows": None if outcome.rows is None else packed(outcome.rows),
            "said": None if outcome.said is None else packed(outcome.said),
            "bins": outcome.bins,
            "f1": outcome.f1,
        }
        trial = optuna.trial.create_trial(value=outcome.judged, params=params, distributions=distributions, user_attrs=attributes)
        with _told():
            self._study(key.stage, key.arm).add_trial(trial)

    @contextmanager
    def claim(self, key: Key) -> Iterator[bool]:
        """Whether the training is ours to do, for as long as the block lasts; not, while another process is at it."""
        name = f"{self.name}/{key.stage}/{key.arm}/{key.number}"
        with self._advisory(name) if self.shared else self._file(name.replace("/", "-")) as ours:
            yield ours

    def _study(self, stage: str, arm: int) -> Any:
        import optuna

        if (stage, arm) not in self._studies:
            name = f"{self.name}/{stage}/{arm} {self._arms[arm]}"
            study = optuna.create_study(storage=self._storage, study_name=name, load_if_exists=True)
            version = study.user_attrs.get("lossworks")
            if version is None:
                study.set_user_attr("lossworks", FORMAT)
            elif version != FORMAT:
                raise RecordError(
                    f"the storage holds records of format {version!r} of this comparison; this version reads format {FORMAT}. "
                    "Go on with the version that began it, or choose another --out."
                )
            self._studies[stage, arm] = study
        return self._studies[stage, arm]

    @contextmanager
    def _file(self, name: str) -> Iterator[bool]:
        try:
            self._locks.mkdir(exist_ok=True)
            file = (self._locks / name).open("w")
        except OSError as error:
            raise unwritable(self._locks, error) from error
        with file:
            try:
                fcntl.flock(file, fcntl.LOCK_EX | fcntl.LOCK_NB)
            except BlockingIOError:
                yield False
                return
            yield True

    @contextmanager
    def _advisory(self, name: str) -> Iterator[bool]:
        import sqlalchemy

        number = int.from_bytes(hashlib.blake2b(name.encode(), digest_size=8).digest(), "little", signed=True)
        with _told():
            connection = self._storage._backend.engine.connect().execution_options(isolation_level="AUTOCOMMIT")
        try:
            with _told():
                ours = bool(connection.scalar(sqlalchemy.text("SELECT pg_try_advisory_lock(:n)"), {"n": number}))
            try:
                yield ours
            finally:
                if ours:
                    with suppress(sqlalchemy.exc.SQLAlchemyError):  # with the connection gone, so is the lock
                        connection.execute(sqlalchemy.text("SELECT pg_advisory_unlock(:n)"), {"n": number})
        finally:
            connection.close()


def packed(values: NDArray[np.float64]) -> str:
    """Numbers as text: compressed little-endian float64."""
    return base64.b64encode(zlib.compress(values.astype("<f8").tobytes())).decode()


def unpacked(text: str) -> NDArray[np.float64]:
    """The numbers that ``packed`` made text of."""
    return np.frombuffer(zlib.decompress(base64.b64decode(text)), "<f8").astype(np.float64)


def _outcome(trial: Any) -> Outcome:
    try:
        told = trial.user_attrs
        rows, said = (None if told[name] is None else unpacked(told[name]) for name in ("rows", "said"))
        return Outcome(
            judged=math.inf if trial.value is None else float(trial.value),
            rows=rows,
            metrics=dict(told["metrics"]),
            curve=[(float(a), float(b), float(c)) for a, b, c in told["curve"]],
            seconds=float(told["seconds"]),
            texts=int(told["texts"]),
            note=str(told["note"]),
            said=said,
            bins=[(float(a), float(b), int(c)) for a, b, c in told["bins"]],
            f1=[float(value) for value in told["f1"]],
        )
    except (KeyError, TypeError, ValueError, zlib.error) as error:
        raise RecordError(
            f"trial {trial.number} of the storage is damaged or of another version ({error}). Choose another --out."
        ) from None


def _open(folder: Path, url: str | None) -> Any:
    import optuna

    optuna.logging.set_verbosity(optuna.logging.ERROR)
    if url is not None and not url.startswith(("postgresql://", "postgresql+psycopg://")):
        raise UsageError(
            f"--storage {url!r}: wanted postgresql://…. Without --storage, SQLite in the run directory serves one machine."
        )
    with _told():
        try:
            if url is not None:
                return _shared(url.replace("postgresql://", "postgresql+psycopg://"))
        except ImportError:
            raise UsageError('--storage needs the PostgreSQL driver: pip install "lossworks[postgresql]".') from None
        patient = {"connect_args": {"timeout": _PATIENCE}}
        address = f"sqlite:///{folder.resolve() / 'trials.db'}"
        return optuna.storages.get_storage(optuna.storages.RDBStorage(address, engine_kwargs=patient))


def _shared(address: str) -> Any:
    """The storage in PostgreSQL. Machines that begin together make its tables one after the other."""
    import optuna
    import sqlalchemy

    engine = sqlalchemy.create_engine(address, isolation_level="AUTOCOMMIT")
    with engine.connect() as connection:
        connection.execute(sqlalchemy.text("SELECT pg_advisory_lock(:n)"), {"n": _MAKING})
        storage = optuna.storages.RDBStorage(address, engine_kwargs={"pool_pre_ping": True})
        connection.execute(sqlalchemy.text("SELECT pg_advisory_unlock(:n)"), {"n": _MAKING})
    engine.dispose()
    return optuna.storages.get_storage(storage)


@contextmanager
def _told() -> Iterator[None]:
    """Turn what a database says of itself into our words."""
    import optuna
    import sqlalchemy

    try:
        yield
    except (sqlalchemy.exc.SQLAlchemyError, optuna.exceptions.StorageInternalError) as error:
        cause = error.__cause__ if isinstance(error, optuna.exceptions.StorageInternalError) else error
        reason = str(getattr(cause, "orig", None) or cause or error).strip().partition("\n")[0]
        raise RecordError(
            f"the storage of the trainings cannot be used: {reason}. Check --storage, or the space in --out."
        ) from error
    except RuntimeError as error:  # how Optuna says that the tables are of another version of its own
        raise RecordError(f"the storage of the trainings is of another version of Optuna: {error}") from error
