"""What is odd about a recording that can be separated all the same.  Imports nothing of ours."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal, get_args

__all__ = ["NOTICE_KINDS", "Notice", "NoticeKind"]

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
    "channels-dependent",
    "channels-uneven",
    "clipped",
    "outlier",
    "dc-offset",
    "level-high",
    "short",
    "weak-output",
    "cost-rose",
    "gain-applied",
]
NOTICE_KINDS: tuple[str, ...] = get_args(NoticeKind)


@dataclass(frozen=True)
class Notice:
    """A remark on a recording: a stable word and one line for people."""

    kind: NoticeKind
    text: str
