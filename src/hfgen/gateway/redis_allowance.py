"""What each caller may still take, counted in Redis for several gateways together: the only file that imports it.

A Redis that does not answer stops nobody: each gateway then counts alone, and looks for it again some seconds later.
"""

import asyncio
import logging
import secrets
import time
from collections.abc import AsyncGenerator, Awaitable
from contextlib import asynccontextmanager, suppress
from typing import Final, cast

from redis.asyncio import BlockingConnectionPool, Redis
from redis.asyncio.retry import Retry
from redis.backoff import NoBackoff
from redis.exceptions import RedisError

from hfgen.errors import UsageError
from hfgen.gateway.allowance import MINUTE, OwnAllowance, too_many, too_often
from hfgen.gateway.settings import Limits

_PATIENCE: Final = 0.25  # seconds that a request waits for Redis
_PAUSE: Final = 5.0  # seconds before a Redis that did not answer is asked again
_LEASE: Final = 60.0  # seconds after which an answer of a gateway that died no longer counts
_CONNECTIONS: Final = 64
_DOWN: Final = (RedisError, OSError, TimeoutError)

# One step, so that no two gateways give the last share away. Redis' own clock counts, as theirs differ.
# KEYS: the answers under way (by the time their leases end), the bucket. ARGV: answers at once and requests a minute
# (0: no limit), the answer's id, the lease, a minute. Returns why not (0: it may), and the seconds to wait, as text.
_TAKE: Final = """
local running, bucket = KEYS[1], KEYS[2]
local most, share, id, lease, minute =
    tonumber(ARGV[1]), tonumber(ARGV[2]), ARGV[3], tonumber(ARGV[4]), tonumber(ARGV[5])
local clock = redis.call('TIME')
local now = tonumber(clock[1]) + tonumber(clock[2]) / 1000000
redis.call('ZREMRANGEBYSCORE', running, '-inf', now)
if most > 0 and redis.call('ZCARD', running) >= most then return {1, '0'} end
if share > 0 then
    local kept = redis.call('HMGET', bucket, 'left', 'at')
    local left, at = tonumber(kept[1]) or share, tonumber(kept[2]) or now
    left = math.min(share, left + math.max(0, now - at) * share / minute)
    local passes = left >= 1
    if passes then left = left - 1 end
    redis.call('HSET', bucket, 'left', tostring(left), 'at', string.format('%.6f', now))
    redis.call('EXPIRE', bucket, math.ceil(minute) + 1)
    if not passes then return {2, tostring((1 - left) * minute / share)} end
end
if most > 0 then
    redis.call('ZADD', running, now + lease, id)
    redis.call('EXPIRE', running, math.ceil(lease) + 1)
end
return {0, '0'}
"""
_RENEW: Final = """
local clock = redis.call('TIME')
redis.call('ZADD', KEYS[1], 'XX', tonumber(clock[1]) + tonumber(ARGV[2]), ARGV[1])
redis.call('EXPIRE', KEYS[1], math.ceil(tonumber(ARGV[2])) + 1)
"""
_log: Final = logging.getLogger("hfgen.gateway")


class RedisAllowance:
    """The allowance of several gateways together.

    Args:
        url: `redis://`, `rediss://` or `unix://`.
        limits: What one caller may take, of all of them.
        lease: Seconds that an answer counts after the last that was heard of its gateway.
        pause: Seconds before a Redis that did not answer is asked again.
        patience: Seconds that a request waits for it.

    Raises:
        UsageError: The address is none of a Redis.
    """

    def __init__(
        self, url: str, limits: Limits, *, lease: float = _LEASE, pause: float = _PAUSE, patience: float = _PATIENCE
    ) -> None:
        try:
            pool = BlockingConnectionPool.from_url(  # pyright: ignore[reportUnknownMemberType] # its keywords have no types
                url,
                max_connections=_CONNECTIONS,
                timeout=patience,
                socket_timeout=patience,
                socket_connect_timeout=patience,
                retry=Retry(NoBackoff(), 0),  # there is no time for it
                driver_info=None,  # each new connection would look its own version up on the disk
            )
        except ValueError as error:
            raise UsageError("the shared limits lie at no address of Redis", hint="redis://host:6379/0") from error
        self._redis = Redis.from_pool(pool)
        self._limits = limits
        self._lease = lease
        self._pause = pause
        self._patience = patience
        self._alone = OwnAllowance(limits)
        self._away_until = 0.0

    @asynccontextmanager
    async def share(self, caller: str) -> AsyncGenerator[None, None]:
        """Count an answer while it is under way; as `Allowance.share`."""
        answer = secrets.token_hex(8)
        if not await self._taken(caller, answer):
            async with self._alone.share(caller):
                yield
            return
        renewing = asyncio.create_task(self._renew(caller, answer)) if self._limits.streams else None
        try:
            yield
        finally:
            if renewing:
                renewing.cancel()
                await self._give_back(caller, answer)

    async def aclose(self) -> None:
        """Close the connections."""
        await self._redis.aclose()

    async def _taken(self, caller: str, answer: str) -> bool:
        """Whether Redis gave the share; False where it does not answer.

        Raises:
            Refusal: It has none left.
        """
        if time.monotonic() < self._away_until:
            return False
        most, share = self._limits.streams or 0, self._limits.per_minute or 0
        given = (str(most), str(share), answer, str(self._lease), str(MINUTE))
        try:
            async with asyncio.timeout(self._patience):
                asked = self._redis.eval(_TAKE, 2, _running(caller), _bucket(caller), *given)
                refused, wait = await cast("Awaitable[tuple[int, bytes]]", asked)
        except _DOWN as error:
            self._is_away(error)
            return False
        if refused == 1:
            raise too_many(most)
        if refused:
            raise too_often(share, float(wait))
        return True

    async def _renew(self, caller: str, answer: str) -> None:
        while True:
            await asyncio.sleep(self._lease / 3)
            with suppress(*_DOWN):
                asked = self._redis.eval(_RENEW, 1, _running(caller), answer, str(self._lease))
                await cast("Awaitable[object]", asked)

    async def _give_back(self, caller: str, answer: str) -> None:
        try:
            await cast("Awaitable[object]", self._redis.zrem(_running(caller), answer))
        except _DOWN as error:
            self._is_away(error)

    def _is_away(self, error: BaseException) -> None:
        """Its words are left out: they may name an address that holds a password."""
        self._away_until = time.monotonic() + self._pause
        _log.warning("Redis does not answer (%s): this gateway counts alone for now", type(error).__name__)


def _running(caller: str) -> str:
    return f"hfgen:{{{caller}}}:running"  # the braces keep both keys in one slot of a cluster


def _bucket(caller: str) -> str:
    return f"hfgen:{{{caller}}}:bucket"
