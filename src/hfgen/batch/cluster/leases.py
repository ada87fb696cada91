"""Limits that several workers keep together: the driver has them, and leases a little at a time.

A lease is an amount (requests, tokens, dollars), not a row: whichever rows fit into it may start. It lasts from one
order to the next report, which gives back what was not used, so no worker hoards what another could use. What was used
is counted as the most that it may be until its rows tell; what a dead worker had counts as used.
"""

import math
from collections import defaultdict
from collections.abc import Mapping
from typing import Final, NamedTuple

from hfgen.batch.pacing.allowance import Allowance, Need, Rates
from hfgen.batch.pacing.budget import Budget
from hfgen.batch.pacing.spending import Cost, Prices, Spending

_LASTS: Final = 1.0  # seconds at most between a lease and the requests that it pays for
_MINUTE: Final = 60.0
_ROUNDING: Final = 1e-12  # dollars


class Want(NamedTuple):
    """What a worker would start, had it a lease.

    Attributes:
        model: Of the next row.
        need: Of the next row.
        rows: How many, taken to be like the next one.
    """

    model: str
    need: Need
    rows: int


class Lease(NamedTuple):
    """So much may be started.

    Attributes:
        requests: Requests.
        tokens: Of prompts and answers.
        dollars: US dollars.
        second: When it was counted, on the driver's clock.
    """

    requests: int = 0
    tokens: int = 0
    dollars: float = 0.0
    second: int = 0


class Settlement(NamedTuple):
    """What became of leases since the last report.

    Attributes:
        unused: Of the last lease.
        tokens: By the second of their lease, how many more (or fewer) were used than were counted.
        reserved: Dollars of leases whose rows have ended.
        cost: What those rows cost, at most.
    """

    unused: Lease = Lease()
    tokens: Mapping[int, int] = {}
    reserved: float = 0.0
    cost: float = 0.0


class Lessor:
    """The driver's side.

    Args:
        budget: Of the whole job.
    """

    def __init__(self, budget: Budget) -> None:
        self._allowance = Allowance(_slower(budget.rates))
        self._bounded = budget.max_cost is not None
        self.spending = Spending(budget.prices or {}, budget.max_cost)
        self._held: defaultdict[str, float] = defaultdict(float)

    def affordable(self, want: Want) -> bool:
        """Whether such a row can still be paid for, were nothing else under way."""
        return self.spending.affordable(want.model, want.need)

    def lease(self, worker: str, want: Want, now: float) -> Lease:
        """As much of what is wanted as may start now."""
        rows, dollars = 0, 0.0
        while rows < want.rows and self._allowance.wait(want.need, now) == 0.0:
            if not self.spending.fits(want.model, want.need):
                break
            self._allowance.take(want.need, now)
            dollars += self.spending.reserve(want.model, want.need)
            rows += 1
        self._held[worker] += dollars
        return Lease(rows * want.need.requests, rows * want.need.total, dollars, math.floor(now))

    def settle(self, worker: str, settled: Settlement, now: float) -> None:
        """Count what a worker tells of its leases."""
        unused = settled.unused
        self._allowance.give_back(unused.requests, unused.tokens, unused.second, now)
        for second, tokens in settled.tokens.items():
            self._allowance.give_back(0, -tokens, second, now)
        if self._bounded:
            self.spending.add(unused.dollars + settled.reserved, Cost(0.0, settled.cost))
            self._held[worker] -= unused.dollars + settled.reserved

    def lost(self, worker: str) -> None:
        """A worker died: nobody will tell what its rows cost, so they cost what they may."""
        held = self._held.pop(worker, 0.0)
        if self._bounded:
            self.spending.add(held, Cost(0.0, held))


class Leased(Spending):
    """The worker's side: what may start of what was leased, in the roles of `Allowing` and of `Spending`.

    Args:
        prices: Of each model.
        costs: Whether dollars are leased too.
    """

    def __init__(self, prices: Mapping[str, Prices], *, costs: bool) -> None:
        super().__init__(prices, math.inf if costs else None)
        self._costs = costs
        self._lease = Lease()
        self._tokens: defaultdict[int, int] = defaultdict(int)
        self._reserved_of_ended = 0.0
        self._cost_of_ended = 0.0
        self._wanted: tuple[str, Need] | None = None
        self._started = 0

    def put(self, lease: Lease) -> None:
        """A new lease; the one before was given back."""
        self._lease = lease

    def want(self, rows: int, slots: int) -> Want | None:
        """What to ask for, when so many rows wait for one of so many free slots; None where nothing does."""
        if self._wanted is None or not rows:
            return None
        started, self._started = self._started, 0
        return Want(*self._wanted, max(1, min(rows, slots + started)))

    def settlement(self) -> Settlement:
        """What to tell; the lease ends by it."""
        told = Settlement(self._lease, dict(self._tokens), self._reserved_of_ended, self._cost_of_ended)
        self._lease = Lease()
        self._tokens.clear()
        self._reserved_of_ended = self._cost_of_ended = 0.0
        return told

    def wait(self, need: Need, now: float) -> float:  # noqa: ARG002 - as `Allowing`
        """None where the lease has room; else nobody knows."""
        fits = self._lease.requests >= need.requests and self._lease.tokens >= need.total
        return 0.0 if fits else math.inf

    def take(self, need: Need, now: float) -> int:  # noqa: ARG002 - as `Allowing`
        """One of its rows starts."""
        lease = self._lease
        self._lease = lease._replace(requests=lease.requests - need.requests, tokens=lease.tokens - need.total)
        self._started += 1
        return lease.second

    def settle(self, taken: int, need: Need, used: Need) -> None:
        """For the next report."""
        self._tokens[taken] += used.total - need.total

    def affordable(self, model: str, need: Need) -> bool:  # noqa: ARG002 - as `Spending`
        """The driver says when there is nothing left."""
        return True

    def fits(self, model: str, need: Need) -> bool:
        """Whether the lease pays for it."""
        self._wanted = (model, need)
        if not self._costs:
            return True
        cost = self.cost(model, need)
        return cost is not None and self._lease.dollars + _ROUNDING >= cost.high

    def reserve(self, model: str, need: Need) -> float:
        """Pay for it out of the lease."""
        reserved = super().reserve(model, need)
        self._lease = self._lease._replace(dollars=self._lease.dollars - reserved)
        return reserved

    def add(self, reserved: float, cost: Cost | None) -> None:
        """A row ended; where nobody knows what it cost, it cost what it may."""
        super().add(reserved, cost)
        self._reserved_of_ended += reserved
        self._cost_of_ended += reserved if cost is None else cost.high


def _slower(rates: Rates) -> Rates:
    """A request may be sent a second after it was counted: in no minute are there more than allowed all the same."""
    if rates.requests is None:
        return rates
    return rates._replace(requests=rates.requests * _MINUTE / (_MINUTE + _LASTS))
