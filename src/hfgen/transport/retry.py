"""What may be asked again, when, and how often the whole process may do so."""

import random
import time
from collections import OrderedDict
from collections.abc import Callable
from typing import Final

from hfgen.errors import (
    ConnectionFailed,
    HfgenError,
    ModelLoading,
    RateLimited,
    ResponseError,
    ServerError,
    StreamError,
    TimedOut,
)

_FIRST: Final = 0.25  # seconds; doubled with each attempt
_LONGEST: Final = 8.0
_PATIENCE: Final = 60.0  # the longest wait that a server may ask for; beyond it the caller should know at once
_MOST_ATTEMPTS: Final = 4
_MOST_CONNECTING: Final = 5  # a server that is starting needs time, and costs nothing to ask
_BUSY: Final = frozenset({408, 409, 425, 429})
_PASSING: Final = frozenset({424, 0, 200})  # 0, 200: not what an answer should be
_LASTING: Final = frozenset({501, 505, 506, 510, 511})  # of the server's own: what it cannot do


class RetryBudget:
    """A token bucket for the retries of a process at each endpoint: in an outage they stop adding to its load.

    As in the AWS SDKs a retry costs 5 tokens; one that led to an answer gives them back, an answer without any gives 1.
    Ours is smaller: 20 retries at first, and one more every 4 s once no retry was wanted for a while. So a server that
    answers nothing but errors gets no more of them, however slowly the calls come: 50 send at most 75 requests.

    Args:
        capacity: Tokens of a full bucket.
        cost: Tokens for one retry.
        refill: Tokens a second, where no retry is wanted.
        quiet: Seconds without the wish for a retry before that begins: longer than the waits between attempts.
        clock: Seconds that only ever grow.
    """

    _MOST_ENDPOINTS: Final = 1024

    def __init__(
        self,
        capacity: float = 100.0,
        cost: float = 5.0,
        refill: float = 1.25,
        quiet: float = 60.0,
        clock: Callable[[], float] = time.monotonic,
    ) -> None:
        self._capacity = capacity
        self._cost = cost
        self._refill = refill
        self._quiet = quiet
        self._clock = clock
        self._left: OrderedDict[str, tuple[float, float]] = OrderedDict()  # tokens, and when they were counted

    def take(self, endpoint: str) -> bool:
        """Pay for one retry at an endpoint; False when none is left."""
        left = self._tokens(endpoint)
        paid = left >= self._cost
        self._keep(endpoint, left - self._cost if paid else left)
        return paid

    def succeeded(self, endpoint: str, attempts: int = 1) -> None:
        """An answer came, after so many attempts."""
        if endpoint in self._left:
            self._keep(endpoint, self._tokens(endpoint) + max(1.0, (attempts - 1) * self._cost))

    def _tokens(self, endpoint: str) -> float:
        left, counted = self._left.get(endpoint, (self._capacity, 0.0))
        return min(self._capacity, left + max(0.0, self._clock() - counted - self._quiet) * self._refill)

    def _keep(self, endpoint: str, tokens: float) -> None:
        self._left[endpoint] = (min(self._capacity, tokens), self._clock())
        self._left.move_to_end(endpoint)
        while len(self._left) > self._MOST_ENDPOINTS:
            self._left.popitem(last=False)


BUDGET: Final = RetryBudget()


def retryable(error: HfgenError) -> bool:
    """Whether the same request may succeed a moment later."""
    if isinstance(error, ConnectionFailed):
        return not error.lasting
    if isinstance(error, (TimedOut, ModelLoading, RateLimited, StreamError)):
        return True
    if isinstance(error, ServerError):
        passing = error.status in _PASSING or (500 <= error.status <= 599 and error.status not in _LASTING)  # noqa: PLR2004
        return passing and not error.lasting
    return isinstance(error, ResponseError) and error.status in _BUSY


def wait_before(error: HfgenError, attempts: int, endpoint: str, budget: RetryBudget = BUDGET) -> float | None:
    """Seconds to wait before the next attempt, or None when there is to be none.

    Args:
        error: What the last attempt ended with.
        attempts: How many there have been.
        endpoint: Where they went.
        budget: Pays for the retry.
    """
    connecting = isinstance(error, ConnectionFailed)
    if attempts >= (_MOST_CONNECTING if connecting else _MOST_ATTEMPTS) or not retryable(error):
        return None
    asked = error.retry_after if isinstance(error, ResponseError) else None
    if asked is not None and asked > _PATIENCE:
        return None
    if not budget.take(endpoint):
        return None
    longest = min(_LONGEST, _FIRST * 2 ** (attempts - 1))
    drawn = random.uniform(longest / 2 if connecting else 0, longest)  # noqa: S311 - jitter is no secret
    return drawn if asked is None else asked + drawn / 4
