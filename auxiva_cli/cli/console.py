"""What people are told, on standard error: names are shown safely, one line a message."""

from __future__ import annotations

import unicodedata

import click

from auxiva_cli.errors import AuxivaError

__all__ = ["display_name", "say", "say_error", "say_notice"]


def display_name(name: str) -> str:
    r"""Return a file's name fit for a terminal: one line, nothing that a terminal obeys.

    >>> display_name("take\n2\x1b[31m.wav")
    'take\\n2\\x1b[31m.wav'
    """
    return "".join(
        repr(character)[1:-1] if unicodedata.category(character)[0] == "C" else character
        for character in name
    )


def say(text: str) -> None:
    """Print a line."""
    click.echo(text, err=True)


def say_notice(name: str, kind: str, text: str) -> None:
    """Print a warning about a recording."""
    say(f"auxiva: warning: {display_name(name)}: {kind}: {text}")


def say_error(name: str | None, error: AuxivaError) -> None:
    """Print an error, of a recording or of the whole command line."""
    subject = "" if name is None else f"{display_name(name)}: "
    say(f"auxiva: error: {subject}{error.kind}: {display_name(str(error))}")
