"""What is looked up by a row's number, on disk: memory holds none of it, however many rows there are."""

import pickle
import tempfile
from contextlib import ExitStack
from pathlib import Path
from typing import Any, Final, Self

_WIDTH: Final = 8  # bytes of a number


class Numbers:
    """A number, not negative, for each row that has one; the file has no name and goes with the process.

    Args:
        folder: Where it takes its room: 8 bytes a row.
    """

    def __init__(self, folder: Path) -> None:
        self._file = tempfile.TemporaryFile(dir=folder)  # noqa: SIM115 - closed by `close`
        self.most = 0

    def put(self, row: int, number: int) -> None:
        """Keep a row's number."""
        self._file.seek(row * _WIDTH)
        self._file.write((number + 1).to_bytes(_WIDTH, "little"))
        self.most = max(self.most, row)

    def get(self, row: int) -> int | None:
        """A row's number."""
        self._file.seek(row * _WIDTH)
        found = int.from_bytes(self._file.read(_WIDTH), "little")
        return found - 1 if found else None

    def close(self) -> None:
        """Give the room back."""
        self._file.close()

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        self.close()


class Spill:
    """The cells of each row that was put there.

    Args:
        folder: Where they take their room.
    """

    def __init__(self, folder: Path) -> None:
        with ExitStack() as opened:
            self._places = opened.enter_context(Numbers(folder))
            self._file = opened.enter_context(tempfile.TemporaryFile(dir=folder))
            self._opened = opened.pop_all()
        self._end = 0

    def put(self, row: int, cells: dict[str, Any]) -> None:
        """Keep a row's cells."""
        self._places.put(row, self._end)
        self._file.seek(self._end)
        pickle.dump(cells, self._file)
        self._end = self._file.tell()

    def get(self, row: int) -> dict[str, Any]:
        """A row's cells, dates and decimals as such; none of a row that was not put there."""
        place = self._places.get(row)
        if place is None:
            return {}
        self._file.seek(place)
        cells: dict[str, Any] = pickle.load(self._file)  # noqa: S301 - a file without a name: nobody else writes to it
        return cells

    def close(self) -> None:
        """Give the room back."""
        self._opened.close()

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        self.close()
