"""What a driver and its workers say to each other: an order, and the report that answers it.

Orders are numbered, and name the life of the worker that they are for. One that is sent twice, since nobody heard the
report, gets the same report; one that reaches a worker which was started anew is answered with another life, and the
driver knows that the rows of the last one are nobody's.
"""

from typing import Final

import msgspec

from hfgen.batch.cluster.leases import Lease, Settlement, Want
from hfgen.batch.job import Job
from hfgen.batch.result import Result
from hfgen.errors import HfgenError

ENOUGH: Final = 32
"""Results that are worth a report of their own."""


class Order(msgspec.Struct, frozen=True):
    """What a worker is to do next.

    Attributes:
        number: One more than the last order's.
        life: Of the worker.
        rows: New ones.
        more: Whether there may be more rows after these.
        lease: What may be started until the report, None where nothing is leased.
        stop: Take no more rows.
        seconds: Until the report, at most.
    """

    number: int
    life: str
    rows: list[Job]
    more: bool = True
    lease: Lease | None = None
    stop: bool = False
    seconds: float = 1.0


class Report(msgspec.Struct, frozen=True):
    """How a worker stands.

    Attributes:
        number: Of the order.
        life: Of the worker.
        results: All that have come since the last report.
        under_way: Rows that are being asked.
        slots: Rows that may be asked at once.
        want: What it would start.
        settlement: What became of its lease.
        error: Why no row can be answered; None while they can.
        over: Whether nothing is under way any more, and nothing will be.
    """

    number: int
    life: str
    results: list[Result] = []
    under_way: int = 0
    slots: int = 0
    want: Want | None = None
    settlement: Settlement = Settlement()
    error: HfgenError | None = None
    over: bool = False


class Brief(msgspec.Struct, frozen=True):
    """Who a worker is, as it says when it begins.

    Attributes:
        life: A name that no other worker has, and that it loses when it dies.
        version: Of hfgen.
    """

    life: str
    version: str
