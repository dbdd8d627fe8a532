"""What can go wrong, and what is odd, each as one tree.  This module imports nothing of ours.

Every error says *what* is wrong, with numbers, and a *hint*: what to do next, whoever called.  Its
``kind`` is a stable kebab-case word, the same in messages, in JSON and in the table of errors;
by it the command line knows which of its options would help.
"""

from __future__ import annotations

import errno
import os
from dataclasses import dataclass
from functools import partial
from typing import Literal, get_args

__all__ = [
    "KINDS",
    "NOTICE_KINDS",
    "AuxivaError",
    "FiltersError",
    "Kind",
    "MissingExtraError",
    "Notice",
    "NoticeKind",
    "OutputError",
    "ParameterError",
    "RecordingError",
    "as_error",
    "is_debugging",
]

Kind = Literal[
    "bad-parameter",
    "input-missing",
    "input-closed",
    "input-empty",
    "input-truncated",
    "input-nonfinite",
    "not-audio",
    "malformed",
    "unsupported",
    "several-tracks",
    "read-error",
    "resource-limit",
    "too-few-channels",
    "too-short",
    "too-little-signal",
    "silent",
    "channels-dependent",
    "array-mismatch",
    "output-exists",
    "output-collision",
    "output-is-input",
    "output-closed",
    "no-space",
    "write-error",
    "bad-filters",
    "missing-extra",
    "cluster",
    "internal",
]
KINDS: tuple[str, ...] = get_args(Kind)
NoticeKind = Literal[
    "header-unfinished",
    "size-field-wrong",
    "block-align-wrong",
    "trailing-bytes",
    "input-truncated",
    "length-uncertain",
    "array-lengths-differ",
    "nonfinite-zeroed",
    "channel-dead",
    "channel-dropout",
    "channel-unrelated",
    "channels-alike",
    "channel-delayed",
    "clock-drift",
    "clock-slip",
    "gain-step",
    "gain-wanders",
    "channels-dependent",
    "polarity-inverted",
    "hum",
    "channels-uneven",
    "clipped",
    "outlier",
    "dc-offset",
    "level-high",
    "short",
    "crowd",
    "weak-output",
    "louder-elsewhere",
    "doubtful-result",
    "more-speakers",
    "cost-rose",
    "motion-rough",
    "motion-elsewhere",
    "gain-applied",
    "outputs-left",
    "output-clipped",
]
NOTICE_KINDS: tuple[str, ...] = get_args(NoticeKind)

# The system has no more of them to give.
SCARCE = (errno.EMFILE, errno.ENFILE, errno.ENOMEM, errno.EAGAIN)


class AuxivaError(Exception):
    """Base of every error that this package raises on purpose.

    Parameters
    ----------
    what : str
        What is wrong, with numbers, without the name of the file.
    hint : str
        What to do next, a full sentence; may be empty.
    kind : str
        The stable class of the failure, one of ``KINDS``.
    """

    def __init__(self, what: str, *, hint: str = "", kind: Kind) -> None:
        super().__init__(what)
        self.what = what
        self.hint = hint
        self.kind: Kind = kind

    def __reduce__(self) -> tuple[partial[AuxivaError], tuple[()]]:
        """Let an error travel from a worker process whole."""
        return partial(type(self), self.what, hint=self.hint, kind=self.kind), ()

    def __str__(self) -> str:
        """Return what is wrong and what to do about it, on one line."""
        sentence = self.what if self.what.endswith((".", "?", "!")) else f"{self.what}."
        return f"{sentence} {self.hint}".rstrip()


class ParameterError(AuxivaError, ValueError):
    """A setting is out of range or contradicts another one."""

    def __init__(self, what: str, *, hint: str = "", kind: Kind = "bad-parameter") -> None:
        super().__init__(what, hint=hint, kind=kind)


class RecordingError(AuxivaError, ValueError):
    """A recording cannot be read, or cannot be separated."""


class OutputError(AuxivaError, OSError):
    """A result cannot be written where it was asked for."""


class FiltersError(AuxivaError, ValueError):
    """Saved filters cannot be loaded, or do not fit a recording."""

    def __init__(self, what: str, *, hint: str = "", kind: Kind = "bad-filters") -> None:
        super().__init__(what, hint=hint, kind=kind)


class MissingExtraError(AuxivaError, ImportError):
    """A package is needed that only comes with an extra of this one."""

    def __init__(self, what: str, *, hint: str = "", kind: Kind = "missing-extra") -> None:
        super().__init__(what, hint=hint, kind=kind)


@dataclass(frozen=True)
class Notice:
    """A remark on a recording: a stable word and one line for people."""

    kind: NoticeKind
    text: str


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
    if isinstance(error, OSError) and error.filename is not None:
        return AuxivaError(
            f"{error.filename!r}: {error.strerror}",
            hint="Check who may read and write there.",
            kind="read-error",
        )
    return AuxivaError(
        f"{type(error).__name__}: {error}",
        hint="This is a fault of the program, please report it; AUXIVA_DEBUG=1 shows where.",
        kind="internal",
    )
