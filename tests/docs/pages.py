"""The pages of the documentation, and the blocks of code in them."""

from __future__ import annotations

import os
import re
import sys
from pathlib import Path
from typing import NamedTuple

ROOT = Path(__file__).parents[2]
README = ROOT / "README.md"
PAGES = (README, *sorted((ROOT / "docs").glob("*.md")))
# In it ``auxiva`` is that of this interpreter and of this checkout.
ENVIRONMENT = os.environ | {
    "PATH": os.pathsep.join([os.fspath(Path(sys.executable).parent), os.environ["PATH"]]),
    "PYTHONPATH": os.fspath(ROOT),
}
# A block, and the comment before it if it says why the block is not run.
BLOCK = re.compile(
    r"(?:<!-- not run: (?P<reason>\S.*?) -->\n)?^```(?P<language>\w*)\n(?P<code>.*?)^```$",
    flags=re.MULTILINE | re.DOTALL,
)


class Block(NamedTuple):
    """A block of code, its language, and why it is not run, if it is not."""

    language: str
    code: str
    reason: str | None


def blocks(page: Path) -> list[Block]:
    """Return the blocks of a page, in their order."""
    return [
        Block(found["language"], found["code"], found["reason"])
        for found in BLOCK.finditer(page.read_text())
    ]


def commands(page: Path) -> list[str]:
    """Return the blocks of commands of a page that are run."""
    return [block.code for block in blocks(page) if block.language == "sh" and not block.reason]
