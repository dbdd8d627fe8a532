"""The ``auxiva`` command group, and the boundary at which errors become messages and exit codes.

Command modules import click and nothing numerical at their top, so that
``auxiva --help`` stays quick; what a command needs it imports when it runs.
"""

from __future__ import annotations

import importlib
import sys
from typing import Any

import click

from auxiva_cli.cli.console import say_error
from auxiva_cli.cli.process import Terminated, prepare_process
from auxiva_cli.errors import AuxivaError, ParameterError

COMMANDS = ("separate", "evaluate", "simulate")
INTERRUPTED = 130


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
            sys.exit(super().main(*args, **kwargs))
        except click.ClickException as error:
            error.show()
            sys.exit(error.exit_code)
        except ParameterError as error:
            say_error(None, error)
            sys.exit(2)
        except AuxivaError as error:
            say_error(None, error)
            sys.exit(1)
        except (click.Abort, KeyboardInterrupt):
            click.echo("auxiva: interrupted", err=True)
            sys.exit(INTERRUPTED)
        except Terminated as signal:
            click.echo("auxiva: terminated", err=True)
            sys.exit(signal.exit_code)


@click.group(cls=CommandGroup, context_settings={"help_option_names": ["-h", "--help"]})
@click.version_option(package_name="auxiva", prog_name="auxiva")
def cli() -> None:
    """Separate the speakers of multichannel recordings, blindly, with AuxIVA-IPA."""
