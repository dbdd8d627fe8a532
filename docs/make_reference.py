"""Write ``reference.md``: what ``--help`` says of every command."""

from __future__ import annotations

from pathlib import Path

from click.testing import CliRunner

from auxiva_cli.cli.main import COMMANDS, cli

PAGE = Path(__file__).parent / "reference.md"
WIDTH = 90
HEAD = """\
# Command reference

What `auxiva --help` and the help of each command say; `make reference` writes this page and
the man page anew. What errors and warnings mean is in [errors.md](errors.md), what `--json`
prints in [json.md](json.md).
"""


def reference() -> str:
    """Return the page."""
    sections = []
    for command in ((), *((name,) for name in COMMANDS)):
        result = CliRunner().invoke(
            cli, [*command, "--help"], prog_name="auxiva", max_content_width=WIDTH,
            terminal_width=WIDTH,
        )  # fmt: skip
        assert result.exit_code == 0, result.output
        title = " ".join(("auxiva", *command))
        sections.append(f"\n## {title}\n\n```text\n{result.output.rstrip()}\n```\n")
    return HEAD + "".join(sections)


if __name__ == "__main__":
    PAGE.write_text(reference())
