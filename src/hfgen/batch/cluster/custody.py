"""Whose rows are whose: those that wait, and those that a worker has until their results are here.

A row is with nobody, or with one worker, and it leaves by one result. What a dead worker had is given out again, before
rows that are new.
"""

import asyncio
from collections import defaultdict, deque
from collections.abc import AsyncIterator, Awaitable, Callable
from typing import Final

from hfgen.batch.bad_row import BadRow
from hfgen.batch.job import Job
from hfgen.batch.result import Result

_AHEAD: Final = 256  # rows that were read and not given out
_LARGEST: Final = 8 * 2**20  # bytes that are given at once, but for the last row: some rows are pictures


class Custody:
    """The rows of a job.

    Args:
        bad: Told of rows that are no request; the next row is read when it returns.
    """

    def __init__(self, bad: Callable[[BadRow], Awaitable[None]]) -> None:
        self._bad = bad
        self._waiting: deque[Job] = deque()
        self._given: defaultdict[str, dict[tuple[str, int], Job]] = defaultdict(dict)
        self._room = asyncio.Event()
        self._changed = asyncio.Event()
        self.read_all = False

    @property
    def done(self) -> bool:
        """Whether no row is left anywhere."""
        return self.read_all and not self._waiting and not any(self._given.values())

    @property
    def more(self) -> bool:
        """Whether there may be rows to give out."""
        return bool(self._waiting) or not self.read_all

    @property
    def any(self) -> bool:
        """Whether there are rows to give out."""
        return bool(self._waiting)

    def holding(self, worker: str) -> int:
        """How many rows a worker has."""
        return len(self._given[worker])

    async def read(self, jobs: AsyncIterator[Job | BadRow]) -> None:
        """Read the rows, some hundred ahead of those that are given out.

        Raises:
            Exception: What the rows cannot be read with.
        """
        try:
            async for job in jobs:
                if isinstance(job, BadRow):
                    await self._bad(job)
                else:
                    self._waiting.append(job)
                    self._changed.set()
                while len(self._waiting) >= _AHEAD:
                    self._room.clear()
                    await self._room.wait()
        finally:
            self.read_all = True
            self._changed.set()

    def give(self, worker: str, most: int) -> list[Job]:
        """Give so many rows to a worker; fewer where there are fewer, or where they are large."""
        rows, size = list[Job](), 0
        while self._waiting and len(rows) < most and size < _LARGEST:
            rows.append(self._waiting.popleft())
            size += len(rows[-1].body)
        self._given[worker].update(((row.custom_id, row.row), row) for row in rows)
        self._room.set()
        return rows

    def take(self, worker: str, result: Result) -> bool:
        """A worker's result; False for that of a row which it has no more."""
        taken = self._given[worker].pop((result.custom_id, result.hfgen.row), None) is not None
        self._changed.set()
        return taken

    def lost(self, worker: str) -> int:
        """A worker died: its rows are given out again.

        Returns:
            How many they are.
        """
        rows = self._given.pop(worker, {})
        self._waiting.extendleft(reversed(rows.values()))
        self._changed.set()
        return len(rows)

    async def change(self) -> None:
        """Wait until there are rows, or until there will be none."""
        self._changed.clear()
        if not self.any and not self.done:
            await self._changed.wait()

    def wake(self) -> None:
        """Have those that wait look again."""
        self._changed.set()
