"""A driver and its workers, in one process: the workers are real, what brings orders to them may die or go deaf."""

import asyncio
import importlib.util
import pickle
from collections.abc import AsyncGenerator, Callable
from contextlib import asynccontextmanager
from pathlib import Path
from typing import Any

import pytest

import hfgen.errors
from answering_model import AnsweringModel, answer_to, answering, never
from hfgen import HfgenError, MissingAuth, UsageError
from hfgen.batch import JobStopped, Result, Tally, run
from hfgen.batch.bad_row import BadRow
from hfgen.batch.cluster.cluster import Cluster, Lost
from hfgen.batch.cluster.orders import Order, Report
from hfgen.batch.cluster.worker import Worker
from hfgen.batch.opening import Opening
from hfgen.batch.pacing.budget import Budget
from hfgen.batch.pacing.spending import Prices
from hfgen.batch.runner import Engine
from hfgen.batch.setting import Setting
from hfgen.hub.offers import Offer, Pricing


class Place:
    """Where a worker lives; everything that crosses its door is pickled, as on the way to another machine."""

    def __init__(self, name: str, setting: Setting, budget: Budget, share: int, count: int) -> None:
        self.name = name
        self.worker = Worker()
        self.orders = 0
        self.lives = 0
        self.deaf: set[int] = set()
        self.dies: set[int] = set()
        self.hangs = False
        self._told = (setting, budget, share, count)
        self.ended: list[Worker] = []

    async def begin(self) -> str:
        if self.hangs:
            await asyncio.Event().wait()
        self.lives += 1
        return (await self.worker.begin(*pickle.loads(pickle.dumps(self._told)))).life

    async def carry_out(self, order: Order) -> Report:
        self.orders += 1
        order = pickle.loads(pickle.dumps(order))
        if self.orders in self.dies:
            self.ended.append(self.worker)
            await self.worker.close()
            self.worker = Worker()
            raise Lost("killed")
        report = await self.worker.carry_out(order)
        if self.orders in self.deaf:  # the report is lost on its way, and the order is sent again
            report = await self.worker.carry_out(order)
        sent: Report = pickle.loads(pickle.dumps(report))
        return sent

    def kill(self) -> None:
        self.ended.append(self.worker)


def workers(count: int, prepare: Callable[[list[Place]], None] = lambda _: None) -> tuple[Opening, list[Place]]:
    places: list[Place] = []

    @asynccontextmanager
    async def opened(setting: Setting, budget: Budget) -> AsyncGenerator[Engine, None]:
        share = max(1, budget.most // count)
        places.extend(Place(f"worker {n}", setting, budget, share, count) for n in range(count))
        prepare(places)
        try:
            yield Cluster(places, budget, setting.folder)
        finally:
            for place in places:
                for worker in place.ended:
                    await worker.close()

    return opened, places


async def every(results: AsyncGenerator[Result, None]) -> dict[str, Result]:
    found: dict[str, Result] = {}
    async for result in results:
        assert result.custom_id not in found
        found[result.custom_id] = result
    return found


ROWS = [f"question {n}" for n in range(400)]


async def test_every_row_is_answered_once_by_all_workers_together() -> None:
    engine, places = workers(3)
    model = AnsweringModel()
    async with answering(model) as server:
        found = await every(run(ROWS, api_base=server.url, engine=engine, concurrency=12))

    assert len(found) == 400
    assert all(result.ok for result in found.values())
    assert sum(model.asked.values()) == 400
    assert model.most_at_once <= 12
    assert all(place.orders for place in places)


async def test_a_dead_workers_rows_alone_are_asked_again() -> None:
    def prepare(places: list[Place]) -> None:
        places[0].dies = {3, 6}

    engine, places = workers(2, prepare)
    model = AnsweringModel()
    async with answering(model) as server:
        found = await every(run(ROWS, api_base=server.url, engine=engine, concurrency=8))

    assert {answer_to(prompt).encode() in bytes(found[f"row-{n + 1}"].response.body)  # type: ignore[union-attr]
            for n, prompt in enumerate(ROWS)} == {True}  # fmt: skip
    assert places[0].lives == 3
    assert 400 <= sum(model.asked.values()) <= 400 + 2 * (32 + 8)


async def test_an_order_whose_report_was_lost_pays_for_nothing_twice() -> None:
    def prepare(places: list[Place]) -> None:
        places[0].deaf = set(range(2, 100, 2))

    engine, _ = workers(1, prepare)
    model = AnsweringModel()
    async with answering(model) as server:
        found = await every(run(ROWS, api_base=server.url, engine=engine))

    assert len(found) == 400
    assert sum(model.asked.values()) == 400


async def test_a_worker_that_was_started_anew_unnoticed_is_noticed() -> None:
    engine, places = workers(1)
    model = AnsweringModel()
    async with answering(model) as server:
        results = run(ROWS, api_base=server.url, engine=engine)
        first = await anext(results)
        places[0].ended.append(places[0].worker)
        places[0].worker = Worker()
        found = await every(results)

    assert len(found) + 1 == 400
    assert first.custom_id not in found
    assert places[0].lives == 2


async def test_a_worker_that_is_never_placed_holds_up_nothing() -> None:
    def prepare(places: list[Place]) -> None:
        places[1].hangs = True

    engine, _ = workers(2, prepare)
    async with answering(AnsweringModel()) as server, asyncio.timeout(30):
        assert len(await every(run(ROWS, api_base=server.url, engine=engine))) == 400


async def test_workers_that_die_again_and_again_end_the_job() -> None:
    def prepare(places: list[Place]) -> None:
        places[0].dies = set(range(1000))

    engine, places = workers(1, prepare)
    async with answering(AnsweringModel()) as server:
        with pytest.raises(HfgenError, match="10 workers died one after the other, the last with: killed"):
            await every(run(ROWS, api_base=server.url, engine=engine))
    assert places[0].lives == 10


async def test_a_refusal_of_everyone_in_one_worker_stops_the_job_and_what_is_under_way_is_recorded(
    tmp_path: Path,
) -> None:
    model = AnsweringModel(faults={"question 70": [401]})
    engine, _ = workers(2)
    async with answering(model) as server:
        with pytest.raises(MissingAuth):
            await every(run(ROWS, api_base=server.url, engine=engine, out=tmp_path / "out.jsonl", concurrency=4))
        asked = sum(model.asked.values())
        assert asked < 400
        recorded = (tmp_path / "out.jsonl").read_bytes().count(b"\n")
        assert recorded == asked - 1

        engine, _ = workers(2)
        await every(run(ROWS, api_base=server.url, engine=engine, out=tmp_path / "out.jsonl", concurrency=4))
    assert (tmp_path / "out.jsonl").read_bytes().count(b"\n") == 400
    assert sum(model.asked.values()) == 401


async def test_leaving_early_kills_the_workers() -> None:
    async def hold(prompt: str) -> None:
        if prompt != "question 0":
            await never(prompt)

    engine, places = workers(2)
    async with answering(AnsweringModel(hold=hold)) as server:
        results = run(ROWS, api_base=server.url, engine=engine)
        await anext(results)
        async with asyncio.timeout(10):
            await results.aclose()
    assert all(place.ended for place in places)


async def test_a_deadline_lets_what_is_under_way_end() -> None:
    let_go = asyncio.Event()

    async def hold(_: str) -> None:
        asyncio.get_running_loop().call_later(0.3, let_go.set)
        await let_go.wait()

    engine, _ = workers(2)
    model = AnsweringModel(hold=hold)
    found = []
    async with answering(model) as server:
        with pytest.raises(JobStopped):
            async for result in run(ROWS, api_base=server.url, engine=engine, concurrency=4, deadline=0.1):
                found.append(result)
    assert len(found) == sum(model.asked.values()) >= 1


async def test_requests_a_minute_hold_over_all_workers() -> None:
    engine, _ = workers(2)
    times: list[float] = []

    async def hold(_: str) -> None:
        times.append(asyncio.get_running_loop().time())

    async with answering(AnsweringModel(hold=hold)) as server:
        await every(run(ROWS[:30], api_base=server.url, engine=engine, rpm=600))
    assert times[-1] - times[0] >= 1.8  # ten a second, and ten at once to begin with
    assert max(sum(end - 1 < each <= end for each in times) for end in times) <= 22


async def test_a_limit_of_cost_that_cannot_be_kept_is_refused_before_anything_is_asked() -> None:
    engine, _ = workers(2)
    model = AnsweringModel()
    async with answering(model) as server:
        with pytest.raises(UsageError, match=r"the price of .* is not known"):
            await every(run(ROWS, api_base=server.url, engine=engine, max_cost=1.0))
    assert not model.asked


async def test_all_workers_together_spend_no_more_than_allowed_and_nearly_all_of_it() -> None:
    prices = {"m": Prices([Offer("p", pricing=Pricing(0.0, 1000.0))])}  # a token of an answer costs 0.001 dollars
    engine, _ = workers(2)
    tally = Tally()
    asked: dict[str, Any] = {"model": "m", "max_tokens": 10, "prices": prices, "max_cost": 0.5, "tally": tally}
    async with answering(AnsweringModel()) as server:
        with pytest.raises(JobStopped) as stopped:
            await every(run(ROWS, api_base=server.url, engine=engine, **asked))
    assert stopped.value.reason == "cost"
    assert tally.spent is not None
    assert 0.45 <= tally.spent.high <= 0.5


async def test_bad_rows_and_an_empty_input_need_no_worker() -> None:
    rows: list[Any] = [BadRow.of(f"bad {n}", b"raw", n, "no prompt") for n in range(600)]
    engine, _ = workers(1)
    assert len(await every(run(rows, api_base="http://127.0.0.1:9", engine=engine))) == 600
    engine, _ = workers(1)
    assert await every(run([], api_base="http://127.0.0.1:9", engine=engine)) == {}


async def test_input_that_breaks_is_told() -> None:
    def rows() -> Any:
        yield "one"
        raise ValueError("torn")

    engine, _ = workers(1)
    async with answering(AnsweringModel()) as server:
        with pytest.raises(ValueError, match="torn"):
            await every(run(rows(), api_base=server.url, engine=engine))


@pytest.mark.skipif(importlib.util.find_spec("ray") is not None, reason="ray is installed")
def test_without_ray_the_extra_is_named() -> None:
    with pytest.raises(UsageError, match=r"pip install 'hfgen\[ray\]'"):
        importlib.import_module("hfgen.batch.ray_runner")


def test_every_error_crosses_to_another_machine_as_it_is() -> None:
    kinds = [kind for kind in vars(hfgen.errors).values() if isinstance(kind, type) and issubclass(kind, HfgenError)]
    assert len(kinds) > 20
    for kind in kinds:
        error = kind("what happened", hint="what to do").at(server="there", attempts=2)
        again = pickle.loads(pickle.dumps(error))
        assert type(again) is kind
        assert str(again) == str(error)
        assert vars(again) == vars(error)
