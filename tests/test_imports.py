"""Who may import whom."""

from __future__ import annotations

import ast
import subprocess
import sys
from pathlib import Path

import pytest

PACKAGE = Path(__file__).parents[1] / "auxiva_cli"
MODULES = sorted(PACKAGE.rglob("*.py"))
# The storeys of the house, from the ground: a room imports rooms of its own storey and below it.
STOREYS = [
    {"errors"},
    {"config"},
    {
        "bss",
        "audio",
        "activity",
        "evaluation",
        "simulation",
        "report",
        "parallel",
        "process",
        "workers",
    },
    {"listening", "memory"},
    {"observer", "filters", "demixing", "motion"},
    {"doubt", "trial", "planning"},
    {"separation"},
    {"inspection"},
    {"api", "batch", "comparison"},
    {"cli", "__init__"},
    {"__main__"},
]
# What a room keeps to, beyond that.
CONTENT = {
    "bss": set(),
    "audio": {"errors"},
    "activity": {"errors"},
    "evaluation": {"errors"},
    "report": {"errors"},
    "simulation": {"errors"},
}
# Packages of others that only one room may import.
KEPT_TO_ONE_ROOM = {
    "soundfile": "audio", "click": "cli", "rich": "cli", "tqdm": "cli", "distributed": "batch",
}  # fmt: skip


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


def storey(room: str) -> int:
    return next(height for height, rooms in enumerate(STOREYS) if room in rooms)


@each_module
def test_a_module_stands_on_what_is_below_it(path: Path) -> None:
    for room in rooms_imported(path):
        if room_of(path) != "__init__":  # the door: it hands out what it finds upstairs
            assert storey(room) <= storey(room_of(path)), f"{room} is above {room_of(path)}"


@each_module
def test_pure_rooms_stand_on_nothing_else_of_ours(path: Path) -> None:
    room = room_of(path)
    assert rooms_imported(path) <= CONTENT.get(room, rooms_imported(path))


@each_module
def test_packages_that_belong_to_one_room_are_imported_nowhere_else(path: Path) -> None:
    packages = {name.split(".")[0] for name in imported(path)}
    for package, room in KEPT_TO_ONE_ROOM.items():
        assert package not in packages or room_of(path) == room


def test_the_rooms_do_not_import_each_other_in_circles() -> None:
    below: dict[str, set[str]] = {}
    for path in MODULES:
        below.setdefault(room_of(path), set()).update(rooms_imported(path))
    while below:
        free = {room for room, others in below.items() if not others & below.keys()}
        assert free, f"circle among {sorted(below)}"
        below = {room: others for room, others in below.items() if room not in free}


@pytest.mark.parametrize("module", ["auxiva_cli", "auxiva_cli.cli.main", "auxiva_cli.config"])
def test_what_runs_at_start_imports_nothing_numerical(module: str) -> None:
    heavy = "{'numpy', 'scipy', 'soundfile', 'rich', 'tqdm'}"
    script = f"import sys, {module}; print(sorted({heavy} & sys.modules.keys()))"
    shown = subprocess.run(
        [sys.executable, "-c", script], capture_output=True, text=True, check=True
    )
    assert shown.stdout.strip() == "[]"
