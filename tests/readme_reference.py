"""The README's command reference, made from ``--help``.  Run it to renew the README."""

from __future__ import annotations

from pathlib import Path

from click.testing import CliRunner

from auxiva_cli.cli.main import COMMANDS, cli

README = Path(__file__).parent.parent / "README.md"
BEGIN, END = "<!-- reference -->\n", "<!-- /reference -->\n"


def reference() -> str:
    """Return what ``--help`` says of the program and each command, as Markdown."""
    sections = []
    for command in ((), *((name,) for name in COMMANDS)):
        result = CliRunner().invoke(
            cli, [*command, "--help"], prog_name="auxiva", terminal_width=90, max_content_width=90
        )
        assert result.exit_code == 0, result.output
        title = " ".join(("auxiva", *command))
        sections.append(f"### {title}\n\n```\n{result.output.rstrip()}\n```\n")
    return "\n".join(sections)


def renewed(readme: str) -> str:
    """Return a README with its reference renewed."""
    before, _, rest = readme.partition(BEGIN)
    _, _, after = rest.partition(END)
    return f"{before}{BEGIN}{reference()}{END}{after}"


if __name__ == "__main__":
    README.write_text(renewed(README.read_text()))
