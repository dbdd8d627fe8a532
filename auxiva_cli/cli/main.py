"""The ``auxiva`` command group, and the boundary at which errors become messages and exit codes.

Command modules import click and nothing numerical at their top, so that
``auxiva --help`` stays quick; what a command needs it imports when it runs.
"""

from __future__ import annotations

import importlib
import sys
from typing import Any

import click

from auxiva_cli.cli.console import say, say_error, stdout_error
from auxiva_cli.errors import AuxivaError, ParameterError, as_error, is_debugging
from auxiva_cli.process import Terminated, prepare_process, signals_as_exceptions

# Errors of what is written, known from the command line alone.
WRONG_USE = ("output-is-input", "output-collision")
COMMANDS = ("separate", "apply", "evaluate", "compare", "simulate", "completion")


class CommandGroup(click.Group):
    """A group whose commands live one to a module of the same name."""

    def list_commands(self, ctx: click.Context) -> list[str]:
        """Return the names of the commands, in the order of their use."""
        return list(COMMANDS)

    def get_command(self, ctx: click.Context, cmd_name: str) -> click.Command | None:
        """Import the module of a command and return the command."""
        if cmd_name not in COMMANDS:
            return None
        command: click.Command = importlib.import_module(f"auxiva_cli.cli.{cmd_name}").command
        return command

    def main(self, *args: Any, **kwargs: Any) -> Any:
        """Run the command line and leave with its exit code.

        0: all went well; 1: a recording failed; 2: the command line is wrong and nothing was
        touched; 130, 143, 129: interrupted, terminated, hung up.
        """
        prepare_process()
        kwargs["standalone_mode"] = False
        try:
            with signals_as_exceptions():
                sys.exit(super().main(*args, **kwargs))
        except Terminated as signal:
            say(f"auxiva: {signal.word}")
            sys.exit(signal.exit_code)
        except Exception as error:
            sys.exit(_explain(error))


def _explain(error: Exception) -> int:
    """Say what ended the command line, and return its exit code."""
    if isinstance(error, click.exceptions.NoArgsIsHelpError):
        error.show()
        return error.exit_code
    if isinstance(error, click.ClickException):
        error = _usage_error(error)
    elif (
        isinstance(error, OSError) and error.filename is None and not isinstance(error, AuxivaError)
    ):
        error = stdout_error(error)
    elif is_debugging() and not isinstance(error, AuxivaError):
        raise error
    error = as_error(error)
    say_error(None, error)
    is_usage = isinstance(error, ParameterError) or error.kind in WRONG_USE
    return 2 if is_usage else 1


def _usage_error(error: click.ClickException) -> ParameterError:
    """Return our error for what click found wrong with the command line."""
    context = getattr(error, "ctx", None)
    hint = f"See {context.command_path} --help." if context else "See auxiva --help."
    if isinstance(error, click.NoSuchOption):
        hint = f"A file whose name begins with a dash is written ./-name. {hint}"
    return ParameterError(error.format_message().rstrip("."), hint=hint)


@click.group(cls=CommandGroup, context_settings={"help_option_names": ["-h", "--help"]})
@click.version_option(package_name="auxiva", prog_name="auxiva")
def cli() -> None:
    """Separate people who talk at the same time, in recordings made with several microphones.

    Needs nothing but the recording: blind source separation with AuxIVA-IPA. Begin with
    auxiva separate meeting.wav -o out/
    """
