"""What people are told, on standard error: names are shown safely, one line a message."""

from __future__ import annotations

import os
import re
import sys
import textwrap
import unicodedata
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Literal

import click

from auxiva_cli.errors import AuxivaError, Kind, OutputError

__all__ = [
    "choose_display",
    "display_name",
    "first_sign",
    "folded",
    "print_line",
    "say",
    "say_error",
    "say_notice",
    "stdout_error",
    "terminal_width",
    "with_options",
]

LINE_BREAKS = ("Zl", "Zp")
# What we write beyond ASCII, for terminals and files that have nothing else.
PLAIN = str.maketrans({"−": "-", "→": "->", "·": ",", "×": "x", "…": "...", "│": "|"})
DRAWN = "▁█━─│"  # of displays
DEFAULT_WIDTH = 80
MESSAGE = "auxiva:"  # how lines begin that are not results
NO_BREAK = "\0"  # in place of a space at which no line ends
WHOLE_LINE = "\r\x1b[2K"
# The options that help against an error: the library, which has none, does not name them.
OPTIONS: dict[Kind, str] = {
    "input-truncated": "--allow-truncated separates what is there.",
    "input-nonfinite": "--nonfinite zero puts zeros there.",
    "several-tracks": "--audio-track N takes one, --audio-track all makes one recording of them.",
    "too-few-channels": "--array takes one file per microphone.",
    "too-short": "--n-fft sets the window.",
    "too-little-signal": "--n-fft sets the window.",
    "resource-limit": "See --max-memory, --max-duration, --n-fft and --jobs.",
    "output-exists": "--force overwrites, --skip-existing goes on with the others.",
    "output-collision": "--name-template '{parent}_{stem}_src{n}.{ext}' names them after theirs.",
    "bad-filters": "auxiva separate --save-filters makes them.",
}


# Of a terminal that is narrower words would be all that a line holds.
NARROWEST = 20


def display_name(name: str) -> str:
    r"""Return a file's name fit for a terminal: one line, nothing that a terminal obeys.

    >>> display_name("take\n2\x1b[31m.wav")
    'take\\n2\\x1b[31m.wav'
    """
    return "".join(
        repr(character)[1:-1] if _is_unsafe(unicodedata.category(character)) else character
        for character in name
    )


def say(text: str) -> None:
    """Print a line for people; that nobody can read it is no reason to stop working."""
    width = terminal_width()
    if width is not None and text.startswith(MESSAGE):  # a line of results fits as it is
        text = folded(text, max(width, NARROWEST))
    try:
        click.echo(_writable(text), err=True)
    except OSError:
        _silence(sys.stderr)


def folded(text: str, width: int) -> str:
    """Return a text in lines that a terminal need not cut; commands in quotes stay in one piece.

    >>> print(folded("auxiva: error: a.m4a: no sound. Decode it: 'ffmpeg -i IN OUT.wav'.", 36))
    auxiva: error: a.m4a: no sound.
      Decode it:
      'ffmpeg -i IN OUT.wav'.
    """
    solid = re.sub("'[^']*'", lambda quoted: quoted[0].replace(" ", NO_BREAK), text)
    lines = textwrap.wrap(
        solid, width - 1, subsequent_indent="  ", break_long_words=False, break_on_hyphens=False
    )
    return "\n".join(lines).replace(NO_BREAK, " ")


@contextmanager
def first_sign(text: str, *, is_shown: bool) -> Iterator[None]:
    """Show a line while the program gets ready, before it can draw anything better."""
    if is_shown:
        click.echo(text[: (terminal_width() or 1) - 1], err=True, nl=False)
    try:
        yield
    finally:
        if is_shown:
            click.echo(WHOLE_LINE, err=True, nl=False)


def choose_display(kind: str) -> str:
    """Return the kind of display: ``auto`` is ``rich`` on a terminal that can move and draw."""
    if kind != "auto":
        return kind
    is_capable = sys.stderr.isatty() and os.environ.get("TERM", "") not in ("", "dumb")
    return "rich" if is_capable and _can_write(DRAWN) else "plain"


def terminal_width(name: Literal["stdout", "stderr"] = "stderr") -> int | None:
    """Return the columns of the terminal that a standard stream is, None if it is none."""
    stream = getattr(sys, name)
    if not stream.isatty():
        return None
    columns = os.environ.get("COLUMNS", "")
    if columns.isdecimal() and int(columns):
        return int(columns)
    try:
        return os.get_terminal_size(stream.fileno()).columns or DEFAULT_WIDTH
    except (OSError, ValueError):
        return DEFAULT_WIDTH


def say_notice(name: str, kind: str, text: str) -> None:
    """Print a warning about a recording."""
    say(f"auxiva: warning: {display_name(name)}: {kind}: {display_name(text)}")


def say_error(name: str | None, error: AuxivaError) -> None:
    """Print an error, of a recording or of the whole command line."""
    subject = "" if name is None else f"{display_name(name)}: "
    say(f"auxiva: error: {subject}{error.kind}: {display_name(str(with_options(error)))}")


def with_options(error: AuxivaError) -> AuxivaError:
    """Return an error whose hint names the options that help."""
    hint = f"{error.hint} {OPTIONS.get(error.kind, '')}".strip()
    return AuxivaError(error.what, hint=hint, kind=error.kind)


def print_line(text: str) -> None:
    """Print a line of results on standard output.

    Raises
    ------
    OutputError
        ``output-closed`` if its reader went away, else ``write-error``.
    """
    try:
        click.echo(text)
    except OSError as error:
        raise stdout_error(error) from error


def stdout_error(error: OSError) -> OutputError:
    """Return our error for standard output that cannot be written to, and write there no more."""
    _silence(sys.stdout)
    if isinstance(error, BrokenPipeError):
        return OutputError("the reader of standard output went away", kind="output-closed")
    return OutputError(f"cannot write to standard output: {error.strerror}", kind="write-error")


def _writable(text: str) -> str:
    """Return a text that standard error can hold: our own signs in ASCII where it must be."""
    return text if _can_write(text) else text.translate(PLAIN)


def _can_write(text: str) -> bool:
    """Tell whether standard error has all characters of a text."""
    try:
        text.encode(sys.stderr.encoding or "ascii")
    except (UnicodeEncodeError, LookupError):
        return False
    return True


def _is_unsafe(category: str) -> bool:
    """Tell whether characters of a Unicode category are controls or break lines."""
    return category.startswith("C") or category in LINE_BREAKS


def _silence(stream: object) -> None:
    """Let what a broken stream still holds go nowhere, lest the interpreter complain at its end."""
    nowhere = os.open(os.devnull, os.O_WRONLY)
    os.dup2(nowhere, 1 if stream is sys.stdout else 2)
    os.close(nowhere)
