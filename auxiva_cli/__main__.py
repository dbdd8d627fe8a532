"""``python -m auxiva_cli`` and the entry point of the ``auxiva`` command."""

from __future__ import annotations

import sys


def main() -> None:
    """Run the command line."""
    try:
        from auxiva_cli.cli.main import cli
    except KeyboardInterrupt:
        sys.exit(130)
    cli(prog_name="auxiva")


if __name__ == "__main__":
    main()
