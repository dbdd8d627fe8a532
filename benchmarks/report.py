"""RESULTS.md: tables, the machine they were measured on, and one part of the file at a time."""

from __future__ import annotations

import os
import platform
from collections.abc import Iterable, Sequence
from datetime import date
from importlib.metadata import PackageNotFoundError, version
from pathlib import Path

__all__ = ["RESULTS", "describe_machine", "table", "write_part"]

RESULTS = Path(__file__).parent / "RESULTS.md"
PACKAGES = ("numpy", "scipy", "ssspy", "pyroomacoustics", "torch", "torchiva")


def table(header: Sequence[str], rows: Iterable[Sequence[str]]) -> str:
    """Return a Markdown table, its first column to the left and the others to the right."""
    lines = [header, ["---", *["--:"] * (len(header) - 1)], *rows]
    return "\n".join(f"| {' | '.join(cells)} |" for cells in lines) + "\n"


def describe_machine() -> str:
    """Return a paragraph on when and where this runs, with what, and how busy the machine is."""
    installed = ", ".join(f"{name} {_version(name)}" for name in PACKAGES if _version(name))
    load = ", ".join(f"{load:.1f}" for load in os.getloadavg())
    gibibytes = os.sysconf("SC_PAGE_SIZE") * os.sysconf("SC_PHYS_PAGES") / 2**30
    return (
        f"{date.today().isoformat()}, {_processor()}, {os.cpu_count()} processors, "
        f"{gibibytes:.0f} GiB, Python {platform.python_version()}, {installed}. "
        f"Load average when it began (1, 5 and 15 minutes): {load}.\n"
    )


def write_part(name: str, text: str, path: Path = RESULTS) -> None:
    """Put a part into the file, in place of the one of the same name, after the others."""
    begin, end = f"<!-- {name} -->\n", f"<!-- end of {name} -->\n"
    before = path.read_text(encoding="utf-8") if path.exists() else ""
    after = ""
    if begin in before:
        before, rest = before.split(begin)
        after = rest.split(end)[1]
    elif before:
        before += "\n"
    path.write_text(f"{before}{begin}{text}{end}{after}", encoding="utf-8")


def _version(package: str) -> str:
    """Return the version of a package, nothing if it is not installed."""
    try:
        return version(package)
    except PackageNotFoundError:
        return ""


def _processor() -> str:
    """Return the name of the processor."""
    try:
        lines = Path("/proc/cpuinfo").read_text(encoding="utf-8").splitlines()
    except OSError:
        return platform.machine()
    names = [line.split(":", 1)[1].strip() for line in lines if line.startswith("model name")]
    return names[0] if names else platform.machine()
