"""What each caller may still take, counted in this process."""

import math
import time
from collections import Counter
from collections.abc import AsyncGenerator, Callable
from contextlib import asynccontextmanager
from typing import Final, NamedTuple

from hfgen.gateway.settings import Limits
from hfgen.openai_api.refusal import Refusal

MINUTE: Final = 60.0
_BUSY: Final = 1.0  # seconds after which a caller with too many answers under way may ask again
_MOST_CALLERS: Final = 10_000


def too_many(most: int) -> Refusal:
    """The refusal of one more answer at once."""
    words = f"{most} answers are under way for this key already"
    return Refusal(429, words, code="too_many_streams", retry_after=_BUSY)


def too_often(share: int, wait: float) -> Refusal:
    """The refusal of one more request this minute; in `wait` seconds it would pass."""
    words = f"this key has had its {share} requests a minute"
    return Refusal(429, words, code="rate_limit_exceeded", retry_after=math.ceil(wait))


class _Bucket(NamedTuple):
    left: float
    at: float


class OwnAllowance:
    """The allowance of a gateway that shares it with no other.

    Args:
        limits: What one caller may take.
        clock: Seconds.
    """

    def __init__(self, limits: Limits, clock: Callable[[], float] = time.monotonic) -> None:
        self._limits = limits
        self._clock = clock
        self._running: Counter[str] = Counter()
        self._buckets: dict[str, _Bucket] = {}

    @asynccontextmanager
    async def share(self, caller: str) -> AsyncGenerator[None, None]:
        """Count an answer while it is under way; as `Allowance.share`."""
        most = self._limits.streams
        if most is not None and self._running[caller] >= most:
            raise too_many(most)
        self._take(caller)
        self._running[caller] += 1
        try:
            yield
        finally:
            self._running[caller] -= 1
            if not self._running[caller]:
                del self._running[caller]

    async def aclose(self) -> None:
        """Nothing is held."""

    def _take(self, caller: str) -> None:
        """A token bucket that holds a minute's share, so that bursts pass and the mean holds."""
        share = self._limits.per_minute
        if share is None:
            return
        now = self._clock()
        left, at = self._buckets.get(caller, _Bucket(share, now))
        left = min(share, left + (now - at) * share / MINUTE)
        if left < 1:
            self._buckets[caller] = _Bucket(left, now)
            raise too_often(share, (1 - left) * MINUTE / share)
        if len(self._buckets) >= _MOST_CALLERS:
            self._forget(now, share)
        self._buckets[caller] = _Bucket(left - 1, now)

    def _forget(self, now: float, share: int) -> None:
        """Callers whose bucket is full again are as good as new."""
        full = [who for who, (left, at) in self._buckets.items() if left + (now - at) * share / MINUTE >= share]
        for caller in full:
            del self._buckets[caller]
