"""``python -m auxiva_cli`` and the entry point of the ``auxiva`` command."""

from __future__ import annotations

from auxiva_cli.cli.main import cli


def main() -> None:
    """Run the command line."""
    cli(prog_name="auxiva")


if __name__ == "__main__":
    main()
