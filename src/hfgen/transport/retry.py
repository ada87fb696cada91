"""What may be asked again before its first payload, when, and how often the whole process may do so."""

import random
from typing import Final

from hfgen.errors import ConnectionFailed, HfgenError, ModelLoading, RateLimited, ResponseError, ServerError

_FIRST: Final = 0.25  # seconds; doubled with each attempt, drawn with full jitter
_LONGEST: Final = 8.0
_PATIENCE: Final = 60.0  # the longest wait that a server may ask for; beyond it the caller should know at once
_MOST_ATTEMPTS: Final = 4
_AGAIN: Final = frozenset({408, 409, 425, 429, 500, 502, 503, 504, 529, 0, 200})


class RetryBudget:
    """A token bucket for the retries of a process: in an outage they stop adding to the load (as in the AWS SDKs).

    A full bucket allows 100 retries in a row; each success gives back a fifth of one.
    """

    def __init__(self, capacity: float = 500.0, cost: float = 5.0, refill: float = 1.0) -> None:
        self._capacity = self._left = capacity
        self._cost = cost
        self._refill = refill

    def take(self) -> bool:
        """Pay for one retry; False when the process has none left."""
        if self._left < self._cost:
            return False
        self._left -= self._cost
        return True

    def succeeded(self) -> None:
        """An answer came: give a part of a retry back."""
        self._left = min(self._capacity, self._left + self._refill)


BUDGET: Final = RetryBudget()


def retryable(error: HfgenError) -> bool:
    """Whether the same request may succeed a moment later."""
    if isinstance(error, (ConnectionFailed, ModelLoading, RateLimited)):
        return True
    if isinstance(error, ResponseError):
        return error.status in _AGAIN if isinstance(error, ServerError) or error.status < 500 else False  # noqa: PLR2004
    return False


def wait_before(error: HfgenError, attempts: int, budget: RetryBudget = BUDGET) -> float | None:
    """Seconds to wait before the next attempt, or None when there is to be none.

    Args:
        error: What the last attempt ended with.
        attempts: How many there have been.
        budget: Pays for the retry.
    """
    if attempts >= _MOST_ATTEMPTS or not retryable(error):
        return None
    asked = error.retry_after if isinstance(error, ResponseError) else None
    if asked is not None and asked > _PATIENCE:
        return None
    if not budget.take():
        return None
    drawn = random.uniform(0, min(_LONGEST, _FIRST * 2 ** (attempts - 1)))  # noqa: S311 - jitter is no secret
    return drawn if asked is None else asked + drawn / 4
