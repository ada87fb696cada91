"""Limits that several workers keep together."""

import math
from collections.abc import Mapping

from hfgen.batch.cluster.leases import Lease, Leased, Lessor, Settlement, Want
from hfgen.batch.pacing.allowance import Need, Rates
from hfgen.batch.pacing.budget import Budget
from hfgen.batch.pacing.pace import Lane, Outcome, Pace
from hfgen.batch.pacing.spending import Prices
from hfgen.errors import ServerError
from hfgen.events import Usage
from hfgen.hub.offers import Offer, Pricing

NEED = Need(50, 200)
LANE = Lane("http://server", "m")
PRICES: Mapping[str, Prices] = {"m": Prices([Offer("p", pricing=Pricing(0.0, 1000.0))])}
# An answer of 200 tokens costs 0.2 dollars


def start_all(leased: Leased, now: float) -> int:
    """Start as many rows as the lease has room for."""
    pace, rows = Pace(allowance=leased, spending=leased, first=500), 0
    while pace.ready(LANE, NEED, now) == 0:
        pace.start(LANE, NEED, now)
        rows += 1
    return rows


def test_workers_together_start_no_more_than_allowed_and_nearly_as_many() -> None:
    lessor = Lessor(Budget(rates=Rates(requests=600, tokens=60_000)))
    workers = {f"worker {n}": Leased({}, costs=False) for n in range(4)}
    starts: list[float] = []
    for tick in range(1200):
        now = 1000 + tick / 4
        for name, worker in workers.items():
            lessor.settle(name, worker.settlement(), now)
            worker.put(lessor.lease(name, Want("m", NEED, 64), now))
            while worker.wait(NEED, now) == 0:
                taken = worker.take(NEED, now)
                starts.append(now)
                worker.settle(taken, NEED, Need(50, 100))
    assert max(sum(end - 60 < start <= end for start in starts) for end in starts) <= 402  # of 150 tokens each
    assert len(starts) >= 0.9 * 400 * 5


def test_requests_that_wait_a_little_for_their_lease_are_never_too_many_in_a_minute() -> None:
    lessor = Lessor(Budget(rates=Rates(requests=120)))
    starts: list[float] = []
    for tick in range(2400):
        now = 1000 + tick / 4
        lease = lessor.lease("a", Want("m", NEED, 64), now)
        late = 0.9 if tick % 7 == 0 else 0.0
        starts += [now + late] * lease.requests
    assert max(sum(end - 60 < start <= end for start in starts) for end in starts) <= 120
    assert len(starts) >= 0.97 * 120 * 10


def test_a_worker_without_a_lease_waits_and_tells_what_it_wants() -> None:
    leased = Leased({}, costs=False)
    assert start_all(leased, 0.0) == 0
    assert leased.want(rows=40, slots=7) == Want("m", NEED, 7)
    leased.put(Lease(requests=3, tokens=1000))
    assert start_all(leased, 0.0) == 3
    assert leased.want(rows=40, slots=4) == Want("m", NEED, 7)
    assert leased.want(rows=0, slots=7) is None


def test_what_is_not_used_goes_to_others() -> None:
    lessor = Lessor(Budget(rates=Rates(tokens=1000)))
    idle = Leased({}, costs=False)
    idle.put(lessor.lease("idle", Want("m", NEED, 9), 1.0))
    assert lessor.lease("busy", Want("m", NEED, 9), 1.0).requests == 0
    lessor.settle("idle", idle.settlement(), 1.2)
    assert lessor.lease("busy", Want("m", NEED, 9), 1.2).requests == 4


def test_money_is_leased_settled_and_never_exceeded() -> None:
    lessor = Lessor(Budget(prices=PRICES, max_cost=1.0))
    worker = Leased(PRICES, costs=True)
    worker.put(lessor.lease("a", Want("m", NEED, 64), 0.0))
    assert start_all(worker, 0.0) == 5
    assert lessor.lease("b", Want("m", NEED, 64), 0.0).requests == 0
    worker.add(0.2, worker.cost("m", Need(50, 100)))
    lessor.settle("a", worker.settlement(), 1.0)
    assert math.isclose(lessor.spending.high, 0.1)
    assert lessor.lease("b", Want("m", NEED, 64), 1.0).requests == 0  # 0.1 is left
    worker.add(0.2, worker.cost("m", Need(50, 100)))
    lessor.settle("a", worker.settlement(), 2.0)
    assert lessor.lease("b", Want("m", NEED, 64), 2.0).requests == 1


def test_what_a_dead_worker_had_counts_as_spent() -> None:
    lessor = Lessor(Budget(prices=PRICES, max_cost=1.0))
    lessor.lease("a", Want("m", NEED, 3), 0.0)
    lessor.lost("a")
    assert math.isclose(lessor.spending.high, 0.6)
    assert lessor.lease("b", Want("m", NEED, 64), 0.0).requests == 2
    lessor.lost("never seen")


def test_a_refused_row_costs_nothing_and_a_row_without_a_price_is_none_that_can_be_paid() -> None:
    lessor = Lessor(Budget(prices=PRICES, max_cost=0.2))
    worker = Leased(PRICES, costs=True)
    worker.put(lessor.lease("a", Want("m", NEED, 9), 0.0))
    pace = Pace(allowance=worker, spending=worker)
    ticket = pace.start(LANE, NEED, 0.0)
    pace.done(ticket, Outcome(ServerError("500", status=500)), 1.0)
    lessor.settle("a", worker.settlement(), 1.0)
    assert lessor.spending.high == 0
    assert lessor.affordable(Want("m", NEED, 1))
    assert not lessor.affordable(Want("unknown", NEED, 1))
    assert lessor.lease("a", Want("unknown", NEED, 1), 1.0).requests == 0


def test_a_row_is_settled_in_the_second_of_its_lease() -> None:
    lessor = Lessor(Budget(rates=Rates(tokens=250)))
    worker = Leased({}, costs=False)
    pace = Pace(allowance=worker, spending=worker)
    worker.put(lessor.lease("a", Want("m", NEED, 1), 7.5))
    ticket = pace.start(LANE, NEED, 7.6)
    lessor.settle("a", worker.settlement(), 8.0)
    pace.done(ticket, Outcome(usage=Usage(50, 0)), 20.0)
    assert worker.settlement() == Settlement(tokens={7: -200})
