"""The engine of one machine: a task for each row under way, and a heap of those that wait, which hold no slot.

Rows come in as they are taken, at most a few dozen ahead; results go out through a bounded queue, so a reader that is
slow slows down the asking. Every row that was taken ends in exactly one result, or is not spoken of at all: the next
run asks it.
"""

import asyncio
import random
from collections import deque
from collections.abc import AsyncGenerator, AsyncIterator
from heapq import heappop, heappush
from itertools import count
from typing import Final, Protocol

from hfgen.batch import outcomes
from hfgen.batch.bad_row import BadRow
from hfgen.batch.effort import Effort
from hfgen.batch.job import Job
from hfgen.batch.result import Result
from hfgen.errors import (
    ConnectionFailed,
    EndpointPaused,
    HfgenError,
    MissingAuth,
    ModelLoading,
    PaymentRequired,
    RateLimited,
)
from hfgen.transport.retry import retryable

_AHEAD: Final = 32  # rows that were read, and not yet asked
_MOST_WAITING: Final = 1000  # rows that wait for another try; above that no new ones are begun
_MOST_FAILURES: Final = 4
_PATIENCE: Final = 600.0  # seconds for a row that no server takes
_LONGEST_WAIT: Final = 30.0  # seconds


class Asker(Protocol):
    """Who asks for one row."""

    async def answer(self, effort: Effort) -> Result:
        """What becomes of it; an `HfgenError` where nobody answered."""
        ...

    def failed(self, effort: Effort, error: HfgenError) -> Result:
        """What becomes of it where it is not to be asked again."""
        ...


class Pace(Protocol):
    """When the next row may be asked."""

    async def slot(self, effort: Effort) -> None:
        """Wait until a row may be asked."""
        ...

    def done(self, effort: Effort, error: HfgenError | None) -> None:
        """A row has been asked; `error` is what it failed with, None where there was an answer or a refusal."""
        ...

    def may_repeat(self, error: HfgenError) -> bool:
        """Whether the job can afford one more repeat."""
        ...


class Engine(Protocol):
    """Whatever turns jobs into results."""

    @property
    def under_way(self) -> int:
        """Rows that are being asked now."""
        ...

    def results(self, jobs: AsyncIterator[Job | BadRow]) -> AsyncGenerator[Result, None]:
        """One result for each job and bad row, in the order in which they come; called once."""
        ...

    def stop(self) -> None:
        """Take no more rows; what is under way still ends."""
        ...


class Runner:
    """Asks rows side by side, at a given pace; for one job.

    Args:
        asker: Asks for one row.
        pace: Says when.
        first_wait: Seconds that a row waits at most before its second try; doubled with each failure.
    """

    def __init__(self, asker: Asker, pace: Pace, *, first_wait: float = 0.5) -> None:
        self._asker = asker
        self._pace = pace
        self._first_wait = first_wait
        self._read: deque[Job] = deque()
        self._read_all = False
        self._waiting: list[tuple[float, int, Effort]] = []
        self._order = count()
        self._under_way: set[asyncio.Task[None]] = set()
        self._changed = asyncio.Event()
        self._room = asyncio.Event()
        self._stopping = asyncio.Event()
        self._error: Exception | None = None
        self._ready: asyncio.Queue[Result | None] = asyncio.Queue(_AHEAD)

    @property
    def under_way(self) -> int:
        """Rows that are being asked now."""
        return len(self._under_way)

    @property
    def waiting(self) -> int:
        """Rows that wait for another try."""
        return len(self._waiting)

    def stop(self) -> None:
        """Take no more rows, and drop those that wait; what is being asked still ends."""
        self._stopping.set()

    async def results(self, jobs: AsyncIterator[Job | BadRow]) -> AsyncGenerator[Result, None]:
        """One result for each job, in the order in which they come; leaving it ends every request at once.

        Raises:
            MissingAuth: Nobody will answer any row; what was under way has ended, and nothing is said of such rows.
            PaymentRequired: As `MissingAuth`.
            HfgenError: As `MissingAuth`; or the jobs themselves cannot be read on.
        """
        working = asyncio.create_task(self._work(jobs))
        try:
            while (result := await self._ready.get()) is not None:
                yield result
            await working
        finally:
            await _ended(working)
            await _ended(*self._under_way)
        if self._error is not None:
            raise self._error

    async def _work(self, jobs: AsyncIterator[Job | BadRow]) -> None:
        taking = asyncio.create_task(self._take())
        reading = asyncio.create_task(self._read_on(jobs))
        stopping = asyncio.create_task(self._stopping.wait())
        try:
            await asyncio.wait((taking, stopping), return_when=asyncio.FIRST_COMPLETED)
            if taking.done() and (failed := taking.exception()):
                raise failed
            await _ended(taking, reading)
            while self._under_way:
                await asyncio.wait(self._under_way)
        finally:
            await _ended(taking, reading, stopping)
        await self._ready.put(None)

    def _halt(self, error: Exception) -> None:
        """There is no use in going on."""
        if self._error is None:
            self._error = error
        self.stop()

    async def _read_on(self, jobs: AsyncIterator[Job | BadRow]) -> None:
        try:
            async for job in jobs:
                if isinstance(job, BadRow):
                    await self._ready.put(outcomes.invalid(job))
                    continue
                self._read.append(job)
                self._changed.set()
                while len(self._read) >= _AHEAD:
                    self._room.clear()
                    await self._room.wait()
        except Exception as error:  # noqa: BLE001 - whatever the input fails with is told once the answers have ended
            self._halt(error)
        self._read_all = True
        self._changed.set()

    async def _take(self) -> None:
        while (effort := await self._next()) is not None:
            await self._pace.slot(effort)
            if self._stopping.is_set():
                return
            task = asyncio.create_task(self._row(effort))
            self._under_way.add(task)
            task.add_done_callback(self._over)

    def _over(self, task: "asyncio.Task[None]") -> None:
        self._under_way.discard(task)
        self._changed.set()

    async def _next(self) -> Effort | None:
        """A row that has waited, before one that is new; None when there is none any more."""
        now = asyncio.get_running_loop().time
        while True:
            if self._waiting and self._waiting[0][0] <= now():
                return heappop(self._waiting)[-1]
            if self._read and len(self._waiting) < _MOST_WAITING:
                self._room.set()
                return Effort(self._read.popleft())
            if self._read_all and not (self._read or self._waiting or self._under_way):
                return None
            self._changed.clear()
            try:
                async with asyncio.timeout_at(self._waiting[0][0] if self._waiting else None):
                    await self._changed.wait()
            except TimeoutError:
                pass

    async def _row(self, effort: Effort) -> None:
        """Ask, and hand the result over before the slot is free: who reads slowly is not asked for more."""
        error: HfgenError | None = None
        try:
            try:
                result: Result | None = await self._asker.answer(effort)
            except HfgenError as failed:
                error = failed
                result = self._after(effort, failed)
            if result is not None:
                await self._ready.put(result)
        except Exception as fault:  # noqa: BLE001 - a full disk, or a fault of ours: it ends the job, not the row
            self._halt(fault)
        finally:
            self._pace.done(effort, error)

    def _after(self, effort: Effort, error: HfgenError) -> Result | None:
        """The row's end, or None where it is asked again, or where no row will be answered."""
        if _hopeless(error):
            self._halt(error)
            return None
        turned_away = isinstance(error, ConnectionFailed | RateLimited | ModelLoading)
        effort.turned_away += turned_away
        effort.failures += not turned_away
        now = asyncio.get_running_loop().time()
        due = now + self._wait(effort, error)
        if not self._is_over(effort, error, due):
            heappush(self._waiting, (due, next(self._order), effort))
            return None
        if isinstance(error, ConnectionFailed) and effort.deadline is None:
            self._halt(error)  # nobody is there at all: the next run goes on
            return None
        return self._asker.failed(effort, error)

    def _is_over(self, effort: Effort, error: HfgenError, due: float) -> bool:
        begun = due if effort.begun is None else effort.begun
        late = effort.deadline is not None and due >= effort.deadline
        tired = effort.failures >= _MOST_FAILURES or due - begun >= _PATIENCE
        return late or tired or not retryable(error) or not self._pace.may_repeat(error)

    def _wait(self, effort: Effort, error: HfgenError) -> float:
        """Seconds: what the server asks for, and full jitter on top, so that the rows do not come back all at once."""
        longest = min(_LONGEST_WAIT, self._first_wait * 2.0 ** (effort.failures + effort.turned_away - 1))
        return (error.retry_after or 0.0) + random.uniform(0, longest)  # noqa: S311 - jitter is no secret


def _hopeless(error: HfgenError) -> bool:
    """Whether every other row would end in the same way."""
    if isinstance(error, ConnectionFailed):
        return error.lasting
    return isinstance(error, MissingAuth | PaymentRequired | EndpointPaused)


async def _ended(*tasks: "asyncio.Task[object]") -> None:
    """Cancel what still runs, and wait for it: its requests end before this returns."""
    for task in tasks:
        task.cancel()
    await asyncio.gather(*tasks, return_exceptions=True)
