"""The ``auxiva`` command group.

Command modules import click and nothing numerical at their top, so that
``auxiva --help`` stays quick; what a command needs it imports when it runs.
"""

from __future__ import annotations

import importlib

import click

COMMANDS = ("separate", "evaluate", "simulate")


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


@click.group(cls=CommandGroup, context_settings={"help_option_names": ["-h", "--help"]})
@click.version_option(package_name="auxiva", prog_name="auxiva")
def cli() -> None:
    """Separate the speakers of multichannel recordings, blindly, with AuxIVA-IPA."""
