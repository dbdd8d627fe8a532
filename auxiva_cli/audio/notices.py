"""What is odd about a recording that can be read all the same."""

from __future__ import annotations

from collections.abc import Iterable

from auxiva_cli.errors import Notice, RecordingError

__all__ = ["Notice", "refuse_truncated"]


def refuse_truncated(notices: Iterable[Notice], *, allow_truncated: bool) -> None:
    """Turn the notice that a recording is not complete into an error, unless that is allowed.

    Parameters
    ----------
    notices : iterable of Notice
        What was found.
    allow_truncated : bool
        Whether to let it pass.

    Raises
    ------
    RecordingError
        ``input-truncated``.
    """
    for notice in notices:
        if notice.kind == "input-truncated" and not allow_truncated:
            raise RecordingError(
                notice.text,
                hint="Copy or record it again, or allow truncated recordings to use what is there.",
                kind="input-truncated",
            )
