"""Which rows are recorded and which were met in the input: exact, and in the same memory for ten rows as for millions.

It is a private database on the disk (SQLite's temporary one, gone with the process, however that ends), filled from the
output at each start. All of it blocks; one thread at a time.
"""

import sqlite3
from collections.abc import Iterable
from typing import Final

from hfgen.errors import OutputFailed, UsageError

_CACHE_KIB: Final = 16 * 1024
# Nothing is to survive: no journal of its own, no waiting for the disk, one transaction without an end.
_SET_UP: Final = f"""
PRAGMA journal_mode = OFF;
PRAGMA synchronous = OFF;
PRAGMA locking_mode = EXCLUSIVE;
PRAGMA temp_store = FILE;
PRAGMA cache_size = -{_CACHE_KIB};
CREATE TABLE rows (id BLOB PRIMARY KEY, digest TEXT, place INTEGER NOT NULL, row INTEGER NOT NULL) WITHOUT ROWID;
BEGIN;
"""
_NOWHERE: Final = -1

Recorded = tuple[bytes, str, int]
"""A line of the output: the row's name in UTF-8, the digest of its job, where the line begins."""


class Index:
    """Rows by their custom_id."""

    def __init__(self) -> None:
        self._rows = sqlite3.connect("", isolation_level=None, check_same_thread=False)
        self._rows.executescript(_SET_UP)

    def record(self, lines: Iterable[Recorded]) -> None:
        """Note lines of the output; of two with one name the later counts.

        Raises:
            OutputFailed: The disk of temporary files is full.
        """
        upsert = (
            "INSERT INTO rows VALUES (?, ?, ?, 0)"
            " ON CONFLICT (id) DO UPDATE SET digest = excluded.digest, place = excluded.place"
        )
        try:
            self._rows.executemany(upsert, lines)
        except sqlite3.Error as error:
            raise _failed(error) from error

    def holds(self, custom_id: bytes, place: int) -> bool:
        """Whether that line is the one that counts."""
        found = self._rows.execute("SELECT 1 FROM rows WHERE id = ? AND place = ?", (custom_id, place))
        return found.fetchone() is not None

    def meet(self, custom_id: str, row: int) -> str | None:
        """Note that a row was met in the input.

        Returns:
            The digest of the job that is recorded under this name, None where none is.

        Raises:
            UsageError: Another row of the input has this name.
            OutputFailed: The disk of temporary files is full.
        """
        name = custom_id.encode()
        try:
            found = self._rows.execute("SELECT digest, row FROM rows WHERE id = ?", (name,)).fetchone()
            if found is None:
                self._rows.execute("INSERT INTO rows VALUES (?, NULL, ?, ?)", (name, _NOWHERE, row))
                return None
            digest, before = found
            if before:
                raise UsageError(
                    f"two rows of the input have the custom_id {custom_id!r}: rows {before} and {row}",
                    hint="Each row needs a custom_id of its own: its answer is recorded and found under it.",
                )
            self._rows.execute("UPDATE rows SET row = ? WHERE id = ?", (row, name))
        except sqlite3.Error as error:
            raise _failed(error) from error
        return None if digest is None else str(digest)

    def __len__(self) -> int:
        return int(self._rows.execute("SELECT count(*) FROM rows").fetchone()[0])

    def unmet(self) -> int:
        """How many recorded rows were not met in the input."""
        return int(self._rows.execute("SELECT count(*) FROM rows WHERE row = 0").fetchone()[0])

    def close(self) -> None:
        self._rows.close()


def _failed(error: sqlite3.Error) -> OutputFailed:
    return OutputFailed(
        f"the temporary list of rows cannot be kept: {error}",
        hint="Free space in the folder of temporary files, or set SQLITE_TMPDIR to another, and run the same command.",
    )
