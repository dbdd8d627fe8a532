"""Every exception as an error with a class, one line, and something to do about it."""

from __future__ import annotations

import errno
import os

from auxiva_cli.errors import AuxivaError

__all__ = ["as_error", "is_debugging"]

SCARCE = (errno.EMFILE, errno.ENFILE, errno.ENOMEM, errno.EAGAIN)


def is_debugging() -> bool:
    """Tell whether unexpected exceptions are to end the program with a traceback."""
    return bool(os.environ.get("AUXIVA_DEBUG"))


def as_error(error: Exception) -> AuxivaError:
    """Return our error for any exception; ``internal`` is one that nobody expected."""
    if isinstance(error, AuxivaError):
        return error
    if isinstance(error, MemoryError):
        return AuxivaError(
            "the machine's memory is used up",
            hint="Separate fewer recordings at a time.",
            kind="resource-limit",
        )
    if isinstance(error, OSError) and error.errno in SCARCE:
        return AuxivaError(
            f"the system refused: {error.strerror}",
            hint="Separate fewer recordings at a time, or raise the limits ('ulimit -a').",
            kind="resource-limit",
        )
    return AuxivaError(
        f"{type(error).__name__}: {error}",
        hint="This is a fault of the program, please report it; AUXIVA_DEBUG=1 shows where.",
        kind="internal",
    )
