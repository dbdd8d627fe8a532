"""The ``auxiva`` command group, and the boundary at which errors become messages and exit codes.

Command modules import click and nothing numerical at their top, so that
``auxiva --help`` stays quick; what a command needs it imports when it runs.
"""

from __future__ import annotations

import importlib
import os
import shlex
import sys
from difflib import get_close_matches
from pathlib import Path
from typing import Any

import click

from auxiva_cli.cli.console import say, say_error, stdout_error
from auxiva_cli.errors import AuxivaError, ParameterError, as_error, is_debugging
from auxiva_cli.process import Terminated, prepare_process, signals_as_exceptions

# Errors of what is written, known from the command line alone.
WRONG_USE = ("output-is-input", "output-collision")
# What other programs, and people, call our options.
SYNONYMS = {
    "--speakers": "--sources", "--n-src": "--sources", "--n-sources": "--sources",
    "--num-speakers": "--sources", "--output": "--output-dir", "--out": "--output-dir",
    "--max-iter": "--iterations", "--n-iter": "--iterations", "--overwrite": "--force",
    "--nfft": "--n-fft", "--hop-length": "--hop", "--resume": "--skip-existing",
    "--algo": "--algorithm", "--mic": "--ref-channel", "--workers": "--jobs",
    "--names": "--name-template", "--mics": "--channels", "--plot": "--output-dir",
}  # fmt: skip
COMMANDS = ("separate", "apply", "info", "evaluate", "compare", "simulate", "completion")


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

    def resolve_command(
        self, ctx: click.Context, args: list[str]
    ) -> tuple[str | None, click.Command | None, list[str]]:
        """Find the command, or say which one may have been meant."""
        name = args[0]
        if name not in COMMANDS and not name.startswith("-"):
            raise click.UsageError(f"No such command {name!r}.{_command_meant(args)}", ctx)
        return super().resolve_command(ctx, args)

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
        hint = f"{_option_meant(error)} {hint}".lstrip()
        return ParameterError(f"No such option {error.option_name!r}", hint=hint)
    return ParameterError(error.format_message().rstrip("."), hint=hint)


def _command_meant(args: list[str]) -> str:
    """Say which command may have been meant: a recording is to be separated."""
    name = args[0]
    if os.path.lexists(name) or Path(name).suffix:
        return f" Did you mean 'auxiva separate {shlex.join(args)}'?"
    meant = get_close_matches(name, COMMANDS, n=1)
    return f" Did you mean '{meant[0]}'?" if meant else ""


def _option_meant(error: click.NoSuchOption) -> str:
    """Say which option may have been meant."""
    name = error.option_name
    known = [] if error.ctx is None else [
        option for param in error.ctx.command.params for option in param.opts if option[:2] == "--"
    ]  # fmt: skip
    meant = [SYNONYMS.get(name, ""), *get_close_matches(name, known, n=1, cutoff=0.7)]
    meant = [option for option in dict.fromkeys(meant) if option in known]
    if meant:
        return f"Did you mean {' or '.join(meant)}?"
    return "A file whose name begins with a dash is written ./-name."


@click.group(
    cls=CommandGroup,
    context_settings={
        "help_option_names": ["-h", "--help"],
        "auto_envvar_prefix": "AUXIVA",  # AUXIVA_SEPARATE_JOBS=2 is separate --jobs 2
    },
)
@click.version_option(package_name="auxiva", prog_name="auxiva")
def cli() -> None:
    """Separate people who talk at the same time, in recordings made with several microphones.

    Needs nothing but the recording: blind source separation with AuxIVA-IPA. Begin with
    auxiva separate meeting.wav -o out/
    """
