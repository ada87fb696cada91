"""A terminal's screen and what has scrolled off it, for the few controls that hfgen writes."""

import re
import unicodedata
from typing import Final

_TOKEN: Final = re.compile(r"\x1b\[([?\d;]*)([A-Za-z])|\x1b\]|(.)", re.DOTALL)


class Screen:
    """Writes what it is fed; any control that it does not know is an error of the test."""

    def __init__(self, columns: int = 80, rows: int = 24) -> None:
        self.columns = columns
        self.rows = rows
        self.scrolled: list[str] = []
        self._lines: list[list[str]] = [[] for _ in range(rows)]
        self._row = 0
        self._column = 0

    @property
    def text(self) -> str:
        """All that was ever on the screen, as a person who scrolls back finds it."""
        shown = "\n".join([*self.scrolled, *("".join(line).rstrip() for line in self._lines)])
        return shown.rstrip("\n")

    def feed(self, written: str) -> None:
        for match in _TOKEN.finditer(written):
            number, control, letter = match.groups()
            if control:
                self._control(number, control)
            elif letter:
                self._letter(letter)
            else:
                raise AssertionError("an operating system command reached the terminal")

    def _control(self, number: str, control: str) -> None:
        match control:
            case "A":
                assert int(number) <= self._row, "above the screen nothing can be reached"
                self._row -= int(number)
            case "K" if not number:
                del self._lines[self._row][self._column :]
            case "m":
                pass
            case "h" | "l" if number in ("?2026", "?2004"):
                pass
            case _:
                raise AssertionError(f"\\x1b[{number}{control}")

    def _letter(self, letter: str) -> None:
        if letter == "\r":
            self._column = 0
        elif letter == "\n":
            self._down()
        elif letter >= " ":
            self._put(letter)

    def _put(self, letter: str) -> None:
        width = 2 if unicodedata.east_asian_width(letter) in "WF" else 1
        if self._column + width > self.columns:
            self._column = 0
            self._down()
        line = self._lines[self._row]
        line += [" "] * (self._column - len(line))
        line[self._column : self._column + width] = [letter, *[""] * (width - 1)]
        self._column += width

    def _down(self) -> None:
        if self._row < self.rows - 1:
            self._row += 1
            return
        self.scrolled.append("".join(self._lines.pop(0)).rstrip())
        self._lines.append([])
