"""The last lines of a terminal, drawn anew in place."""

import os
import re
import sys
from collections.abc import Sequence
from typing import Final

from rich.cells import cell_len

_STYLE: Final = re.compile(r"\x1b\[[\d;]*m")
# One frame at a time where the terminal can (mode 2026); others skip what they do not know.
_BEGIN: Final = "\x1b[?2026h"
_END: Final = "\x1b[?2026l"


class Canvas:
    """Lines that stay, and below them lines that are replaced; the cursor rests on the line under both.

    Only what is on the screen can be replaced: of a part that is taller, the end is shown until the whole of it stays.
    So nothing that scrolls away is ever drawn twice, and nothing is lost.
    """

    def __init__(self) -> None:
        self._drawn: list[int] = []  # cells of each line that will be replaced

    def draw(self, staying: Sequence[str], changing: Sequence[str]) -> None:
        """Replace the lines that may change: first by those that stay from now on, then by new ones that may change."""
        columns, rows = _size()
        shown = _last(changing, columns, rows - 1)
        lines = "".join(f"{line}\n" for line in (*staying, *shown))
        sys.stdout.write(f"{_BEGIN}{self._back(columns)}{lines}{_END}")
        sys.stdout.flush()
        self._drawn = [_cells(line) for line in shown]

    def _back(self, columns: int) -> str:
        """Up to the first line that may change, as the terminal has it now: a narrower one has wrapped them.

        The rows are erased one by one: tmux takes an erased whole screen for one that is wanted in its scrollback.
        """
        rows = sum(_rows(cells, columns) for cells in self._drawn)
        up = f"\x1b[{rows}A\r" if rows else ""
        return up + "\x1b[K\n" * rows + up


def _last(lines: Sequence[str], columns: int, room: int) -> Sequence[str]:
    """As many of the last lines as there is room for."""
    for index in range(len(lines) - 1, -1, -1):
        room -= _rows(_cells(lines[index]), columns)
        if room < 0:
            return lines[index + 1 :]
    return lines


def _cells(line: str) -> int:
    return cell_len(_STYLE.sub("", line))


def _rows(cells: int, columns: int) -> int:
    return max(1, -(-cells // columns))


def _size() -> tuple[int, int]:
    """The terminal itself, whatever COLUMNS says: it is the terminal that wraps."""
    try:
        size = os.get_terminal_size(sys.stdout.fileno())
    except OSError:
        return 80, 24
    return size.columns or 80, size.lines or 24
