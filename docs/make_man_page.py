"""Write ``auxiva.1``: the help of every command as a man page, in the language of man(7)."""

from __future__ import annotations

import inspect
import re
from collections.abc import Iterator
from pathlib import Path

import click

from auxiva_cli.cli.main import COMMANDS, cli

PAGE = Path(__file__).parent / "auxiva.1"
# Begins a paragraph whose lines click leaves as they are.
VERBATIM = "\b"


def escaped(text: str) -> str:
    r"""Return text that troff prints as it is.

    >>> escaped(".5 of a-b \\ c")
    '\\&.5 of a\\-b \\e c'
    """
    text = text.replace("\\", r"\e").replace("-", r"\-")
    return re.sub(r"^(?=[.'])", r"\&", text, flags=re.MULTILINE)


def paragraphs(text: str) -> Iterator[str]:
    """Yield the paragraphs of a command's help; examples keep their lines."""
    for paragraph in inspect.cleandoc(text).split("\n\n"):
        if paragraph.startswith(VERBATIM):
            title, *lines = paragraph.removeprefix(VERBATIM).strip().splitlines()
            yield f".PP\n{escaped(title)}\n.PP\n.nf\n.RS 4"
            yield from (escaped(line.strip()) for line in lines)
            yield ".RE\n.fi"
        else:
            yield f".PP\n{escaped(' '.join(paragraph.split()))}"


def context_of(name: str) -> click.Context:
    """Return what click knows of a command when it runs."""
    program = click.Context(cli, info_name="auxiva", **cli.context_settings)
    command = cli.get_command(program, name)
    assert command is not None
    return click.Context(command, info_name=name, parent=program)


def options(context: click.Context) -> Iterator[str]:
    """Yield the options of a command, each with its help."""
    for parameter in context.command.get_params(context):
        record = parameter.get_help_record(context)
        if isinstance(parameter, click.Option) and record is not None:
            names, text = record
            yield f".TP\n.B {escaped(names)}\n{escaped(' '.join(text.split()))}"


def section(name: str) -> Iterator[str]:
    """Yield what there is to say about one command."""
    context = context_of(name)
    pieces = context.command.collect_usage_pieces(context)
    yield f".SH AUXIVA {name.upper()}"
    yield f".PP\n.B auxiva {name}\n{escaped(' '.join(pieces))}"
    yield from paragraphs(context.command.help or "")
    yield from options(context)


def man_page() -> str:
    """Return the page."""
    contents = [f".TP\n.B {name}\n{_short(name)}" for name in COMMANDS]
    lines = [
        '.\\" Made by docs/make_man_page.py from the help of the commands.',
        '.TH AUXIVA 1 "" auxiva "User Commands"',
        ".SH NAME",
        r"auxiva \- separate the speakers of multichannel recordings",
        ".SH SYNOPSIS",
        ".B auxiva",
        escaped("[-h] [--version] COMMAND [OPTIONS] [ARGS]..."),
        ".SH DESCRIPTION",
        *paragraphs(cli.help or ""),
        ".SH COMMANDS",
        *contents,
        *(line for name in COMMANDS for line in section(name)),
    ]
    return "\n".join(lines) + "\n"


def _short(name: str) -> str:
    """Return one line about a command."""
    return escaped(context_of(name).command.get_short_help_str(limit=200))


if __name__ == "__main__":
    PAGE.write_text(man_page())
