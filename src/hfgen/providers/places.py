"""Pictures that lie at an address: fetched at once, for the address is good for minutes only."""

import asyncio
import os
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from functools import cache
from typing import Final, NamedTuple, TypeVar
from urllib.parse import urlsplit

from hfgen.errors import HfgenError
from hfgen.limits import Limits
from hfgen.picture import LARGEST
from hfgen.transport.retry import RetryBudget, wait_before
from hfgen.wire import Exchange, Target

T = TypeVar("T")

_MOST: Final = 3
_LARGE: Final = 2**18  # bytes; so much, and more, is read in a thread


class Terms(NamedTuple):
    """What all jobs of one call share.

    Attributes:
        exchange: The network.
        deadline: On the event loop's clock, or None.
        budget: Limits the retries of the whole process.
        longest: Seconds that a job may take from its acceptance on, where there is no deadline.
        repeats: Whether a request that failed is sent again; not where another endpoint stands in.
    """

    exchange: Exchange
    deadline: float | None
    budget: RetryBudget
    repeats: bool = True
    longest: float = 600.0

    def too_late(self, moment: float) -> bool:
        """Whether the deadline has passed by then."""
        return self.deadline is not None and moment >= self.deadline


async def fetched(url: str, target: Target, limits: Limits, terms: Terms) -> bytes:
    """What lies there, asked for again where that may help: fetching costs nothing.

    Raises:
        HfgenError: It cannot be had.
    """
    for failures in range(1, _MOST + 1):
        try:
            return await terms.exchange.download(url, target, limits, LARGEST)
        except HfgenError as error:
            wait = wait_before(error, failures, host_of(url), terms.budget)
            if wait is None or failures == _MOST or terms.too_late(asyncio.get_running_loop().time() + wait):
                raise
        await asyncio.sleep(wait)
    raise AssertionError  # the last round returns or raises


def host_of(url: str) -> str:
    """The host of an address, "" where it has none."""
    try:
        return urlsplit(url).hostname or ""
    except ValueError:
        return ""


async def aside(size: int, work: Callable[[], T]) -> T:
    """Do it here, or in a thread where it takes long enough to be felt by other streams.

    The thread is one for all: several would take the interpreter's lock in turns, and the event loop would wait for
    each of them.
    """
    return work() if size < _LARGE else await asyncio.get_running_loop().run_in_executor(_reader(os.getpid()), work)


@cache
def _reader(_: int) -> ThreadPoolExecutor:
    """That of this process: a thread does not live on in a fork."""
    return ThreadPoolExecutor(1, "hfgen-pictures")
