"""The runner by itself: whoever answers, and at whatever pace, no row is lost and none is asked twice at once."""

import asyncio
from collections import Counter
from collections.abc import AsyncGenerator, AsyncIterator, Awaitable, Callable

import msgspec
import pytest

from hfgen import ConnectionFailed, EndpointPaused, HfgenError, MissingAuth, RateLimited, TruncatedStream
from hfgen.batch.effort import Effort
from hfgen.batch.job import Job
from hfgen.batch.pacing.allowance import Need
from hfgen.batch.pacing.pace import Lane, Pace
from hfgen.batch.pacing.repeats import Repeats
from hfgen.batch.question import Question
from hfgen.batch.result import Account, Failure, Response, Result
from hfgen.batch.runner import Runner


def job(number: int) -> Job:
    return Job(f"row-{number}", "/v1/chat/completions", b"{}", "", number)


def steady(most: int) -> Pace:
    return Pace(most=most, fixed=True)


async def rows(count: int) -> AsyncGenerator[Job, None]:
    for number in range(count):
        yield job(number)


def turned_away(effort: Effort) -> bool:
    return effort.tries > 1


class Asker:
    """Answers as it is told to, and looks on."""

    def __init__(
        self, answer: Callable[[Effort], Awaitable[None]], server_of: Callable[[Job], str] = lambda _: "server"
    ) -> None:
        self._answer = answer
        self._server_of = server_of
        self.asked: Counter[str] = Counter()
        self.now: Counter[str] = Counter()
        self.most = 0

    async def answer(self, effort: Effort) -> Result:
        name = effort.job.custom_id
        self.asked[name] += 1
        self.now[name] += 1
        assert self.now[name] == 1, "a row is asked twice at once"
        self.most = max(self.most, self.now.total())
        effort.begun = effort.begun or asyncio.get_running_loop().time()
        try:
            await self._answer(effort)
        finally:
            self.now[name] -= 1
        return Result("", name, Response(200, "", msgspec.Raw(b"{}")), None, Account("", effort.job.row))

    def begin(self, job: Job) -> Effort:
        return Effort(job, Question("/v1/chat/completions", "", []), Lane(self._server_of(job), "m"), Need())

    def failed(self, effort: Effort, error: HfgenError) -> Result:
        failure = Failure(type(error).__name__, error.message)
        return Result("", effort.job.custom_id, None, failure, Account("", effort.job.row))


async def nothing(_: Effort) -> None:
    return


def busy_once(*, among: int) -> Callable[[Effort], Awaitable[None]]:
    async def answer(effort: Effort) -> None:
        await asyncio.sleep(0)
        if effort.job.row % among == 0 and not turned_away(effort):
            raise RateLimited("full", status=429)

    return answer


async def turns(come: Callable[[], bool]) -> None:
    """Let the loop turn until it has come so far."""
    for _ in range(1000):
        if come():
            return
        await asyncio.sleep(0)
    raise AssertionError("it never came so far")


async def names(results: AsyncIterator[Result]) -> list[str]:
    return [result.custom_id async for result in results]


@pytest.mark.parametrize("count", [0, 1, 31, 32, 33, 1000])
async def test_as_many_results_as_rows(count: int) -> None:
    asker = Asker(nothing)

    found = await names(Runner(asker, steady(8)).results(rows(count)))

    assert Counter(found) == Counter(f"row-{number}" for number in range(count))
    assert set(asker.asked.values()) <= {1}
    assert asker.most <= 8


async def test_rows_that_wait_hold_no_slot() -> None:
    """A server that asks to be left alone holds up its own rows; with a single slot the others still go through it."""

    async def answer(effort: Effort) -> None:
        if effort.lane.server == "full":
            raise RateLimited("full", status=429, retry_after=500)

    asker = Asker(answer, server_of=lambda job: "full" if job.row < 20 else "idle")
    runner = Runner(asker, steady(1))
    results = runner.results(rows(50))
    found = [(await anext(results)).custom_id for _ in range(30)]

    assert Counter(found) == Counter(f"row-{number}" for number in range(20, 50))
    assert runner.waiting == 20
    assert asker.asked.total() == 31
    await results.aclose()


async def test_a_row_that_has_waited_goes_before_the_new_ones() -> None:
    order: list[int] = []

    async def answer(effort: Effort) -> None:
        order.append(effort.job.row)
        await asyncio.sleep(0.001)
        if effort.job.row == 0 and not turned_away(effort):
            raise RateLimited("full", status=429)

    async def endless() -> AsyncGenerator[Job, None]:
        for number in range(10**6):
            yield job(number)

    results = Runner(Asker(answer), steady(1)).results(endless())
    async with asyncio.timeout(20):
        async for result in results:
            if result.custom_id == "row-0":
                break
    await results.aclose()

    assert order.count(0) == 2
    assert len(order) < 3000


async def test_every_row_has_its_result_whatever_is_turned_away_meanwhile() -> None:
    asker = Asker(busy_once(among=60))

    found = await names(Runner(asker, steady(16)).results(rows(300)))

    assert Counter(found) == Counter(f"row-{number}" for number in range(300))
    assert asker.asked.total() == 305


@pytest.mark.parametrize("error", [MissingAuth("who?", status=401), EndpointPaused("paused", status=503)])
async def test_what_ends_every_row_ends_the_job_and_is_said_of_no_row(error: HfgenError) -> None:
    async def answer(effort: Effort) -> None:
        await asyncio.sleep(0.01)
        if effort.job.row >= 10:
            raise error

    asker = Asker(answer)
    found: list[str] = []
    with pytest.raises(type(error)):
        async for result in Runner(asker, steady(4)).results(rows(10_000)):
            found.append(result.custom_id)

    assert Counter(found) == Counter(f"row-{number}" for number in range(10))
    assert asker.asked.total() <= 16


async def test_a_server_that_will_never_be_there_ends_the_job() -> None:
    async def answer(_: Effort) -> None:
        raise ConnectionFailed("no such name", lasting=True)

    with pytest.raises(ConnectionFailed):
        await names(Runner(Asker(answer), steady(4)).results(rows(100)))


async def test_a_fault_of_ours_ends_the_job_and_not_silently() -> None:
    async def answer(effort: Effort) -> None:
        if effort.job.row == 5:
            raise ZeroDivisionError

    with pytest.raises(ZeroDivisionError):
        await names(Runner(Asker(answer), steady(4)).results(rows(100)))


async def test_a_row_whose_stream_is_cut_again_and_again_is_given_up() -> None:
    async def answer(effort: Effort) -> None:
        if effort.job.row == 1:
            raise TruncatedStream("cut")

    asker = Asker(answer)
    pace = Pace(most=4, fixed=True, repeats=Repeats(draw=lambda low, _: low))
    found = [result async for result in Runner(asker, pace).results(rows(3))]

    failed = next(result for result in found if result.custom_id == "row-1")
    assert failed.error is not None
    assert failed.error.code == "TruncatedStream"
    assert asker.asked["row-1"] == 5


async def test_a_job_that_is_stopped_ends_what_is_under_way_and_takes_no_more() -> None:
    gate = asyncio.Event()

    async def answer(_: Effort) -> None:
        await gate.wait()

    asker = Asker(answer)
    runner = Runner(asker, steady(4))
    collecting = asyncio.create_task(names(runner.results(rows(1000))))
    await turns(lambda: runner.under_way == 4)
    runner.stop()
    gate.set()

    assert len(await collecting) == 4
    assert asker.asked.total() == 4


async def test_a_slow_reader_slows_down_the_asking() -> None:
    asker = Asker(nothing)
    results = Runner(asker, steady(8)).results(rows(10_000))
    await anext(results)
    for _ in range(1000):
        await asyncio.sleep(0)

    assert asker.asked.total() <= 1 + 32 + 8
    await results.aclose()


async def test_no_more_rows_are_read_than_a_few_dozen_ahead() -> None:
    read: list[int] = []

    async def counted() -> AsyncGenerator[Job, None]:
        for number in range(10_000):
            read.append(number)
            yield job(number)

    async def answer(_: Effort) -> None:
        await asyncio.Event().wait()

    runner = Runner(Asker(answer), steady(4))
    collecting = asyncio.create_task(names(runner.results(counted())))
    await turns(lambda: runner.under_way == 4)
    for _ in range(100):
        await asyncio.sleep(0)

    assert len(read) <= 4 + 1 + 33
    collecting.cancel()
    await asyncio.gather(collecting, return_exceptions=True)


async def test_a_cancelled_reader_leaves_nothing_behind() -> None:
    async def answer(_: Effort) -> None:
        await asyncio.Event().wait()

    runner = Runner(Asker(answer), steady(4))
    collecting = asyncio.create_task(names(runner.results(rows(100))))
    await turns(lambda: runner.under_way == 4)
    collecting.cancel()
    await asyncio.gather(collecting, return_exceptions=True)

    assert [task for task in asyncio.all_tasks() if "hfgen/batch" in repr(task)] == []
