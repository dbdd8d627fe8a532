"""A Dask scheduler, as far as we use one: reached, asked for its workers, given tasks."""

from __future__ import annotations

import contextlib
import json
import logging
import platform
import socket
import time
import warnings
from collections.abc import Callable, Collection
from importlib import metadata
from pathlib import Path
from typing import Any

from auxiva_cli.batch.there import BEGUN
from auxiva_cli.errors import AuxivaError, MissingExtraError

__all__ = ["ForgottenError", "LostError", "Scheduler"]

CONNECT_SECONDS = 10.0
ANSWER_SECONDS = 30.0
# Of a scheduler file, which has a kilobyte for each worker.
LARGEST_FILE = 2**26
# What tells where a worker is and whether it does the same as this process: functions of Python
# itself, which a worker of any version has.
FACTS: dict[str, tuple[Any, ...]] = {
    "host": (socket.gethostname,),
    "Python": (platform.python_version,),
    "auxiva": (metadata.version, "auxiva"),
    "NumPy": (metadata.version, "numpy"),
}
# How many numbers of a version must agree; other Pythons cannot read each other's tasks.
AGREEING = {"Python": 2, "auxiva": None, "NumPy": 1}


class LostError(Exception):
    """The worker of a task died, perhaps with the result."""


class ForgottenError(Exception):
    """The scheduler does not know a task any more: it is another one, or was restarted."""


class Scheduler:
    """The connection to a scheduler.

    Parameters
    ----------
    name : str
        Its address, as ``tcp://host:8786``, or the name of a scheduler file.
    begun : callable
        Is told the key of a task when a worker begins it, in a thread of Dask.

    Attributes
    ----------
    address, dashboard : str
        Of the scheduler, and of the pages that it shows.
    """

    def __init__(self, name: str, begun: Callable[[str], None]) -> None:
        self.address = self.dashboard = ""
        self._name = name
        self._begun = begun
        self._client: Any = None

    def connect(self) -> None:
        """Reach the scheduler.

        Raises
        ------
        MissingExtraError
            Without the packages of the extra.
        AuxivaError
            ``cluster``, if it does not answer.
        """
        client_of = _import_client()
        self.address = _address_of(self._name)
        try:
            with warnings.catch_warnings():  # about versions, which we look at ourselves
                warnings.simplefilter("ignore")
                self._client = client_of(
                    self.address, timeout=CONNECT_SECONDS, set_as_default=False, name="auxiva"
                )
            self._client.subscribe_topic(BEGUN, lambda event: self._begun(event[1]))
        except Exception as error:
            raise AuxivaError(
                f"the scheduler {self.address!r} does not answer within {CONNECT_SECONDS:.0f} s"
                f"{_reason(error)}",
                hint="Is it running, and can this machine reach it? dask scheduler says its "
                "address when it starts.",
                kind="cluster",
            ) from error
        self.dashboard = self._client.dashboard_link or ""

    def close(self) -> None:
        """Let go of the scheduler, which drops our tasks."""
        if self._client is not None:
            with contextlib.suppress(Exception):
                self._client.close(timeout=CONNECT_SECONDS)
            self._client = None

    def find_again(self, patience: float) -> None:
        """Reach the scheduler after it was lost.

        Parameters
        ----------
        patience : float, s
            How long it is looked for.

        Raises
        ------
        AuxivaError
            ``cluster``, if it is not found.
        """
        self.close()
        deadline = time.monotonic() + patience
        while True:
            try:
                self.connect()
            except AuxivaError:
                if time.monotonic() >= deadline:
                    raise
                time.sleep(1.0)  # a file that is not there yet says so at once
            else:
                return

    def workers(self) -> set[str]:
        """Return the addresses of the workers; any exception means that the scheduler is lost."""
        if self._client.status != "running":
            raise ForgottenError
        ask = self._client.scheduler.ncores
        return set(self._client.sync(ask, callback_timeout=ANSWER_SECONDS))

    def misfits(self, workers: Collection[str]) -> dict[str, str]:
        """Return which workers cannot do the same as this process, and why.

        Parameters
        ----------
        workers : collection of str
            Their addresses.
        """
        found: dict[str, str] = {}
        if not workers:
            return found
        known = {
            name: self._client.run(
                function, *arguments, workers=list(workers), on_error="return", nanny=False
            )
            for name, (function, *arguments) in FACTS.items()
        }
        ours = {name: function(*arguments) for name, (function, *arguments) in FACTS.items()}
        for worker in workers:
            facts = {name: answers.get(worker) for name, answers in known.items()}
            for name, depth in AGREEING.items():
                if worker not in found and _begin(facts[name], depth) != _begin(ours[name], depth):
                    theirs = facts[name] if isinstance(facts[name], str) else "that cannot be found"
                    found[worker] = f"{facts['host']} has {name} {theirs}, not {ours[name]}"
        return found

    def submit(self, function: Callable[..., Any], *arguments: Any, key: str, worker: str) -> Any:
        """Give a task to one worker, and to no other; return its future."""
        return self._client.submit(
            function,
            *arguments,
            key=key,
            workers=[worker],
            allow_other_workers=False,
            pure=False,
            retries=0,
        )

    def result(self, future: Any) -> Any:
        """Return what a task that is done has returned.

        Raises
        ------
        LostError, ForgottenError
            If there is no result.
        Exception
            What the task has raised.
        """
        from distributed import KilledWorker

        status = future.status
        if status == "cancelled":
            raise ForgottenError
        error = None
        try:
            if status == "finished":
                return future.result(timeout=ANSWER_SECONDS)
            error = future.exception(timeout=ANSWER_SECONDS)
        except Exception as lost:
            raise LostError from lost
        if error is None or isinstance(error, KilledWorker):
            raise LostError
        raise error


def _address_of(name: str) -> str:
    """Return the address of a scheduler, from an address or a scheduler file."""
    if "://" in name:
        return name
    hint = (
        "Name an address, such as tcp://host:8786, or what dask scheduler --scheduler-file wrote."
    )
    try:
        with Path(name).open("rb") as file:
            return str(json.loads(file.read(LARGEST_FILE))["address"])
    except OSError as error:
        what = f"the scheduler file {name!r} cannot be read: {error.strerror}"
        raise AuxivaError(what, hint=hint, kind="cluster") from error
    except (ValueError, KeyError, TypeError, RecursionError) as error:
        what = f"{name!r} is no scheduler file"
        raise AuxivaError(what, hint=hint, kind="cluster") from error


def _import_client() -> Any:
    """Import Dask, which takes a second, and keep it from writing to standard error."""
    try:
        import distributed
        import threadpoolctl  # noqa: F401  (what workers take)
    except ImportError as error:
        raise MissingExtraError(
            f"a cluster takes the package {error.name}",
            hint="Install it: pip install 'auxiva[cluster]'",
        ) from error
    for name in list(logging.root.manager.loggerDict):
        if name.partition(".")[0] in ("distributed", "tornado", "asyncio", "dask"):
            logger = logging.getLogger(name)
            logger.handlers = [logging.NullHandler()]
            logger.propagate = False
    return distributed.Client


def _begin(version: Any, depth: int | None) -> Any:
    """Return the first numbers of a version, or whatever is there in its place."""
    return version.split(".")[:depth] if isinstance(version, str) else None


def _reason(error: Exception) -> str:
    """Return what an exception adds to a message that says that nobody answers."""
    if isinstance(error, OSError | TimeoutError):
        return ""
    return f" ({type(error).__name__}: {error})".replace("\n", " ")
