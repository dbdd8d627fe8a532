"""Digests of the separated samples, to compare machines by.

    python -m benchmarks.reproduce          # writes benchmarks/REPRODUCE.md anew
    python -m benchmarks.reproduce --check  # compares this machine with it

Equal programs, libraries and kinds of processor give equal bytes; elsewhere outputs agree within
a step of 16 bits, but for the order of near-equal neighbours.
"""

from __future__ import annotations

import argparse
import json
import platform
import re
import subprocess
import sys
import tempfile
from pathlib import Path

import numpy
import scipy
import soundfile

PAGE = Path(__file__).with_name("REPRODUCE.md")
SAMPLES = sorted((Path(__file__).parents[1] / "sample_audio").glob("*_mix.wav"))


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__.partition("\n")[0])
    parser.add_argument("--check", action="store_true", help="compare, and write nothing")
    rows = table()
    if parser.parse_args().check:
        missing = [row for row in rows if row not in PAGE.read_text()]
        print("\n".join(missing) or "the same to the last bit")
        return 1 if missing else 0
    PAGE.write_text(page(rows))
    return 0


def table() -> list[str]:
    """Separate the samples; return a row for each output."""
    rows = []
    for sample in SAMPLES:
        with tempfile.TemporaryDirectory() as out:
            line = [sys.executable, "-m", "auxiva_cli", "separate", str(sample), "-o", out]
            shown = subprocess.run([*line, "--json", "-q"], capture_output=True, check=True)
        record = json.loads(shown.stdout)
        for output, digest in zip(record["outputs"], record["sha256"], strict=True):
            rows.append(f"| `{Path(output).name}` | `{digest}` |")
    return rows


def page(rows: list[str]) -> str:
    """Return the page: what it was made with, and the digests."""
    cpu = re.search(r"model name\s*: (.*)", Path("/proc/cpuinfo").read_text())
    made_with = [
        f"Python {platform.python_version()}",
        f"NumPy {numpy.__version__}",
        f"SciPy {scipy.__version__}",
        f"soundfile {soundfile.__version__} ({soundfile.__libsndfile_version__})",
        cpu[1] if cpu else platform.processor(),
    ]
    body = "\n".join(rows)
    return (
        "# The same result everywhere\n\n"
        "`auxiva separate sample_audio/*_mix.wav` gives these files, whatever the memory, the\n"
        "threads and the jobs; `python -m benchmarks.reproduce --check` compares. Other libraries\n"
        "and processors round otherwise: there, outputs agree within a step of 16 bits, but for\n"
        "the order of near-equal neighbours.\n\n"
        f"Made with {', '.join(made_with)}.\n\n| output | SHA-256 |\n|---|---|\n{body}\n"
    )


if __name__ == "__main__":
    sys.exit(main())
