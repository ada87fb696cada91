"""The engine of one machine: a task for each row under way, and a heap of those that wait, which hold no slot.

Rows come in as they are taken, at most a few dozen ahead; results wait for their reader, at most a few dozen: one
that is slow slows down the asking. Every row that was taken ends in exactly one result, or is not spoken of at all: the
next run asks it.
"""

import asyncio
import math
from collections import deque
from collections.abc import AsyncGenerator, AsyncIterator
from contextvars import ContextVar
from heapq import heappop, heappush
from itertools import count
from typing import Final, Protocol

from msgspec.structs import replace

from hfgen.batch import outcomes
from hfgen.batch.asker import Asker
from hfgen.batch.bad_row import BadRow
from hfgen.batch.effort import Effort
from hfgen.batch.ends import JobStopped
from hfgen.batch.job import Job
from hfgen.batch.pacing.pace import Next, Outcome, Pace, Ticket
from hfgen.batch.pacing.repeats import MOST_ATTEMPTS, is_load
from hfgen.batch.pacing.spending import PROVIDER_HEADER
from hfgen.batch.result import Result
from hfgen.errors import ConnectionFailed, HfgenError, OutputFailed
from hfgen.events import Usage
from hfgen.wire import Head

_AHEAD: Final = 32  # rows that were read and not yet asked; results that nobody has taken
_MOST_PARKED: Final = 64  # rows that wait for their turn while those of another lane go
_MOST_WAITING: Final = 1000  # rows that wait; above that no new ones are begun


_ASKED: Final[ContextVar["tuple[Runner, Effort]"]] = ContextVar("hfgen.batch.asked")  # what the current task asks for


class Engine(Protocol):
    """Whatever turns jobs into results."""

    @property
    def under_way(self) -> int:
        """Rows that are being asked now."""
        ...

    @property
    def slots(self) -> int:
        """Rows that may be asked at once, as it goes now."""
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
    """

    def __init__(self, asker: Asker, pace: Pace) -> None:
        self._asker = asker
        self._pace = pace
        self._read: deque[Job] = deque()
        self._read_all = False
        self._held: Effort | None = None  # the next row, while there is no slot for it
        self._waiting: list[tuple[float, int, Effort]] = []
        self._order = count()
        self._under_way: set[asyncio.Task[None]] = set()
        self._changed = asyncio.Event()
        self._room = asyncio.Event()
        self._stopping = asyncio.Event()
        self._error: Exception | None = None
        self._ready: asyncio.Queue[Result | None] = asyncio.Queue()

    @property
    def under_way(self) -> int:
        """Rows that are being asked now."""
        return len(self._under_way)

    @property
    def slots(self) -> int:
        """Rows that may be asked at once, as it goes now."""
        return self._pace.slots

    @property
    def waiting(self) -> int:
        """Rows that wait for another try, or for their turn."""
        return len(self._waiting)

    def stop(self) -> None:
        """Take no more rows, and drop those that wait; what is being asked still ends."""
        self._stopping.set()

    def look(self) -> None:
        """There may be more allowance than a moment ago."""
        self._changed.set()

    def heard(self, head: Head) -> None:
        """How an answer begins, in the task that asked: its headers tell limits, and who it is."""
        runner, effort = _ASKED.get((None, None))
        if runner is not self or effort is None:  # some other call on the same session
            return
        if provider := head.headers.get(PROVIDER_HEADER):
            effort.providers.add(provider)
        self._pace.heard(effort.lane, head, asyncio.get_running_loop().time())

    async def results(self, jobs: AsyncIterator[Job | BadRow]) -> AsyncGenerator[Result, None]:
        """One result for each job and bad row, in the order in which they come; leaving it ends every request at once.

        Raises:
            MissingAuth: Nobody will answer any row; what was under way has ended, and nothing is said of such rows.
            PaymentRequired: As `MissingAuth`.
            JobStopped: No row that is left could be paid for.
            HfgenError: As `MissingAuth`; or the jobs themselves cannot be read on.
        """
        working = asyncio.create_task(self._work(jobs))
        try:
            while (result := await self._ready.get()) is not None:
                if self._ready.qsize() < _AHEAD:
                    self._changed.set()
                    self._room.set()
                yield result
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
            await _ended(taking, reading)
            while self._under_way:
                await asyncio.wait(self._under_way)
        finally:
            await _ended(taking, reading, stopping)
            self._ready.put_nowait(None)

    def _halt(self, error: Exception) -> None:
        """There is no use in going on."""
        if self._error is None:
            self._error = error
        self.stop()

    async def _read_on(self, jobs: AsyncIterator[Job | BadRow]) -> None:
        try:
            async for job in jobs:
                if isinstance(job, BadRow):
                    self._ready.put_nowait(outcomes.invalid(job))
                else:
                    self._read.append(job)
                    self._changed.set()
                while len(self._read) >= _AHEAD or self._ready.qsize() >= _AHEAD:
                    self._room.clear()
                    await self._room.wait()
        except Exception as error:  # noqa: BLE001 - whatever the input fails with is told once the answers have ended
            self._halt(error)
        self._read_all = True
        self._changed.set()

    async def _take(self) -> None:
        """Start one row after the other, as the pace allows; it ends when there is none any more."""
        try:
            while not (self._stopping.is_set() or self._all_over):
                wait = self._start_next()
                if wait > 0:
                    await self._turn(wait)
        except Exception as error:  # noqa: BLE001 - a fault of ours is not to be silent
            self._halt(error)

    @property
    def _all_over(self) -> bool:
        return self._read_all and not (self._read or self._held or self._waiting or self._under_way)

    async def _turn(self, seconds: float) -> None:
        """Wait until something has changed, at most so long."""
        self._changed.clear()
        if seconds == math.inf:
            await self._changed.wait()
            return
        try:
            async with asyncio.timeout(seconds):
                await self._changed.wait()
        except TimeoutError:
            pass

    def _start_next(self) -> float:
        """Start a row; else the seconds until one may be ready, should nothing change."""
        now = asyncio.get_running_loop().time()
        if self._ready.qsize() >= _AHEAD:  # nobody reads what there is
            return math.inf
        effort = self._held or self._next(now)
        if effort is None:
            return self._waiting[0][0] - now if self._waiting else math.inf
        self._held = effort
        wait = self._pace.ready(effort.lane, effort.need, now)
        if wait <= 0:
            self._held = None
            self._start(effort, now)
        elif wait < math.inf and len(self._waiting) < _MOST_PARKED:
            self._held = None
            self._wait(effort, now + wait)  # rows of another lane may be ready meanwhile
            return 0.0
        elif not self._under_way and not self._pace.affordable(effort.lane, effort.need):
            self._halt(JobStopped("cost", self._pace.spending.why_not(effort.lane.model, effort.need)))
        return wait

    def _next(self, now: float) -> Effort | None:
        """A row that has waited, before one that is new."""
        if self._waiting and self._waiting[0][0] <= now:
            return heappop(self._waiting)[-1]
        if self._read and len(self._waiting) < _MOST_WAITING:
            self._room.set()
            return self._asker.begin(self._read.popleft())
        return None

    def _wait(self, effort: Effort, due: float) -> None:
        heappush(self._waiting, (due, next(self._order), effort))

    def _start(self, effort: Effort, now: float) -> None:
        ticket = self._pace.start(effort.lane, effort.need, now, effort.tries)
        task = asyncio.create_task(self._row(effort, ticket))
        self._under_way.add(task)
        task.add_done_callback(self._over)

    def _over(self, task: "asyncio.Task[None]") -> None:
        self._under_way.discard(task)
        self._changed.set()

    async def _row(self, effort: Effort, ticket: Ticket) -> None:
        _ASKED.set((self, effort))
        effort.providers.clear()
        before = (effort.prompt_tokens, effort.completion_tokens)
        try:
            result = await self._asker.answer(effort)
        except HfgenError as error:
            self._after(effort, error, self._done(effort, ticket, before, error))
        except BaseException as fault:
            self._pace.left(ticket)
            if not isinstance(fault, Exception):
                raise
            self._halt(fault)  # of ours: it ends the job, not the row
        else:
            self._done(effort, ticket, before, result)
            self._ready.put_nowait(_priced(result, effort))

    def _done(self, effort: Effort, ticket: Ticket, before: tuple[int, int], end: Result | HfgenError) -> Next:
        error = end if isinstance(end, HfgenError) else None
        usage = Usage(effort.prompt_tokens - before[0], effort.completion_tokens - before[1])
        said = usage.total_tokens or (isinstance(end, Result) and not end.ok)  # a refusal uses nothing
        provider = next(iter(effort.providers)) if len(effort.providers) == 1 else ""
        outcome = Outcome(error, effort.first_token, usage if said else None, provider)
        step = self._pace.done(ticket, outcome, asyncio.get_running_loop().time())
        effort.charge(step.cost)
        return step

    def _after(self, effort: Effort, error: HfgenError, step: Next) -> None:
        """The row is asked again, or ends; or it is left to the next run, where no row will be answered."""
        due = asyncio.get_running_loop().time() + step.wait
        effort.failures += not (is_load(error) or isinstance(error, ConnectionFailed))
        late = effort.deadline is not None and due >= effort.deadline
        tired = effort.failures >= MOST_ATTEMPTS  # be it alone at the end of a job, where the pace sees an outage in it
        unreachable = isinstance(error, ConnectionFailed) and error.lasting
        if step.action == "stop" or unreachable or isinstance(error, OutputFailed):
            self._halt(error)
        elif step.action == "again" and not (late or tired):
            effort.tries = step.attempts
            self._wait(effort, due)
        else:
            self._ready.put_nowait(_priced(self._asker.failed(effort, error), effort))


def _priced(result: Result, effort: Effort) -> Result:
    """The result with what all of its tries cost."""
    cost = effort.cost
    if cost is None:
        return result
    costs = None if cost.exact is not None else tuple(cost)
    return replace(result, hfgen=replace(result.hfgen, cost=cost.exact, costs=costs))


async def _ended(*tasks: "asyncio.Task[object]") -> None:
    """Cancel what still runs, and wait for it: its requests end before this returns."""
    for task in tasks:
        task.cancel()
    await asyncio.gather(*tasks, return_exceptions=True)
