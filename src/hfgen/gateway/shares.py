"""How much of the gateway each caller gets: answers at once, and requests a minute."""

import math
import time
from collections import Counter
from collections.abc import Callable
from typing import Final, NamedTuple

from starlette.types import ASGIApp, Receive, Scope, Send

from hfgen.gateway.refusal import Refusal
from hfgen.gateway.settings import Limits

_MINUTE: Final = 60.0
_BUSY: Final = 1.0  # seconds after which a caller with too many answers under way may ask again
_MOST_CALLERS: Final = 10_000


class _Bucket(NamedTuple):
    left: float
    at: float


class Shares:
    """Counts what each caller takes; only requests that a model answers count.

    Args:
        app: What is shared.
        limits: What one caller may take.
        clock: Seconds.
    """

    def __init__(self, app: ASGIApp, limits: Limits, clock: Callable[[], float] = time.monotonic) -> None:
        self._app = app
        self._limits = limits
        self._clock = clock
        self._running: Counter[str] = Counter()
        self._buckets: dict[str, _Bucket] = {}

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Pass on what its caller has a share left for.

        Raises:
            Refusal: It has none; 429, with the time after which it will.
        """
        if scope["type"] != "http" or scope["method"] != "POST":
            await self._app(scope, receive, send)
            return
        caller: str = scope.get("hfgen.caller", "")
        most = self._limits.streams
        if most is not None and self._running[caller] >= most:
            raise Refusal(
                429,
                f"{most} answers are under way for this key already",
                code="too_many_streams",
                retry_after=_BUSY,
            )
        self._take(caller)
        self._running[caller] += 1
        try:
            await self._app(scope, receive, send)
        finally:
            self._running[caller] -= 1
            if not self._running[caller]:
                del self._running[caller]

    def _take(self, caller: str) -> None:
        """A token bucket that holds a minute's share, so that bursts pass and the mean holds."""
        share = self._limits.per_minute
        if share is None:
            return
        now = self._clock()
        left, at = self._buckets.get(caller, _Bucket(share, now))
        left = min(share, left + (now - at) * share / _MINUTE)
        if left < 1:
            wait = (1 - left) * _MINUTE / share
            self._buckets[caller] = _Bucket(left, now)
            raise Refusal(
                429,
                f"this key has had its {share} requests a minute",
                code="rate_limit_exceeded",
                retry_after=math.ceil(wait),
            )
        if len(self._buckets) >= _MOST_CALLERS:
            self._forget(now, share)
        self._buckets[caller] = _Bucket(left - 1, now)

    def _forget(self, now: float, share: int) -> None:
        """Callers whose bucket is full again are as good as new."""
        full = [who for who, (left, at) in self._buckets.items() if left + (now - at) * share / _MINUTE >= share]
        for caller in full:
            del self._buckets[caller]
