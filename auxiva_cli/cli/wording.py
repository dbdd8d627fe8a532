"""Numbers, times and names of files, as people are told them."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from auxiva_cli.listening.counting import Count

__all__ = [
    "HOUR",
    "clock",
    "count_record",
    "counted",
    "duration",
    "files",
    "shortened",
    "signed",
    "speakers",
]

MINUTE, HOUR = 60, 3600


def signed(value: float, decimals: int) -> str:
    """Return a number with a real minus sign, and no sign before zero.

    >>> signed(-1.25, 1), signed(-0.04, 1)
    ('−1.2', '0.0')
    """
    text = f"{value:.{decimals}f}"
    return (text.removeprefix("-") if float(text) == 0 else text).replace("-", "−")


def counted(n: int, word: str) -> str:
    """Return a number of things.

    >>> counted(1, "speaker"), counted(2, "speaker")
    ('1 speaker', '2 speakers')
    """
    return f"{n} {word}{'' if n == 1 else 's'}"


def clock(seconds: float) -> str:
    """Return a time as on a clock.

    >>> clock(7.2), clock(190), clock(3723)
    ('0:07', '3:10', '1:02:03')
    """
    minutes, rest = divmod(round(seconds), MINUTE)
    if minutes < MINUTE:
        return f"{minutes}:{rest:02}"
    return f"{minutes // MINUTE}:{minutes % MINUTE:02}:{rest:02}"


def duration(seconds: float) -> str:
    """Return how long something takes or lasts: to a tenth of a second where that matters.

    >>> duration(1.42), duration(75)
    ('1.4 s', '1:15')
    """
    return f"{seconds:.1f} s" if seconds < MINUTE else clock(seconds)


def files(paths: Sequence[Path]) -> str:
    """Return names of files; of those that are numbered, as a shell would take them.

    >>> files([Path("out/a_src1.wav"), Path("out/a_src2.wav")])
    'out/a_src{1..2}.wav'
    """
    names = [str(path) for path in paths]
    if len(names) > 1:
        first = names[0]
        for i in (i for i, letter in enumerate(first) if letter == "1"):
            head, tail = first[:i], first[i + 1 :]
            if names == [f"{head}{n}{tail}" for n in range(1, len(names) + 1)]:
                return f"{head}{{1..{len(names)}}}{tail}"
    return ", ".join(names)


def shortened(name: str, width: int) -> str:
    """Return a name of at most so many characters: its end, which tells files apart.

    >>> shortened("recordings/2024/meeting.wav", 16)
    '…024/meeting.wav'
    """
    return name if len(name) <= width else "…" + name[len(name) - width + 1 :]


def speakers(n: int, count: Count | None, *, is_known: bool = True) -> str:
    """Return how many speakers there are, how sure that is, and how to ask for the other number.

    Where their number is neither known nor counted, there are only outputs.

    >>> from auxiva_cli.listening.counting import Count
    >>> speakers(2, None), speakers(4, None, is_known=False), speakers(1, Count(1, (0.9, 0.1)))
    ('2 speakers', '4 outputs', '1 speaker (sure)')
    >>> speakers(3, Count(3, (0, 0.6, 0.4)))
    '3 speakers (or 2: -s 2)'
    """
    if count is None:
        return counted(n, "speaker" if is_known else "output")
    surety = f"or {count.other}: -s {count.other}" if count.other else "sure"
    return f"{counted(n, 'speaker')} ({surety})"


def count_record(count: Count | None) -> dict[str, Any] | None:
    """Return a count for JSON, with how to ask for the other number.

    >>> from auxiva_cli.listening.counting import Count
    >>> count_record(Count(3, (0, 0.6, 0.4)))["ask"]
    '--sources 2'
    """
    if count is None:
        return None
    return {**count.as_dict(), "ask": f"--sources {count.other}" if count.other else None}
