"""Who may import whom."""

from __future__ import annotations

import ast
import subprocess
import sys
from pathlib import Path

import pytest

PACKAGE = Path(__file__).parents[1] / "auxiva_cli"
MODULES = sorted(PACKAGE.rglob("*.py"))
# The rooms of the house: what a module of each may import of ours, besides its own room.
ROOMS = {
    "errors": set(),
    "notices": set(),
    "parallel": set(),
    "config": {"errors"},
    "stft": {"errors"},
    "bss": {"errors"},
    "mixture": {"errors"},
    "spectra": {"bss", "mixture", "stft"},
    "filters": {"bss", "errors", "mixture", "parallel", "spectra", "stft"},
    "survey": {"bss", "errors", "mixture", "notices"},
    "checks": {"bss", "config", "errors", "mixture", "notices"},
    "observation": {
        *("bss", "checks", "mixture", "notices", "parallel", "spectra", "stft", "survey"),
    },
    "memory": {"errors"},
    "observer": {"bss", "memory", "mixture", "stft"},
    "demixing": {"bss", "config", "memory", "observation", "observer", "parallel"},
    "separation": {
        *("bss", "checks", "config", "demixing", "errors", "filters", "memory", "mixture"),
        *("notices", "observation", "observer", "parallel", "stft", "survey"),
    },
    "filters_file": {"errors", "filters", "stft"},
    "learning": {
        *("bss", "config", "errors", "filters", "mixture", "notices", "observer", "parallel"),
        *("separation", "survey"),
    },
    "api": {
        *("bss", "config", "errors", "filters", "mixture", "notices", "observer", "parallel"),
        "separation",
    },
    "comparison": {
        *("bss", "checks", "config", "errors", "evaluation", "filters", "mixture", "notices"),
        "observer",
        *("parallel", "separation", "spectra", "survey"),
    },
    "audio": {"errors", "notices"},
    "evaluation": {"errors"},
    "simulation": {"errors"},
    "__init__": {"api", "errors"},
    "__main__": {"cli"},
}
# Packages of others that only one room may import.
KEPT_TO_ONE_ROOM = {"soundfile": "audio", "click": "cli", "rich": "cli", "tqdm": "cli"}


def room_of(path: Path) -> str:
    """Return the room of a module: its folder in the package, or itself."""
    return path.relative_to(PACKAGE).parts[0].removesuffix(".py")


def imported(path: Path) -> set[str]:
    """Return the dotted names of all modules that a module imports, wherever it does."""
    names: set[str] = set()
    for node in ast.walk(ast.parse(path.read_text())):
        if isinstance(node, ast.Import):
            names |= {alias.name for alias in node.names}
        elif isinstance(node, ast.ImportFrom):
            assert not node.level, f"{path}:{node.lineno} imports by a relative name"
            names |= {f"{node.module}.{alias.name}" for alias in node.names}
    return names


def rooms_imported(path: Path) -> set[str]:
    """Return the rooms of ours that a module imports, but its own."""
    ours = {name.split(".")[1] for name in imported(path) if name.startswith("auxiva_cli.")}
    return ours - {room_of(path)}


def name_of(path: Path) -> str:
    return str(path.relative_to(PACKAGE))


each_module = pytest.mark.parametrize("path", MODULES, ids=name_of)


@each_module
def test_a_module_imports_only_the_rooms_that_it_may(path: Path) -> None:
    room = room_of(path)
    if room == "cli":
        return  # the top of the house
    assert rooms_imported(path) <= ROOMS[room]


@each_module
def test_packages_that_belong_to_one_room_are_imported_nowhere_else(path: Path) -> None:
    packages = {name.split(".")[0] for name in imported(path)}
    for package, room in KEPT_TO_ONE_ROOM.items():
        assert package not in packages or room_of(path) == room


def test_the_rooms_do_not_import_each_other_in_circles() -> None:
    remaining = dict(ROOMS)
    while remaining:
        free = {room for room, below in remaining.items() if not below & remaining.keys()}
        assert free, f"circle among {sorted(remaining)}"
        remaining = {room: below for room, below in remaining.items() if room not in free}


@pytest.mark.parametrize("module", ["auxiva_cli", "auxiva_cli.cli.main", "auxiva_cli.config"])
def test_what_runs_at_start_imports_nothing_numerical(module: str) -> None:
    heavy = "{'numpy', 'scipy', 'soundfile', 'rich', 'tqdm'}"
    script = f"import sys, {module}; print(sorted({heavy} & sys.modules.keys()))"
    shown = subprocess.run(
        [sys.executable, "-c", script], capture_output=True, text=True, check=True
    )
    assert shown.stdout.strip() == "[]"
