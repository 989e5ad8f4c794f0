"""The database of searches: SQLite in the study's folder, or PostgreSQL for several machines."""

from __future__ import annotations

import os
import platform
import random
import time
import warnings
from collections.abc import Iterator
from contextlib import contextmanager
from datetime import datetime, timedelta
from pathlib import Path
from typing import Any

from dyntemp.errors import StudyError
from dyntemp.evaluation.folder import alive

FILE = "trials.db"
"""The SQLite file in the study's folder."""

BEAT = 20
"""Seconds between two signs of life of a process that works on a trial."""

STALE = 120
"""Seconds without a sign of life after which the trial is given to another process."""

WORKER = "worker"
"""The attribute of a trial that names its machine and process."""

BUSY = 60.0
"""Seconds for which a process waits until another one has written into SQLite."""

ATTEMPTS = 8
"""Processes that make the tables of one new database at the same time get in each other's way."""


def optuna() -> Any:
    """The package Optuna, without its messages about trials.

    Raises:
        StudyError: If it is not installed.
    """
    try:
        import optuna as package
    except ImportError as error:
        raise StudyError("Optuna is not installed: run `pip install 'dyntemp[tune]'`") from error
    package.logging.set_verbosity(package.logging.ERROR)
    return package


@contextmanager
def quiet() -> Iterator[None]:
    """Without Optuna's warnings that heartbeats and the pruner are experimental, or that an item has no value."""
    with warnings.catch_warnings():
        warnings.filterwarnings("ignore", module="optuna")
        warnings.simplefilter("ignore", optuna().exceptions.ExperimentalWarning)
        yield


def open_storage(folder: Path, url: str | None = None) -> Any:
    """Optuna's storage.

    Args:
        folder: The study's folder, which has the SQLite file.
        url: A database, such as `postgresql://user@host/name`, in its place.

    Raises:
        StudyError: If Optuna or the database's driver is not installed, or no database is at the URL.
    """
    package = optuna()
    from sqlalchemy.exc import ArgumentError, IntegrityError, OperationalError, ProgrammingError

    place = f"sqlite:///{folder / FILE}" if url is None else url.replace("postgresql://", "postgresql+psycopg://", 1)
    settings = {"connect_args": {"timeout": BUSY}} if place.startswith("sqlite:") else {"pool_pre_ping": True}
    for attempt in range(1, ATTEMPTS + 1):
        try:
            with quiet():
                storage = package.storages.RDBStorage(
                    place, engine_kwargs=settings, heartbeat_interval=BEAT, grace_period=STALE
                )
        except ImportError as error:
            raise StudyError(f"{url} needs a driver: run `pip install 'dyntemp[tune]'` ({error})") from error
        except ArgumentError:
            raise StudyError(f"{url!r} is no URL of a database; write postgresql://USER@HOST/NAME") from None
        except (IntegrityError, OperationalError, ProgrammingError) as error:
            if attempt == ATTEMPTS:
                raise StudyError(f"no database could be opened at {place}: {error}") from None
            time.sleep(random.uniform(0.1, 0.5))  # noqa: S311
        else:
            if place.startswith("sqlite:"):
                _lock_before_reading(storage.engine)
            return storage
    raise AssertionError


def _lock_before_reading(engine: Any) -> None:
    """Let each transaction of SQLite lock the database before it reads.

    Optuna reads that a trial waits, and then writes that it runs. Python's driver begins a transaction only where
    something is written, so that two processes could read the same, and both do the trial.
    """
    from sqlalchemy import event

    def leave_beginning_to_us(connection: Any, _record: Any) -> None:
        connection.isolation_level = None

    def begin(connection: Any) -> None:
        connection.exec_driver_sql("BEGIN IMMEDIATE")

    event.listen(engine, "connect", leave_beginning_to_us)
    event.listen(engine, "begin", begin)
    engine.dispose()  # connections that are open begin as before


def worker() -> str:
    """This machine and process, as a trial's attribute."""
    return f"{platform.node()} {os.getpid()}"


def fail_dead(study: Any) -> None:
    """Mark the trials as failed whose process has ended, so that they are done again.

    A process of this machine is asked for. One of another machine has ended if the database has had no sign of life of
    its trial for `STALE` seconds.
    """
    package = optuna()
    with quiet():
        package.storages.fail_stale_trials(study)
    running = study.get_trials(deepcopy=False, states=(package.trial.TrialState.RUNNING,))
    for trial in running:
        if _is_dead(trial):
            try:
                study.tell(trial.number, state=package.trial.TrialState.FAIL)
            except (ValueError, package.exceptions.UpdateFinishedTrialError):  # another process was faster
                continue


def _is_dead(trial: Any) -> bool:
    """True if the process of a running trial, on this machine, has ended, or ended before it could name itself."""
    machine, _, process = trial.user_attrs.get(WORKER, "").rpartition(" ")
    if not process:
        return datetime.now() - trial.datetime_start > timedelta(seconds=STALE)  # noqa: DTZ005
    return machine == platform.node() and not alive(int(process))
