"""Tables on standard output that lose no name and cut no number, however narrow it is."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from auxiva_cli.cli.console import print_line, terminal_width

__all__ = ["Column", "lay_out", "print_table"]

GAP = "  "


@dataclass(frozen=True)
class Column:
    """A column of a table.

    Attributes
    ----------
    title : str
        What stands above it.
    cells : sequence of str
        One for each row.
    footer : str
        What stands below it, if anything does.
    is_name : bool
        Names stand to the left, numbers to the right.
    rank : int
        Where there is no room, columns of the highest rank go first; those of rank 0 never do.
    """

    title: str
    cells: Sequence[str]
    footer: str = ""
    is_name: bool = False
    rank: int = 0

    @property
    def width(self) -> int:
        """Of the widest cell."""
        return max(map(len, (self.title, self.footer, *self.cells)))

    def aligned(self, cell: str) -> str:
        """Return a cell in the column's width."""
        return cell.ljust(self.width) if self.is_name else cell.rjust(self.width)


def print_table(columns: Sequence[Column]) -> None:
    """Print a table as wide as standard output allows; a pipe has no width."""
    for line in lay_out(columns, terminal_width("stdout")):
        print_line(line)


def lay_out(columns: Sequence[Column], width: int | None) -> list[str]:
    """Return the lines of a table, with less columns where there is no room for all.

    Where even those that stay do not fit, each row is a block with a line for each column.
    """
    shown = list(columns)
    while width is not None and _width(shown) > width and any(each.rank for each in shown):
        highest = max(each.rank for each in shown)
        shown = [each for each in shown if each.rank < highest]
    if width is not None and _width(shown) > width:
        return _blocks(columns)
    rule = "-" * _width(shown)
    rows = [*zip(*(each.cells for each in shown), strict=True)]
    lines = [_line(shown, [each.title for each in shown]), rule]
    lines += [_line(shown, row) for row in rows]
    if any(each.footer for each in shown):
        lines += [rule, _line(shown, [each.footer for each in shown])]
    return lines


def _width(columns: Sequence[Column]) -> int:
    """Return how wide columns are side by side."""
    return sum(each.width for each in columns) + len(GAP) * (len(columns) - 1)


def _line(columns: Sequence[Column], cells: Sequence[str]) -> str:
    """Return a row."""
    aligned = (column.aligned(cell) for column, cell in zip(columns, cells, strict=True))
    return GAP.join(aligned).rstrip()


def _blocks(columns: Sequence[Column]) -> list[str]:
    """Return a block of lines for each row, and for the footer."""
    first, *others = columns
    width = max(len(each.title) for each in others)
    rows = [list(row) for row in zip(*(each.cells for each in columns), strict=True)]
    if any(each.footer for each in columns):
        rows.append([each.footer for each in columns])
    lines = []
    for name, *cells in rows:
        lines.append(f"{first.title} {name}" if name != first.footer else name)
        lines += [
            f"{GAP}{each.title:<{width}}{GAP}{cell}"
            for each, cell in zip(others, cells, strict=True)
            if cell
        ]
    return lines
