"""Which rows are recorded and which were met in the input: exact, and in the same memory for ten rows as for millions.

It is a private database on the disk (SQLite's temporary one, gone with the process, however that ends), filled from the
output at each start. All of it blocks; one thread at a time.
"""

import sqlite3
from collections.abc import Generator, Iterable
from contextlib import contextmanager
from typing import Final, NamedTuple, TypeAlias

from hfgen.errors import OutputFailed, UsageError

_CACHE_KIB: Final = 8 * 1024
# Nothing is to survive: no journal of its own, no waiting for the disk, one transaction without an end.
_SET_UP: Final = f"""
PRAGMA journal_mode = OFF;
PRAGMA synchronous = OFF;
PRAGMA locking_mode = EXCLUSIVE;
PRAGMA cache_size = -{_CACHE_KIB};
CREATE TABLE rows (
    id BLOB PRIMARY KEY,
    digest TEXT,  -- of the job that is recorded; NULL where none is
    answered INTEGER,
    place INTEGER,  -- where its line begins in the output
    row INTEGER  -- its place in the input; NULL until it is met there
) WITHOUT ROWID;
BEGIN;
"""
_RECORD: Final = """
INSERT INTO rows VALUES (?, ?, ?, ?, NULL)
ON CONFLICT (id) DO UPDATE SET digest = excluded.digest, answered = excluded.answered, place = excluded.place
"""

Recorded: TypeAlias = tuple[bytes, str, bool, int]
"""A line of the output: the row's name in UTF-8, the digest of its job, if it is an answer, where the line begins."""


class Record(NamedTuple):
    """What is recorded of a row.

    Attributes:
        digest: Of the job.
        answered: Whether it is an answer; else an error.
    """

    digest: str
    answered: bool


class Index:
    """Rows by their custom_id.

    Raises:
        OutputFailed: From each of its methods, where the disk of temporary files is full.
    """

    def __init__(self) -> None:
        with _in_our_words():
            self._rows = sqlite3.connect("", isolation_level=None, check_same_thread=False)
            self._rows.executescript(_SET_UP)

    def record(self, lines: Iterable[Recorded]) -> None:
        """Note lines of the output; of two with one name the later counts."""
        with _in_our_words():
            self._rows.executemany(_RECORD, lines)

    def move(self, custom_id: bytes, place: int, to: int) -> bool:
        """Note that a line is copied to another place, if it is the one that counts for its row; whether it is."""
        with _in_our_words():
            moved = self._rows.execute("UPDATE rows SET place = ? WHERE id = ? AND place = ?", (to, custom_id, place))
            return moved.rowcount == 1

    def meet(self, custom_id: str, row: int) -> Record | None:
        """Note that a row was met in the input.

        Returns:
            What is recorded under this name, None where nothing is.

        Raises:
            UsageError: Another row of the input has this name.
        """
        name = custom_id.encode()
        with _in_our_words():
            found = self._rows.execute("SELECT digest, answered, row FROM rows WHERE id = ?", (name,)).fetchone()
            if found is None:
                self._rows.execute("INSERT INTO rows VALUES (?, NULL, NULL, NULL, ?)", (name, row))
                return None
            digest, answered, before = found
            if before is not None:
                raise UsageError(
                    f"two rows of the input have the custom_id {custom_id!r}: rows {before} and {row}",
                    hint="Each row needs a custom_id of its own: its answer is recorded and found under it.",
                )
            self._rows.execute("UPDATE rows SET row = ? WHERE id = ?", (row, name))
        return None if digest is None else Record(digest, bool(answered))

    def forget(self, custom_id: str) -> None:
        """No line of the output counts for this row any more."""
        with _in_our_words():
            self._rows.execute("UPDATE rows SET digest = NULL, place = NULL WHERE id = ?", (custom_id.encode(),))

    def has(self, custom_id: str) -> bool:
        """Whether anything is recorded under this name."""
        with _in_our_words():
            row = self._rows.execute("SELECT 1 FROM rows WHERE id = ? AND digest IS NOT NULL", (custom_id.encode(),))
            return row.fetchone() is not None

    def begin_again(self) -> None:
        """The input is read once more, from its first row."""
        with _in_our_words():
            self._rows.execute("UPDATE rows SET row = NULL")

    def recorded(self) -> int:
        """How many rows the output has."""
        with _in_our_words():
            return int(self._rows.execute("SELECT count(digest) FROM rows").fetchone()[0])

    def unmet(self) -> int:
        """How many of them were not met in the input."""
        with _in_our_words():
            return int(self._rows.execute("SELECT count(digest) FROM rows WHERE row IS NULL").fetchone()[0])

    def close(self) -> None:
        """Give back its memory and its place on the disk."""
        self._rows.close()


@contextmanager
def _in_our_words() -> Generator[None]:
    try:
        yield
    except sqlite3.Error as error:
        raise OutputFailed(
            f"the temporary list of rows cannot be kept: {error}",
            hint="Free space in the folder of temporary files, or set SQLITE_TMPDIR to another,"
            " and run the same command again.",
        ) from error
