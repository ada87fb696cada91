"""One worker of several: a runner of its own, told what to do by orders.

It knows nothing of how orders reach it. Its rows go on between two orders; a report waits until there is enough to
tell, or until the order's time is over.
"""

import asyncio
import secrets
from collections.abc import AsyncGenerator
from contextlib import aclosing
from typing import Final

from hfgen import __version__
from hfgen.batch.answerer import Answerer
from hfgen.batch.cluster.leases import Leased, Settlement
from hfgen.batch.cluster.orders import ENOUGH, Brief, Order, Report
from hfgen.batch.job import Job
from hfgen.batch.pacing.allowance import Allowance
from hfgen.batch.pacing.budget import Budget
from hfgen.batch.pacing.pace import Pace
from hfgen.batch.pacing.repeats import FLOOR, Repeats
from hfgen.batch.pacing.spending import Spending
from hfgen.batch.result import Result
from hfgen.batch.runner import Runner
from hfgen.batch.setting import Setting
from hfgen.errors import HfgenError
from hfgen.transport.session import Session
from hfgen.wire import Head

_HUNGRY: Final = ENOUGH // 2  # rows that are not begun; below, it is time to ask for more
_WORTH_IT: Final = ENOUGH // 4  # results, before a hungry worker reports


class Worker:
    """Answers the rows that it is given, at its share of the pace."""

    def __init__(self) -> None:
        self._life = ""
        self._last: Report | None = None
        self._turn = asyncio.Lock()
        self._job: _Work | None = None

    async def begin(self, setting: Setting, budget: Budget, share: int, workers: int) -> Brief:
        """Begin a new life; what was under way is given up.

        Args:
            setting: How rows are asked, secrets included.
            budget: Of the whole job.
            share: Rows that may be asked at once, at most.
            workers: How many there are.
        """
        async with self._turn:
            if self._job is not None:
                await self._job.close()
            self._life, self._last = secrets.token_hex(8), None
            self._job = _Work(setting, budget, share, workers)
            return Brief(self._life, __version__)

    async def carry_out(self, order: Order) -> Report:
        """Do what an order says, and report; the same order again gets the same report."""
        async with self._turn:
            if self._job is None or order.life != self._life:
                return Report(order.number, self._life)
            if self._last is None or self._last.number != order.number:
                await self._job.take(order)
                self._last = self._job.report(order)
            return self._last

    async def close(self) -> None:
        """Give up what is under way."""
        if self._job is not None:
            await self._job.close()


class _Work:
    """The rows of one life."""

    def __init__(self, setting: Setting, budget: Budget, share: int, workers: int) -> None:
        self._leased = Leased(budget.prices or {}, costs=budget.max_cost is not None) if budget.bounded else None
        self._pace = Pace(
            most=share,
            allowance=self._leased or Allowance(budget.rates),
            spending=self._leased or Spending(budget.prices or {}),
            repeats=Repeats(floor=max(1, FLOOR // workers)),
        )
        self._session = Session(heard=self._heard)
        self._runner = Runner(Answerer(self._session, setting), self._pace)
        self._rows: asyncio.Queue[Job] = asyncio.Queue()
        self._holding = 0
        self._results: list[Result] = []
        self._error: HfgenError | None = None
        self._fault: Exception | None = None
        self._changed = asyncio.Event()
        self._running = asyncio.create_task(self._run())

    def _heard(self, head: Head) -> None:
        self._runner.heard(head)

    async def _feed(self) -> AsyncGenerator[Job, None]:
        while True:
            yield await self._rows.get()

    async def _run(self) -> None:
        try:
            async with aclosing(self._runner.results(self._feed())) as results:
                async for result in results:
                    self._results.append(result)
                    self._changed.set()
        except HfgenError as error:
            self._error = error
        except Exception as fault:  # noqa: BLE001 - told by the next report
            self._fault = fault
        self._changed.set()

    async def take(self, order: Order) -> None:
        """Take the rows and the lease, and go on until there is enough to report."""
        self._holding += len(order.rows)
        for row in order.rows:
            self._rows.put_nowait(row)
        if self._leased is not None and order.lease is not None:
            self._leased.put(order.lease)
            self._runner.look()
        if order.stop:
            self._runner.stop()
        try:
            async with asyncio.timeout(order.seconds):
                while not self._worth_telling(order):
                    self._changed.clear()
                    await self._changed.wait()
        except TimeoutError:
            pass

    def report(self, order: Order) -> Report:
        """How it stands.

        Raises:
            Exception: A fault of ours.
        """
        if self._fault is not None:
            raise self._fault
        results, self._results = self._results, []
        self._holding -= len(results)
        want, settlement = None, Settlement()
        if self._leased is not None:
            want = self._leased.want(self._waiting, max(0, self._pace.slots - self._runner.under_way))
            settlement = self._leased.settlement()
        return Report(
            order.number,
            order.life,
            results=results,
            under_way=self._runner.under_way,
            slots=self._pace.slots,
            want=want,
            settlement=settlement,
            error=self._error,
            over=self._running.done(),
        )

    async def close(self) -> None:
        """Give up what is under way."""
        self._running.cancel()
        await asyncio.gather(self._running, return_exceptions=True)
        await self._session.close()

    @property
    def _waiting(self) -> int:
        """Rows that are not being asked."""
        return self._holding - len(self._results) - self._runner.under_way

    def _worth_telling(self, order: Order) -> bool:
        told = len(self._results)
        if self._running.done() or told >= ENOUGH or (told and told == self._holding):
            return True
        return order.more and told >= _WORTH_IT and self._waiting < _HUNGRY
