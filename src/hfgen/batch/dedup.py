"""Rows that ask the same are asked once, and the others get a copy of the answer.

Only rows whose answer is settled: at temperature 0, or with a seed. What happens, in the order in which it has to:

1. Of each row of the input, `first_of` tells whether an earlier one asks the same; rows that are recorded already are
   shown to it too, since they may be the first for others.
2. A row that asks what an earlier one asks, and is not recorded yet, is held back by `hold`.
3. When all that was asked has ended, `copies` goes through the output once and makes the results of those held back.

Nothing of it has to outlive the process: whatever is not recorded at the next start is held back again. It lies in a
temporary database on the disk, so that memory stays the same for any number of rows. All of it blocks; one thread at
a time.
"""

import hashlib
import secrets
import sqlite3
from collections.abc import Generator, Iterable, Iterator
from contextlib import contextmanager
from typing import Final, Self

import msgspec

from hfgen.batch.job import Job
from hfgen.batch.result import Account, Result
from hfgen.errors import OutputFailed
from hfgen.wire_json import MALFORMED

_CACHE_KIB: Final = 16 * 1024
# Nothing is to survive: no journal, no waiting for the disk, one transaction without an end.
_SET_UP: Final = f"""
PRAGMA journal_mode = OFF;
PRAGMA synchronous = OFF;
PRAGMA temp_store = FILE;
PRAGMA cache_size = -{_CACHE_KIB};
CREATE TABLE asked (digest BLOB PRIMARY KEY, first TEXT NOT NULL) WITHOUT ROWID;
CREATE TABLE held (first TEXT NOT NULL, custom_id TEXT NOT NULL, digest TEXT NOT NULL, row INTEGER NOT NULL);
CREATE INDEX by_first ON held (first);
BEGIN;
"""


class _Settles(msgspec.Struct):
    """What of a body says whether its answer is settled."""

    temperature: float | None = None
    seed: int | None = None


class Dedup:
    """Tells which rows ask the same.

    Args:
        temperature: Of bodies that name none; None where the batch names none either.
        seed: As `temperature`.
    """

    def __init__(self, temperature: float | None = None, seed: int | None = None) -> None:
        self._temperature = temperature
        self._seed = seed
        self._rows = sqlite3.connect("", isolation_level=None, check_same_thread=False)
        self._rows.executescript(_SET_UP)

    def first_of(self, job: Job) -> str | None:
        """The name of the first row that asks the same; None for that row itself, and for one that is not settled.

        Raises:
            OutputFailed: The disk of temporary files is full.
        """
        if not self._settled(job):
            return None
        identity = _identity(job)
        with _kept():
            known = self._rows.execute("SELECT first FROM asked WHERE digest = ?", (identity,)).fetchone()
            if known is None:
                self._rows.execute("INSERT INTO asked VALUES (?, ?)", (identity, job.custom_id))
                return None
        return str(known[0])

    def hold(self, job: Job, first: str) -> None:
        """Hold a row back until the first one that asks the same is answered.

        Raises:
            OutputFailed: The disk of temporary files is full.
        """
        with _kept():
            self._rows.execute("INSERT INTO held VALUES (?, ?, ?, ?)", (first, job.custom_id, job.digest, job.row))

    def __len__(self) -> int:
        """How many rows are held back."""
        return int(self._rows.execute("SELECT count(*) FROM held").fetchone()[0])

    def copies(self, results: Iterable[Result]) -> Iterator[Result]:
        """The results of the rows that are held back.

        A row whose first has no result gets none. The first's failure is the others' failure too: they would ask the
        same. Results that are recorded meanwhile may be among `results` or not.
        """
        for result in results:
            for custom_id, digest, row in self._rows.execute(
                "SELECT custom_id, digest, row FROM held WHERE first = ?", (result.custom_id,)
            ):
                yield _copy(result, custom_id, digest, row)

    def _settled(self, job: Job) -> bool:
        try:
            said = msgspec.json.decode(job.body, type=_Settles)
        except MALFORMED:
            return False  # no server will take it
        temperature = self._temperature if said.temperature is None else said.temperature
        return temperature == 0 or (self._seed if said.seed is None else said.seed) is not None

    def close(self) -> None:
        """Forget everything."""
        self._rows.close()

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        self.close()


@contextmanager
def _kept() -> Generator[None]:
    try:
        yield
    except sqlite3.Error as error:
        hint = "Free space in the folder of temporary files, or set SQLITE_TMPDIR to another, and run the same command."
        raise OutputFailed(f"the temporary list of equal rows cannot be kept: {error}", hint=hint) from error


def _identity(job: Job) -> bytes:
    """Longer than the job's digest: two rows that only seem the same would get each other's answers."""
    canonical = msgspec.json.encode(msgspec.json.decode(job.body), order="sorted")
    return hashlib.blake2b(job.url.encode() + b"\0" + canonical, digest_size=16).digest()


def _copy(result: Result, custom_id: str, digest: str, row: int) -> Result:
    """The same answer under another name; nothing was sent for it, and nothing spent."""
    made = result.hfgen
    account = Account(
        digest,
        row,
        attempts=0,
        server=made.server,
        cost=0.0,
        partial=made.partial,
        copied_from=made.copied_from or result.custom_id,
    )
    return Result(f"batch_req_{secrets.token_hex(12)}", custom_id, result.response, result.error, account)
