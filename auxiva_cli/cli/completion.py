"""``auxiva completion``: what a shell needs to complete commands, options and names of files."""

from __future__ import annotations

import click
from click.shell_completion import get_completion_class

__all__ = ["command"]

# Where click looks for the words that a shell has so far.
VARIABLE = "_AUXIVA_COMPLETE"


@click.command(name="completion", short_help="Print a script that lets a shell complete auxiva.")
@click.argument("shell", type=click.Choice(["bash", "zsh", "fish"]))
@click.pass_context
def command(context: click.Context, shell: str) -> None:
    """Print a script with which SHELL completes commands, options and names of files.

    \b
    Put one line into the file that your shell reads when it starts:
      eval "$(auxiva completion bash)"        in ~/.bashrc
      eval "$(auxiva completion zsh)"         in ~/.zshrc
      auxiva completion fish | source         in ~/.config/fish/config.fish
    """
    completion = get_completion_class(shell)
    assert completion is not None  # click knows all three
    click.echo(completion(context.find_root().command, {}, "auxiva", VARIABLE).source())
