"""The engine of several machines: one driver, which has the journal, and workers that it gives rows and leases to.

It knows nothing of the cluster's kind; a `Remote` brings orders to a worker wherever that is, and says when it is dead.
"""

import asyncio
from collections.abc import AsyncGenerator, AsyncIterator, Sequence
from pathlib import Path
from typing import Final, Protocol

from hfgen.batch import outcomes, pictures
from hfgen.batch.bad_row import BadRow
from hfgen.batch.cluster.custody import Custody
from hfgen.batch.cluster.leases import Lease, Lessor, Want
from hfgen.batch.cluster.orders import Order, Report
from hfgen.batch.ends import JobStopped
from hfgen.batch.job import Job
from hfgen.batch.pacing.budget import Budget
from hfgen.batch.result import Result
from hfgen.errors import HfgenError

_FEWEST: Final = 32  # rows of a worker, begun or not
_MOST: Final = 128  # that it has beyond those that it may ask at once
_UNREAD: Final = 256  # results that nobody has taken
_EACH: Final = 1.0  # seconds between two reports
_EACH_LEASE: Final = 0.25  # the same, where there are leases to give back
_DEATHS: Final = 10  # of workers one after the other, without a result in between


class Lost(Exception):
    """A worker is dead, or as good as dead; it never leaves the package."""


class Remote(Protocol):
    """A worker, somewhere."""

    @property
    def name(self) -> str:
        """Unlike that of any other."""
        ...

    async def begin(self) -> str:
        """Begin a new life, once the worker is there; the life's name.

        Raises:
            Lost: It died meanwhile.
            HfgenError: It cannot work with this driver.
        """
        ...

    async def carry_out(self, order: Order) -> Report:
        """Send an order, again where it may not have been heard.

        Raises:
            Lost: The worker died.
        """
        ...

    def kill(self) -> None:
        """End it, and whatever it asks for."""
        ...


class Cluster:
    """Gives rows to workers, and takes their results; for one job.

    Args:
        remotes: The workers.
        budget: Of all of them together.
        folder: Where pictures go as files.
    """

    def __init__(self, remotes: Sequence[Remote], budget: Budget, folder: Path | None = None) -> None:
        self._remotes = remotes
        self._lessor = Lessor(budget) if budget.bounded else None
        self._folder = folder
        self._custody = Custody(self._add_bad)
        self._ready: asyncio.Queue[Result | None] = asyncio.Queue()
        self._room = asyncio.Event()
        self._ended = asyncio.Event()
        self._reports: dict[str, Report] = {}
        self._stopping = False
        self._error: Exception | None = None
        self._deaths = 0
        self.resubmitted = 0

    @property
    def under_way(self) -> int:
        """Rows that are being asked, by the last reports."""
        return sum(report.under_way for report in self._reports.values())

    @property
    def slots(self) -> int:
        """Rows that may be asked at once, by the last reports."""
        return sum(report.slots for report in self._reports.values())

    def stop(self) -> None:
        """Take no more rows; what is under way still ends."""
        self._stopping = True
        self._look()

    def _look(self) -> None:
        """See whether there is anything left to do, and tell those that wait."""
        if self._nothing_left:
            self._ended.set()
        self._custody.wake()

    async def results(self, jobs: AsyncIterator[Job | BadRow]) -> AsyncGenerator[Result, None]:
        """One result for each job and bad row, in the order in which they come; leaving it kills the workers.

        Raises:
            HfgenError: Nobody will answer any row, no worker stays alive, or the jobs cannot be read on.
        """
        working = asyncio.create_task(self._work(jobs))
        try:
            while (result := await self._ready.get()) is not None:
                self._room.set()
                yield result
        finally:
            working.cancel()
            await asyncio.gather(working, return_exceptions=True)
            for remote in self._remotes:
                remote.kill()
        if self._error is not None:
            raise self._error

    async def _work(self, jobs: AsyncIterator[Job | BadRow]) -> None:
        reading = asyncio.create_task(self._read(jobs))
        serving = [asyncio.create_task(self._serve(remote)) for remote in self._remotes]
        try:
            await asyncio.gather(*serving)
        finally:
            for task in (reading, *serving):
                task.cancel()
            await asyncio.gather(reading, *serving, return_exceptions=True)
            self._ready.put_nowait(None)

    async def _read(self, jobs: AsyncIterator[Job | BadRow]) -> None:
        try:
            await self._custody.read(jobs)
        except Exception as error:  # noqa: BLE001 - whatever the input fails with is told once the answers have ended
            self._halt(error)
        self._look()

    def _halt(self, error: Exception) -> None:
        if self._error is None:
            self._error = error
        self.stop()

    async def _add_bad(self, row: BadRow) -> None:
        self._ready.put_nowait(outcomes.invalid(row))
        await self._taken()

    async def _taken(self) -> None:
        """Wait while there are results enough that nobody has taken."""
        while self._ready.qsize() >= _UNREAD:
            self._room.clear()
            await self._room.wait()

    async def _serve(self, remote: Remote) -> None:
        """Have a worker work, however often it dies, until there is nothing left to do."""
        try:
            while not self._nothing_left:
                try:
                    life = await self._begun(remote)
                    if life is not None:
                        await self._employ(remote, life)
                except Lost as lost:
                    self._bury(remote, lost)
        except Exception as error:  # noqa: BLE001 - it ends the job, not this worker alone
            self._halt(error)

    async def _begun(self, remote: Remote) -> str | None:
        """The new life of a worker; None where there was nothing left to do before it came."""
        beginning = asyncio.create_task(remote.begin())
        ended = asyncio.create_task(self._ended.wait())
        try:
            await asyncio.wait((beginning, ended), return_when=asyncio.FIRST_COMPLETED)
            return await beginning if beginning.done() else None
        finally:
            beginning.cancel()
            ended.cancel()
            await asyncio.gather(beginning, ended, return_exceptions=True)

    @property
    def _nothing_left(self) -> bool:
        return self._stopping or self._custody.done

    def _bury(self, remote: Remote, lost: Lost) -> None:
        self.resubmitted += self._custody.lost(remote.name)
        self._reports.pop(remote.name, None)
        if self._lessor is not None:
            self._lessor.lost(remote.name)
        self._deaths += 1
        if self._deaths >= _DEATHS:
            raise HfgenError(
                f"{self._deaths} workers died one after the other, the last with: {lost}",
                hint="What was answered is recorded; look at the memory of the machines and at the logs of Ray.",
            ) from lost

    async def _employ(self, remote: Remote, life: str) -> None:
        """One life of a worker."""
        number, want = 0, None
        while True:
            while not self._custody.holding(remote.name) and not self._custody.any:
                if self._nothing_left:
                    return
                await self._custody.change()
            number += 1
            report = await remote.carry_out(self._order(remote.name, life, number, want))
            if report.life != life:
                raise Lost("it was started anew")
            await self._accept(remote.name, report)
            want = report.want
            if report.error is not None:
                self._halt(report.error)
            if report.over:
                return

    def _order(self, worker: str, life: str, number: int, want: Want | None) -> Order:
        rows: list[Job] = []
        if not self._stopping:
            slots = self._reports[worker].slots if worker in self._reports else 0
            beyond = min(_MOST, max(_FEWEST, slots))
            rows = self._custody.give(worker, slots + beyond - self._custody.holding(worker))
        return Order(
            number,
            life,
            rows,
            more=self._custody.more and not self._stopping,
            lease=self._lease(worker, want),
            stop=self._stopping,
            seconds=_EACH if self._lessor is None else _EACH_LEASE,
        )

    def _lease(self, worker: str, want: Want | None) -> Lease | None:
        if self._lessor is None or self._stopping or want is None:
            return None
        if not self._lessor.affordable(want):
            self._halt(JobStopped("cost", self._lessor.spending.why_not(want.model, want.need)))
            return None
        return self._lessor.lease(worker, want, asyncio.get_running_loop().time())

    async def _accept(self, worker: str, report: Report) -> None:
        self._reports[worker] = report
        if self._lessor is not None:
            self._lessor.settle(worker, report.settlement, asyncio.get_running_loop().time())
        for result in report.results:
            self._deaths = 0
            if self._custody.take(worker, result):
                self._ready.put_nowait(await pictures.filed(result, self._folder))
        self._look()
        await self._taken()
